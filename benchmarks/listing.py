"""Count what a list reads in a table of TOKENS tokens."""

from dataclasses import dataclass
from urllib.parse import urlencode

from benchmarks.figures import Figures, table
from benchmarks.large_table import KEY_EACH, RARE, RARE_EACH, WAITING_EACH, Calls, LargeTable, large_table
from tests.support.in_process.moto_stack import moto_stack
from tools.openapi.operations import TOKENS as LIST

TOKENS = 50_000
ROUNDS = 5


@dataclass(frozen=True)
class Budget:
    """The most that a list may take. A round is queries that run at the same time."""

    queries: int
    rounds: int
    units: float


# The filter, by its name in the document, and what it may take
FILTERS = {
    "no filter": ({}, Budget(4, 1, 2)),
    f"a status, 1 in {WAITING_EACH}": ({"filter[status]": "WAITING"}, Budget(4, 1, 8)),
    f"a tag, 1 in {RARE_EACH:,}": ({"filter[tags]": RARE}, Budget(8, 2, 64)),
    "a key": ({"filter[idempotencyKey]": f"order {KEY_EACH}"}, Budget(1, 1, 0.5)),
}


def read(large: LargeTable, wanted: dict[str, str]) -> tuple[int, Calls]:
    """Read the list. Returns how many tokens it shows, and the calls of the read with the fewest rounds."""
    reads = []
    for _ in range(ROUNDS):
        answer = large.api.get(f"{LIST}?{urlencode(wanted)}")
        assert answer.status == 200, answer.text
        reads.append(large.calls.take())
    return len(answer.json["data"]), min(reads, key=lambda calls: calls.rounds)


def over_budget(name: str, calls: Calls, most: Budget) -> list[str]:
    found = {"queries": len(calls.units), "rounds": calls.rounds, "read units": calls.total}
    limits = (most.queries, most.rounds, most.units)
    return [
        f"list, {name}: {value:g} {what}" for (what, value), limit in zip(found.items(), limits, strict=True) if value > limit
    ]


def run() -> Figures:
    rows, missed = [], []
    with moto_stack() as stack, large_table(stack) as large:
        large.grow(TOKENS)
        with large.served():
            read(large, {})  # reads the secrets
            for name, (wanted, most) in FILTERS.items():
                shown, calls = read(large, wanted)
                rows.append([name, f"{shown}", f"{len(calls.units)}", f"{calls.rounds}", f"{calls.total:g}"])
                missed += over_budget(name, calls, most)
    return Figures(table(["filter", "shown", "queries", "rounds", "read units"], rows), tuple(missed))
