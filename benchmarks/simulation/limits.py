"""Which limit comes first at a steady rate of waits: what a wait needs of each quota, from the flows, and how much there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import table
from benchmarks.simulation import quotas
from benchmarks.simulation.flows import RESUME, WAIT_WITH_TIMEOUT, Call
from benchmarks.simulation.quotas import Assumed, Quota
from benchmarks.simulation.stack import SimulatedStack
from waitpoints.aws.items import LIST_SHARDS

RATES: Final = (10, 1_000, 10_000)  # waits a second
TIMEOUT: Final = 86_400  # seconds: each wait's schedule lives so long
TRANSITIONS: Final = 3  # of a Standard execution: its start, the state that waits, and what follows


@dataclass(frozen=True, slots=True)
class Limit:
    """What a wait takes of a limit, with what the stack does above it and what raises it."""

    name: str
    needs: float
    has: float
    above: str
    raised_by: str
    elsewhere: float | None = None
    """What there is outside the largest regions."""

    def share(self, rate: float) -> float:
        """Return which part of the limit so many waits a second take."""
        return rate * self.needs / self.has

    def cells(self) -> list[str]:
        has = f"{self.has:,.0f}" + (f" ({self.elsewhere:,.0f})" if self.elsewhere else "")
        return [
            self.name,
            f"{self.needs:,.2g}" if self.needs < 1 else f"{self.needs:,.0f}",
            has,
            *(_percent(self.share(rate)) for rate in RATES),
            self.above,
            self.raised_by,
        ]


def limits(stack: SimulatedStack, assumed: Assumed | None = None) -> list[Limit]:
    """Return the limits, the first that is met first."""
    calls = [call for flow in WAIT_WITH_TIMEOUT.values() for call in flow]
    indexed = sum(call.list_index for call in calls)
    written = sum(call.token for call in calls)
    busy = sum(_seconds(flow, assumed or Assumed()) for flow in WAIT_WITH_TIMEOUT.values())
    resumes = sum(call.operation == RESUME for call in calls)
    found = [
        Limit("callbacks", 1, stack.callbacks.rate, "429; senders send again", "the route's throttle in `template.yaml`"),
        Limit("other requests", 1, stack.stage.rate, "429; callers send again", "the stage's throttle in `template.yaml`"),
        _of(quotas.API_RATE, 2, "429; callers send again"),
        _of(quotas.CONCURRENCY, busy, "503 to callers; the stream and timers wait"),
        _of(quotas.START_RATE, 1, "your own `StartExecution` is throttled"),
        _of(quotas.TRANSITION_RATE, TRANSITIONS, "Step Functions delays executions by itself"),
        _of(quotas.SEND_TASK_RATE, resumes, "the stream resumes later; `ResumeLateAlarm`"),
        _of(
            quotas.NEW_TABLE_WRITES,
            written,
            "503 and `TryAgain`; callers and states try again",
            "time: twice the peak so far, or warm throughput",
        ),
        Limit(
            f"write units a second of the list's {LIST_SHARDS} index partitions",
            indexed,
            LIST_SHARDS * quotas.PARTITION_WRITES.value,
            "503; callers send again. Replies and waits do not touch it",
            "`LIST_SHARDS` in `items.py`; each page of a list then reads more partitions",
        ),
        _of(quotas.TABLE_WRITES, written, "503 and `TryAgain`; callers and states try again"),
        _of(quotas.SCHEDULE_RATE, 1, "the stream arms timers later; `TimerLateAlarm`"),
        _of(quotas.SCHEDULES, TIMEOUT, "dead letters; the doctor times tokens out, up to an hour late"),
    ]
    return sorted(found, key=lambda limit: -limit.share(1))


def _of(quota: Quota, needs: float, above: str, raised_by: str = "") -> Limit:
    raised_by = raised_by or (f"Service Quotas, `{quota.code}`" if quota.code else "Service Quotas")
    return Limit(quota.name, needs, quota.value, above, raised_by, quota.elsewhere)


def _seconds(calls: Sequence[Call], assumed: Assumed) -> float:
    """Return how long a warm invocation that makes these calls takes."""
    of_calls = [assumed.dynamodb if call.operation.startswith("DynamoDB") else assumed.step_functions for call in calls]
    return assumed.own + sum(of_calls)


def _percent(share: float) -> str:
    shown = f"{share:,.0%}" if share >= 0.01 else "under 1%"
    return f"**{shown}**" if share > 1 else shown


def markdown(stack: SimulatedStack) -> str:
    head = ["limit", "a wait needs", "there is", *(f"{rate:,} a second" for rate in RATES), "above it", "raised by"]
    return table(head, [limit.cells() for limit in limits(stack)])
