"""Signatures that are verified with a public key."""

import base64
import json
from dataclasses import replace

import pytest

from tests.support.in_process.template import ROOT
from tests.support.signed_deliveries import NOW, URL, fresh, refusal, verification
from waitpoints.api.providers.secret_forms import P256_SPKI
from waitpoints.api.providers.signatures import Delivery, check
from waitpoints.errors import UnusableSecret

VECTORS = json.loads((ROOT / "tests/support/webhook_vectors.json").read_text())


class TestPublishedVectors:
    def test_of_ed25519_are_accepted(self) -> None:
        v1a, discord, fal = VECTORS["ed25519"]
        headers = {"webhook-id": v1a["id"], "webhook-timestamp": v1a["ts"], "webhook-signature": v1a["sig"]}
        secret = f"whpk_{v1a['public_key_b64']}"
        check(verification("standard-webhooks-v1a"), [secret], Delivery(v1a["body"].encode(), headers, URL), float(v1a["ts"]))

        headers = {"x-signature-ed25519": discord["sig"], "x-signature-timestamp": discord["ts"]}
        secret = discord["public_key_hex"]
        check(verification("discord"), [secret], Delivery(discord["body"].encode(), headers, URL), float(discord["ts"]))

        headers = {
            "x-fal-webhook-request-id": fal["request_id"],
            "x-fal-webhook-user-id": fal["user_id"],
            "x-fal-webhook-timestamp": fal["ts"],
            "x-fal-webhook-signature": fal["sig"],
        }
        secret = json.dumps({"keys": [{"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})
        check(verification("fal"), [secret], Delivery(fal["body"].encode(), headers, URL), float(fal["ts"]))

    def test_of_sendgrid_is_accepted_with_its_last_line_break(self) -> None:
        vector = VECTORS["sendgrid"]
        headers = {
            "x-twilio-email-event-webhook-signature": vector["sig"],
            "x-twilio-email-event-webhook-timestamp": vector["ts"],
        }
        received, now, secret = (
            Delivery(vector["body"].encode(), headers, URL),
            float(vector["ts"]),
            vector["public_key_b64_spki"],
        )
        check(verification("sendgrid"), [secret], received, now)
        assert refusal("sendgrid", replace(received, body=received.body.rstrip()), now, secret) == "wrong"


class TestSecrets:
    def test_that_are_not_a_point_of_the_curve_are_unusable(self) -> None:
        with pytest.raises(UnusableSecret):
            check(verification("sendgrid"), [base64.b64encode(P256_SPKI + b"\1" * 64).decode()], fresh("sendgrid"), NOW)
