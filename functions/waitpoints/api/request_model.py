"""What the request bodies that pydantic validates have in common. Field names are in camel case on the wire (contract C2, R1).

Each body is in a module of its own: pydantic builds a validator when a model is imported.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from waitpoints.errors import InvalidRequest
from waitpoints.unknown_names import unknown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

ABSENT: Any = None  # the field may be absent but not null, which its type rejects


class RequestModel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True, extra="forbid")


def validated[Model: BaseModel](model: type[Model], value: Any, *, ignore_unknown: bool = False) -> Model:
    """Return `value` as a `model`. Raises InvalidRequest that names the field and what it accepts."""
    try:
        return model.model_validate(value, extra="ignore" if ignore_unknown else "forbid")
    except ValidationError as error:
        problems = [_problem(model, problem) for problem in error.errors(include_url=False)]
        raise InvalidRequest("Validation error: " + ", or ".join(problems)) from None


def _problem(model: type[BaseModel], problem: "ErrorDetails") -> str:
    """Describe one validation error. Drops the union member that pydantic adds to the location."""
    location, message = problem["loc"], problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return unknown(str(location[-1]), _fields(model, location[:-1]))
    if problem["type"] == "model_type":
        message = "Expected an object"
    where = ""
    for part in location:
        if isinstance(part, int):
            where += f"[{part}]"
        elif part not in ("str", "int"):
            where += f".{part}" if where else part
    return f'{message} at "{where}"' if where else message


def _fields(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """The field names of the model nested at `path`."""
    by_name = {field.alias or name: field for name, field in model.model_fields.items()}
    inner = by_name[str(path[0])].annotation if path else None
    return _fields(inner, path[1:]) if isinstance(inner, type) and issubclass(inner, BaseModel) else list(by_name)
