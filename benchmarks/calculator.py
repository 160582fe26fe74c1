"""Price a month of waits: count one such wait, multiply by the list prices, and add what does not depend on each wait.

make costs WAITS=1000000 TIMEOUT=24h PAYLOAD=200
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks import bill, prices
from benchmarks.bill import DOCTOR, DOCTOR_SECONDS, MEMORY, MILLISECONDS, MONTH, STORED_DAYS
from tests.support.in_process.counting.notices import CHOICE, count_people, page_of
from tests.support.in_process.counting.options import EXECUTION
from tests.support.in_process.counting.waits import Bench, CountedStep, Wait
from tests.support.in_process.template import Template
from waitpoints import timeouts
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.api.page.approver_checks import MAX_APPROVERS
from waitpoints.aws.services.secrets import CACHED_FOR
from waitpoints.errors import InvalidTimeout
from waitpoints.timers.reminders import MOST_EVERY
from waitpoints.token import MAX_WAITERS

INIT = 0.4  # seconds that Lambda bills for the start of a function
POLLERS, POLL_SECONDS = 5, 20  # Lambda polls an idle queue on five connections, each for 20 s
DOCTOR_LIMIT = 660  # seconds of a round: of its 15 minutes it keeps four to finish what it has found
SECRETS_OF = {"create_token": 2, "accept_callback": 1}  # which each environment of these functions reads again and again
ASSUMED = f"""\
List prices of us-east-1, without the free tier: the HTTP API's two tiers, the first tier of everything else.
Counted with the code: calls, capacity, bytes. Assumed: {MILLISECONDS} ms for a warm invocation, {INIT} s for a cold start,
{DOCTOR_SECONDS} s of the doctor for a GB, and waits that are spread over the month and short beside RETENTION.
docs/costs.md says more."""
TOO_LARGE = "The doctor's runs would need more than a day to read this table: see docs/scaling.md."
LEAST_PAYLOAD = 12  # bytes: {"body": ""}
DAY = 86_400_000  # milliseconds
FIXED = ("polled", "custom metrics", "an hour a day", "alarms on")  # parts of the stack's names of which some are free
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
    page: bool = False
    approvers: int = 0
    mail: bool = False
    reminders: int = 0
    cold: int = 1
    retention: int = STORED_DAYS
    doctor: int = DAY // 96

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
        if self.page and not self.timed_out:
            ends = f"answered on a page by {self.approvers} approvers" if self.approvers else "answered on a page"
        return f"{self.waits:,} waits a month: {timeout}{key}, {ends}, {self.waiters} waiting {who}{'s' * (self.waiters > 1)}"


@dataclass(frozen=True)
class Counted:
    """One wait of the month, a round of each scheduled function, and what the event bus adds to a million waits in dollars."""

    wait: Wait
    start_timers: CountedStep
    doctor: CountedStep
    events: float = 0
    people: Mapping[str, float] = field(default_factory=dict)
    """What mails and reminders add to a million waits in dollars."""
    metrics: frozenset[str] = frozenset()
    """What they emit."""


@dataclass
class Month:
    """The dollars of a month: of the waits, of the stack however many there are, and of what waits."""

    waits: dict[str, float] = field(default_factory=dict)
    stack: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)
    table_gb: float = 0
    free: float = 0
    """What the free tier takes off, where nothing else of the account uses it, without that of what waits."""


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
    for name in ("approvers", "mail", "reminders"):
        if found.get(name) and not found.get("page"):
            raise NotAccepted(f"{name.upper()} needs PAGE=1")
    if found.get("page") and "payload" in found:
        raise NotAccepted("PAYLOAD is not accepted with PAGE=1: the choice on the page completes the token")
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
    "PAGE": (_flag, "1 if the tokens have a page, or 0"),
    "APPROVERS": (_whole(0, MAX_APPROVERS), f"the number of approvers who must all agree, from 0 to {MAX_APPROVERS}"),
    "MAIL": (_flag, "1 if people are told by mail, or 0"),
    "REMINDERS": (_whole(0, MOST_EVERY), f"the number of reminders, from 0 to {MOST_EVERY}"),
    "COLD": (_whole(0, 100), "the percentage of invocations that start cold, from 0 to 100"),
    "RETENTION": (_whole(1, 3650), "a number of days from 1 to 3650, the stack's RetentionDays"),
    "DOCTOR": (_duration(DAY), "the time between the doctor's runs, at most 1d, such as 15m"),
}


def count(bench: Bench, month: Asked) -> Counted:
    """Run one wait of the month, and count it."""
    page = page_of(month.approvers) if month.page else None
    wait = bench.wait(
        timeout=month.timeout,
        ends=not month.timed_out,
        payload=month.payload,
        key="order-4711" if month.key else None,
        waiters=month.waiters,
        durable=month.durable,
        execution=None if month.durable else EXECUTION,
        rules={"page": page} if page else None,
        others=False,
        webhook=json.loads(CHOICE) if page else None,
    )
    if page:
        wait = replace(wait, steps=[*wait.steps, *(bench.open_page(page) for _ in range(month.approvers or 1))])
    counted = counted_with(bench, wait, bill.added(bench.publish(month.payload, waits=True)) if month.events else 0)
    return _with_people(bench, counted, month) if month.mail or month.reminders else counted


def _with_people(bench: Bench, counted: Counted, month: Asked) -> Counted:
    """Add the mails and reminders of a page that is answered in the end."""
    mail, reminder = count_people(bench, month.approvers, month.mail)
    people = {"Mail": bill.added(mail), f"Reminders, {month.reminders} a wait": month.reminders * bill.added(reminder)}
    return replace(counted, people=people, metrics=mail.with_it.metrics | reminder.with_it.metrics)


def counted_with(bench: Bench, wait: Wait, events: float = 0) -> Counted:
    """Return a wait with the runs of its stack's timers and doctor."""
    return Counted(wait, bench.round("start_timers"), bench.round("doctor"), events)


