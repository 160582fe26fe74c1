"""The timer queue in memory: what was sent on it. Nothing comes out of it by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from waitpoints.aws.services.queues import TimerQueue
from waitpoints.ports import Timer


@dataclass(frozen=True)
class Sent:
    token_id: str
    due_at: int
    at: int
    names_instant: bool = False


class FakeTimerQueue(TimerQueue):
    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.requests = 0
        self.refused: set[str] = set()
        """The ids of tokens whose messages SQS refuses within a request that it accepts."""
        self.at_each_send: Callable[[], object] = lambda: None
        self.noted: list[int | None] = []
        """For `at_each_send`."""

    def send(self, timer: Timer, now: int, *, names_instant: bool = False) -> None:
        self.requests += 1
        self.at_each_send()
        self.sent.append(Sent(timer.token_id, timer.due_at, now, names_instant))

    def come_again_soon(self, receipt_handle: str, receives: int) -> None:
        """It comes again when the test says so."""

    def send_all(self, timers: Sequence[Timer], now: int) -> set[str]:
        self.requests += bool(timers)
        refused = {timer.token_id for timer in timers} & self.refused
        for timer in timers:
            if timer.token_id not in refused:
                self.at_each_send()
                self.sent.append(Sent(timer.token_id, timer.due_at, now))
        return refused
