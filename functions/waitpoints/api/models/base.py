"""What the request bodies have in common. Field names are in camel case on the wire (contract C2, R1)."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from waitpoints.api.request_model import VERIFY_FIELDS

if TYPE_CHECKING:
    from pydantic.config import JsonDict

ABSENT: Any = None  # the field may be absent but not null, which its type rejects
VERIFY_SCHEMA: "JsonDict" = {
    "type": "object",
    "properties": VERIFY_FIELDS,
    "required": ["scheme", "secret"],
    "additionalProperties": False,
}


class RequestModel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True, extra="forbid")