def price(asked: Asked, counted: Counted, template: Template) -> Month:
    wait, millions = counted.wait, asked.waits / 1e6
    month = Month({service: dollars * millions for service, dollars in bill.dollars(wait).items()})
    month.waits["HTTP API"] = prices.http_requests(sum(map(bill.http_requests, wait.steps)) * asked.waits)
    month.waits["Storage, a month"] *= asked.retention / STORED_DAYS
    month.waits[DOCTOR] = bill.doctor(wait, asked.retention) * millions
    month.waits["EventBridge"] = counted.events * millions
    month.waits |= {name: dollars * millions for name, dollars in counted.people.items()}
    cold = sum(not step.of_a_round for step in wait.steps) * asked.cold / 100
    month.waits[f"Cold starts, {asked.cold} %"] = cold * millions * INIT * MEMORY * prices.GB_SECOND
    month.waits["Secrets, read"] = _secret_reads(asked.waits, wait) / 1e6 * prices.SECRET_READ
    month.waiting[f"State transitions, {asked.transitions} a wait"] = asked.transitions * prices.TRANSITION * millions
    operations = 3 * asked.waiters if asked.durable else 0
    month.waiting[f"Durable operations, {operations} a wait"] = operations * prices.DURABLE_OPERATION * millions
    month.stack = _standing(counted, asked, template)
    month.table_gb = wait.item_bytes * asked.waits * asked.retention / STORED_DAYS / 1e9
    month.free = _free(asked, counted, month)
    return month


def _free(asked: Asked, counted: Counted, month: Month) -> float:
    """Return the dollars that an account with nothing else in it does not pay, of the offers that do not end."""
    own = sum(not step.of_a_round for step in counted.wait.steps) * asked.waits
    runs = {"start_timers": MONTH / 60, "doctor": MONTH * 1000 / asked.doctor}
    seconds = own * (MILLISECONDS / 1000 + asked.cold / 100 * INIT) * MEMORY
    seconds += sum(bill.RUN_SECONDS[name] * times for name, times in runs.items()) * bill.DOCTOR_GB
    seconds += month.table_gb * DOCTOR_SECONDS * STORED_DAYS * bill.DOCTOR_GB
    stored = (counted.wait.stored_bytes + counted.wait.index_bytes) * asked.waits * asked.retention / STORED_DAYS / 1e9
    fixed = {part: sum(dollars for name, dollars in month.stack.items() if part in name) for part in FIXED}
    used = [
        (min(own + sum(runs.values()), prices.FREE_INVOCATIONS) / 1e6, prices.INVOCATION),
        (min(seconds, prices.FREE_GB_SECONDS) / 1e6, prices.GB_SECOND),
        (min(stored, prices.FREE_TABLE_GB), prices.TABLE_GB_MONTH),
        (min(month.waits["Logs"] / prices.LOG_GB, prices.FREE_LOG_GB), prices.LOG_GB),
        (min(month.waits["Transfer out"] / prices.OUT_GB, prices.FREE_OUT_GB), prices.OUT_GB),
        (min((month.waits["SQS"] + fixed["polled"]) / prices.SQS_REQUEST, prices.FREE_SQS / 1e6), prices.SQS_REQUEST),
        (min((fixed["custom metrics"] + fixed["an hour a day"]) / prices.METRIC, prices.FREE_METRICS), prices.METRIC),
        (min(fixed["alarms on"] / prices.ALARM_METRIC, prices.FREE_ALARM_METRICS), prices.ALARM_METRIC),
    ]
    return sum(amount * price for amount, price in used)


