"""Validate the request bodies that are pydantic's models, without pydantic, whose import would be a third of a start.

What pydantic has is its core's extension module and, by `make openapi`, each model's core schema (`schemas`).
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module, util
from importlib.machinery import ExtensionFileLoader
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waitpoints import json_text, telemetry
from waitpoints.errors import InvalidRequest
from waitpoints.unknown_names import refuse_unknown, shown

if TYPE_CHECKING:
    from pydantic.config import JsonDict
    from pydantic_core import ErrorDetails

SECRET_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of a secret that a request names, without its folder
CHANNEL_SECRET = re.compile(r"SLACK_BOT_TOKEN|SLACK_SIGNING_SECRET|TEAMS.*")  # of those, a channel's: `secrets put` agrees
MOST_PROBLEMS = 3  # that one message names
_EXPECTED = {
    "bool_type": "expected true or false",
    "dict_type": "expected an object",
    "int_type": "expected a whole number",
    "list_type": "expected a list",
    "model_type": "expected an object",
    "string_type": "expected a text",
}
TIMESTAMP_FIELDS: "JsonDict" = {
    "header": {"type": "string", "description": "The header with the time. Default: the signature's."},
    "prefix": {"type": "string", "description": "What the time's item in the header begins with."},
    "unit": {"type": "string", "description": "`s` (default), `ms`, or `iso` for a date of ISO 8601."},
    "tolerance": {"type": "string", "description": "How far the time may be off: a duration of at most `1h`. Default: `5m`."},
}
VERIFY_FIELDS: "JsonDict" = {
    "scheme": {
        "type": "string",
        "description": "The provider's signature; docs/webhooks.md lists the schemes.",
        "examples": ["github"],
    },
    "secret": {
        "type": "string",
        "description": "The secret `waitpoints/<stack name>/webhooks/NAME` in Secrets Manager.",
        "examples": ["github"],
    },
    "header": {
        "type": "string",
        "description": "For `token`, the header with the secret; for `hmac`, with the signature.",
    },
    "separator": {"type": "string", "description": "For `hmac`: what separates the items of the header."},
    "prefix": {"type": "string", "description": "For `hmac`: what an item that is a signature begins with."},
    "algorithm": {"type": "string", "description": "For `hmac`: `sha256` (default), `sha1`, `sha384` or `sha512`."},
    "encoding": {"type": "string", "description": "For `hmac`: `hex` (default) or `base64`."},
    "secretEncoding": {"type": "string", "description": "For `hmac`: `text` (default), `hex`, `base64` or `whsec`."},
    "timestamp": {
        "type": "object",
        "description": "For `hmac`: where the signing time is, and how old it may be.",
        "properties": TIMESTAMP_FIELDS,
        "additionalProperties": False,
    },
    "signed": {
        "type": "string",
        "description": "For `hmac`: the signed text, with placeholders. Default: `{body}`.",
        "maxLength": 256,
    },
}
"""The fields of `verify`, which `providers.verify_request` parses: only a body that has it loads the table of schemes."""

type Fields = Mapping[str, "Fields"]
"""The names of a body's fields on the wire, each with those of the model that it has, if it has one."""


class Validated:
    """A valid body, with the attributes of its model and none of its methods."""

    __slots__ = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")
    __pydantic_fields_set__: set[str]

    @property
    def model_fields_set(self) -> set[str]:
        return self.__pydantic_fields_set__

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self.__dict__.items())


class Written[Model]:
    """A model as `make openapi` wrote it: `schema` makes its core schema of a function that makes a class of a name.

    `required` has examples of the fields that a body must have.
    """

    def __init__(
        self, model: str, fields: Fields, required: Mapping[str, Sequence[Any]], schema: Callable[[Callable[[str], type]], Any]
    ) -> None:
        self.model, self.fields, self.required, self.schema = model, fields, required, schema
        try:
            core = _load_core()
            self.validator, self._refusal = core.SchemaValidator(schema(_class)), core.ValidationError
        except Exception as error:
            telemetry.logger.warning("Importing pydantic", model=model, error=repr(error))
            self.validator, self._refusal = self._by_pydantic()

    def _by_pydantic(self) -> Any:
        from pydantic import ValidationError

        module, _, name = self.model.rpartition(".")
        return getattr(import_module(module), name).__pydantic_validator__, ValidationError

    def read(self, value: Any) -> Model:
        """Return a value as a model. Raises InvalidRequest that names the field and what it accepts."""
        try:
            valid: Model = self.validator.validate_python(value, extra="ignore")
            return valid
        except self._refusal as error:
            problems = error.errors(include_url=False)[:MOST_PROBLEMS]
            of_fields = groupby(problems, lambda it: it["loc"][:1])
            said = [", or ".join(_problem(self.required, it) for it in of_field) for _, of_field in of_fields]
            raise InvalidRequest("Validation error: " + "; ".join(said)) from None


def _load_core() -> Any:
    """Return pydantic-core's extension module, without its package, which imports definitions of types alone for longer."""
    if (core := sys.modules.get("_pydantic_core")) is not None:
        return core
    package = util.find_spec("pydantic_core")
    assert package is not None, "pydantic_core is not installed"
    assert package.submodule_search_locations, "pydantic_core is no package"
    path = next(Path(package.submodule_search_locations[0]).glob("_pydantic_core*.so"))
    spec = util.spec_from_loader("_pydantic_core", ExtensionFileLoader("_pydantic_core", str(path)))
    assert spec is not None
    assert spec.loader is not None
    core = util.module_from_spec(spec)
    spec.loader.exec_module(core)
    sys.modules["_pydantic_core"] = core
    return core


def _class(name: str) -> type[Validated]:
    return type(name, (Validated,), {})


def validate[Model](model: Written[Model], value: Any, *, ignore_unknown: bool = False) -> Model:
    """Return `value` as a `model`. Raises InvalidRequest that names the field and what it accepts."""
    if not ignore_unknown:
        _refuse_unknown(model.fields, value)
    return model.read(value)


def _refuse_unknown(fields: Fields, value: Any) -> None:
    if not isinstance(value, dict):
        return
    refuse_unknown(value, list(fields))
    for name, members in fields.items():
        if members:
            _refuse_unknown(members, value.get(name))


def _problem(required: Mapping[str, Sequence[Any]], problem: "ErrorDetails") -> str:
    """Describe one validation error. Drops the union member that pydantic adds to the location."""
    location, message = problem["loc"], problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        examples = " or ".join(map(json_text.dumps, required[str(location[0])]))
        return f'"{_path(location)}" is required, such as {examples}'
    message = _EXPECTED.get(problem["type"], message)
    if location:
        return f'{message} at "{_path(location)}"'
    names = [f'"{name}"' for name in required]
    return f"{message} with {' and '.join(names)}" if names and problem["type"] == "model_type" else message


def _path(location: Sequence[int | str]) -> str:
    where = ""
    for part in location:
        if isinstance(part, int):
            where += f"[{part}]"
        elif part not in ("str", "int"):
            where += f".{shown(part)}" if where else shown(part)
    return where
