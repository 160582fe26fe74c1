"""Count what each option adds to a plain wait: a token without a timeout, one execution, a payload of 200 bytes."""

from dataclasses import replace
from typing import Any

from tests.support.in_process.counting.deliveries import DELETED, Deliveries
from tests.support.in_process.counting.waits import Added, Bench, CountedStep, Wait, payload_of

SIGNED = {"verify": {"scheme": "github", "secret": "GITHUB"}}
FILTERED = {"completeWhen": "body.body"}
SHAPED = {"payloadSchema": {"type": "object", "properties": {"body": {"type": "string"}}, "required": ["body"]}}
PAGE = {"title": "Continue?"}
ANSWERED = "`page`, opened once and answered"
EXECUTION = f"arn:aws:states:us-east-1:123456789012:execution:{'m' * 40}:0d0c5b1e-7b0f-4a39-8c53-3d0a4e8a2f6c"


def count_options(bench: Bench, deliveries: Deliveries) -> dict[str, Added]:
    plain, keyed = bench.wait(), bench.wait(key="order-4712")
    waits = {
        "`timeout` of up to 15 minutes": bench.wait(timeout="10m"),
        "`timeout` of up to a year": bench.wait(timeout="24h"),
        "the same, and it times out": bench.wait(timeout="24h", ends=False),
        "the same, moved once": bench.wait(timeout="24h", moved="48h"),
        "`idempotencyKey`": keyed,
        "`idempotencyKey`, completed by the key": by_key(keyed, deliveries),
        "`idempotencyKey`, completed by a delivery to an endpoint": by_endpoint(keyed, deliveries),
        "`verify`": bench.wait(rules=SIGNED, others=False),
        "`completeWhen`": bench.wait(rules=FILTERED, others=False),
        "`payloadSchema` of 90 bytes": bench.wait(rules=SHAPED, others=False),
        ANSWERED: answered_page(bench),
        "`page`, opened and approved by two people": approved_page(bench, 2),
        "`page`, approved by five people": approved_page(bench, 5),
        "`metadata` of 200 bytes": bench.wait(rules={"metadata": payload_of(200)}, others=False),
        "`execution`, the waiter's ARN": bench.wait(execution=EXECUTION),
        "each further waiter (the second)": bench.wait(waiters=2),
        "a durable function waits, not a state": bench.wait(durable=True),
        "a payload of 20 KB": bench.wait(payload=20_000),
        "a payload of 300 KB, in the bucket": bench.wait(payload=300_000),
    }
    added = {option: Added(plain, wait) for option, wait in waits.items()}
    added |= {"each reminder (`remind`) of an answered page": Added(waits[ANSWERED], answered_page(bench, reminded="1h"))}
    added |= {"`recordDeliveries`, each delivery": recorded(deliveries)}
    return added | {"an event bus (`EventBusName`)": bench.publish(200, waits=True)}


def recorded(deliveries: Deliveries) -> Added:
    """Return what it adds to a delivery that its endpoint records."""
    name = "matches nothing"
    without = Wait([deliveries.to_endpoint[name]])
    return Added(without, replace(deliveries.recorded, steps=[deliveries.recorded[name], deliveries.recorded[DELETED]]))


def by_key(keyed: Wait, deliveries: Deliveries) -> Wait:
    """Return the wait for a token with a key, completed by a request with the key."""
    return _completed_by(deliveries.by_key["a run waits for its token"], keyed)


def by_endpoint(keyed: Wait, deliveries: Deliveries) -> Wait:
    """Return the wait for a token with a key, completed by a delivery to an endpoint whose configuration is cached."""
    return _completed_by(deliveries.to_endpoint["completes a token, a run waits"], keyed)


def _completed_by(completion: CountedStep, wait: Wait) -> Wait:
    return replace(wait, steps=[completion if step.name == "settle and resume" else step for step in wait.steps])


def approved_page(bench: Bench, people: int) -> Wait:
    """Return the wait for a decision that all of these people must agree to."""
    page = {
        **PAGE,
        "approvers": [f"person{number}@example.com" for number in range(people)],
        "actions": [{"id": "approve", "label": "Approve", "needs": people}],
    }
    approved = bench.wait(rules={"page": page}, others=False, webhook={"action": "approve", "fields": {}})
    return replace(approved, steps=[*approved.steps, *(bench.open_page(page) for _ in range(people))])


def answered_page(bench: Bench, reminded: str | None = None, **options: Any) -> Wait:
    page = PAGE | ({"remind": [reminded]} if reminded else {})
    choice = {"action": "submit", "fields": {}}
    answered = bench.wait(rules={"page": page}, others=False, webhook=choice, reminded=reminded, **options)
    return replace(answered, steps=[*answered.steps, bench.open_page(PAGE)])
