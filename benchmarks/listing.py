"""Count what a list reads, and time it against the reader of version 0.1.0.

That one read one partition after the other, and went on until each had enough matching tokens. Both read the same table
of TOKENS tokens. For the times, each query is answered with what dynalite has answered to it, after a pause as long as a
query of DynamoDB takes, so that no time is the engine's.
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from benchmarks.large_table import KEY_EACH, RARE, RARE_EACH, WAITING_EACH, Calls, LargeTable, large_table
from benchmarks.page import Figures, table
from waitpoints import ids
from waitpoints.listing import Filter, IdRange, ListQuery, ReadRange, read_slice
from waitpoints.token import Status, Token

TOKENS = 50_000
PAUSE = 0.005  # seconds: a query of DynamoDB takes a few milliseconds
ROUNDS = 15
READS, READ_AHEAD = 4, 500  # of each partition in version 0.1.0
MOST_TIME, MOST_UNITS = 0.25, 0.5  # of those of version 0.1.0, if few tokens match
FILTERS = {
    "no filter": Filter(),
    f"a status, 1 in {WAITING_EACH}": Filter(statuses=frozenset({Status.WAITING})),
    f"a tag, 1 in {RARE_EACH:,}": Filter(tags=frozenset({RARE})),
    "an idempotency key": Filter(idempotency_key=f"order {KEY_EACH}"),
}
Reader = Callable[[Sequence[ReadRange], ListQuery], Sequence[Token]]


class Replay:
    """Note the answers of a client's calls. Once there is a `pause`, answer the same calls with them after it."""

    def __init__(self, client: Any) -> None:
        self.pause: float | None = None
        self._answers: dict[bytes, bytes] = {}
        self._asked = threading.local()
        client.meta.events.register("before-send.dynamodb", self._answer)
        client.meta.events.register("after-call.dynamodb", self._note)

    def _answer(self, request: Any, **_: Any) -> AWSResponse | None:
        self._asked.body = request.body
        if self.pause is None:
            return None
        time.sleep(self.pause)
        return AWSResponse(request.url, 200, HTTPHeaders(), Raw(self._answers[request.body]))

    def _note(self, http_response: AWSResponse, **_: Any) -> None:
        self._answers[self._asked.body] = http_response.content


class Raw(BytesIO):
    """A body as urllib3 gives it to botocore."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@dataclass
class Read:
    """What a reader returned and what it called, and how long it took, in milliseconds."""

    shown: Sequence[str]
    calls: Calls
    milliseconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)


def now(readers: Sequence[ReadRange], query: ListQuery) -> Sequence[Token]:
    return read_slice(readers, query).tokens


def before(readers: Sequence[ReadRange], query: ListQuery) -> Sequence[Token]:
    """Read the newest tokens as version 0.1.0 did."""
    found: list[Token] = []
    for read in readers:
        matching: list[Token] = []
        last = ids.LAST
        for _ in range(READS):
            limit = READ_AHEAD if query.filter.may_skip else query.size + 1
            tokens, stopped_at = read(IdRange(ids.FIRST, last, ascending=False), limit)
            matching += tokens
            if stopped_at is None or len(matching) > query.size:
                break
            last = ids.next_to(stopped_at, -1)
        found += matching
    return sorted(found, key=lambda token: token.id, reverse=True)[: query.size]


def measure(large: LargeTable, replay: Replay, wanted: Filter) -> tuple[Read, Read]:
    """Read the list as now and as before."""
    from waitpoints.wiring import services  # noqa: PLC0415 - reads the stack's environment

    query = ListQuery(wanted)
    readers = services.store.partitions(wanted, large.clock())
    reads = []
    replay.pause = None
    for reader in (now, before):
        large.calls.take()
        shown = [token.id for token in reader(readers, query)]
        reads.append(Read(shown, large.calls.take(), []))
    replay.pause = PAUSE
    for round_ in range(ROUNDS):
        order = (0, 1) if round_ % 2 else (1, 0)  # they take turns at being the first
        for which in order:
            started = time.perf_counter()
            (now, before)[which](readers, query)
            reads[which].milliseconds.append((time.perf_counter() - started) * 1000)
            reads[which].calls.rounds = min(reads[which].calls.rounds, large.calls.take().rounds)
    return reads[0], reads[1]


def run() -> Figures:
    rows, missed = [], []
    with large_table() as large:
        large.grow(TOKENS)
        with large.served() as client:
            replay = Replay(client)
            for name, wanted in FILTERS.items():
                own, old = measure(large, replay, wanted)
                assert own.shown == old.shown[: len(own.shown)], f"{name}: other tokens"
                rows.append(cells(name, own, old))
                missed += over_budget(name, wanted, own, old)
    head = ["filter", "shown", "queries", "rounds", "read units", "ms", "time, to 0.1.0", "queries of 0.1.0", "its read units"]
    return Figures(table(head, rows), tuple(missed))


def ratio(own: Read, old: Read) -> float:
    return statistics.median(one / other for one, other in zip(own.milliseconds, old.milliseconds, strict=True))


def cells(name: str, own: Read, old: Read) -> list[str]:
    counts = [f"{len(own.shown)}", f"{len(own.calls.units)}", f"{own.calls.rounds}", f"{own.calls.total:g}"]
    return [name, *counts, f"{own.median:.0f}", f"**{ratio(own, old):.2f}**", f"{len(old.calls.units)}", f"{old.calls.total:g}"]


def over_budget(name: str, wanted: Filter, own: Read, old: Read) -> list[str]:
    """A list whose filter matches little has a budget of time and units, any other must not read more than before."""
    matches_little = bool(wanted.tags)
    most_units = old.calls.total * (MOST_UNITS if matches_little else 1)
    missed = [f"list, {name}: {own.calls.total:g} read units"] if own.calls.total > most_units else []
    if matches_little and ratio(own, old) > MOST_TIME:
        missed.append(f"list, {name}: {ratio(own, old):.2f} of the time of 0.1.0")
    return missed
