"""What those who send callbacks do after 429, 503, or no answer in time.

The numbers are those that the senders document, and the SDK's are in its source. Where a sender says how often it tries
again and within which time, but not when, its pauses are taken to double.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sender:
    """`pauses` are the seconds before each further attempt. Without an answer in `patience` seconds it sends again, too."""

    name: str
    pauses: tuple[float, ...]
    patience: float


def doubling(attempts: int, total: float) -> tuple[float, ...]:
    """Return so many pauses, each twice the one before, that add up to `total` seconds."""
    first = total / (2**attempts - 1)
    return tuple(first * 2**number for number in range(attempts))


_HOUR = 3600
NEVER: Final = Sender("GitHub: never again", (), 10)
SDK: Final = Sender("Trigger.dev's SDK: 5 attempts in 9 s", tuple(1.6**number for number in range(4)), 60)
STEADY: Final = Sender("Deepgram: 10 times more, 30 s apart", (30.0,) * 10, 30)
TWO_HOURS: Final = Sender("fal: 10 times more in 2 hours", doubling(10, 2 * _HOUR), 15)
FOUR_HOURS: Final = Sender("Shopify: 8 times more in 4 hours", doubling(8, 4 * _HOUR), 5)
SENDERS: Final = (NEVER, SDK, STEADY, TWO_HOURS, FOUR_HOURS)
