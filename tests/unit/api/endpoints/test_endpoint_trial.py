"""What becomes of a delivery to an endpoint: as its trial says, as it is counted, and as it is recorded.

`endpoints/processing`, `endpoints/trial_request`
"""

import json
from typing import Any

import pytest

from tests.support.github_endpoint import BODY, GITHUB, KEY, GitHub, steps
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.world import World
from waitpoints.endpoint import DeliveryKind
from waitpoints.token import Document, DocumentKind

SCHEMA = Document(DocumentKind.SCHEMA, '{"required": ["conclusion"]}')
REQUESTED = BODY.replace("completed", "requested")


def waits(github: GitHub) -> str:
    return github.create()


def has_ended(github: GitHub) -> str:
    token = github.create()
    github.world.complete(token, "1")
    return token


def has_timed_out(github: GitHub) -> str:
    token = is_due(github)
    github.world.tokens.expire(token)
    return token


def is_due(github: GitHub) -> str:
    token = github.create(timeout=1_000)
    github.world.advance(1_000)
    return token


def has_a_schema(github: GitHub) -> str:
    return github.create(document=SCHEMA)


MATCHES_NOT = "the result of completeWhen is null, false or empty"
FROM_ELSEWHERE: dict[str, Any] = {"key": "query.run", "complete_when": None, "output": "headers.run"}
CASES: list[tuple[dict[str, Any], Any, dict[str, Any], str, str | None]] = [
    # the endpoint's settings, its token, what is sent, what becomes of it, and how the reason begins
    ({}, waits, {}, "completed", None),
    ({}, None, {}, "kept", None),
    ({"key_ttl": "0s"}, None, {}, "notAwaited", None),
    ({"key_ttl": "0s"}, waits, {}, "completed", None),
    ({}, has_ended, {}, "repeated", None),
    ({}, has_timed_out, {}, "late", None),
    ({}, is_due, {}, "late", None),
    ({}, has_a_schema, {}, "notMatching", "The body does not match the token's payloadSchema"),
    ({}, waits, {"body": REQUESTED}, "notMatching", MATCHES_NOT),
    ({}, waits, {"body": ""}, "notMatching", MATCHES_NOT),
    ({}, waits, {"body": '{"action": "completed"}'}, "noKey", "key gives null; a text that is not empty, or a number,"),
    ({"output": "abs(body.action)"}, waits, {}, "noOutput", "output failed: abs()"),
    (FROM_ELSEWHERE, waits, {"query": "run=123456", "headers": {"Run": "7"}}, "completed", None),
]


@pytest.mark.parametrize(("settings", "make", "sent", "kind", "why"), CASES)
def test_each_kind_of_delivery(
    world: World, api: Api, settings: Any, make: Any, sent: dict[str, Any], kind: str, why: str | None
) -> None:
    github = GitHub(world, api, verify=GITHUB, record_deliveries="7d", **settings)
    token, tokens = make and make(github), dict(world.store.tokens)
    body, query = sent.get("body", BODY), sent.get("query", "")
    headers = {"content-type": "application/json", **github.signature(body), **sent.get("headers", {})}
    trial = github.try_delivery(body=body, headers=headers, query=query)
    assert (trial["outcome"], steps(trial)["signature"]) == (kind, "verified")
    assert trial.get("token") == (token if "key" in trial else None)
    assert (dict(world.store.tokens), github.rows(), github.counted) == (tokens, [], {})

    assert github.deliver(body, headers, f"?{query}").status == 200
    [row] = github.rows()
    last = github.statistics.last[DeliveryKind(kind)]
    key = None if kind == "noKey" or why == MATCHES_NOT else KEY
    assert (github.counted, row.kind, row.key, last.key) == ({kind: 1}, kind, key, key)
    settled = kind in ("completed", "kept", "repeated", "late")
    assert row.token_id == (next(iter(world.store.tokens)) if settled else None)
    for detail in (row.detail, last.detail):
        assert (detail is None) if why is None else (detail or "").startswith(why)
    assert list(world.deliveries.pending(world.clock())) == []


class TestATrial:
    @pytest.mark.parametrize(
        ("timeout", "key_for", "outcome"),
        [(60_000, 1_000, "completed"), (1_000, 1_000, "kept"), (1_000, 60_000, "late")],  # milliseconds
    )
    def test_knows_until_when_a_key_names_its_token(self, github: GitHub, timeout: int, key_for: int, outcome: str) -> None:
        github.create(ttl=key_for, timeout=timeout)
        github.world.advance(2_000)
        assert github.try_delivery(body=BODY)["outcome"] == outcome
        assert github.deliver().status == 200
        assert github.counted == {outcome: 1}

    @pytest.mark.parametrize("body", [BODY, json.loads(BODY)], ids=["text", "JSON"])
    def test_of_a_disabled_endpoint_is_refused_and_shows_the_other_steps(self, github: GitHub, body: Any) -> None:
        github.put(output="body.action")
        github.disable()
        token = github.create()
        trial = github.try_delivery(body=body)
        assert trial["steps"][0] == {"step": "endpoint", "result": "disabled", "detail": "the endpoint is disabled"}
        assert (trial["outcome"], trial["key"], trial["token"], trial["output"]) == ("refused", KEY, token, '"completed"')
        assert steps(trial) == {
            "endpoint": "disabled",
            "signature": "not asked for",
            "completeWhen": "matches",
            "key": KEY,
            "output": "found",
            "token": "completed",
        }

    def test_says_that_a_key_is_free_again(self, github: GitHub) -> None:
        github.put(key_ttl="1h")
        github.deliver()
        github.world.advance(3_600_000)
        assert github.try_delivery(body=BODY)["outcome"] == "kept"

    @pytest.mark.parametrize(
        ("body", "headers", "outcome"),
        [
            (BODY, {}, "refused"),
            (BODY, {"X-Hub-Signature-256": "sha256=00"}, "refused"),
            (json.loads(BODY), None, "refused"),  # only a text can be signed
            ({"type": "url_verification", "challenge": "abc"}, {}, "handshake"),
        ],
    )
    def test_of_what_is_not_signed_or_a_test_of_the_url(self, github: GitHub, body: Any, headers: Any, outcome: str) -> None:
        github.put(verify=GITHUB)
        sent = github.signature() if headers is None else headers
        assert github.try_delivery(body=body, headers=sent)["outcome"] == outcome
        assert github.counted == {}

    def test_of_an_unknown_endpoint_is_404(self, github: GitHub) -> None:
        github.world.endpoints.delete("github")
        assert github.api.post("/api/v1/endpoints/github/test", {"body": BODY}).status == 404
