"""Deliveries signed by the providers' official libraries, or by the documented rule if the library accepts the result."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import stripe
from slack_sdk.signature import SignatureVerifier

from tests.support import node, webhook_signer

FOLDER = Path(__file__).resolve().parent
_PATIENCE = 60  # seconds


@dataclass(frozen=True)
class Delivery:
    """What a provider posts, without its signature."""

    provider: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


def signed(deliveries: Sequence[Delivery], secret: str) -> list[dict[str, str]]:
    """All headers of each delivery, which must be of one provider."""
    [provider] = {delivery.provider for delivery in deliveries}
    sign = {"slack": _slack, "stripe": _stripe}.get(provider, _in_node)
    return [{**delivery.headers, **headers} for delivery, headers in zip(deliveries, sign(deliveries, secret), strict=True)]


def _slack(deliveries: Sequence[Delivery], secret: str) -> list[dict[str, str]]:
    verifier, now = SignatureVerifier(secret), str(int(time.time()))
    signatures = [str(verifier.generate_signature(timestamp=now, body=delivery.body)) for delivery in deliveries]
    return [{"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": now} for signature in signatures]


def _stripe(deliveries: Sequence[Delivery], secret: str) -> list[dict[str, str]]:
    found = []
    for delivery in deliveries:
        signature = webhook_signer.sign("stripe", delivery.body.encode(), "", time.time(), secret).headers["stripe-signature"]
        stripe.Webhook.construct_event(delivery.body, signature, secret)
        found.append({"Stripe-Signature": signature})
    return found


def _in_node(deliveries: Sequence[Delivery], secret: str) -> list[dict[str, str]]:
    asked = [{"provider": one.provider, "body": one.body, "headers": dict(one.headers), "secret": secret} for one in deliveries]
    done = subprocess.run(
        [node.node(), "sign.mjs"],
        cwd=FOLDER,
        env=node.environment(),
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    headers: list[dict[str, str]] = json.loads(done.stdout)
    return headers
