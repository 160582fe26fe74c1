"""Count what each option adds to a plain wait: a token without a timeout, one execution, a payload of 200 bytes."""

from dataclasses import dataclass, replace

from benchmarks.deliveries import Deliveries
from benchmarks.waits import Bench, Step, Wait

SIGNED = {"verify": {"scheme": "github", "secret": "GITHUB"}}
FILTERED = {"completeWhen": "body.body"}
SHAPED = {"payloadSchema": {"type": "object", "properties": {"body": {"type": "string"}}, "required": ["body"]}}
PAGE = {"title": "Continue?"}
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:orders:0d0c5b1e-7b0f-4a39-8c53-3d0a4e8a2f6c"


@dataclass(frozen=True)
class Added:
    """What an option adds to one wait, and to the dollars of a million."""

    calls: int
    write_units: int
    read_units: float
    dollars: float

    def cells(self) -> list[str]:
        return [_signed(self.calls), _signed(self.write_units), _signed(self.read_units), f"{self.dollars:+.2f}"]


def count_options(bench: Bench, deliveries: Deliveries) -> dict[str, Added]:
    plain, keyed = bench.wait(), bench.wait(key="order-4712")
    added = {
        "`timeout` of up to 15 minutes": _between(plain, bench.wait(timeout="10m")),
        "`timeout` of up to a year": _between(plain, bench.wait(timeout="24h")),
        "the same, and it times out": _between(plain, bench.wait(timeout="24h", ends=False)),
        "`idempotencyKey`": _between(plain, keyed),
        "the same, and it is completed by the key": _between(plain, by_key(keyed, deliveries)),
        "the same, by a delivery to an endpoint": _between(plain, by_endpoint(keyed, deliveries)),
        "`verify`": _between(plain, bench.wait(rules=SIGNED, others=False)),
        "`completeWhen`": _between(plain, bench.wait(rules=FILTERED, others=False)),
        "`payloadSchema` of 90 bytes": _between(plain, bench.wait(rules=SHAPED, others=False)),
        "`page`, opened once and answered": _between(plain, answered_page(bench)),
        "`execution`, the waiter's ARN": _between(plain, bench.wait(execution=EXECUTION)),
        "each further waiter (the second)": _between(plain, bench.wait(waiters=2)),
        "a durable function waits, not a state": _between(plain, bench.wait(durable=True)),
        "a payload of 20 KB": _between(plain, bench.wait(payload=20_000)),
        "a payload of 300 KB, in the bucket": _between(plain, bench.wait(payload=300_000)),
    }
    announced = bench.announce(200, waits=True)
    bus = _between(announced.without_bus, announced.with_bus)
    return added | {"an event bus (`EventBusName`)": replace(bus, dollars=announced.dollars())}


def by_key(keyed: Wait, deliveries: Deliveries) -> Wait:
    """Return the wait for a token with a key, completed by a request with the key."""
    return _completed_by(deliveries.by_key["a run waits for its token"], keyed)


def by_endpoint(keyed: Wait, deliveries: Deliveries) -> Wait:
    """Return the wait for a token with a key, completed by a delivery to an endpoint whose configuration is cached."""
    return _completed_by(deliveries.to_endpoint["completes a token, a run waits"], keyed)


def _completed_by(completion: Step, wait: Wait) -> Wait:
    return replace(wait, steps=[completion if step.name == "settle and resume" else step for step in wait.steps])


def answered_page(bench: Bench) -> Wait:
    answered = bench.wait(rules={"page": PAGE}, others=False, webhook={"action": "submit", "fields": {}})
    return replace(answered, steps=[*answered.steps, bench.open_page(PAGE)])


def _between(less: Wait, more: Wait) -> Added:
    return Added(
        _calls(more) - _calls(less),
        more.write_units - less.write_units,
        more.read_units - less.read_units,
        sum(more.dollars().values()) - sum(less.dollars().values()),
    )


def _calls(wait: Wait) -> int:
    return sum(len(step.calls) for step in wait.steps)


def _signed(number: float) -> str:
    return f"{number:+g}" if number else "0"
