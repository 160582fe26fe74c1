"""Providers that sign: what they send over HTTP settles the token whose secret they hold, and nothing else does.

The secrets are real ones of the deployed stack, which its functions may read as IAM allows it.
"""

import base64
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import boto3
import pytest
import stripe
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from discord_interactions import verify_key
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from tests.support import webhook_signer as signer
from tests.support.e2e.api import Api, RawAnswer
from tests.support.e2e.permissions import physical_name
from tests.support.e2e.secrets import Secrets
from tests.support.in_process.api_gateway import TOKENS
from tests.support.webhook_signer import Signed
from waitpoints import json_text
from waitpoints.api.providers.schemes import SCHEMES
from waitpoints_local.stack import REGION, Stack

BODY = '{"event": "päid",  "amount": 12.50}'.encode()
BODY_IS_NOT_SIGNED = ("token",)
OTHER_ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))).public_key().public_bytes_raw()
OTHER_P256 = ec.derive_private_key(0xBAD5EED, ec.SECP256R1()).public_key()
OTHER_SECRETS = {
    "standard-webhooks-v1a": "whpk_" + base64.b64encode(OTHER_ED25519).decode(),
    "discord": OTHER_ED25519.hex(),
    "fal": json.dumps(
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(OTHER_ED25519).decode().rstrip("=")}]}
    ),
    "sendgrid": base64.b64encode(
        OTHER_P256.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).decode(),
}


def name_of(scheme: str) -> str:
    """Another one in each run, because a running function reads a changed secret only after some time."""
    return f"{scheme}-{uuid.uuid4().hex[:8]}"


def create(api: Api, scheme: str, secret: str) -> dict[str, Any]:
    header = {"header": "X-Gitlab-Token"} if scheme == "token" else {}
    return api.create(verify={"scheme": scheme, "secret": secret, **header})


def send(api: Api, signed: Signed) -> RawAnswer:
    return api.deliver(signed.url, signed.body, signed.headers)


def sign(scheme: str, token: dict[str, Any], secret: str | None = None) -> Signed:
    return signer.sign(scheme, BODY, token["url"], time.time(), secret)


def other_secret(scheme: str) -> str:
    """A secret of the same form that did not sign."""
    secret = signer.secret_of(scheme)
    return OTHER_SECRETS.get(scheme) or secret[:-3] + ("b" if secret[-3] == "a" else "a") + secret[-2:]


def changed_body(scheme: str, signed: Signed) -> Signed | None:
    if scheme in BODY_IS_NOT_SIGNED:
        return None
    mark = b'"token": "5e' if scheme == "mailgun" else signed.body[-3:]  # Mailgun signs this part of the body only
    at = signed.body.index(mark) + len(mark) - 2
    return replace(signed, body=signed.body[:at] + bytes([signed.body[at] ^ 1]) + signed.body[at + 1 :])


def changed_signature(scheme: str, signed: Signed) -> Signed | None:
    if scheme == "mailgun":
        at = signed.body.index(b'"signature": "') + 20
        return replace(
            signed, body=signed.body[:at] + (b"0" if signed.body[at : at + 1] != b"0" else b"1") + signed.body[at + 1 :]
        )
    name = max(signed.headers, key=lambda header: len(signed.headers[header]) if header != "content-type" else 0)
    value = signed.headers[name]
    at = len(value) - 5
    return replace(signed, headers={**signed.headers, name: value[:at] + ("0" if value[at] != "0" else "1") + value[at + 1 :]})


def changed_time(scheme: str, signed: Signed) -> Signed | None:
    """The same delivery with another time of signing, a second off; None if the scheme signs no time."""
    for written, other in _times():
        for name, value in signed.headers.items():
            if written in value:
                return replace(signed, headers={**signed.headers, name: value.replace(written, other, 1)})
        if written.encode() in signed.body:
            return replace(signed, body=signed.body.replace(written.encode(), other.encode(), 1))
    return None


