"""Timers: the pace of `start_timers`, the queue, and its mapping to `expire_tokens`. Times in seconds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import simpy

from benchmarks.simulation.aws import Process
from benchmarks.simulation.quotas import QUEUE_GAIN, QUEUE_MOST, QUEUE_START, TIMERS_STARTED

LONGEST_PAUSE: Final = 120.0
"""Before a message that failed comes again. A test compares it with that of the code."""


@dataclass(slots=True)
class Message[Token]:
    token: Token
    receives: int = 0

    def pause(self) -> float:
        return min(2.0 ** (self.receives - 1), LONGEST_PAUSE)


@dataclass
class TimerQueue[Token]:
    """Lambda begins with few messages at once, and takes more of them for as long as some are left.

    `expire` handles a token's message. It returns whether it worked.
    """

    env: simpy.Environment
    expire: Callable[[Token], Process]
    handlers: int = 0
    _messages: simpy.Store = field(init=False)
    _grows: bool = False

    def __post_init__(self) -> None:
        self._messages = simpy.Store(self.env)

    def start_timers(self, tokens: list[Token], deadline: float) -> Process:
        """Send the messages at the pace of `start_timers`, each delayed until the deadline."""
        for token in tokens:
            yield self.env.timeout(1 / TIMERS_STARTED)
            self.env.process(self._send(Message(token), max(0, deadline - self.env.now)))

    def _send(self, message: Message[Token], delay: float) -> Process:
        yield self.env.timeout(delay)
        yield self._messages.put(message)
        if not self._grows:
            self._grows = True
            self.env.process(self._grow())

    def _grow(self) -> Process:
        while self._messages.items and self.handlers < QUEUE_MOST.value:
            self.handlers += 1
            self.env.process(self._handle())
            yield self.env.timeout(0 if self.handlers < QUEUE_START.value else 60 / QUEUE_GAIN.value)
        self._grows = False

    def _handle(self) -> Process:
        while True:
            message = yield self._messages.get()
            message.receives += 1
            if not (yield from self.expire(message.token)):
                self.env.process(self._send(message, message.pause()))
