"""Measure what the number of tokens in the table changes: a page of the list, a create, a callback, and the doctor's round.

One token in ten waits; the others have ended, each with one resumed waiter.
"""

import time
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.figures import Figures, table
from benchmarks.large_table import Calls, LargeTable, large_table
from tests.support.in_process.api_gateway import TOKENS as LIST
from tests.support.in_process.moto_stack import moto_stack
from waitpoints.doctor.scan import AT_ONCE

SIZES = (1_000, 50_000, 500_000)
MOST_UNITS, MOST_TIME = 0.05, 0.5  # by how much more than the table the units and the time of a round may grow


@dataclass
class Size:
    """What each request cost with so many tokens in the table."""

    tokens: int
    page: Calls
    create: Calls
    callback: Calls
    round: Calls
    seconds: float
    cpu_seconds: float
    """Of the doctor's own process, in which its threads take turns."""

    @property
    def cpu_of_a_page(self) -> float:
        """The processor time for a page of the scan, in milliseconds."""
        return self.cpu_seconds * 1000 / len(self.round.units)

    def cells(self) -> list[str]:
        requests = [f"{len(calls.units)} / {calls.total:g}" for calls in (self.page, self.create, self.callback)]
        return [f"{self.tokens:,}", *requests, f"{self.round.total:,.0f}", f"{self.seconds:.1f}", f"{self.cpu_seconds:.1f}"]


def measure(large: LargeTable, tokens: int) -> Size:
    large.grow(tokens)
    large.clock.advance(2 * 60_000)  # longer than the doctor's grace
    with large.served():
        assert large.api.get(LIST).status == 200
        page = large.calls.take()
        created = large.api.create(tags=["orders"])
        create = large.calls.take()
        large.wait_for(created["id"])
        large.calls.take()
        answer = large.api.post(created["url"], {"approved": True}, {"content-type": "application/json"})
        assert answer.status == 200
        callback = large.calls.take()
        started, cpu_started = time.perf_counter(), time.process_time()
        found = large.function("doctor", {"whole": True})
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
        assert found["undone"] == found["finished"] == 0, "the table holds no unfinished work"
        calls = large.calls.take()
        calls.units = [call for call in calls.units if call[0] == "Scan"]  # the few others are the same for any table
        return Size(tokens, page, create, callback, calls, seconds, cpu_seconds)


def over_budget(sizes: list[Size]) -> list[str]:
    """Return what grows that must not, or faster than the table."""
    missed = []
    for name in ("page", "create", "callback"):
        if len({tuple(sorted(getattr(size, name).units)) for size in sizes}) > 1:
            missed.append(f"growth: a {name} costs more in a larger table")
    for smaller, larger in pairwise(sizes[1:]):  # the smallest table is less than a page for each part
        growth = larger.tokens / smaller.tokens
        if larger.round.total > smaller.round.total * growth * (1 + MOST_UNITS):
            missed.append(f"growth: the doctor's read units grow faster than the table, at {larger.tokens:,} tokens")
        if larger.cpu_seconds > smaller.cpu_seconds * growth * (1 + MOST_TIME):
            missed.append(f"growth: the doctor's time grows faster than the table, at {larger.tokens:,} tokens")
    if sizes[-1].round.most_at_once < AT_ONCE:
        missed.append(f"growth: the doctor read only {sizes[-1].round.most_at_once} parts at once")
    return missed


def run() -> Figures:
    with moto_stack() as stack, large_table(stack) as large:
        sizes = [measure(large, tokens) for tokens in SIZES]
    requests = ["a page", "a create", "a callback"]
    doctor = ["doctor: read units", "seconds", "CPU, s"]
    last = sizes[-1]
    shown = table(["tokens", *requests, *doctor], [size.cells() for size in sizes])
    units = last.round.total / len(last.round.units)
    sentence = f"A read of the doctor's scan takes {units:.0f} read units and {last.cpu_of_a_page:.0f} ms of processor time."
    return Figures(f"{shown}\n\n{sentence}", tuple(over_budget(sizes)))
