"""The route that completes the token of a key."""

from typing import Any

import pytest

from tests.support.in_process.api_gateway import COMPLETE_BY_KEY, Api
from tests.support.in_process.stores import RETENTION
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from tests.support.refusals import is_refused

HOUR = 3_600_000
TEMPLATE = Template.load()


class TestOverHttp:
    @pytest.fixture
    def api(self, world: World, monkeypatch: pytest.MonkeyPatch) -> Api:
        world.install(monkeypatch)
        return Api(TEMPLATE, world.api_key.read_current())

    def test_says_which_token_and_whether_it_made_it(self, world: World, api: Api) -> None:
        first = api.post(COMPLETE_BY_KEY, {"idempotencyKey": "a", "data": 1})
        token = world.create(key="a")
        found = {"success": True, "settled": False, "id": token}
        assert (first.status, first.json) == (200, {**found, "created": True})
        assert api.complete_by_key("a", data=2) == {**found, "created": False}

    def test_keeps_the_payloads_own_text(self, world: World, api: Api) -> None:
        answer = api.post(COMPLETE_BY_KEY, '{"idempotencyKey": "a", "data": {"n": 1.50, "n": 1e400}}')
        outcome = world.completed(answer.json["id"])
        assert outcome.output.json == '{"n": 1.50, "n": 1e400}'
        assert outcome.completed_by is not None
        assert outcome.completed_by.source == "complete"

    @pytest.mark.parametrize(("ttl", "lifetime"), [("1h", HOUR), (None, RETENTION * 1000)])
    def test_keeps_it_for_the_ttl_which_is_the_retention_by_default(
        self, world: World, api: Api, ttl: str | None, lifetime: int
    ) -> None:
        body = {"idempotencyKey": "a", "data": 1} | ({"idempotencyKeyTTL": ttl} if ttl else {})
        token = api.post(COMPLETE_BY_KEY, body).json["id"]
        assert world.store.get(token).early_until == world.clock() + lifetime

    @pytest.mark.parametrize(
        ("body", "status", "word"),
        [
            ({}, 400, "idempotencyKey"),
            ({"data": 1}, 400, "idempotencyKey"),
            ({"idempotencyKey": ""}, 400, "empty"),
            ({"idempotencyKey": "x" * 2049}, 400, "2048"),
            ('{"idempotencyKey": "\\ud800"}', 400, "surrogate"),
            ('{"idempotencyKey": ' + "7" * 5000 + "}", 400, "digits"),
            ({"idempotencyKey": "a", "data": 1, "error": {"message": "m"}}, 400, "not both"),
            ({"idempotencyKey": "a", "idempotencyKeyTtl": "1h"}, 400, "idempotencyKeyTTL"),
            ({"idempotencyKey": "a", "idempotencyKeyTTL": "soon"}, 422, "duration"),
            ({"idempotencyKey": "a", "idempotencyKeyTTL": "0s"}, 422, "duration"),
            ({"idempotencyKey": "a", "idempotencyKeyTTL": "31d"}, 422, "30d"),
        ],
    )
    def test_refuses_what_is_not_accepted_and_keeps_nothing(
        self, world: World, api: Api, body: Any, status: int, word: str
    ) -> None:
        is_refused(world, lambda: api.post(COMPLETE_BY_KEY, body), status, word)
