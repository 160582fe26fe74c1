"""An endpoint: one URL for all deliveries of a provider's account, which complete tokens by their keys.

All times are epoch milliseconds, UTC.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Annotated, Any, Self

from waitpoints.errors import WrittenLater
from waitpoints.json_text import Called, Stored
from waitpoints.token import Verification, cut, iso

WHOLE_BODY = "body"  # the output expression that keeps the body's own text
DEFAULT_KEY_TTL = "24h"
UNVERIFIED = "none"  # said on purpose instead of a verification: the URL alone may complete tokens
MAX_NAME = 64  # characters
_NAME = re.compile(rf"[a-z0-9-]{{1,{MAX_NAME}}}")


def is_name(text: str) -> bool:
    """Whether an endpoint can have this name."""
    return _NAME.fullmatch(text) is not None


def new_secret_id() -> str:
    """Return 24 random hex digits."""
    return secrets.token_hex(12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Stored):
    """The configuration of an endpoint. Its expressions are over the delivery's body, headers and query.

    `verify` is None if the URL alone may complete tokens. `secret_id` is a random part of the URL, so a new endpoint of an old
    name gets a new URL. With a `tag`, its keys are names that an API key limited to that tag may use.
    """

    name: Annotated[str, {"pattern": f"^{_NAME.pattern}$"}]
    secret_id: str
    key: Annotated[str, "The JMESPath expression that gives a delivery's key, which follows the name and a colon."]
    verify: Verification | None
    complete_when: Annotated[
        str | None, "The JMESPath expression that a delivery must match. Absent if every delivery does."
    ] = None
    output: Annotated[str, "The JMESPath expression that gives the token's output."] = WHOLE_BODY
    key_ttl: Annotated[str, Called("keyTTL"), "How long a delivery is kept that came before its token."] = DEFAULT_KEY_TTL
    tag: Annotated[str | None, "What each key begins with, before a colon and the endpoint's name."] = None
    disabled: Annotated[bool, "Deliveries get 503. Absent if they are processed."] = False
    record_deliveries: Annotated[str | None, "How long each verified delivery is kept. Absent if none is."] = None
    created_at: Annotated[int, iso]
    updated_at: Annotated[int, iso]
    is_later: bool = False

    def check_version(self) -> None:
        """Raises WrittenLater if it has settings that only a later version knows."""
        if self.is_later:
            raise WrittenLater("A later version of this stack made the endpoint. Send the same request again")

    @property
    def is_recorded(self) -> bool:
        """Whether its verified deliveries are kept."""
        return self.record_deliveries is not None

    def key_of(self, text: str) -> str:
        """Return the key that a delivery names with this text."""
        return f"{self.name}:{text}" if self.tag is None else f"{self.tag}:{self.name}:{text}"


class DeliveryKind(StrEnum):
    """What became of a delivery to an endpoint."""

    COMPLETED = "completed"  # it settled a token
    KEPT = "kept"  # no token has its key yet
    REPEATED = "repeated"  # the token with its key had already been completed
    LATE = "late"  # the token with its key had already timed out
    NOT_AWAITED = "notAwaited"  # no token has its key, and the endpoint keeps nothing
    NOT_MATCHING = "notMatching"  # completeWhen or the token's payloadSchema or page excludes it
    NO_KEY = "noKey"  # the key expression gave no text and no number
    NO_OUTPUT = "noOutput"  # the output expression failed, or its result is too large
    REFUSED = "refused"  # its signature is wrong, or cannot be checked, or the endpoint is disabled


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDelivery(Stored):
    """The last delivery of one kind. Texts are cut as in an CompletedBy when it is counted."""

    at: Annotated[int, iso, Called("lastAt")]
    ip: Annotated[str | None, Called("lastIp"), "The address that the last one came from."] = None
    user_agent: Annotated[str | None, Called("lastUserAgent"), "The `User-Agent` of the last one."] = None
    delivery_id: Annotated[str | None, Called("lastDeliveryId"), "The provider's own id of the last one."] = None
    key: Annotated[str | None, Called("lastKey"), "The key of the last one."] = None
    detail: Annotated[str | None, Called("lastDetail"), "Why the last one did not complete a token."] = None

    def cut(self) -> Self:
        texts: dict[str, Any] = {field.name: cut(getattr(self, field.name)) for field in fields(self) if field.name != "at"}
        return replace(self, **texts)


@dataclass(frozen=True, slots=True)
class EndpointStatistics:
    """How many deliveries of each kind came, and the last one of each."""

    counts: Mapping[DeliveryKind, int] = field(default_factory=dict)
    last: Mapping[DeliveryKind, LastDelivery] = field(default_factory=dict)

    def __add__(self, other: "EndpointStatistics") -> "EndpointStatistics":
        """Return the counts added up, and the later last delivery of each kind."""
        counts, last = dict(self.counts), dict(self.last)
        for kind, count in other.counts.items():
            counts[kind] = counts.get(kind, 0) + count
        for kind, delivery in other.last.items():
            if kind not in last or last[kind].at <= delivery.at:
                last[kind] = delivery
        return EndpointStatistics(counts, last)