def _secret_reads(waits: int, wait: Wait) -> float:
    """Return how often secrets are read, if the waits are spread evenly over the month."""
    environments = math.ceil(waits / MONTH * MILLISECONDS / 1000)
    of_each = sum(SECRETS_OF.get(step.function, 0) for step in wait.steps)
    return of_each * min(waits, environments * MONTH / CACHED_FOR)


def _standing(counted: Counted, asked: Asked, template: Template) -> dict[str, float]:
    """Return what the stack costs however many waits there are."""
    every_minute, every_while = MONTH / 60, MONTH * 1000 / asked.doctor
    metrics = counted.wait.metrics | counted.start_timers.metrics | counted.doctor.metrics | counted.metrics
    seldom = {"OldestScan", "OldestWaiting"} if asked.timeout else {"OldestScan"}  # an hour a day, if they have nothing to say
    metrics = (metrics | {"OldestWaiting"}) - seldom
    polled = POLLERS * MONTH / POLL_SECONDS / 1e6 * prices.SQS_REQUEST
    has_notices = _exists(template.body["Resources"]["NoticeQueue"], template)
    return {
        **_resources(template),
        f"{len(metrics)} custom metrics": len(metrics) * prices.METRIC,
        f"{len(seldom)} metrics, an hour a day": len(seldom) * prices.METRIC / 24,
        f"`StartTimers`, {every_minute:,.0f} runs": bill.runs(counted.start_timers, every_minute),
        f"The doctor, {every_while:,.0f} runs": bill.runs(counted.doctor, every_while),
        "The timer queue, polled while idle": polled,
        "The notice queue, polled while idle": polled if has_notices else 0,
    }


def _resources(template: Template) -> dict[str, float]:
    """Return the dollars for what a stack with these parameters has. An alarm costs by the metrics that it watches."""
    there: Counter[str] = Counter()
    watched, names = 0, {name: {"Ref": name} for name in template.body["Resources"]}
    for resource in template.body["Resources"].values():
        if not _exists(resource, template):
            continue
        there[resource["Type"]] += 1
        if resource["Type"] == prices.ALARM:
            metrics = template.resolve(resource["Properties"].get("Metrics"), names)
            watched += 1 if metrics is None else sum("MetricStat" in metric for metric in metrics)
    secrets, alarms, dashboards = there[prices.SECRET], there[prices.ALARM], there[prices.DASHBOARD]
    return {
        f"{secrets} secrets": secrets * prices.SECRET_MONTH,
        f"{alarms} alarms on {watched} metrics": watched * prices.ALARM_METRIC,
        "The dashboard": dashboards * prices.DASHBOARD_MONTH,
    }


def _exists(resource: Mapping[str, Any], template: Template) -> bool:
    """Whether a stack with these parameters has the resource."""
    return "Condition" not in resource or bool(template.resolve({"Condition": resource["Condition"]}, {}))


def report(asked: Asked, month: Month) -> str:
    """Return the month as a table of plain text."""
    groups = {"the waits": month.waits, "the stack": month.stack, "what waits": month.waiting}
    lines: list[tuple[str, float]] = []
    for name, dollars in groups.items():
        lines += [(service, amount) for service, amount in dollars.items() if amount]
        lines += [(f"  {name}, together", sum(dollars.values()))]
    lines += [("all together", sum(amount for dollars in groups.values() for amount in dollars.values()))]
    table = "\n".join(f"{name:<48}{amount:>16,.2f}" for name, amount in lines)
    is_too_large = month.table_gb * DOCTOR_SECONDS > DOCTOR_LIMIT * DAY / asked.doctor
    notes = [ASSUMED, TOO_LARGE] if is_too_large else [ASSUMED]
    return "\n\n".join([str(asked), f"Dollars a month\n{table}", *notes])
