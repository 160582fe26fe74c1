"""Measure what a request costs a warm function beyond boto3's calls, and against a bare handler.

The processor time of one thread, with AWS stubbed at the socket (`aws_stub`). Function and bare handler take turns.
"""

import statistics
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks import measured_requests
from benchmarks.cold_start import Paired
from benchmarks.figures import Figures, table
from benchmarks.measured_requests import Case, in_process_of_its_own

ROUNDS, REQUESTS = 9, 2000
BUDGETS = {"callback with a waiter": 0.18, "create": 0.30, "page shown": 0.50, "page answered": 0.35}
"""The share of a request's processor time that is not boto3's: what was found on a quiet machine, and a tenth more."""


@dataclass
class Warm(Paired):
    """What a request took in each round, in microseconds."""

    case: Case
    calls: list[float] = field(default_factory=list)

    def measure(self) -> None:
        own = serve(self.case, f"{self.case.function}.handler", REQUESTS)
        bare = serve(replace(self.case, event=self.case.bare_event or self.case.event), f"{self.case.bare}.handler", REQUESTS)
        self.own.append(own["request"])
        self.calls.append(own["calls"])
        self.bare.append(bare["request"])

    @property
    def share(self) -> float:
        """The median share of a request that is spent outside boto3's calls."""
        return statistics.median(1 - calls / own for own, calls in zip(self.own, self.calls, strict=True))

    @property
    def missed(self) -> list[str]:
        budget = BUDGETS[self.case.title]
        return [f"{self.case.title} spends {self.share:.0%} outside boto3's calls"] if self.share > budget else []

    def cells(self) -> list[str]:
        share = [f"**{self.share:.1%}**", f"{BUDGETS[self.case.title]:.0%}"]
        return [self.case.title, *share, f"{statistics.median(self.own):.0f}", f"{self.ratio:.2f}"]


def serve(case: Case, handler: str, requests: int) -> dict[str, Any]:
    """Serve a case's request many times in a process of its own, and return what `warm_process` measured."""
    return in_process_of_its_own(case, "warm_process", handler, str(requests), event=case.event)


def run() -> Figures:
    measured_requests.build()
    pages = measured_requests.page_shown(), measured_requests.page_answered()
    measured = [Warm(case) for case in (measured_requests.callback(), measured_requests.create(), *pages)]
    for _ in range(ROUNDS):
        for warm in measured:
            warm.measure()
    head = ["request", "beyond boto3", "budget", "request, µs", "to the bare handler"]
    missed = [line for warm in measured for line in warm.missed]
    return Figures(table(head, [warm.cells() for warm in measured]), tuple(missed))
