"""Price the same wait elsewhere: a 24 h timeout, completed with 200 bytes, a million times in a month.

What hands out the URL, and what the workflow does besides waiting, is in no price. docs/costs.md says which prices and counts
could not be verified.
"""

from dataclasses import dataclass

from benchmarks import prices
from benchmarks.bill import ACCESS_LOG, ANSWER_AROUND, LOG_EVENT, MEMORY

PAYLOAD = 200  # bytes
MILLISECONDS = 20  # of a small function of one's own, which makes one call
LOG = 350 + 150 + 4 * LOG_EVENT  # bytes: Lambda's lines START, END and REPORT, and one of its own
LOGGED_INVOCATION = prices.INVOCATION + MILLISECONDS / 1000 * MEMORY * prices.GB_SECOND + LOG / 1000 * prices.LOG_GB
ANSWERED = (ACCESS_LOG + LOG_EVENT) / 1000 * prices.LOG_GB + ANSWER_AROUND / 1000 * prices.OUT_GB
RECEIVER = prices.HTTP_REQUEST + ANSWERED + LOGGED_INVOCATION  # an HTTP API before a function
KEPT_ITEM_KB = 1  # a task token of 700 characters, and what is stored with it
DURABLE_HISTORY_DAYS = 14

# dollars for a million of what each service bills, at its first tier
TEMPORAL_ACTION, TEMPORAL_PLAN = 50.00, 0.10  # the plan without a base fee is a tenth of the usage
TEMPORAL_ACTIVE_GBH, TEMPORAL_RETAINED_GBH = 0.042, 0.00105  # dollars
TEMPORAL_HISTORY_KB, TEMPORAL_RETENTION_HOURS = 4, 720  # assumed
TRIGGER_RUN, TRIGGER_SECOND = 25.00, 33.80  # of the machine small-1x, the default
TRIGGER_SECONDS = (0.5, 1.0)  # assumed: what a run with one wait computes
UPSTASH_MESSAGE = 10.00
INNGEST_PLAN, INNGEST_INCLUDED, INNGEST_EXECUTION = 99.00, 1, 50.00  # dollars a month, millions, dollars for a million more


@dataclass(frozen=True)
class Alternative:
    name: str
    billed: str
    dollars: tuple[float, ...]
    """For a million waits: one figure, or the lowest and the highest."""
    source: str = ""

    def cells(self) -> list[str]:
        name = f"[{self.name}]({self.source})" if self.source else self.name
        return [name, self.billed, " to ".join(f"{figure:.2f}" for figure in self.dollars)]


def alternatives(waitpoints: float, durable: float) -> list[Alternative]:
    """Return what a million waits cost. The figures of `make costs` are without what waits, which may be `durable`."""
    return [
        Alternative(
            "Step Functions callback, stateless",
            "a transition; the state's function; an HTTP request with a function that resumes",
            (step_functions(),),
            "https://aws.amazon.com/step-functions/pricing/",
        ),
        Alternative(
            "Step Functions callback, with a table",
            "the same, two write units, and 1 KB kept for a month",
            (step_functions() + table(),),
        ),
        Alternative("**Waitpoints, Step Functions**", "a transition and the sum above", (prices.TRANSITION + waitpoints,)),
        Alternative(
            "Lambda durable function, its callback",
            "three durable operations; the payload written twice and kept for 14 days; an HTTP request with a function",
            (durable_function() + RECEIVER,),
            "https://aws.amazon.com/lambda/pricing/",
        ),
        Alternative(
            "**Waitpoints, durable function**",
            "the same operations and payload, and the sum above",
            (durable_function() + durable,),
        ),
        Alternative(
            "Temporal Cloud",
            "three Actions; 4 KB of history, 24 hours active and 30 days retained; 10 % for the plan; an HTTP request with a "
            "function",
            (temporal() + RECEIVER,),
            "https://docs.temporal.io/cloud/pricing",
        ),
        Alternative(
            "Trigger.dev Cloud",
            "a run; 0.5 to 1 s of the machine small-1x",
            (TRIGGER_RUN + TRIGGER_SECONDS[0] * TRIGGER_SECOND, TRIGGER_RUN + TRIGGER_SECONDS[1] * TRIGGER_SECOND),
            "https://trigger.dev/pricing",
        ),
        Alternative(
            "Upstash Workflow",
            "two messages and a function that notifies, or three messages with a webhook; each message calls a function",
            (2 * UPSTASH_MESSAGE + 3 * RECEIVER, 3 * (UPSTASH_MESSAGE + RECEIVER)),
            "https://upstash.com/pricing/workflow.md",
        ),
        Alternative(
            "Inngest",
            "two executions on the Pro plan, each calls a function",
            (inngest() + 2 * RECEIVER,),
            "https://www.inngest.com/docs/durable-execution/limits",
        ),
    ]


def step_functions() -> float:
    return prices.TRANSITION + LOGGED_INVOCATION + RECEIVER


def table() -> float:
    return 2 * prices.WRITE_UNIT + KEPT_ITEM_KB * (prices.TABLE_GB_MONTH + prices.BACKUP_GB_MONTH)


def durable_function() -> float:
    written = 2 * PAYLOAD / 1000  # KB a wait, and so GB a million
    kept = written * DURABLE_HISTORY_DAYS / 30
    return 3 * prices.DURABLE_OPERATION + written * prices.DURABLE_GB + kept * prices.DURABLE_GB_MONTH


def temporal() -> float:
    active = TEMPORAL_HISTORY_KB * 24 * TEMPORAL_ACTIVE_GBH  # KB a wait, and so GB a million
    retained = TEMPORAL_HISTORY_KB * TEMPORAL_RETENTION_HOURS * TEMPORAL_RETAINED_GBH
    return (3 * TEMPORAL_ACTION + active + retained) * (1 + TEMPORAL_PLAN)


def inngest() -> float:
    return INNGEST_PLAN + (2 - INNGEST_INCLUDED) * INNGEST_EXECUTION
