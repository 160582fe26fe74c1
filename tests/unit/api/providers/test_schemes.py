"""Each scheme, against published vectors and the providers' own libraries."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.in_process.template import ROOT
from tests.support.signed_deliveries import NOW, URL, refusal, verification
from waitpoints.api.providers.schemes import SCHEMES
from waitpoints.api.providers.signatures import Delivery, check

VECTORS = json.loads((ROOT / "tests/support/webhook_vectors.json").read_text())
HMAC = {vector["name"]: vector for vector in VECTORS["hmac_table"]}
SCHEME_OF_VECTOR = {
    "standard-webhooks v1": "standard-webhooks",
    "github octokit": "github",
    "bitbucket/jira": "bitbucket",
    "square2": "square",
    "dropbox (third-party vector)": "dropbox",
    "hubspot v3": "hubspot",
    "meta escaped": "meta",
    "gitlab signing token": "gitlab",
    "cloudflare stream": "cloudflare-stream",
    "x/twitter": "x",
}
ANSWERS = ("zoom crc", "x crc")  # of handshakes, not deliveries
LEFT_OUT_BY_VECTOR = {
    "gitlab signing token": {"webhook-id": "id", "webhook-timestamp": "ts"},
    "zoom": {"x-zm-request-timestamp": "ts"},
    "hubspot v3": {"x-hubspot-request-timestamp": "ts"},
    "box": {"box-delivery-timestamp": "ts"},
}
CLOCK_OF_VECTOR = {"hubspot v3": 1_700_000_000.0, "linear": 1_700_000_000.0, "box": 1_700_000_000.0}

OTHERS = {"twilio", "standard-webhooks-v1a", "discord", "fal", "sendgrid"}  # below, and in test_public_keys.py
NO_VECTORS = {
    "token": "its header is the secret",
    "jira": "signs as Bitbucket does, whose vector is of both",
    **dict.fromkeys(("anthropic", "gemini", "replicate"), "says that it signs by Standard Webhooks"),
    **dict.fromkeys(("svix", "resend", "clerk"), "signs by Standard Webhooks, with Svix's names of the headers"),
}


class TestPublishedVectors:
    def test_are_there_for_each_provider_or_it_is_said_why_not(self) -> None:
        """For a new provider: add them to webhook_vectors.json, or the reason above."""
        have = {SCHEME_OF_VECTOR.get(name, name) for name in HMAC.keys() - ANSWERS} | OTHERS
        assert SCHEMES.keys() - have == NO_VECTORS.keys()

    @pytest.mark.parametrize("name", sorted(HMAC.keys() - ANSWERS))
    def test_of_hmac_schemes_are_accepted_at_their_own_clock_and_url(self, name: str) -> None:
        vector = HMAC[name]
        headers = {header.lower(): value for header, value in vector["headers"].items()}
        headers |= {header: vector[key] for header, key in LEFT_OUT_BY_VECTOR.get(name, {}).items()}
        body = vector["body"]
        if name == "mailgun":
            body = json.dumps({"signature": {"timestamp": vector["ts"], "token": vector["token"], "signature": vector["sig"]}})
        received = Delivery(body.encode(), headers, vector.get("url", URL), vector.get("method", "POST"))
        now = CLOCK_OF_VECTOR.get(name) or float(vector.get("ts", NOW))
        check(verification(SCHEME_OF_VECTOR.get(name, name)), [vector["secret"]], received, now)
        assert refusal(SCHEME_OF_VECTOR.get(name, name), received, now, "whsec_b3RoZXI=") == "wrong"

    def test_of_x_show_why_its_challenge_is_not_answered(self) -> None:
        """X's answer to a challenge is a valid signature of a delivery whose body is the challenge."""
        vector = HMAC["x crc"]
        headers = {"x-twitter-webhooks-signature": vector["headers"]["(response response_token)"]}
        check(verification("x"), [vector["secret"]], Delivery(vector["body"].encode(), headers, URL), NOW)

    @pytest.mark.parametrize(
        ("fields", "url", "signature"),
        [
            (VECTORS["twilio"][0]["form"], VECTORS["twilio"][0]["url"], "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            (
                {"Sid": "CA123", "SidAccount": "AC123", "Digits": ["5678", "1234", "1234"]},
                VECTORS["twilio"][0]["url"],
                "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
            ),
            (VECTORS["twilio"][0]["form"], "https://mycompany.com:443/myapp.php?foo=1&bar=2", "kvajT1Ptam85bY51eRf/AJRuM3w="),
            (VECTORS["twilio"][0]["form"], VECTORS["twilio"][0]["url"], "kvajT1Ptam85bY51eRf/AJRuM3w="),
            (VECTORS["twilio"][0]["form"], "https://mycompany.com:443/myapp.php?foo=1&bar=2", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ],
        ids=["form", "repeated field", "port", "port that the provider added", "port that the provider left out"],
    )
    def test_of_twilio_forms_are_accepted(self, fields: dict[str, Any], url: str, signature: str) -> None:
        from urllib.parse import urlencode

        headers = {"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
        check(verification("twilio"), ["12345"], Delivery(urlencode(fields, doseq=True).encode(), headers, url), NOW)

    def test_of_twilio_json_is_accepted_and_bound_to_its_body(self) -> None:
        vector = VECTORS["twilio"][1]
        headers = {"x-twilio-signature": vector["headers"]["X-Twilio-Signature"], "content-type": "application/json"}
        received = Delivery(vector["body"].encode(), headers, vector["url"])
        check(verification("twilio"), [vector["secret"]], received, NOW)
        assert refusal("twilio", replace(received, body=b"{}"), secret=vector["secret"]) == "wrong"
        unbound = replace(received, url=vector["url"].split("&bodySHA256")[0])
        assert refusal("twilio", unbound, secret=vector["secret"]) == "missing"
