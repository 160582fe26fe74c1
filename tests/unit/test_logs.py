"""The log has one line for each request, with ids and without secrets."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from in_process.template import Template
from tests.support.api_gateway import Api
from tests.support.fakes.in_memory import InMemory
from waitpoints import telemetry

FUNCTIONS = Template.load().functions()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    handler: Any = telemetry.logger.registered_handler
    log = io.StringIO()
    before = handler.setStream(log)
    yield log
    handler.setStream(before)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_has_one_line_for_each_request(api: Api, world: InMemory, log: io.StringIO) -> None:
    token = api.create()
    api.post(token["url"], b"1", {"content-type": "application/json"})
    api.post(token["url"] + "x", b"1", {})
    created, called_back, refused = lines(log)
    assert (created["message"], created["status"]) == ("request", 200)
    assert created["route"] == "ANY /api/v1/waitpoints/tokens"
    assert (called_back["tokenId"], called_back["status"]) == (token["id"], 200)
    assert (refused["refused"], refused["status"]) == ("WrongCallbackHash", 401)
    assert all(line["requestId"] and line["ms"] >= 0 for line in (created, called_back, refused))


def test_never_contains_payloads_hashes_keys_or_task_tokens(
    api: Api, world: InMemory, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    created = api.post("/api/v1/waitpoints/tokens", {"idempotencyKey": "secret-order", "tags": ["secret-tag"]})
    token, waiter = created.json, world.new_waiter()
    complete = f"/api/v1/waitpoints/tokens/{token['id']}/complete"
    FUNCTIONS["wait_for_token"].call({"waitpointId": token["id"], "taskToken": waiter.task_token})
    FUNCTIONS["wait_for_token"].call({"waitpointId": "rubbish", "taskToken": world.new_waiter().task_token})
    api.post(complete, '{"output": "secret-payload"}')
    api.post(complete, '{"data": "secret-payload"', {"authorization": f"Bearer {created.headers['x-trigger-jwt']}"})
    api.post(complete, {"data": "x"}, {"authorization": "Bearer secret-wrong-key"})
    api.post(token["url"], b'"secret-payload"', {"content-type": "application/json"})
    api.post(token["url"], b"secret-second", {"content-type": "text/plain"})
    api.retrieve(token["id"])

    written = log.getvalue() + capsys.readouterr().out
    callback_hash = token["url"].rsplit("/", 1)[1]
    secrets = [
        world.api_key.current(),
        world.signing_key.current(),
        callback_hash,
        waiter.task_token,
        created.headers["x-trigger-jwt"],
    ]
    assert token["id"] in written
    assert [secret for secret in [*secrets, "secret-"] if secret in written] == []
    assert len(lines(log)) == 9


def test_of_a_defect_has_the_trace_and_the_caller_has_not(
    api: Api, world: InMemory, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("inside")

    token = api.create()
    monkeypatch.setattr(world.store, "get", broken)
    answer = api.get(f"/api/v1/waitpoints/tokens/{token['id']}")
    assert (answer.status, answer.json) == (500, {"error": "Internal Server Error"})
    assert "ZeroDivisionError" in log.getvalue()
