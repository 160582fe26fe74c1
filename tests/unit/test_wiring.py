"""The clients of AWS's services: their trimmed models, and the hosts that they call."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.loaders import JSONFileLoader
from moto.core.models import botocore_stubber

from tests.support.in_process.browser import PAGE
from waitpoints import wiring
from waitpoints.oidc.attempts import Attempt

pytestmark = pytest.mark.slow  # each session of boto3 reads its table of hosts
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/queue"
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamodb": ("get_item", {"TableName": "tokens", "Key": {"id": {"S": "1"}}}),
    "events": ("put_events", {"Entries": [{"Source": "waitpoints"}]}),
    "lambda": ("send_durable_execution_callback_success", {"CallbackId": "callback-id"}),
    "s3": ("get_object", {"Bucket": "outputs", "Key": "1"}),
    "secretsmanager": ("get_secret_value", {"SecretId": "key"}),
    "sesv2": ("send_email", {"Content": {"Raw": {"Data": b"Subject: Go?"}}}),
    "sqs": ("send_message", {"QueueUrl": QUEUE, "MessageBody": "{}"}),
    "stepfunctions": ("send_task_success", {"taskToken": "token", "output": "{}"}),
}
REGIONS = ["us-east-1", "eu-central-1", "mx-central-1", "us-gov-west-1", "cn-north-1"]  # of each partition that people use


@pytest.fixture(autouse=True)
def fresh_session(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(botocore_stubber, "enabled", False)  # moto's: another test's stack may be there
    wiring.services.reset()
    yield
    wiring.services.reset()


@pytest.mark.parametrize("service", CALLS)
def test_a_trimmed_client_has_the_same_model_as_botocore(service: str) -> None:
    ours, theirs = wiring.session().client(service).meta, boto3.client(service).meta
    assert ours.service_model.api_version == theirs.service_model.api_version
    assert ours.service_model.operation_names == theirs.service_model.operation_names


def test_the_table_of_hosts_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load = JSONFileLoader.load_file

    def load_and_note(loader: JSONFileLoader, path: str) -> Any:
        read.append(Path(path).name)
        return load(loader, path)

    monkeypatch.setattr(JSONFileLoader, "load_file", load_and_note)
    wiring.session().client("dynamodb")
    assert "service-2" in read
    assert "endpoints" not in read


@pytest.mark.parametrize("region", REGIONS)
def test_calls_go_to_the_hosts_and_are_signed_for_the_region_that_botocore_chooses(region: str) -> None:
    """Without botocore's table of hosts, which `_Models` leaves out."""
    sent = destinations(boto3.Session(), region)
    assert all(region in url and f"/{region}/" in scope for url, scope in sent.values())
    assert destinations(wiring.session(), region) == sent


@pytest.mark.parametrize("variant", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
def test_calls_go_to_the_variants_of_hosts_that_botocore_chooses(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = destinations(boto3.Session(), "us-east-1")
    monkeypatch.setenv(variant, "true")
    sent = destinations(boto3.Session(), "us-east-1")
    assert sent != usual
    assert destinations(wiring.session(), "us-east-1") == sent


class Sent(Exception):
    """Instead of an answer."""


def destinations(session: boto3.Session, region: str) -> dict[str, tuple[str, str]]:
    """Where each call would go. The configuration is copied, because botocore writes into what S3 is configured with."""
    configs = {name: copy.deepcopy(wiring._S3_CONFIG if name == "s3" else wiring._CONFIG) for name in CALLS}
    clients = {name: session.client(name, region_name=region, config=configs[name]) for name in CALLS}
    return {name: destination(client, *CALLS[name]) for name, client in clients.items()}


def destination(client: Any, operation: str, parameters: dict[str, Any]) -> tuple[str, str]:
    """Return the URL that the operation would send its request to, and what its signature is for."""
    requests = []

    def stop(request: Any, **_: object) -> None:
        requests.append(request)
        raise Sent

    client.meta.events.register("before-send", stop)
    with pytest.raises(Sent):
        getattr(client, operation)(**parameters)
    [request] = requests
    authorization = request.headers["Authorization"]
    text = authorization.decode() if isinstance(authorization, bytes) else authorization
    scope = re.search(r"Credential=\w+/\d+(/[^,]+)", text)
    assert scope
    return request.url, scope[1]


def test_nobody_signs_in_without_an_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OIDC_ISSUER", raising=False)
    assert wiring.services.sessions is None


def test_sign_in_is_of_the_stacks_issuer_client_and_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BASE_URL": "https://hooks.example.com/",
        "ENVIRONMENT": "waitpoints",
        "OIDC_CLIENT_ID": "client",
        "OIDC_ISSUER": "https://issuer.example.com",
        "OIDC_SCOPES": "openid email",
        "SESSION_KEY_SECRET": "session-key",
    }.items():
        monkeypatch.setenv(name, value)
    services = wiring.services
    assert services.sessions is not None
    assert (services.sessions.issuer, services.sessions.base_url) == ("https://issuer.example.com", "https://hooks.example.com")
    assert (services.issuer.url, services.issuer.client_id) == ("https://issuer.example.com", "client")
    for target, path in ((PAGE, "/api/v1/sign-in/return"), ("/console", "/sign-in/return")):
        attempt = Attempt("state", "nonce", "verifier", target, None, 0)
        assert services.issuer._redirect_uri(attempt) == f"https://hooks.example.com{path}"
    assert set(services._secrets) == {"session-key", "waitpoints/waitpoints/sign-in/OIDC_CLIENT_SECRET"}
    assert services.attempts is services.attempts
