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

    def send_message(self, *, MessageBody: str, DelaySeconds: int, **_: Any) -> dict[str, Any]:
        assert 0 <= DelaySeconds <= 900
        self._events.at(self._events.clock.now + DelaySeconds * SECOND, MessageBody)
        return {}

    def send_message_batch(self, *, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
        assert 1 <= len(Entries) <= 10
        for entry in Entries:
            self.send_message(MessageBody=entry["MessageBody"], DelaySeconds=entry["DelaySeconds"])
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


class TimerEvents:
    """Invokes the consumers of the stream and of the queue, and the rounds, in the order of time."""

    def __init__(self, stream: Stream, clock: FakeClock, call: Call) -> None:
        """`stream` begins with the records that are read."""
        self.clock, self.queue = clock, Queue(self)
        self._stream, self._call = stream, call
        self._seen: set[str] = set()
        self._messages: list[tuple[int, int, str]] = []
        self._order = count()
        self._next_round = 0
        self.looked_at: list[str] = []
        """The token of each message that was received."""

    def at(self, instant: int, body: str) -> None:
        """Have a message received at an instant (epoch milliseconds)."""
        heapq.heappush(self._messages, (instant, next(self._order), body))

    def run_until(self, instant: int) -> None:
        """Move the clock to an instant, and invoke what is invoked until then.

        Rounds before the last four minutes are missing, which saves the test their time and loses nothing.
        """
        self._read_stream()
        self._next_round = max(self._next_round, self.clock.now, instant - 4 * MINUTE)
        while (upcoming := min(self._next_round, self._next_message())) <= instant:
            self.clock.now = max(self.clock.now, upcoming)
            if self._next_message() <= self.clock.now:
                body = heapq.heappop(self._messages)[2]
                self.looked_at.append(json.loads(body)["waitpointId"])
                assert failures(self._call("expire_tokens", queue_event([body]))) == []
            else:
                self._call("start_timers", {})
                self._next_round = self.clock.now + MINUTE
            self._read_stream()
        self.clock.now = max(self.clock.now, instant)

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
