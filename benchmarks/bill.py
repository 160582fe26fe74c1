"""What AWS bills for counted waits and deliveries, at its list prices."""

import math
from collections import Counter
from dataclasses import replace

from benchmarks import prices
from in_process.counting.deliveries import Deliveries
from in_process.counting.waits import Added, CountedStep, Wait
from waitpoints.aws import secrets
from waitpoints.endpoint_cache import CACHED_FOR

MILLISECONDS = 20  # of one warm invocation; the only assumed figure
MEMORY = 0.5  # GB
INVOCATION = prices.INVOCATION + MILLISECONDS / 1000 * MEMORY * prices.GB_SECOND  # dollars for a million warm ones
PLATFORM_LOG = 350  # bytes: Lambda's START, END and REPORT lines per invocation
ACCESS_LOG = 180  # bytes: API Gateway's line per request
POLL = 2  # SQS requests of the event source mapping per message: receive and delete
MONTH = 730 * 3600  # seconds
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
    logs = sum(step.log_bytes + PLATFORM_LOG + ACCESS_LOG * step.over_http for step in own)
    tables = wait.stored_bytes * (prices.TABLE_GB_MONTH + prices.BACKUP_GB_MONTH) + wait.index_bytes * prices.TABLE_GB_MONTH
    objects = sum(step.stored_object_bytes for step in wait.steps) * prices.OBJECT_GB_MONTH
    return {
        "HTTP API": sum(map(http_requests, wait.steps)) * prices.HTTP_REQUEST,
        "Lambda": len(own) * INVOCATION,
        "DynamoDB writes": wait.write_units * prices.WRITE_UNIT,
        "DynamoDB reads": wait.read_units * prices.READ_UNIT,
        "S3": calls["S3:PutObject"] * prices.PUT_OBJECT + calls["S3:GetObject"] * prices.GET_OBJECT,
        "SQS": sqs * prices.SQS_REQUEST,
        "Logs": logs / 1000 * prices.LOG_GB,
        "Storage, a month": (tables + objects) / 1000,
    }


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