def _times() -> list[tuple[str, str]]:
    seconds = [int(time.time()) - ago for ago in range(5)]
    iso = [datetime.fromtimestamp(second, UTC).isoformat() for second in seconds]
    return [(str(second), str(second - 1)) for second in seconds] + [(text, text.replace("T", " ")) for text in iso]


CHANGES: tuple[Callable[[str, Signed], Signed | None], ...] = (changed_body, changed_signature, changed_time)


@pytest.mark.parametrize("scheme", signer.schemes())
def test_a_signed_delivery_settles_its_token_and_one_with_a_changed_byte_does_not(
    api: Api, secrets: Secrets, scheme: str
) -> None:
    name = secrets.make(name_of(scheme), signer.secret_of(scheme))
    token = create(api, scheme, name)
    signed = sign(scheme, token)
    changed = [other for change in CHANGES if (other := change(scheme, signed))]

    refused = [send(api, other) for other in changed]

    assert [answer.status for answer in refused] == [401] * len(changed)
    assert len(changed) == (scheme not in BODY_IS_NOT_SIGNED) + 1 + ("ts" in SCHEMES[scheme].parts)
    waiting = api.retrieve(token)
    assert (waiting["status"], waiting["otherDeliveries"]["count"]) == ("WAITING", len(changed))
    assert "completedBy" not in waiting
    sent = sign(scheme, token)
    accepted = send(api, sent)
    assert (accepted.status, accepted.body) == (200, b'{"success":true}')
    settled = api.retrieve(token)
    assert (settled["status"], settled["outputIsError"]) == ("COMPLETED", False)
    text = sent.body.decode()
    assert settled["output"] == (json_text.dumps(dict(parse_qsl(text, keep_blank_values=True))) if scheme == "twilio" else text)


@pytest.mark.parametrize("scheme", signer.schemes())
def test_a_delivery_that_another_secret_signed_does_not_settle_a_token(api: Api, secrets: Secrets, scheme: str) -> None:
    token = create(api, scheme, secrets.make(name_of(scheme), other_secret(scheme)))

    answer = send(api, sign(scheme, token))

    assert answer.status == 401
    assert json.loads(answer.body).keys() == {"error"}
    assert (api.retrieve(token)["status"], api.retrieve(token)["otherDeliveries"]["count"]) == ("WAITING", 1)


@pytest.mark.parametrize("scheme", ["square", "trello", "hubspot", "twilio"])
def test_a_signed_url_may_have_a_query(api: Api, secrets: Secrets, scheme: str) -> None:
    token = create(api, scheme, secrets.make(name_of(scheme), signer.secret_of(scheme)))
    url = token["url"] + "?step=2&note=a%20b+c&empty="

    assert send(api, replace(sign(scheme, token), url=url)).status == 401
    assert send(api, signer.sign(scheme, BODY, url, time.time())).status == 200
    assert api.retrieve(token)["completedBy"]["query"] == "step=2&note=a%20b+c&empty="


def test_a_token_without_its_secret_is_not_created(api: Api, secrets: Secrets) -> None:
    answer = api.request("POST", TOKENS, {"verify": {"scheme": "github", "secret": name_of("nothing")}})
    assert answer.status == 422
    assert f"waitpoints/{api.stack.stack_name}/webhooks/nothing-" in answer.body["error"]


def test_a_delivery_is_to_be_sent_again_while_its_secret_is_missing(api: Api, secrets: Secrets) -> None:
    name = secrets.make(name_of("github"), signer.PLAIN)
    token = create(api, "github", name)
    secrets.delete(name)
    assert send(api, sign("github", token)).status == 503
    assert api.retrieve(token)["status"] == "WAITING"
    secrets.make(name, signer.PLAIN)
    assert send(api, sign("github", token)).status == 200


def test_a_rotated_secret_and_the_one_before_it_are_accepted_at_once(api: Api, secrets: Secrets) -> None:
    name = secrets.make(name_of("github"), "first")
    tokens = [create(api, "github", name) for _ in range(5)]

    def send_signed_with(secret: str) -> int:
        return send(api, sign("github", tokens.pop(), secret)).status

    assert send_signed_with("first") == 200
    secrets.rotate(name, "second")
    assert [send_signed_with(secret) for secret in ("second", "first", "second", "neither")] == [200, 200, 200, 401]


