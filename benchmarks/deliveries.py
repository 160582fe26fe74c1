"""Count and price what completes a token by its key: a request with the key, or a delivery to an endpoint.

A delivery's own cost does not depend on how many come. Three costs do, and are added by formula: the counts (a token bucket in
each function environment), the configuration (read once a minute in each) and the secrets (once in five minutes in each).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from benchmarks.prices import READ_UNIT, SECRET_READ, WRITE_UNIT
from benchmarks.waits import MILLISECONDS, Bench, Step, Wait
from openapi.operations import ENDPOINTS
from tests.support import webhook_signer
from waitpoints.aws import secrets
from waitpoints.endpoint_cache import CACHED_FOR

COMPLETE_BY_KEY = "/api/v1/waitpoints/complete"
RATES = (1, 100, 1000)  # deliveries a second
MONTH = 730 * 3600  # seconds
SETTINGS = {
    "key": "body.workflow_run.id",
    "completeWhen": "body.action == 'completed'",
    "verify": {"scheme": "github", "secret": "GITHUB"},
}
SECRETS = 2  # that a function environment reads: the signing key and the endpoint's


@dataclass
class Deliveries:
    """The steps that were counted. The last call of a delivery is the write of its count, but above the rate of counts."""

    by_key: Wait = field(default_factory=Wait)
    to_endpoint: Wait = field(default_factory=Wait)
    around: Wait = field(default_factory=Wait)
    """The create, the wait and the guarantee of the token that the delivery completes."""

    @property
    def count(self) -> int:
        """The write units of one count."""
        return self.to_endpoint["matches nothing"].calls[-1].write_units

    def monthly(self, name: str, rate: int) -> dict[str, float]:
        """Return the dollars of a month in which so many deliveries a second come, by service.

        `name` is a step that counts its delivery.
        """
        from waitpoints import endpoint_tally  # noqa: PLC0415 - reads the stack's environment

        environments = math.ceil(rate * MILLISECONDS / 1000)
        counts = min(rate, environments * endpoint_tally.WRITES_PER_SECOND)
        dollars = Wait([without_count(self.to_endpoint[name])]).dollars()
        monthly = {service: rate * million for service, million in dollars.items()}
        monthly["DynamoDB writes"] += counts * self.count * WRITE_UNIT
        monthly["DynamoDB reads"] += environments / (CACHED_FOR / 1000) * READ_UNIT
        monthly["Secrets Manager"] = environments * SECRETS / secrets.CACHED_FOR * SECRET_READ
        return {service: million * MONTH / 1e6 for service, million in monthly.items() if million}

    def monthly_around(self, rate: int) -> float:
        """Return what the create, the wait and the guarantee of each completed token cost in a month in dollars."""
        return sum(self.around.dollars().values()) * rate * MONTH / 1e6


def without_count(step: Step) -> Step:
    return replace(step, calls=step.calls[:-1])


def count_deliveries(bench: Bench) -> Deliveries:
    counted = Deliveries()
    _complete_by_key(bench, counted.by_key)
    _deliver(bench, counted)
    return counted


def _complete_by_key(bench: Bench, wait: Wait) -> None:
    def complete(name: str, key: str) -> None:
        body = {"idempotencyKey": key, "data": {"body": "x" * 189}}
        answer = bench.step(wait, name, "complete_key", lambda: bench.api.post(COMPLETE_BY_KEY, body), over_http=True)
        assert answer.status == 200, answer.text

    bench.register(Wait(), bench.api.create(idempotencyKey="late")["id"])
    bench.meter.take()
    complete("a run waits for its token", "late")
    complete("its token has ended", "late")
    complete("no token has the key: kept", "early")
    adopt = partial(bench.api.create, idempotencyKey="early")
    bench.step(wait, "the create that adopts it", "create_token", adopt, over_http=True)


def _deliver(bench: Bench, counted: Deliveries) -> None:
    from waitpoints.endpoint_tally import BURST  # noqa: PLC0415 - reads the stack's environment

    url, stream = _put(bench), bench.stream()
    bench.meter.take()

    def deliver(wait: Wait, name: str, body: Mapping[str, Any]) -> None:
        post = partial(bench.api.post, url, *signed(body, url))
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
    deliver(wait, "its token has ended", awaited)
    deliver(wait, "no token has the key: kept", early)
    deliver(wait, "has no key", {"action": "completed"})
    for _ in range(BURST):
        deliver(Wait(), "", other)
    deliver(wait, "matches nothing, above the rate of counts", other)


def _put(bench: Bench) -> str:
    """Make the endpoint. Returns its URL."""
    put = bench.api.request("PUT", f"{ENDPOINTS}/github", SETTINGS)
    assert put.status == 200, put.text
    return str(put.json["url"])


def signed(body: Mapping[str, Any], url: str) -> tuple[str, dict[str, str]]:
    """Return the text, of 200 bytes, and the headers of a delivery that GitHub signed."""
    missing = 200 - len(json.dumps({**body, "filler": ""}))
    text = json.dumps({**body, "filler": "x" * missing})
    return text, {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/044aadd",
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        **webhook_signer.sign("github", text.encode(), url, 0).headers,
    }
