"""What invokes the functions of the timers, on a clock that a test moves: the stream, the queue and the minute."""

import heapq
import json
from collections.abc import Callable
from itertools import count
from typing import Any

from tests.support.in_process.event_sources import Stream, failures, queue_event
from tests.support.in_process.fakes.clock import FakeClock

SECOND, MINUTE = 1000, 60_000  # milliseconds
NEVER = 1 << 62

Call = Callable[[str, Any], Any]
"""Invokes a function, by the name of its module, with an event."""


class Queue:
    """The part of boto3's SQS client that the timers use."""

    def __init__(self, events: "TimerEvents") -> None:
        self._events = events
        self.before_send: Callable[[], object] = lambda: None

    def send_message(self, **message: Any) -> dict[str, Any]:
        self.before_send()
        self._send(**message)
        return {}

    def send_message_batch(self, *, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
        assert 1 <= len(Entries) <= 10
        self.before_send()
        for entry in Entries:
            self._send(**entry)
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def _send(self, *, MessageBody: str, DelaySeconds: int, **_: Any) -> None:
        assert 0 <= DelaySeconds <= 900
        self._events.at(self._events.clock.now + DelaySeconds * SECOND, MessageBody)


class TimerEvents:
    """Invokes the consumers of the stream and of the queue, and the rounds, in the order of time."""

    def __init__(self, stream: Stream, clock: FakeClock, call: Call) -> None:
        """`stream` begins with the records that are read."""
        self.clock, self.queue = clock, Queue(self)
        self._stream, self._call = stream, call
        self._seen: set[str] = set()
        self._messages: list[tuple[int, int, int, str]] = []
        self._order = count()
        self._minute = self._next_round = 0
        self.copies = 1
        """How often each message is received."""
        self.message_lateness: Callable[[], int] = int
        self.round_lateness: Callable[[], int] = int
        """How late the next message and the next round is (ms)."""
        self.looked_at: list[str] = []
        """The token of each message that was received."""

    def at(self, instant: int, body: str) -> None:
        """Have a message received that is sent now and due at an instant (epoch milliseconds)."""
        for _ in range(self.copies):
            heapq.heappush(self._messages, (instant + self.message_lateness(), next(self._order), self.clock.now, body))

    def run_until(self, instant: int) -> None:
        """Move the clock to an instant, and invoke what is invoked until then.

        Rounds before the last four minutes are missing, which saves the test their time and loses nothing.
        """
        self._read_stream()
        if self._next_round < (first := max(self.clock.now, instant - 4 * MINUTE)):
            self._plan_round(first)
        while (upcoming := min(self._next_round, self._next_message())) <= instant:
            self.clock.now = max(self.clock.now, upcoming)
            if self._next_message() <= self.clock.now:
                self._receive(*heapq.heappop(self._messages))
            else:
                self._call("start_timers", {})
                self._plan_round(self._minute + MINUTE)
            self._read_stream()
        self.clock.now = max(self.clock.now, instant)

    def _plan_round(self, minute: int) -> None:
        self._minute, self._next_round = minute, minute + self.round_lateness()

    def _receive(self, _at: int, order: int, sent_at: int, body: str) -> None:
        """A message that fails comes again in a second. Only one that names its instant may fail."""
        self.looked_at.append(json.loads(body)["waitpointId"])
        if failures(self._call("expire_tokens", queue_event([body], sent_at))):
            assert "instant" in body
            heapq.heappush(self._messages, (self.clock.now + SECOND, order, sent_at, body))

    def follow(self, stream: Stream) -> None:
        """Read another stream from now on."""
        self._stream = stream

    def _next_message(self) -> int:
        return self._messages[0][0] if self._messages else NEVER

    def _read_stream(self) -> None:
        every = self._stream.records("schedule_timeouts")
        records = [record for record in every if record["dynamodb"]["SequenceNumber"] not in self._seen]
        self._seen |= {record["dynamodb"]["SequenceNumber"] for record in records}
        if records:
            assert failures(self._call("schedule_timeouts", {"Records": records})) == []
