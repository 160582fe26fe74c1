"""Each scheme, against published vectors and the providers' own libraries: `providers/public_keys`, too."""

import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import stripe
from discord_interactions import verify_key
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from tests.support import node
from tests.support import webhook_signer as signer
from tests.support.signed_deliveries import BODY, NOW, PUBLISHED, URL, delivery_of, fresh, published, refusal, verification
from waitpoints.api.providers.schemes import PUBLIC_KEY, SCHEMES
from waitpoints.api.providers.signatures import Delivery, check

FORM, JSON = published("twilio")
FIELDS = dict(parse_qsl(FORM["body"]))
PORT = "https://mycompany.com:443/myapp.php?foo=1&bar=2"


class TestPublishedVectors:
    @pytest.mark.parametrize("vector", PUBLISHED, ids=lambda it: f"{it['scheme']}, {it['source']}")
    def test_are_accepted_at_their_own_clock_and_url(self, vector: Mapping[str, Any]) -> None:
        scheme, received, now = vector["scheme"], delivery_of(vector), vector.get("at", NOW)
        check(verification(scheme), [vector["secret"]], received, now)
        if SCHEMES[scheme].primitive not in PUBLIC_KEY:
            assert refusal(scheme, received, now, "whsec_b3RoZXI=") == "wrong"

    @pytest.mark.parametrize(
        ("fields", "url", "signature"),
        [
            (
                {"Sid": "CA123", "SidAccount": "AC123", "Digits": ["5678", "1234", "1234"]},
                FORM["url"],
                "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
            ),
            (FIELDS, PORT, "kvajT1Ptam85bY51eRf/AJRuM3w="),
            (FIELDS, FORM["url"], "kvajT1Ptam85bY51eRf/AJRuM3w="),
            (FIELDS, PORT, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ],
        ids=["repeated field", "port", "port that the provider added", "port that the provider left out"],
    )
    def test_of_twilio_forms_are_accepted(self, fields: dict[str, Any], url: str, signature: str) -> None:
        headers = {**FORM["headers"], "x-twilio-signature": signature}
        check(verification("twilio"), ["12345"], Delivery(urlencode(fields, doseq=True).encode(), headers, url), NOW)

    def test_of_twilio_json_is_bound_to_its_body(self) -> None:
        received = delivery_of(JSON)
        for body, kind in ((b"{}", "application/json"), (b"", "application/json"), (b"", FORM["headers"]["content-type"])):
            other = replace(received, body=body, headers={**received.headers, "content-type": kind})
            assert refusal("twilio", other, secret=JSON["secret"]) == "wrong"
        assert refusal("twilio", replace(received, url=JSON["url"].split("&bodySHA256")[0]), secret=JSON["secret"]) == "missing"

    def test_of_sendgrid_are_signed_with_their_last_line_break(self) -> None:
        [vector] = published("sendgrid")
        received = delivery_of(vector)
        assert refusal("sendgrid", replace(received, body=received.body.rstrip()), vector["at"], vector["secret"]) == "wrong"


LINEAR = """
import { LinearWebhookClient } from "@linear/sdk/webhooks";
const [secret, body, signature] = process.argv.slice(1);
new LinearWebhookClient(secret).parseData(Buffer.from(body), signature, JSON.parse(body).webhookTimestamp);
"""  # nobody has published a signed delivery


class TestOfficialLibraries:
    AT = str(int(NOW))

    def test_standard_webhooks_signs_what_is_accepted(self) -> None:
        signature = Webhook(signer.WHSEC).sign("msg_1", datetime.fromtimestamp(int(NOW), UTC), BODY.decode())
        headers = {"webhook-id": "msg_1", "webhook-timestamp": self.AT, "webhook-signature": signature}
        check(verification("standard-webhooks"), [signer.WHSEC], Delivery(BODY, headers, URL), NOW)

    def test_slack_signs_what_is_accepted(self) -> None:
        signature = str(SignatureVerifier(signer.PLAIN).generate_signature(timestamp=self.AT, body=BODY))
        headers = {"x-slack-signature": signature, "x-slack-request-timestamp": self.AT}
        check(verification("slack"), [signer.PLAIN], Delivery(BODY, headers, URL), NOW)

    def test_stripe_signs_what_is_accepted(self) -> None:
        signature = stripe.WebhookSignature._compute_signature(f"{self.AT}.{BODY.decode()}", signer.WHSEC)
        headers = {"stripe-signature": f"t={self.AT},v1={signature}"}
        check(verification("stripe"), [signer.WHSEC], Delivery(BODY, headers, URL), NOW)

    def test_discord_accepts_what_is_accepted(self) -> None:
        received, key = fresh("discord"), signer.secret_of("discord")
        check(verification("discord"), [key], received, NOW)
        assert verify_key(
            received.body, received.headers["x-signature-ed25519"], received.headers["x-signature-timestamp"], key
        )

    def test_linear_accepts_what_is_accepted(self) -> None:
        now = time.time()
        received, key = fresh("linear", now), signer.secret_of("linear")
        check(verification("linear"), [key], received, now)
        arguments = [key, received.body.decode(), received.headers["linear-signature"]]
        done = subprocess.run([node.node(), "--input-type=module", "-e", LINEAR, *arguments], cwd=node.FOLDER, check=False)
        assert done.returncode == 0
