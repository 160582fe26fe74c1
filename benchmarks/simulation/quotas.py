"""The parameters of the model: AWS's default quotas, each with its source, and what had to be assumed."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from benchmarks.figures import table

_DOCS = "https://docs.aws.amazon.com"
SOURCES: Final = MappingProxyType(
    {
        "api": f"{_DOCS}/apigateway/latest/developerguide/limits.html",
        "lambda": f"{_DOCS}/lambda/latest/dg/gettingstarted-limits.html",
        "scaling": f"{_DOCS}/lambda/latest/dg/scaling-behavior.html",
        "partition": f"{_DOCS}/amazondynamodb/latest/developerguide/bp-partition-key-design.html",
        "ondemand": f"{_DOCS}/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html",
        "table": f"{_DOCS}/amazondynamodb/latest/developerguide/ServiceQuotas.html",
        "states": f"{_DOCS}/step-functions/latest/dg/service-quotas.html",
        "sqs": f"{_DOCS}/lambda/latest/dg/services-sqs-scaling.html",
    }
)


@dataclass(frozen=True, slots=True)
class Quota:
    """A default of AWS. `elsewhere` holds outside the largest regions; `code` names it in Service Quotas."""

    name: str
    value: float
    source: str
    code: str = ""
    elsewhere: float | None = None

    @property
    def link(self) -> str:
        return f"[{self.name}]({SOURCES[self.source]})"

    def cells(self) -> list[str]:
        return [self.link, f"{self.value:,.0f}" + (f" ({self.elsewhere:,.0f})" if self.elsewhere else "")]


API_RATE = Quota("requests a second to all APIs of the account", 10_000, "api", "L-8A5B8E43", 2_500)
API_BURST = Quota("burst of requests to all APIs", 5_000, "api", elsewhere=1_250)
CONCURRENCY = Quota("Lambda invocations at once", 1_000, "lambda", "L-B99A9384")
SCALING = Quota("Lambda environments that a function gains in 10 s", 1_000, "scaling")
SEND_TASK_RATE = Quota("`SendTaskSuccess` a second", 500, "states", "L-EACE83FA", 300)
SEND_TASK_BUCKET = Quota("bucket of `SendTaskSuccess`", 3_000, "states", "L-630CF084", 1_500)
START_RATE = Quota("`StartExecution` a second", 300, "states", "L-1B55A735", 150)
TRANSITION_RATE = Quota("state transitions a second", 5_000, "states", "L-AD9B4E93", 800)
PARTITION_WRITES = Quota("write units a second of a partition", 1_000, "partition")
NEW_TABLE_WRITES = Quota("write units a second of a new table", 4_000, "ondemand")
TABLE_WRITES = Quota("write units a second of a table", 40_000, "table", "L-AB614373")
OPEN_EXECUTIONS = Quota("Standard executions open at once", 1_000_000, "states")
OPEN_DURABLE = Quota("durable executions open at once, if those wait", 10_000_000, "lambda", elsewhere=5_000_000)
QUEUE_START = Quota("messages that a queue's mapping handles at once, at first", 5, "sqs")
QUEUE_GAIN = Quota("as many more a minute, while messages are left", 300, "sqs")
QUEUE_MOST = Quota("and at most", 1_000, "sqs")

BESIDE_LIMITS: Final = (API_BURST, SCALING, SEND_TASK_BUCKET, PARTITION_WRITES)
"""Those of which no wait takes a share, so `limits` does not list them. docs/scaling.md names those of queues itself."""


TIMERS_STARTED: Final = 100_000 / 60
"""Timers that `start_timers` starts a second, at least: a test has it start so many within its minute."""
TIMERS_AHEAD: Final = (120.0, 180.0)
"""The seconds before a deadline in which a round starts its timers: it looks three minutes ahead, each minute."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """Seconds that AWS does not promise. A call takes between three quarters and five quarters of its time."""

    own: float = 0.010
    """A function's own work, with Lambda's."""
    start: float = 0.7
    """A cold start on top of it."""
    dynamodb: float = 0.005
    transaction: float = 0.010
    step_functions: float = 0.015
    poll: float = 0.25
    """Lambda polls a shard four times a second (with-ddb in the Lambda guide)."""
    stream_retry: float = 1.0
    """Before a batch that failed, or that Lambda's limit refused, comes again. AWS documents no pause."""

    def cells(self) -> list[list[str]]:
        return [
            ["a function's own work", _milliseconds(self.own)],
            ["a cold start on top", _milliseconds(self.start)],
            ["a call to DynamoDB", _milliseconds(self.dynamodb)],
            ["a transaction", _milliseconds(self.transaction)],
            ["a call to Step Functions", _milliseconds(self.step_functions)],
            ["from a record to its batch, at most, but for the batching window", _milliseconds(self.poll)],
            ["before a failed batch comes again", _milliseconds(self.stream_retry)],
        ]


class Sdk:
    """boto3's standard retries of a throttled call, as `wiring` configures them. A test compares them with those installed."""

    ATTEMPTS: Final = 3
    FAST_ATTEMPTS: Final = 1
    """Of a resume by the function that settles a token."""
    FIRST_PAUSE: Final = 1.0
    """The longest pause before the second attempt, in seconds. It doubles with each attempt, and the pause is random."""
    QUOTA: Final = 500
    """What the retries of a client may use up until its calls succeed again, in each environment."""
    RETRY_COST: Final = 5


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def markdown() -> str:
    """Return the quotas that `limits` does not list, and what is assumed because AWS promises no times."""
    rows = [quota.cells() for quota in BESIDE_LIMITS] + Assumed().cells()
    return table(["what the model also takes as given", "value"], rows)
