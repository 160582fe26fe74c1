"""How a request makes a token, and which texts are a traceparent.

`waitpoints/traceparent`: https://www.w3.org/TR/trace-context-1/#traceparent-header
"""

import json
from typing import Any

import pytest

from tests.support.in_process.api_gateway import DOMAIN, TOKENS, Api, path_of
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from waitpoints.access.urls import Urls
from waitpoints.timeouts import Limits
from waitpoints.traceparent import first_valid
from waitpoints.wiring import services


class TestCreate:
    def test_answers_with_the_token_and_what_a_browser_needs_to_complete_it(self, api: Api, world: World) -> None:
        answer = api.post(TOKENS, {})
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.json["isCached"] is False
        assert answer.json["url"].startswith(f"https://hooks.example.com{TOKENS}/{answer.json['id']}/callback/")
        assert json.loads(answer.headers["x-trigger-jwt-claims"]) == {"sub": "waitpoints", "pub": True}
        bearer = {"authorization": f"Bearer {answer.headers['x-trigger-jwt']}"}
        assert api.post(f"{path_of(answer.json)}/complete", {"data": 1}, bearer).status == 200
        assert world.tokens.retrieve(answer.json["id"]).outcome is not None

    def test_without_a_public_base_url_every_url_has_the_domain_of_the_request(
        self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(vars(services), "urls", Urls("", world.signing_key))
        created = api.create()
        assert created["url"].startswith(f"https://{DOMAIN}{TOKENS}/{created['id']}/callback/")
        assert api.retrieve(created["id"])["url"] == created["url"]
        assert [token["url"] for token in api.get(TOKENS).json["data"]] == [created["url"]]

    def test_retried_by_the_sdk_returns_the_first_answer(self, api: Api, world: World) -> None:
        headers = {"authorization": world.api_key.read_current(), "x-trigger-request-idempotency-key": "call-1"}
        for body in ({}, {"idempotencyKey": "k"}):
            first, again = api.post(TOKENS, body, headers), api.post(TOKENS, body, headers)
            assert first.json == again.json
        assert api.post(TOKENS, {}, {**headers, "x-trigger-request-idempotency-key": "call-2"}).json != first.json
        assert len(world.store.tokens) == 3

    def test_follows_the_limits_of_the_stack(self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.install(monkeypatch, Limits(default="7d", longest="30d"))
        assert world.store.get(api.create()["id"]).timeout_at == world.clock() + 7 * 86_400_000
        assert api.post(TOKENS, {"timeout": "31d"}).status == 422


FIRST = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SECOND = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
GO = {"title": "Go?"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"metadata": {"n": 1}}, {"metadata": {"n": 2}}),
        ({"metadata": {"n": 1}}, {}),
        ({"traceparent": FIRST}, {"traceparent": SECOND}),
        ({"page": GO, "notify": {"slack": "#first"}}, {"page": GO, "notify": {"slack": "#second"}}),
        ({"page": GO}, {"page": GO, "notify": {"slack": "#second"}}),
    ],
)
def test_a_create_that_finds_the_token_changes_nothing_of_it(
    api: Api, world: World, first: dict[str, Any], second: dict[str, Any]
) -> None:
    world.channels.add("slack")
    world.channel_secrets["SLACK_BOT_TOKEN"] = FakeSecret("xoxb-hidden")
    token = api.create(idempotencyKey="k", **first)
    before, shown = world.store.get(token["id"]), api.retrieve(token["id"])
    assert api.create(idempotencyKey="k", **second) == {**token, "isCached": True}
    assert (world.store.get(token["id"]), api.retrieve(token["id"])) == (before, shown)


@pytest.mark.parametrize("text", [FIRST, FIRST[:-2] + "00", FIRST[:-2] + "ff"])
def test_a_traceparent_of_version_00_is_kept_whatever_its_flags(text: str) -> None:
    assert first_valid(text) == text


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        FIRST.upper(),
        f"{FIRST}-",
        f" {FIRST}",
        f"{FIRST}\n",
        f"{FIRST},{FIRST}",
        f"01{FIRST[2:]}",
        f"ff{FIRST[2:]}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        FIRST.replace("4b", "٤b"),
        "\ud800" * 55,
    ],
)
def test_any_other_traceparent_is_ignored(text: str | None) -> None:
    assert first_valid(text) is None
    assert first_valid(text, FIRST) == FIRST


class TestTraceparent:
    def create(self, api: Api, header: str | None = None, **body: Any) -> str:
        headers = api.authorized | ({} if header is None else {"traceparent": header})
        return str(api.ask("POST", TOKENS, body, headers=headers)["id"])

    @pytest.mark.parametrize(
        ("header", "field", "kept"),
        [
            (None, None, None),
            (FIRST, None, FIRST),
            (None, SECOND, SECOND),
            (FIRST, SECOND, SECOND),
            (FIRST, "of another version", FIRST),
            (f"{FIRST},{SECOND}", None, None),
        ],
    )
    def test_is_that_of_the_field_or_else_of_the_header(
        self, api: Api, header: str | None, field: str | None, kept: str | None
    ) -> None:
        shown = api.retrieve(self.create(api, header, **({"traceparent": field} if field else {})))
        assert shown.get("traceparent") == kept
        assert [token.keys() & {"traceparent"} for token in api.get(TOKENS).json["data"]] == [set()]

    def test_may_come_from_a_state(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("API_URL", "https://api.example.com")
        token = Template.load().functions()["create_token_in_state"].call({"traceparent": FIRST})
        assert api.retrieve(token["id"])["traceparent"] == FIRST