class TestOfficialLibraries:
    def test_standard_webhooks_signs_what_is_accepted(self, api: Api, secrets: Secrets) -> None:
        token = create(api, "standard-webhooks", secrets.make(name_of("standard"), signer.WHSEC))
        now = datetime.now(UTC)
        signature = Webhook(signer.WHSEC).sign("msg_official", now, BODY.decode())
        headers = {"webhook-id": "msg_official", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
        assert api.deliver(token["url"], BODY, headers).status == 200
        assert api.retrieve(token)["completedBy"]["deliveryId"] == "msg_official"

    def test_stripe_signs_what_is_accepted(self, api: Api, secrets: Secrets) -> None:
        token, at = create(api, "stripe", secrets.make(name_of("stripe"), signer.WHSEC)), int(time.time())
        signature = stripe.WebhookSignature._compute_signature(f"{at}.{BODY.decode()}", signer.WHSEC)
        assert api.deliver(token["url"], BODY, {"stripe-signature": f"t={at},v1={signature}"}).status == 200

    def test_slack_signs_what_is_accepted(self, api: Api, secrets: Secrets) -> None:
        token, at = create(api, "slack", secrets.make(name_of("slack"), signer.PLAIN)), str(int(time.time()))
        signature = SignatureVerifier(signer.PLAIN).generate_signature(timestamp=at, body=BODY)
        headers = {"x-slack-signature": str(signature), "x-slack-request-timestamp": at}
        assert api.deliver(token["url"], BODY, headers).status == 200

    def test_discord_accepts_what_is_accepted(self, api: Api, secrets: Secrets) -> None:
        token = create(api, "discord", secrets.make(name_of("discord"), signer.secret_of("discord")))
        signed = sign("discord", token)
        signature, at = signed.headers["x-signature-ed25519"], signed.headers["x-signature-timestamp"]
        assert verify_key(signed.body, signature, at, signer.secret_of("discord"))
        assert send(api, signed).status == 200


class TestIam:
    """The emulator enforces IAM: each function's role, assumed, reads the providers' secrets if it needs them."""

    @pytest.mark.parametrize(
        ("function", "reads"),
        [("AcceptCallback", True), ("CreateToken", True), ("CreateTokenInState", True)]
        + [(name, False) for name in ("RetrieveToken", "ListTokens", "CompleteToken", "CompleteTokenInState", "WaitForToken")],
    )
    def test_only_the_functions_that_check_signatures_read_a_providers_secret(
        self, stack: Stack, secrets: Secrets, function: str, reads: bool
    ) -> None:
        name = secrets.make(name_of("iam"), "value")
        assert may_read(stack, function, f"waitpoints/{stack.stack_name}/webhooks/{name}") is reads

    @pytest.mark.parametrize("function", ["AcceptCallback", "CreateToken"])
    def test_none_reads_a_secret_of_another_name(self, stack: Stack, function: str) -> None:
        for folder in (stack.stack_name, "waitpoints/another/webhooks", f"waitpoints/{stack.stack_name}/channels"):
            other = f"{folder}/{uuid.uuid4().hex}"
            stack.client("secretsmanager").create_secret(Name=other, SecretString="value")
            assert may_read(stack, function, other) is False


def may_read(stack: Stack, function: str, secret: str) -> bool:
    configuration = stack.client("lambda").get_function_configuration(FunctionName=physical_name(stack, function))
    assumed = stack.client("sts").assume_role(RoleArn=configuration["Role"], RoleSessionName="test")["Credentials"]
    client = boto3.client(
        "secretsmanager",
        endpoint_url=stack.endpoint_url,
        region_name=REGION,
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )
    try:
        return bool(client.get_secret_value(SecretId=secret))
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDeniedException":
            return False
        raise
