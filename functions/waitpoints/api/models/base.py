"""What the request bodies have in common. Field names are in camel case on the wire (contract C2, R1)."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from waitpoints.api.providers.schemes import OWN, SCHEMES
from waitpoints.api.request_model import VERIFY_FIELDS

if TYPE_CHECKING:
    from pydantic.config import JsonDict

_FIELDS: dict[str, Any] = VERIFY_FIELDS
_SCHEME: dict[str, Any] = {**_FIELDS["scheme"], "enum": sorted([*SCHEMES, OWN])}
ABSENT: Any = None  # the field may be absent but not null, which its type rejects
VERIFY_SCHEMA: "JsonDict" = {
    "type": "object",
    "properties": {**_FIELDS, "scheme": _SCHEME},
    "required": ["scheme", "secret"],
    "additionalProperties": False,
}


class RequestModel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True, extra="forbid")
