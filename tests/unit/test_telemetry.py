"""The log has one line for each request."""

import io
import json
from typing import Any

import pytest

from in_process.api_gateway import Api
from tests.support.fakes.in_memory import InMemory


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
