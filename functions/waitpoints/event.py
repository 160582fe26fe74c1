"""An event for the event bus, and its size as EventBridge counts it."""

from dataclasses import dataclass

SOURCE = "waitpoints"
_TIME_BYTES = 14


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the source SOURCE. `at` is when it happened, in epoch milliseconds; `detail` is a JSON object."""

    type: str
    at: int
    detail: str

    @property
    def size(self) -> int:
        """Bytes, as the EventBridge User Guide counts an entry of PutEvents ("Calculating PutEvents event entry size")."""
        return _TIME_BYTES + len(SOURCE) + len(self.type) + len(self.detail.encode())
