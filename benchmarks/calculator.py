"""Price a month of waits: count one such wait, multiply by the list prices, and add what does not depend on each wait.

make costs WAITS=1000000 TIMEOUT=24h PAYLOAD=200
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import bill, prices
from benchmarks.bill import MEMORY, MILLISECONDS, MONTH
from in_process.counting.meter import READ_UNIT
from in_process.counting.waits import Bench, Wait
from in_process.template import Template
from waitpoints import timeouts
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.aws.secrets import CACHED_FOR
from waitpoints.errors import InvalidTimeout
from waitpoints.token import MAX_WAITERS

STORAGE_DAYS = 30  # that `bill.dollars` prices
INIT = 0.4  # seconds that Lambda bills for the start of a function
POLLERS, POLL_SECONDS = 5, 20  # Lambda polls an idle queue on five connections, each for 20 s
DOCTOR_GB, DOCTOR_SECONDS = 1769 / 1024, 200  # its memory; the seconds for each GB of the table, as `make bench` measured them
DOCTOR_LIMIT = 660  # seconds: of its 15 minutes it keeps four to finish what it has found
DOCTOR_METRICS = {"Undone", "OldestPass"}
SECRETS_OF = {"create_token": 2, "accept_callback": 1}  # which each environment of these functions reads again and again
ASSUMED = f"""\
List prices of us-east-1, without the free tier: the HTTP API's two tiers, the first tier of everything else.
Counted with the code: calls, capacity, bytes. Assumed: {MILLISECONDS} ms for a warm invocation, {INIT} s for a cold start,
{DOCTOR_SECONDS} s of the doctor for a GB, and waits that are spread over the month and short beside RETENTION.
docs/costs.md says more."""
TOO_LARGE = (
    f"The doctor would need more than {DOCTOR_LIMIT} s to read this table, so each round reads a part: see docs/scaling.md."
)
LEAST_PAYLOAD = 12  # bytes: {"body": ""}
DAY = 86_400_000  # milliseconds
LONGEST_TIMEOUT = 3650 * DAY


class NotAccepted(ValueError):
    """What was asked cannot be priced. The message says what is accepted."""


@dataclass(frozen=True)
class Asked:
    """A month of waits."""

    waits: int = 1_000_000
    timeout: str | None = "24h"
    timed_out: bool = False
    payload: int = 200
    key: bool = False
    waiters: int = 1
    durable: bool = False
    states: int | None = None
    events: bool = False
    cold: int = 1
    retention: int = STORAGE_DAYS
    doctor: int = DAY // 24

    @property
    def transitions(self) -> int:
        """State transitions of one wait: unless told otherwise, one for each execution that waits."""
        if self.states is not None:
            return self.states
        return 0 if self.durable else self.waiters

    def __str__(self) -> str:
        timeout = f"a timeout of {self.timeout}" if self.timeout else "no timeout"
        ends = "that time out" if self.timed_out else f"completed with {self.payload:,} bytes"
        who = "durable function" if self.durable else "execution"
        key = " and a key" if self.key else ""
        return f"{self.waits:,} waits a month: {timeout}{key}, {ends}, {self.waiters} waiting {who}{'s' * (self.waiters > 1)}"


@dataclass(frozen=True)
class Counted:
    """One wait of the month, and what the event bus adds to a million of them in dollars."""

    wait: Wait
    events: float = 0


@dataclass
class Month:
    """The dollars of a month: of the waits, of the stack however many there are, and of what waits."""

    waits: dict[str, float] = field(default_factory=dict)
    stack: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)
    table_gb: float = 0


def asked(settings: Sequence[str]) -> Asked:
    """Return what `NAME=value` settings ask for. Raises NotAccepted."""
    found: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in SETTINGS:
            raise NotAccepted(f"There is no {name}. make costs accepts {', '.join(SETTINGS)}")
        read, accepted = SETTINGS[name]
        try:
            found[name.lower()] = read(value)
        except (ValueError, InvalidTimeout):
            raise NotAccepted(f"{name}={value} is not accepted: it is {accepted}") from None
    if found.get("timed_out") and not found.get("timeout", Asked.timeout):
        raise NotAccepted("TIMED_OUT=1 needs a TIMEOUT other than none")
    return Asked(**found)


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() else -1
        if not lowest <= number <= highest:
            raise ValueError(text)
        return number

    return read


def _flag(text: str) -> bool:
    return bool(_whole(0, 1)(text))


def _timeout(text: str) -> str | None:
    if text == "none":
        return None
    _duration(LONGEST_TIMEOUT)(text)
    return text


def _duration(longest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        milliseconds = timeouts.duration(text)
        if not 0 < milliseconds <= longest:
            raise ValueError(text)
        return milliseconds

    return read


SETTINGS: dict[str, tuple[Callable[[str], object], str]] = {
    "WAITS": (_whole(1, 10**10), "a number of waits a month, from 1 to 10000000000"),
    "TIMEOUT": (_timeout, "a duration of at most 3650d, such as 10m, 24h or 1d12h, or none"),
    "TIMED_OUT": (_flag, "1 if the waits time out, or 0"),
    "PAYLOAD": (_whole(LEAST_PAYLOAD, PAYLOAD_LIMIT), f"a number of bytes from {LEAST_PAYLOAD} to {PAYLOAD_LIMIT}"),
    "KEY": (_flag, "1 if tokens are created with a key, or 0"),
    "WAITERS": (_whole(1, MAX_WAITERS), f"the number of executions that wait for one token, from 1 to {MAX_WAITERS}"),
    "DURABLE": (_flag, "1 if Lambda durable functions wait, or 0 for executions of Step Functions"),
    "STATES": (_whole(0, 25_000), "the number of state transitions to price for one wait, from 0 to 25000"),
    "EVENTS": (_flag, "1 if the stack has an event bus, or 0"),
    "COLD": (_whole(0, 100), "the percentage of invocations that start cold, from 0 to 100"),
    "RETENTION": (_whole(1, 3650), "a number of days from 1 to 3650, the stack's RetentionDays"),
    "DOCTOR": (_duration(DAY), "the time between the doctor's rounds, at most 1d, such as 1h"),
}


def count(bench: Bench, month: Asked) -> Counted:
    """Run one wait of the month, and count it."""
    wait = bench.wait(
        timeout=month.timeout,
        ends=not month.timed_out,
        payload=month.payload,
        key="order-4711" if month.key else None,
        waiters=month.waiters,
        durable=month.durable,
    )
    return Counted(wait, bill.added(bench.announce(month.payload, waits=True)) if month.events else 0)


def price(asked: Asked, counted: Counted, template: Template) -> Month:
    wait, millions = counted.wait, asked.waits / 1e6
    month = Month({service: dollars * millions for service, dollars in bill.dollars(wait).items()})
    month.waits["HTTP API"] = prices.http_requests(sum(map(bill.http_requests, wait.steps)) * asked.waits)
    month.waits["Storage, a month"] *= asked.retention / STORAGE_DAYS
    month.waits["EventBridge"] = counted.events * millions
    cold = len(wait.steps) * asked.cold / 100
    month.waits[f"Cold starts, {asked.cold} % of {len(wait.steps)} a wait"] = cold * millions * INIT * MEMORY * prices.GB_SECOND
    month.waits["Secrets, read"] = _secret_reads(asked.waits, wait) / 1e6 * prices.SECRET_READ
    month.waiting[f"State transitions, {asked.transitions} a wait"] = asked.transitions * prices.TRANSITION * millions
    operations = 3 * asked.waiters if asked.durable else 0
    month.waiting[f"Durable operations, {operations} a wait"] = operations * prices.DURABLE_OPERATION * millions
    month.stack = _standing(wait, template)
    month.table_gb = wait.stored_bytes * asked.waits * asked.retention / STORAGE_DAYS / 1e9
    month.stack[f"Doctor, a table of {month.table_gb:,.1f} GB"] = _doctor(month.table_gb, MONTH * 1000 / asked.doctor)
    return month


def _secret_reads(waits: int, wait: Wait) -> float:
    """Return how often secrets are read, if the waits are spread evenly over the month."""
    environments = math.ceil(waits / MONTH * MILLISECONDS / 1000)
    of_each = sum(SECRETS_OF.get(step.function, 0) for step in wait.steps)
    return of_each * min(waits, environments * MONTH / CACHED_FOR)


def _standing(wait: Wait, template: Template) -> dict[str, float]:
    """Return what the stack costs however many waits there are."""
    numbers: Counter[str] = Counter()
    for resource in template.body["Resources"].values():
        watched = [metric for metric in resource.get("Properties", {}).get("Metrics", []) if "MetricStat" in metric]
        numbers[resource["Type"]] += max(1, len(watched)) * _exists(resource, template)  # an alarm costs by its metrics
    metrics = wait.metrics | DOCTOR_METRICS
    polls = POLLERS * MONTH / POLL_SECONDS
    return {
        **{f"{kind.rpartition('::')[2]}s, {numbers[kind]}": numbers[kind] * each for kind, each in prices.BY_RESOURCE.items()},
        f"Custom metrics, {len(metrics)}": len(metrics) * prices.METRIC,
        "Timer queue, polled while idle": polls / 1e6 * prices.SQS_REQUEST,
    }


def _exists(resource: Mapping[str, Any], template: Template) -> bool:
    """Whether a stack with these parameters has the resource."""
    return "Condition" not in resource or bool(template.resolve({"Condition": resource["Condition"]}, {}))


def _doctor(table_gb: float, rounds: float) -> float:
    reads = table_gb * 1e9 / READ_UNIT / 2 / 1e6 * prices.READ_UNIT  # eventually consistent
    seconds = table_gb * DOCTOR_SECONDS * DOCTOR_GB / 1e6 * prices.GB_SECOND
    return rounds * (reads + seconds)


def report(asked: Asked, month: Month) -> str:
    """Return the month as a table of plain text."""
    groups = {"the waits": month.waits, "the stack": month.stack, "what waits": month.waiting}
    lines: list[tuple[str, float]] = []
    for name, dollars in groups.items():
        lines += [(service, amount) for service, amount in dollars.items() if amount]
        lines += [(f"  {name}, together", sum(dollars.values()))]
    lines += [("all together", sum(amount for dollars in groups.values() for amount in dollars.values()))]
    table = "\n".join(f"{name:<40}{amount:>16,.2f}" for name, amount in lines)
    notes = [ASSUMED, TOO_LARGE] if month.table_gb * DOCTOR_SECONDS > DOCTOR_LIMIT else [ASSUMED]
    return "\n\n".join([str(asked), f"Dollars a month\n{table}", *notes])
