"""A trial says what a delivery to an endpoint would come to, and changes nothing."""

import json
from typing import Any

import pytest

from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import BODY, GITHUB, KEY, counted, create, deliver, put, steps, try_delivery, url_of
from tests.support.in_process.api_gateway import Api
from waitpoints.token import (
    Document,
    DocumentKind,
    IdempotencyKey,
    NewToken,
)

pytestmark = pytest.mark.usefixtures("github")


class TestATrial:
    @pytest.mark.parametrize(
        ("settings", "sent", "outcome"),
        [
            ({}, {"body": BODY}, "completed"),
            ({}, {"body": json.loads(BODY)}, "completed"),
            ({}, {"body": BODY.replace("completed", "requested")}, "notMatching"),
            ({}, {"body": BODY.replace('"id"', '"number"')}, "noKey"),
            ({"output": "join('', body.action)"}, {"body": BODY}, "noOutput"),
            ({}, {"body": BODY.replace("123456", "7")}, "kept"),
            ({"key_ttl": "0s"}, {"body": BODY.replace("123456", "7")}, "notAwaited"),
            ({"verify": GITHUB}, {"body": BODY}, "refused"),
            ({"verify": GITHUB}, {"body": BODY, "headers": {"X-Hub-Signature-256": "sha256=00"}}, "refused"),
            ({}, {"body": {"type": "url_verification", "challenge": "abc"}}, "handshake"),
            ({}, {}, "notMatching"),
            ({"key": "query.run", "complete_when": None}, {"query": "run=123456"}, "completed"),
            ({"key": "headers.run", "complete_when": None}, {"headers": {"Run": "123456"}}, "completed"),
        ],
    )
    def test_says_what_a_delivery_would_come_to_as_it_does(
        self, world: InMemory, api: Api, settings: Any, sent: Any, outcome: str
    ) -> None:
        endpoint, token = put(world, **settings), create(world)
        trial = try_delivery(api, **sent)
        assert trial["outcome"] == outcome
        assert world.tokens.retrieve(token).outcome is None
        assert list(world.store.tokens) == [token]
        assert counted(world, endpoint) == {}
        query = f"?{sent['query']}" if "query" in sent else ""
        api.post(url_of(endpoint) + query, sent.get("body", ""), sent.get("headers", {}))
        assert counted(world, endpoint) == ({} if outcome == "handshake" else {outcome: 1})

    @pytest.mark.parametrize(
        ("timeout", "key_for", "outcome"),
        [(60_000, 1_000, "completed"), (1_000, 1_000, "kept"), (1_000, 60_000, "late")],  # milliseconds
    )
    def test_knows_until_when_a_key_names_its_token(
        self, world: InMemory, api: Api, timeout: int, key_for: int, outcome: str
    ) -> None:
        endpoint, now = put(world), world.clock()
        key = IdempotencyKey(KEY, now + key_for)
        world.tokens.create(NewToken(key=key, timeout_at=now + timeout), now)
        world.clock.advance(2_000)
        assert try_delivery(api, body=BODY)["outcome"] == outcome
        assert deliver(api, endpoint).status == 200
        assert counted(world, endpoint) == {outcome: 1}

    def test_of_a_disabled_endpoint_is_refused_and_shows_the_other_steps(self, world: InMemory, api: Api) -> None:
        endpoint, _ = put(world), create(world)
        world.endpoints.set_disabled(endpoint.name, True, world.clock())
        trial = try_delivery(api, body=BODY)
        assert (trial["outcome"], trial["steps"][0]) == (
            "refused",
            {"step": "endpoint", "result": "disabled", "detail": "the endpoint is disabled"},
        )
        assert steps(trial)["token"] == "completed"

    def test_shows_every_step(self, world: InMemory, api: Api) -> None:
        put(world, output="body.action")
        token = create(world)
        trial = try_delivery(api, body=BODY)
        assert steps(trial) == {
            "signature": "not asked for",
            "completeWhen": "matches",
            "key": KEY,
            "output": "found",
            "token": "completed",
        }
        assert (trial["key"], trial["token"], trial["output"]) == (KEY, token, '"completed"')

    def test_says_that_the_token_has_ended(self, world: InMemory, api: Api) -> None:
        endpoint = put(world)
        create(world)
        deliver(api, endpoint)
        assert try_delivery(api, body=BODY)["outcome"] == "repeated"

    @pytest.mark.parametrize("is_stored", [True, False])
    def test_says_that_the_token_has_timed_out(self, world: InMemory, api: Api, is_stored: bool) -> None:
        put(world)
        token = create(world, timeout_at=world.clock() + 60_000)
        world.clock.advance(60_000)
        if is_stored:
            world.tokens.expire(token)
        trial = try_delivery(api, body=BODY)
        assert (trial["outcome"], steps(trial)["token"]) == ("late", "late")

    def test_says_that_a_key_is_free_again(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, key_ttl="1h")
        deliver(api, endpoint)
        world.clock.advance(3_600_000)
        assert try_delivery(api, body=BODY)["outcome"] == "kept"

    def test_checks_the_schema_of_the_token(self, world: InMemory, api: Api) -> None:
        put(world)
        create(world, document=Document(DocumentKind.SCHEMA, '{"required": ["conclusion"]}'))
        assert try_delivery(api, body=BODY)["outcome"] == "notMatching"

    def test_of_an_unknown_endpoint_is_404(self, world: InMemory, api: Api) -> None:
        assert api.post("/api/v1/endpoints/github/test", {"body": BODY}).status == 404
