"""Which of AWS's default limits comes first at a steady rate of waits: what a counted wait takes of each."""

from collections import Counter
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from benchmarks.bill import MILLISECONDS
from benchmarks.figures import table
from tests.support.in_process.counting.waits import Wait
from tests.support.in_process.template import Template
from waitpoints.aws.items import LIST_SHARDS

_DOCS: Final = "https://docs.aws.amazon.com"
SOURCES: Final = MappingProxyType(
    {
        "api": f"{_DOCS}/apigateway/latest/developerguide/limits.html",
        "lambda": f"{_DOCS}/lambda/latest/dg/gettingstarted-limits.html",
        "ondemand": f"{_DOCS}/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html",
        "states": f"{_DOCS}/step-functions/latest/dg/service-quotas.html",
    }
)
CALLBACK_ROUTE: Final = "ANY /api/v1/waitpoints/tokens/{waitpointId}/callback/{hash}"
CREATE_ROUTE: Final = "ANY /api/v1/waitpoints/tokens"
LENGTH: Final = 86_400  # seconds of a wait, in which its execution is open
TRANSITIONS: Final = 3  # of a Standard execution: its start, the state that waits, and what follows
TIMERS_STARTED: Final = 100_000 / 60  # a second, by one round of `start_timers`, as contract T8 says
PARTITION_WRITES: Final = 1_000  # write units a second of a partition: bp-partition-key-design in DynamoDB's guide


@dataclass(frozen=True, slots=True)
class Limit:
    """What a wait takes of a limit, what the stack does above it, and what raises it."""

    name: str
    has: float
    above: str
    raised_by: str
    needs: float = 1
    elsewhere: float | None = None
    """What there is outside the largest regions."""
    source: str = ""
    """The page of a quota of AWS."""

    def takes(self, needs: float) -> "Limit":
        return replace(self, needs=needs)

    @property
    def waits(self) -> float:
        """How many waits a second it is enough for."""
        return self.has / self.needs

    def cells(self) -> list[str]:
        name = f"[{self.name}]({SOURCES[self.source]})" if self.source else self.name
        needs = f"{self.needs:,.2g}" if self.needs < 1 else f"{self.needs:,.0f}"
        beyond = f" ({self.elsewhere / self.needs:,.0f})" if self.elsewhere else ""
        return [name, f"{needs} of {self.has:,.0f}", f"{self.waits:,.0f}{beyond}", self.above, self.raised_by]


NO_START, REFUSED = "your `StartExecution` fails", "503, and `TryAgain` in states"
LATE = "the stream resumes later; `ResumeLateAlarm`"
OPEN = Limit("Standard executions open at once", 1_000_000, NO_START, "AWS, to millions", source="states")
DURABLE = Limit("the same for durable executions", 10**7, "your invocation fails", "AWS", 1, 5_000_000, "lambda")
STARTS = Limit("`StartExecution` a second", 300, "your `StartExecution` is throttled", "`L-1B55A735`", 1, 150, "states")
RESUMES = Limit("`SendTaskSuccess` a second", 500, LATE, "`L-EACE83FA`", 1, 300, "states")
STATES = Limit("state transitions a second", 5_000, "Step Functions delays executions", "`L-AD9B4E93`", 1, 800, "states")
REQUESTS = Limit("requests a second to all APIs of the account", 10_000, "429", "`L-8A5B8E43`", 1, 2_500, "api")
LAMBDAS = Limit("Lambda invocations at once", 1_000, "503; the stream and timers wait", "`L-B99A9384`", source="lambda")
NEW_TABLE = Limit(
    "write units a second of a new table",
    4_000,
    REFUSED,
    "time (twice the peak so far) or `WarmWritesPerSecond`",
    source="ondemand",
)
TIMERS = Limit(
    "timers started a second", TIMERS_STARTED, "tokens time out late; `TimersBehindAlarm`", "memory of `StartTimers`"
)
LIST = Limit(
    f"write units a second of the list's {LIST_SHARDS} shards",
    LIST_SHARDS // 2 * PARTITION_WRITES,  # of four shards on four partitions, two are on one of them in seven of ten cases
    "503",
    f"time (to {LIST_SHARDS * PARTITION_WRITES // 2:,}) or `WarmWritesPerSecond`",
)


def limits(wait: Wait, template: Template) -> list[Limit]:
    """Return the limits of such a wait, the first that is met first."""
    units = sum((call.units_of for step in wait.steps for call in step.calls), start=Counter[str]())
    written = sum(count for partition, count in units.items() if partition.startswith("waitpoint_"))
    operations = [operation for step in wait.steps for operation in step.operations()]
    api = template.resources("AWS::Serverless::HttpApi")["Api"]
    found = [
        OPEN.takes(LENGTH),
        DURABLE.takes(LENGTH),
        STARTS,
        RESUMES.takes(operations.count("SFN:SendTaskSuccess")),
        STATES.takes(TRANSITIONS),
        Limit("callbacks", _rate(template, api["RouteSettings"][CALLBACK_ROUTE]), "429", "`CallbacksPerSecond`"),
        Limit("creates", _rate(template, api["RouteSettings"][CREATE_ROUTE]), "429", "its throttle in `template.yaml`"),
        REQUESTS.takes(sum(step.over_http for step in wait.steps)),
        LAMBDAS.takes(sum(not step.of_a_round for step in wait.steps) * MILLISECONDS / 1_000),
        NEW_TABLE.takes(written),
        LIST.takes(units["list"]),
        TIMERS,
    ]
    return sorted(found, key=lambda limit: limit.waits)


def _rate(template: Template, settings: Any) -> float:
    return float(template.resolve(settings, {})["ThrottlingRateLimit"])


def markdown(wait: Wait, template: Template) -> str:
    head = ["limit", "one wait a second uses", "enough for", "above it", "raised by"]
    return table(head, [limit.cells() for limit in limits(wait, template)])
