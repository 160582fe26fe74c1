"""No payload, hash, key, task token or callback id reaches the log."""

import io
import json
import re
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from tests.support.webhook_signer import sign
from waitpoints.access.api_key_cache import CACHED_FOR
from waitpoints.access.api_keys import SHOWN_DIGITS, digest, new_key


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_never_contains_payloads_hashes_keys_task_tokens_or_callback_ids(
    api: Api, world: World, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    created = api.post(
        "/api/v1/waitpoints/tokens",
        {"idempotencyKey": "secret-order", "tags": ["secret-tag"], "metadata": {"secret-name": "secret-value"}},
    )
    token, kinds = created.json, (world.step_functions, world.durable_functions)
    complete = f"/api/v1/waitpoints/tokens/{token['id']}/complete"
    handles = [api.wait(it, kind) for kind in kinds for it in (token, {"id": "rubbish"})]
    api.post(complete, '{"output": "secret-payload"}')
    api.post(complete, '{"data": "secret-payload"', {"authorization": f"Bearer {created.headers['x-trigger-jwt']}"})
    api.post(complete, {"data": "x"}, {"authorization": "Bearer secret-wrong-key"})
    api.deliver(token, b'"secret-payload"')
    api.post(token["url"], b"secret-second", {"content-type": "text/plain"})
    api.retrieve(token["id"])

    written = log.getvalue() + capsys.readouterr().out
    callback_hash = token["url"].rsplit("/", 1)[1]
    secrets = [
        world.api_key.read_current(),
        world.signing_key.read_current(),
        callback_hash,
        *handles,
        created.headers["x-trigger-jwt"],
    ]
    assert token["id"] in written
    assert [secret for secret in [*secrets, "secret-"] if secret in written] == []
    assert len(lines(log)) == 11


def test_never_contains_a_named_key_only_its_name(
    api: Api, world: World, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    shown, unknown = world.api_key_store.make("nightly", "create", "read"), new_key()
    path = f"/api/v1/waitpoints/tokens/{api.create()['id']}"
    for method, key in (("GET", shown), ("DELETE", shown), ("PATCH", shown), ("GET", unknown), ("GET", shown[:-1])):
        api.request(method, path, {"timeout": "secret"}, {"authorization": f"Bearer {key}"})
    api.request("POST", "/api/v1/auth/jwt", {}, {"authorization": f"Bearer {shown}"})
    world.api_key_store.failure = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")
    world.advance(CACHED_FOR)
    assert api.get(path, {"authorization": f"Bearer {shown}"}).status == 503
    written = log.getvalue() + capsys.readouterr().out
    assert [line.get("apiKey") for line in lines(log)].count("nightly") == 3
    for key in (shown, unknown):
        assert not any(part in written for part in (key[11:29], digest(key)[:SHOWN_DIGITS]))


def test_never_names_who_is_told_or_what_a_channels_secret_holds(
    api: Api, world: World, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    world.channels.update(("email", "slack", "teams"))
    world.channel_secrets |= {name: FakeSecret("xoxb-secret") for name in ("SLACK_BOT_TOKEN", "TEAMS")}
    notify = {"email": ["secret@example.com"], "slack": "#secret-channel", "teams": "TEAMS"}
    token = api.create(page={"title": "secret-title"}, notify=notify)
    api.retrieve(token["id"])
    for refused in ({"email": ["secret-address"]}, {"slack": "secret channel"}, {"secret": 1}, {"email": True}):
        assert api.post("/api/v1/waitpoints/tokens", {"page": {"title": "secret-title"}, "notify": refused}).status == 422
    world.channel_secrets.clear()
    assert api.post("/api/v1/waitpoints/tokens", {"page": {"title": "secret-title"}, "notify": notify}).status == 422
    written = log.getvalue() + capsys.readouterr().out
    assert "InvalidNotify" in written
    assert "secret" not in written


def test_never_has_what_a_provider_sent_or_the_secret_that_signs_it(
    api: Api, world: World, log: io.StringIO, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "secret-of-the-provider"
    world.webhook_secrets["stripe"] = FakeSecret(value)
    verify = {"scheme": "stripe", "secret": "stripe"}
    schema = {"type": "object", "properties": {"n": {"const": "secret-in-the-schema"}}}
    token = api.create(verify=verify, completeWhen="body.kind == 'secret-kind'", payloadSchema=schema)
    url, private = token["url"] + "?q=secret-query", {"user-agent": "secret-agent", "webhook-id": "secret-id"}
    signatures = []

    def deliver(body: bytes, secret: str = value) -> int:
        headers = sign("stripe", body, token["url"], time.time(), secret).headers
        signatures.append(headers["stripe-signature"].rpartition("=")[2])
        return api.post(url, body, {**private, **headers}).status

    assert api.post(url, b'"secret-unsigned"', private).status == 401
    assert deliver(b'{"kind": "secret-kind"}', "secret-but-wrong") == 401
    assert deliver(b'{"kind": "secret-other"}') == 200
    assert deliver(b'{"kind": "secret-kind", "n": "secret-text"}') == 422
    monkeypatch.setattr(world.store, "count_delivery", unable)
    assert deliver(b'{"kind": "secret-other"}') == 200
    assert deliver(b'{"kind": "secret-kind"}') == 200
    api.get(f"{token['url']}?challenge=secret-challenge")
    failed = api.create()
    error = {"message": "secret-message", "code": "secret-code"}
    api.complete(failed, error=error)
    for wanted in (
        {"verify": {**verify, "secret": "secret-name"}},
        {"completeWhen": "secret-("},
        {"payloadSchema": {"$ref": "secret-"}},
    ):
        assert api.post("/api/v1/waitpoints/tokens", wanted).status == 422

    written = log.getvalue() + capsys.readouterr().out
    assert [secret for secret in ["secret-", *signatures, token["url"].rsplit("/", 1)[1]] if secret in written] == []
    refused = [line for line in lines(log) if line.get("refused") == "WrongSignature"]
    assert [(line["signature"], line["scheme"], line["tokenId"]) for line in refused] == [
        ("missing", "stripe", token["id"]),
        ("wrong", "stripe", token["id"]),
    ]
    assert [line["error"] for line in lines(log) if line["message"] == "Delivery not counted"] == ["ConnectionError"]


def unable(*_: Any) -> None:
    raise ConnectionError("secret-")


@pytest.mark.parametrize(
    ("headers", "is_counted"),
    [
        ({}, True),
        ({"authorization": "Bearer wrong"}, True),
        ({"authorization": f"Bearer {new_key()}"}, True),
        ({"authorization": "Bearer a.public.token"}, True),
        (None, False),
    ],
)
def test_a_refused_key_is_counted_in_its_line(
    api: Api, log: io.StringIO, headers: dict[str, str] | None, is_counted: bool
) -> None:
    """By the filter of the template, on which the metric KeysRefused rests."""
    [said] = re.findall(
        r'\{ \$\.refused = "(\w+)" \}', Template.load().resources("AWS::Logs::MetricFilter")["KeysRefused"]["FilterPattern"]
    )
    token = api.create()
    answers = [
        api.post(f"/api/v1/waitpoints/tokens/{token['id']}/complete", {}, headers),
        api.get("/api/v1/waitpoints/tokens", headers),
        api.get(f"/api/v1/waitpoints/tokens/{token['id']}", headers),
    ]
    assert {answer.status == 401 for answer in answers} == {is_counted}
    assert sum(line.get("refused") == said for line in lines(log)) == (3 if is_counted else 0)
