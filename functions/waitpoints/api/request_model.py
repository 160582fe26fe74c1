"""What the request bodies that pydantic validates have in common. Field names are in camel case on the wire (contract C2, R1).

Each body is in a module of its own: pydantic builds a validator when a model is imported.
"""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from waitpoints import json_text
from waitpoints.errors import InvalidRequest
from waitpoints.unknown_names import refuse_unknown, shown

if TYPE_CHECKING:
    from pydantic.config import JsonDict
    from pydantic_core import ErrorDetails

ABSENT: Any = None  # the field may be absent but not null, which its type rejects
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
VERIFY_SCHEMA: "JsonDict" = {
    "type": "object",
    "properties": VERIFY_FIELDS,
    "required": ["scheme", "secret"],
    "additionalProperties": False,
}


class RequestModel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True, extra="forbid")


def validate[Model: BaseModel](model: type[Model], value: Any, *, ignore_unknown: bool = False) -> Model:
    """Return `value` as a `model`. Raises InvalidRequest that names the field and what it accepts."""
    if not ignore_unknown:
        _refuse_unknown(model, value)
    try:
        return model.model_validate(value, extra="ignore")
    except ValidationError as error:
        problems = error.errors(include_url=False)[:MOST_PROBLEMS]
        of_fields = groupby(problems, lambda it: it["loc"][:1])
        said = [", or ".join(_problem(model, it) for it in of_field) for _, of_field in of_fields]  # a field has alternatives
        raise InvalidRequest("Validation error: " + "; ".join(said)) from None


def _refuse_unknown(model: type[BaseModel], value: Any) -> None:
    if not isinstance(value, dict):
        return
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    refuse_unknown(value, list(fields))
    for name, kind in fields.items():
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            _refuse_unknown(kind, value.get(name))


def _problem(model: type[BaseModel], problem: "ErrorDetails") -> str:
    """Describe one validation error. Drops the union member that pydantic adds to the location."""
    location, message = problem["loc"], problem["msg"].removeprefix("Value error, ")
    fields = {field.alias: field for field in model.model_fields.values()}
    if problem["type"] == "missing":
        examples = " or ".join(map(json_text.dumps, fields[str(location[0])].examples or ()))
        return f'"{_path(location)}" is required, such as {examples}'
    message = _EXPECTED.get(problem["type"], message)
    if location:
        return f'{message} at "{_path(location)}"'
    required = [f'"{name}"' for name, field in fields.items() if field.is_required()]
    return f"{message} with {' and '.join(required)}" if required and problem["type"] == "model_type" else message


def _path(location: Sequence[int | str]) -> str:
    where = ""
    for part in location:
        if isinstance(part, int):
            where += f"[{part}]"
        elif part not in ("str", "int"):
            where += f".{shown(part)}" if where else shown(part)
    return where
