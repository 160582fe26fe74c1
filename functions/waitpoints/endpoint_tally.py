"""Count deliveries to endpoints without writing each one: a busy endpoint's counts are added up and written together.

Each endpoint has a token bucket in each function environment: BURST writes at once, then WRITES_PER_SECOND. While it lasts,
every delivery is written. Above that rate, counts and the last delivery of each kind wait in memory, and go with the next
delivery that may write. If Lambda ends the environment before that, they are lost.
"""

from collections.abc import Callable
from dataclasses import dataclass

from waitpoints import telemetry
from waitpoints.endpoint import DeliveryKind, EndpointStatistics, LastDelivery

BURST = 10
WRITES_PER_SECOND = 2


@dataclass(slots=True)
class _Waiting:
    """What was not written yet, and how many writes the bucket holds since when (epoch milliseconds)."""

    deliveries: EndpointStatistics
    writes: float
    since: int


class EndpointTally:
    def __init__(self, write: Callable[[str, EndpointStatistics], None], clock: Callable[[], int]) -> None:
        self._write = write
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}

    def count(self, secret_id: str, kind: DeliveryKind, delivery: LastDelivery) -> None:
        """Count a delivery. Failures are only logged, and what was not written is written later."""
        now = self._clock()
        waiting = self._waiting.setdefault(secret_id, _Waiting(EndpointStatistics(), BURST, now))
        waiting.deliveries += EndpointStatistics({kind: 1}, {kind: delivery.cut()})
        if not _may_write(waiting, now):
            return
        with telemetry.only_logging("Deliveries to an endpoint not counted yet"):
            self._write(secret_id, waiting.deliveries)
            waiting.deliveries = EndpointStatistics()


def _may_write(waiting: _Waiting, now: int) -> bool:
    """Take a write from the bucket if it holds one. A clock that is set back refills nothing."""
    earned = max(now - waiting.since, 0) * WRITES_PER_SECOND / 1000
    waiting.writes, waiting.since = min(waiting.writes + earned, BURST), now
    if waiting.writes < 1:
        return False
    waiting.writes -= 1
    return True
