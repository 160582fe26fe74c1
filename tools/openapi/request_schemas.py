"""Write the core schema of each request's model, from which a function validates without pydantic (`api/request_model`)."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Final

from pydantic import BaseModel

from tools.openapi import generated
from waitpoints.api import models, request_checks
from waitpoints.api.models.base import RequestModel

FOLDER: Final = Path(models.__file__).parents[1] / "schemas"
NOTHING_AT_RUN_TIME: Final = {"metadata", "serialization", "serialization_alias", "ref", "computed_fields"}


def bodies() -> dict[Path, ModuleType]:
    """Return the modules of models, each with the file that is written of it."""
    names = [it.name for it in iter_modules(models.__path__) if it.name != "base"]
    return {FOLDER / f"{name}.py": import_module(f"{models.__name__}.{name}") for name in names}


def written() -> dict[Path, str]:
    """Return the text of each module that is made."""
    made_with = f'"""The core schemas of `models`."""\n\nPYDANTIC_CORE = "{metadata.version("pydantic-core")}"\n'
    return {FOLDER / "__init__.py": generated.module(made_with)} | {file: _text(it) for file, it in bodies().items()}


def models_of(module: ModuleType) -> list[type[RequestModel]]:
    """Return the bodies that a module defines, without the parts of bodies."""
    classes = [it for it in vars(module).values() if inspect.isclass(it) and issubclass(it, RequestModel)]
    defined = [it for it in classes if it.__module__ == module.__name__]
    parts = {field.annotation for it in defined for field in it.model_fields.values()}
    return [it for it in defined if it not in parts]


def constant(model: type[RequestModel]) -> str:
    """Return the name of what is written of a model: CREATE_KEY_REQUEST of CreateKeyRequest."""
    return "".join(f"_{it}" if it.isupper() else it for it in model.__name__).strip("_").upper()


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _text(module: ModuleType) -> str:
    made = models_of(module)
    constants = "".join(map(_constant, made))
    checks = "from waitpoints.api import request_checks\n" if "request_checks." in constants else ""
    names = ", ".join(it.__name__ for it in made)
    return generated.module(
        f'"""The core schemas of `models/{_name(module)}`."""\n\nfrom typing import TYPE_CHECKING\n\n{checks}'
        f"from waitpoints.api.request_model import Written\n\n"
        f"if TYPE_CHECKING:\n    from {module.__name__} import {names}\n\n{constants}"
    )


def _constant(model: type[RequestModel]) -> str:
    schema = _literal(model.__pydantic_core_schema__)
    required = {it.alias: it.examples or [] for it in model.model_fields.values() if it.is_required()}
    path = f"{model.__module__}.{model.__name__}"
    made = f"Written({path!r}, {_fields(model)!r}, {required!r}, lambda a_class: {schema})"
    return f'{constant(model)}: Written["{model.__name__}"] = {made}\n'


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Return the names of a model's fields on the wire, each with those of the model that it has."""
    kinds = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    parts = {name: kind for name, kind in kinds.items() if inspect.isclass(kind) and issubclass(kind, BaseModel)}
    return {name: _fields(parts[name]) if name in parts else {} for name in kinds}


def _literal(value: Any) -> str:
    """Return the Python that makes a part of a core schema."""
    match value:
        case {"type": "default", "default": BaseModel() as default}:  # made anew of its fields
            return _literal({**value, "default": default.model_dump(by_alias=True), "validate_default": True})
        case Mapping():
            left_out = NOTHING_AT_RUN_TIME if isinstance(value.get("type"), str) else set()  # else they are fields' names
            items = (f"{name!r}: {_literal(it)}" for name, it in value.items() if name not in left_out)
            return f"{{{', '.join(items)}}}"
        case list():
            return f"[{', '.join(_literal(it) for it in value)}]"
        case type():
            return f"a_class({value.__name__!r})"
        case None | bool() | int() | str() | ():
            return repr(value)
    return _named(value)


def _named(function: Callable[..., Any]) -> str:
    """Return the name of a check, such as `request_checks.tags`."""
    [name] = (name for name, value in vars(request_checks).items() if value is function)
    return f"request_checks.{name}"
