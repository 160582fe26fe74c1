"""Waiters that register and callbacks that arrive at the same moment."""

import random
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tests.support import figures
from tests.support.e2e.api import Api
from tests.support.patience import measured

BATCH = 10
LONGEST = 5  # times as many tokens as were asked for
CLIENTS = 16
SHUFFLED = random.Random(4)  # noqa: S311

Start = Callable[[dict[str, Any]], str]
"""Starts an execution that waits for a token. Returns its ARN."""


class Race:
    """Tokens whose waiters register and whose callbacks arrive at the same moment, in random order.

    Both sides begin after a random pause. After every batch the longest pauses are tuned, one up and the other one down,
    so that about as many come first on either side, also where one side is always the slower one.
    """

    def __init__(self, api: Api, pool: ThreadPoolExecutor, start: Start, result: Callable[[str], tuple[str, Any]]) -> None:
        self.api, self.pool, self.start, self.result = api, pool, start, result
        self.executions: dict[int, str] = {}
        self.tokens: list[dict[str, Any]] = []
        self.longest_pause = 0.0  # of either side, in seconds, while `advantage` is 1
        self.advantage = 1.0  # of the waiters: callbacks pause as many times longer, and waiters shorter
        self.before = 0

    def run(self, tokens: int) -> None:
        """Race, and go on while the race was not close, because a busy machine needs longer tuning."""
        self.prepare()
        started_at = time.monotonic()
        measured(lambda: self._run(tokens, LONGEST * tokens), bool)
        self.seconds = time.monotonic() - started_at

    def prepare(self) -> None:
        for _ in ("the functions start", "they have started"):
            self.longest_pause = statistics.median(self.pool.map(lambda _: self.time_to_register(), range(BATCH)))

    def _run(self, least: int, most: int) -> bool:
        """Race for some more tokens. Returns whether it is a close race."""
        for made in range(0, most, BATCH):
            if made >= least and self.is_close:
                break
            self._race(range(len(self.tokens), len(self.tokens) + BATCH))
        return self.is_close

    def _race(self, batch: range) -> None:
        self.tokens += self.pool.map(lambda _: self.api.create(), batch)
        self.at_once((partial(self.register, number), partial(self.callback, number)) for number in batch)
        self.results(batch)
        before = sum(self.pool.map(lambda number: len(self.api.retrieve(self.tokens[number])["waiters"]), batch))
        self.advantage *= 4 ** (1 - 2 * before / len(batch))  # as it is, if half of them were before
        self.before += before

    def at_once(self, pairs: Iterable[tuple[Callable[[], None], Callable[[], None]]]) -> None:
        """Do both of each pair, in any order."""
        acts = [act for pair in pairs for act in SHUFFLED.sample(pair, 2)]
        for done in [self.pool.submit(act) for act in acts]:
            done.result()

    def time_to_register(self) -> float:
        """Let an execution wait for a token, beside others. Returns how long that took (s)."""
        token, started_at = self.api.create(), time.monotonic()
        self.start(token)
        self.api.wait_until_registered(token)
        seconds = time.monotonic() - started_at
        assert self.api.deliver(token, {}).status == 200
        return seconds

    def pause(self, advantage: float) -> None:
        time.sleep(SHUFFLED.uniform(0, self.longest_pause * advantage))

    def register(self, number: int) -> None:
        self.pause(1 / self.advantage)
        self.executions[number] = self.start(self.tokens[number])

    def callback(self, number: int) -> None:
        self.pause(self.advantage)
        assert self.api.deliver(self.tokens[number], {"number": number}).status == 200

    def results(self, numbers: Iterable[int] | None = None) -> dict[int, tuple[str, Any]]:
        """How each execution has ended."""
        chosen = list(self.executions if numbers is None else numbers)
        return dict(zip(chosen, self.pool.map(self.result, map(self.executions.__getitem__, chosen)), strict=True))

    @property
    def is_close(self) -> bool:
        """Whether either side came first often enough for a race."""
        return min(self.before, self.after) > len(self.tokens) // 10

    @property
    def after(self) -> int:
        return len(self.tokens) - self.before

    def was_close(self, name: str) -> bool:
        """Show how the race went. Returns whether it was close."""
        figures.show(
            f"{name}: {len(self.tokens)} tokens in {self.seconds:.0f} s, {len(self.executions)} executions resumed; "
            f"{self.before} waiters were there before the callback, {self.after} came after it"
        )
        return self.is_close
