"""Providers that sign: what they send over HTTP settles the token whose secret they hold, and nothing else does.

The secrets are real ones of the deployed stack, which its functions may read as IAM allows it. `unit/api/providers` has
every scheme, with the providers' own libraries.
"""

import time
import uuid
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support import webhook_signer as signer
from tests.support.e2e.api import Api, RawAnswer
from tests.support.e2e.permissions import physical_name
from tests.support.e2e.secrets import Secrets
from tests.support.in_process.api_gateway import TOKENS
from waitpoints_local.stack import REGION, Stack
from waitpoints_local.webhook_signer import Sent

BODY = '{"event": "päid",  "amount": 12.50}'.encode()
SCHEMES = ["github", "discord", "sendgrid"]
"""A secret that both sides have, and the public keys for which the layer has a library."""


def name_of(scheme: str) -> str:
    """Another one in each run, because a running function reads a changed secret only after some time."""
    return f"{scheme}-{uuid.uuid4().hex[:8]}"


def create(api: Api, scheme: str, secret: str) -> dict[str, Any]:
    return api.create(verify={"scheme": scheme, "secret": secret})


def send(api: Api, signed: Sent) -> RawAnswer:
    return api.deliver(signed.url, signed.body, signed.headers)


def sign(scheme: str, token: dict[str, Any], secret: str | None = None) -> Sent:
    return signer.sign(scheme, BODY, token["url"], time.time(), secret)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_signed_delivery_settles_its_token_and_one_with_a_changed_byte_does_not(
    api: Api, secrets: Secrets, scheme: str
) -> None:
    token = create(api, scheme, secrets.make(name_of(scheme), signer.secret_of(scheme)))
    signed = sign(scheme, token)

    assert send(api, replace(signed, body=signed.body.replace(b"12.50", b"12.51"))).status == 401

    waiting = api.retrieve(token)
    assert (waiting["status"], waiting["otherDeliveries"]["count"]) == ("WAITING", 1)
    assert (send(api, signed).status, api.retrieve(token)["output"]) == (200, BODY.decode())


def test_a_signed_url_may_have_a_query(api: Api, secrets: Secrets) -> None:
    token = create(api, "square", secrets.make(name_of("square"), signer.secret_of("square")))
    url = token["url"] + "?step=2&note=a%20b+c&empty="

    assert send(api, replace(sign("square", token), url=url)).status == 401
    assert send(api, signer.sign("square", BODY, url, time.time())).status == 200
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
