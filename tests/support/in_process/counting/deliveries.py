"""Count what completes a token by its key: a request with the key, or a delivery to an endpoint."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tests.support.in_process.api_gateway import COMPLETE_BY_KEY
from tests.support.in_process.counting.waits import ROUND, Bench, CountedStep, Wait, signed_by_github

DAY = 86_400_000
DELETED = "the doctor deletes it"
SETTINGS = {
    "key": "body.workflow_run.id",
    "completeWhen": "body.action == 'completed'",
    "verify": {"scheme": "github", "secret": "GITHUB"},
}


@dataclass
class Deliveries:
    """The steps that were counted. The last call of a delivery is the write of its count, but above the rate of counts."""

    by_key: Wait = field(default_factory=Wait)
    to_endpoint: Wait = field(default_factory=Wait)
    around: Wait = field(default_factory=Wait)
    """The create, the wait and the guarantee of the token that the delivery completes."""
    recorded: Wait = field(default_factory=Wait)
    """Deliveries to an endpoint that records them, with what is stored for one."""
    doctor: CountedStep | None = None
    """A run of the doctor that looks for pending deliveries, and finds none."""


def count_deliveries(bench: Bench) -> Deliveries:
    counted = Deliveries()
    _complete_by_key(bench, counted.by_key)
    _deliver(bench, counted)
    bench.round("doctor")  # as it is without recorded deliveries
    _record(bench, counted)
    return counted


def _complete_by_key(bench: Bench, wait: Wait) -> None:
    def complete(name: str, key: str) -> None:
        body = {"idempotencyKey": key, "data": {"body": "x" * 189}}
        answer = bench.step(wait, name, "complete_by_key", lambda: bench.api.post(COMPLETE_BY_KEY, body), over_http=True)
        assert answer.status == 200, answer.text

    bench.register(Wait(), bench.api.create(idempotencyKey="late")["id"])
    bench.meter.take()
    complete("a run waits for its token", "late")
    bench.forget_tokens()
    complete("its token has settled", "late")
    complete("no token has the key: kept", "early")
    claim = partial(bench.api.create, idempotencyKey="early")
    bench.step(wait, "the create that claims it", "create_token", claim, over_http=True)


def _deliver(bench: Bench, counted: Deliveries) -> None:
    from waitpoints.endpoint_tally import BURST

    url, stream = _put(bench), bench.stream()
    bench.meter.take()

    def deliver(wait: Wait, name: str, body: Mapping[str, Any]) -> None:
        post = partial(bench.api.post, url, *signed(body))
        answer = bench.step(wait, name, "accept_delivery", post, over_http=True)
        assert answer.status == 200, answer.text

    wait, around, other = counted.to_endpoint, counted.around, {"action": "requested", "workflow_run": {"id": 1}}
    awaited, early = ({"action": "completed", "workflow_run": {"id": number}} for number in (1, 2))
    deliver(wait, "the first in a minute, matches nothing", other)
    deliver(wait, "matches nothing", other)
    create = partial(bench.api.create, idempotencyKey="github:1")
    bench.register(around, bench.step(around, "create", "create_token", create, over_http=True)["id"])
    deliver(wait, "completes a token, a run waits", awaited)
    bench.guarantee(around, stream)
    deliver(wait, "its token has settled", awaited)
    deliver(wait, "no token has the key: kept", early)
    deliver(wait, "has no key", {"action": "completed"})
    for _ in range(BURST):
        deliver(Wait(), "", other)
    deliver(wait, "matches nothing, above the rate of counts", other)


def _record(bench: Bench, counted: Deliveries) -> None:
    url = _put(bench, "recorded", recordDeliveries="7d")

    def deliver(wait: Wait, name: str, number: int, event_id: str = "", action: str = "completed") -> None:
        text, headers = signed({"action": action, "workflow_run": {"id": number}})
        post = partial(bench.api.post, url, text, {**headers, "x-github-delivery": event_id or f"event-{name}"})
        assert bench.step(wait, name, "accept_delivery", post, over_http=True).status == 200

    deliver(Wait(), "reads the endpoint and its secret", 0)
    deliver(Wait(), "the first that matches nothing", 0, action="requested")
    before = bench.stored()
    deliver(counted.recorded, "matches nothing", 0, action="requested")
    counted.recorded.add_stored(before, bench.stored())
    bench.register(Wait(), bench.api.create(idempotencyKey="recorded:1")["id"])
    bench.meter.take()
    deliver(counted.recorded, "completes a token, a run waits", 1, "event")
    deliver(counted.recorded, "its token has settled", 1)
    deliver(counted.recorded, "its event comes again", 1, "event")
    deliver(counted.recorded, "no token has the key: kept", 2)
    run = Wait()
    bench.clock.advance(ROUND)
    bench.invoke(run, "doctor", "doctor", {})
    counted.doctor = run.steps[-1]
    bench.clock.advance(8 * DAY)
    bench.invoke(run, "", "doctor", {"command": "scanAll"})
    counted.recorded.steps.append(_deletion_of_one(run.steps[-1]))


def _deletion_of_one(scan: CountedStep) -> CountedStep:
    """Return a delivery's part of the scan that deletes many: its write units."""
    calls = [call for call in scan.calls if call.operation == "DynamoDB:BatchWriteItem"]
    rows = sum(len(some) for call in calls for some in call.parameters["RequestItems"].values())
    units = sum(call.write_units for call in calls)
    assert units % rows == 0, "each row has at most 1 KB"
    return CountedStep(DELETED, "doctor", False, [replace(calls[0], write_units=units // rows)], 0, of_a_round=True)


def _put(bench: Bench, name: str = "github", **more: Any) -> str:
    """Make the endpoint. Returns its URL."""
    return str(bench.api.put_endpoint(name, **(SETTINGS | more))["url"])


def signed(body: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the text, of 200 bytes, and the headers of a delivery that GitHub signed."""
    missing = 200 - len(json.dumps({**body, "filler": ""}))
    text = json.dumps({**body, "filler": "x" * missing})
    return text, {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/044aadd",
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        **signed_by_github(text),
    }
