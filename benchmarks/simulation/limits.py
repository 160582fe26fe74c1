"""Which limit comes first at a steady rate of waits: what a wait needs of each quota, from the flows, and how much there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import table
from benchmarks.simulation import quotas
from benchmarks.simulation.flows import COMPLETED_WAIT, RESUME, Call
from benchmarks.simulation.quotas import Assumed, Quota
from benchmarks.simulation.stack import SimulatedStack
from waitpoints.aws.items import LIST_SHARDS

LENGTH: Final = 86_400  # seconds of a wait, in which its execution is open
TRANSITIONS: Final = 3  # of a Standard execution: its start, the state that waits, and what follows


@dataclass(frozen=True, slots=True)
class Limit:
    """What a wait takes of a limit, with what the stack does above it and what raises it."""

    name: str
    needs: float
    has: float
    above: str
    raised_by: str
    link: str = ""
    """Its name with the source of a quota."""
    elsewhere: float | None = None
    """What there is outside the largest regions."""

    @property
    def waits(self) -> float:
        """How many waits a second it is enough for."""
        return self.has / self.needs

    def cells(self) -> list[str]:
        needs = f"{self.needs:,.2g}" if self.needs < 1 else f"{self.needs:,.0f}"
        beyond = f" ({self.elsewhere / self.needs:,.0f})" if self.elsewhere else ""
        return [self.link or self.name, f"{needs} of {self.has:,.0f}", f"{self.waits:,.0f}{beyond}", self.above, self.raised_by]


def limits(stack: SimulatedStack, assumed: Assumed | None = None) -> list[Limit]:
    """Return the limits, the first that is met first."""
    calls = [call for flow in COMPLETED_WAIT.values() for call in flow]
    indexed = sum(call.list_index for call in calls)
    written = sum(call.token for call in calls)
    # one invocation starts the timers of thousands
    busy = sum(_seconds(flow, assumed or Assumed()) for step, flow in COMPLETED_WAIT.items() if step != "start the timer")
    resumes = sum(call.operation == RESUME for call in calls)
    found = [
        _of(quotas.OPEN_EXECUTIONS, LENGTH, "your `StartExecution` fails", "AWS, to millions"),
        _of(quotas.OPEN_DURABLE, LENGTH, "your invocation fails"),
        Limit("callbacks", 1, stack.callbacks.rate, "429", "`CallbacksPerSecond`"),
        Limit("other requests", 1, stack.stage.rate, "429", "the stage's throttle in `template.yaml`"),
        _of(quotas.API_RATE, 2, "429"),
        _of(quotas.CONCURRENCY, busy, "503; the stream and timers wait"),
        _of(quotas.START_RATE, 1, "your `StartExecution` is throttled"),
        _of(quotas.TRANSITION_RATE, TRANSITIONS, "Step Functions delays executions"),
        _of(quotas.SEND_TASK_RATE, resumes, "the stream resumes later; `ResumeLateAlarm`"),
        _of(
            quotas.NEW_TABLE_WRITES,
            written,
            "503, and `TryAgain` in states",
            "time: twice the peak so far, or warm throughput",
        ),
        Limit(
            f"write units a second of the list's {LIST_SHARDS} index partitions",
            indexed,
            LIST_SHARDS * quotas.PARTITION_WRITES.value,
            "503",
            "`LIST_SHARDS` in `items.py`",
        ),
        _of(quotas.TABLE_WRITES, written, "503, and `TryAgain` in states"),
        Limit(
            "timers started a second",
            1,
            quotas.TIMERS_STARTED,
            "tokens time out late; `TimersBehindAlarm`",
            "memory of `StartTimers`",
        ),
    ]
    return sorted(found, key=lambda limit: limit.waits)


def _of(quota: Quota, needs: float, above: str, raised_by: str = "") -> Limit:
    raised_by = raised_by or (f"`{quota.code}`" if quota.code else "AWS")
    return Limit(quota.name, needs, quota.value, above, raised_by, quota.link, quota.elsewhere)


def _seconds(calls: Sequence[Call], assumed: Assumed) -> float:
    """Return how long a warm invocation that makes these calls takes."""
    of_calls = [assumed.dynamodb if call.operation.startswith("DynamoDB") else assumed.step_functions for call in calls]
    return assumed.own + sum(of_calls)


def markdown(stack: SimulatedStack) -> str:
    head = ["limit", "a wait takes", "enough for", "above it", "raised by"]
    return table(head, [limit.cells() for limit in limits(stack)])
