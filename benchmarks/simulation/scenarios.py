"""The bursts of docs/scaling.md, as the model sees them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.figures import table
from benchmarks.simulation.senders import FOUR_HOURS, SENDERS, Sender
from benchmarks.simulation.stack import SimulatedStack, Throttle
from benchmarks.simulation.world import LARGE_REGION, SMALL_REGION, Found, Setting, Simulation, happened_by, percentile

BURST: Final = 100_000
MINUTE: Final = 60.0
RAISED: Final = Throttle(2_000, 2_000)  # of the callback route
NEW_ACCOUNT: Final = 10  # invocations at once
GROWN: Final = 40  # partitions of a table that has had that much traffic


@dataclass(frozen=True, slots=True)
class Run:
    """A scenario that has run, and held: nothing was lost."""

    name: str
    world: Simulation
    found: Found
    since: float = 0
    """From when on its times count."""

    def settled(self) -> list[float]:
        return sorted(token.settled_at - self.since for token in self.found.tokens if token.settled_at is not None)

    def resumed(self) -> list[float]:
        return sorted(token.resumed_at - self.since for token in self.found.tokens if token.resumed_at is not None)


def burst(name: str, setting: Setting, sender: Sender = FOUR_HOURS, number: int = BURST, within: float = MINUTE) -> Run:
    world = Simulation(setting)
    found = world.callbacks(number, within, sender)
    found.audit()
    return Run(name, world, found)


def as_deployed(stack: SimulatedStack) -> list[Run]:
    """A hundred thousand callbacks in a minute, with the throttles of the template, by sender."""
    runs = [burst(sender.name, Setting(stack), sender) for sender in SENDERS]
    new = Setting(stack, concurrency=NEW_ACCOUNT, send_task=SMALL_REGION)
    return [*runs, burst("a new account, 10 invocations at once; as Shopify", new)]


def raised(stack: SimulatedStack) -> list[Run]:
    """The same burst, with a callback route that lets it in."""
    setting = Setting(replace(stack, callbacks=RAISED))
    small = replace(setting, send_task=SMALL_REGION)
    few = replace(small.stack, reserved={**stack.reserved, "accept_callback": 300})
    return [
        burst("500 `SendTaskSuccess` a second, bucket 3,000", replace(setting, send_task=LARGE_REGION)),
        burst("300 a second, bucket 1,500", small),
        burst("300 a second, `CallbackConcurrency=300`", replace(small, stack=few)),
        burst("raised to 2,500 a second", replace(setting, send_task=Throttle(2_500, 5_000))),
    ]


def deadlines(stack: SimulatedStack) -> list[Run]:
    """Tokens that all time out at one instant."""
    return [deadline(f"{number:,}", Setting(stack), number) for number in (1_000, BURST)]


def deadline(name: str, setting: Setting, number: int) -> Run:
    world = Simulation(setting)
    since = world.timeouts(number)
    world.found.audit_timeouts()
    return Run(name, world, world.found, since)


def list_index(stack: SimulatedStack) -> list[Run]:
    """Four thousand callbacks a second for a quarter of a minute, where every other quota has been raised."""
    wide = Throttle(10_000, 10_000)
    setting = Setting(replace(stack, callbacks=wide), send_task=wide, account=wide, concurrency=10_000, partitions=GROWN)
    cases = {
        "a new table: four partitions": replace(setting, partitions=4),
        "a grown table, four partitions for the four list shards": setting,
        "a grown table, three partitions": replace(setting, list_partitions=(0, 0, 1, 2)),
        "a grown table, one partition": replace(setting, list_partitions=(0, 0, 0, 0)),
    }
    return [burst(name, case, number=60_000, within=MINUTE / 4) for name, case in cases.items()]


def report(stack: SimulatedStack) -> tuple[str, list[Run], list[Run]]:
    """Run all scenarios. Returns Markdown, and the runs to draw."""
    senders, regions = as_deployed(stack), raised(stack)
    parts = [
        "100,000 callbacks in a minute, as deployed, by what the sender does after 429:",
        table(_SENDER_HEAD, [_sender_cells(run) for run in senders]),
        "The same with the callback route raised to 2,000 a second, by quota:",
        table(_LAG_HEAD, [_lag_cells(run) for run in regions]),
        "4,000 callbacks a second for 15 s, with every quota raised but that of the list index:",
        table(_INDEX_HEAD, [_index_cells(run) for run in list_index(stack)]),
        "Tokens that share a deadline, in seconds after it:",
        table(_DEADLINE_HEAD, [_deadline_cells(run) for run in deadlines(stack)]),
    ]
    return "\n\n".join(parts), senders, regions


_SENDER_HEAD = ["sender", "settled in 10 minutes", "the last after", "given up", "answered 429", "503"]


def _sender_cells(run: Run) -> list[str]:
    settled, answers = run.settled(), run.found.answers
    [ten] = happened_by(settled, [10 * MINUTE])
    return [
        run.name,
        f"{ten:,}",
        _duration(settled[-1]),
        f"{run.found.given_up:,}",
        f"{answers[429]:,}",
        f"{answers[503]:,}",
    ]


_LAG_HEAD = ["", "settled after", "resumed after", "lag, median", "longest", "answered 503"]


def _lag_cells(run: Run) -> list[str]:
    lags = run.found.lags()
    shown = [run.settled()[-1], run.resumed()[-1], percentile(lags, 0.5), lags[-1]]
    return [run.name, *map(_duration, shown), f"{run.found.answers[503]:,}"]


_INDEX_HEAD = ["", "settled after", "answered 503"]


def _index_cells(run: Run) -> list[str]:
    return [run.name, _duration(run.settled()[-1]), f"{run.found.answers[503]:,}"]


_DEADLINE_HEAD = ["tokens", "settled, median", "the last", "resumed, median", "the last"]


def _deadline_cells(run: Run) -> list[str]:
    shown = [value for times in (run.settled(), run.resumed()) for value in (percentile(times, 0.5), times[-1])]
    return [run.name, *map(_duration, shown)]


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def longest_wait(run: Run, at: Iterable[float]) -> list[float]:
    """Return at each of these instants how long the execution that has waited longest since its token settled has waited."""
    pairs = [(token.settled_at, token.resumed_at) for token in run.found.tokens]
    order = sorted((settled, resumed) for settled, resumed in pairs if settled is not None and resumed is not None)
    waits, first = [], 0
    for instant in at:
        while first < len(order) and order[first][1] <= instant:
            first += 1
        waits.append(max(0.0, instant - order[first][0]) if first < len(order) else 0.0)
    return waits
