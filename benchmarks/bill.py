"""What AWS bills for counted waits and deliveries, at its list prices."""

import math
from collections import Counter
from dataclasses import replace

from benchmarks import prices
from tests.support.in_process.counting.deliveries import Deliveries
from tests.support.in_process.counting.meter import READ_UNIT
from tests.support.in_process.counting.waits import Added, CountedStep, Wait
from waitpoints.aws.services import secrets
from waitpoints.endpoint_cache import CACHED_FOR

MILLISECONDS = 45  # of one warm invocation: assumed for the callback's, which is the longest, and taken for all
MEMORY = 0.5  # GB
INVOCATION = prices.INVOCATION + MILLISECONDS / 1000 * MEMORY * prices.GB_SECOND  # dollars for a million warm ones
LOG_EVENT = 26  # bytes that PutLogEvents adds to each log line; that they are billed is no page's word, but likely
ACCESS_LOG = 201  # bytes: API Gateway's line for a callback, which is longer than most
ANSWER_AROUND = 700  # bytes of each answer besides its body, assumed: its headers, and TLS
DOCTOR_GB, DOCTOR_SECONDS = 1769 / 1024, 200  # its memory; the seconds for each GB of the table, as they were measured
STORED_DAYS = 30
RUN_SECONDS = {"start_timers": 0.1, "doctor": 0.6}  # assumed; the doctor's runs are so rare that each starts cold
POLL = 2  # SQS requests of the event source mapping per message: receive and delete
MONTH = 730 * 3600  # seconds
DOCTOR = "The doctor"
SECRETS = 2  # that a function environment reads for a delivery: the signing key and the endpoint's


def http_requests(step: CountedStep) -> int:
    """Return how many requests the HTTP API bills."""
    return max(1, math.ceil(step.body_bytes / prices.HTTP_METERED)) if step.over_http else 0


def dollars(wait: Wait) -> dict[str, float]:
    """Return the cost of a million such waits in dollars, by service."""
    calls = Counter(operation for step in wait.steps for operation in step.operations())
    messages = calls["SQS:SendMessage"] + calls["SQS:SendMessageBatch"]
    sqs = messages + POLL * sum(step.from_queue for step in wait.steps)
    own = [step for step in wait.steps if not step.of_a_round]
    tables = wait.stored_bytes * (prices.TABLE_GB_MONTH + prices.BACKUP_GB_MONTH) + wait.index_bytes * prices.TABLE_GB_MONTH
    objects = sum(step.stored_object_bytes for step in wait.steps) * prices.OBJECT_GB_MONTH
    return {
        "HTTP API": sum(map(http_requests, wait.steps)) * prices.HTTP_REQUEST,
        "Lambda": len(own) * INVOCATION,
        "DynamoDB writes": wait.write_units * prices.WRITE_UNIT,
        "DynamoDB reads": wait.read_units * prices.READ_UNIT,
        "S3": calls["S3:PutObject"] * prices.PUT_OBJECT + calls["S3:GetObject"] * prices.GET_OBJECT,
        "SQS": sqs * prices.SQS_REQUEST,
        "Secrets Manager": calls["SecretsManager:GetSecretValue"] * prices.SECRET_READ,
        "SES": calls["SESv2:SendEmail"] * prices.MAIL,
        "Logs": sum(map(logged, own)) / 1000 * prices.LOG_GB,
        "Transfer out": sum(map(answered, own)) / 1000 * prices.OUT_GB,
        "Storage, a month": (tables + objects) / 1000,
        DOCTOR: doctor(wait, STORED_DAYS),
    }


def logged(step: CountedStep) -> int:
    """Return the bytes of log that an invocation makes. Lambda's own lines are off."""
    return step.log_bytes + LOG_EVENT * step.log_lines + (ACCESS_LOG + LOG_EVENT) * step.over_http


def answered(step: CountedStep) -> int:
    """Return the bytes that the HTTP API sends to the internet."""
    return (step.answer_bytes + ANSWER_AROUND) * step.over_http


def doctor(wait: Wait, days: int) -> float:
    """Return the dollars for a million waits that the doctor reads.

    Its scan reads every item once a day while it is stored, half a unit for each 4 KB of a page. Of the due index, it reads
    each token with a timeout again, once, by itself.
    """
    units = wait.item_bytes / READ_UNIT / 2  # eventually consistent
    seconds = wait.item_bytes / 1e9 * DOCTOR_SECONDS
    a_day = units * prices.READ_UNIT + seconds * DOCTOR_GB * prices.GB_SECOND
    again = math.ceil(wait.item_bytes / READ_UNIT) / 2 * prices.READ_UNIT if wait.has_timer else 0
    return days * a_day + again


def runs(step: CountedStep, times: float) -> float:
    """Return the dollars of so many runs that find nothing to do."""
    lambda_ = prices.INVOCATION + RUN_SECONDS[step.function] * DOCTOR_GB * prices.GB_SECOND
    units = step.write_units * prices.WRITE_UNIT + step.read_units * prices.READ_UNIT
    return (prices.SCHEDULED + lambda_ + units + logged(step) / 1000 * prices.LOG_GB) * times / 1e6


def total(wait: Wait) -> float:
    """Return the cost of a million such waits in dollars."""
    return sum(dollars(wait).values())


def added(option: Added) -> float:
    """Return what an option adds to the cost of a million waits, in dollars."""
    events = math.ceil(option.event_bytes / prices.EVENT_METERED) * prices.EVENT
    return total(option.with_it) - total(option.without) + events


def monthly(deliveries: Deliveries, name: str, rate: int) -> dict[str, float]:
    """Return the dollars of a month in which so many deliveries a second come, by service.

    `name` is a step whose last call counts its delivery. A delivery's own cost does not depend on how many come. Three costs
    do: the counts (a token bucket in each function environment), the configuration (read once a minute in each) and the
    secrets (once in five minutes in each).
    """
    from waitpoints import endpoint_tally  # noqa: PLC0415 - reads the stack's environment

    step = deliveries.to_endpoint[name]
    environments = math.ceil(rate * MILLISECONDS / 1000)
    counts = min(rate, environments * endpoint_tally.WRITES_PER_SECOND)
    million = {service: rate * each for service, each in dollars(Wait([replace(step, calls=step.calls[:-1])])).items()}
    million["DynamoDB writes"] += counts * step.calls[-1].write_units * prices.WRITE_UNIT
    million["DynamoDB reads"] += environments / (CACHED_FOR / 1000) * prices.READ_UNIT
    million["Secrets Manager"] = environments * SECRETS / secrets.CACHED_FOR * prices.SECRET_READ
    return {service: each * MONTH / 1e6 for service, each in million.items() if each}


def monthly_around(deliveries: Deliveries, rate: int) -> float:
    """Return what the create, the wait and the guarantee of each completed token cost in a month in dollars."""
    return total(deliveries.around) * rate * MONTH / 1e6
