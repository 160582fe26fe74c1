"""The API that manages endpoints."""

import io
from dataclasses import replace
from typing import Any

import pytest

from in_process.api_gateway import DOMAIN, TOKENS, Api, HttpAnswer
from in_process.fakes.secret import FakeSecret, MissingSecret
from openapi import answers
from openapi.operations import ENDPOINTS
from tests.support.fakes.in_memory import RETENTION, InMemory
from waitpoints import telemetry
from waitpoints.api.http import ENDPOINT_LIMIT
from waitpoints.endpoint import DeliveryKind, Endpoint, EndpointStatistics, LastDelivery
from waitpoints.token import Verification, iso
from waitpoints.urls import Urls
from waitpoints.wiring import services

GITHUB = f"{ENDPOINTS}/github"
SMALLEST = {"key": "body.workflow_run.id", "verify": "none"}
FULL = {
    "key": "body.workflow_run.id",
    "verify": {"scheme": "token", "secret": "shared", "header": "X-Token"},
    "completeWhen": "body.action == 'completed'",
    "output": "body.workflow_run",
    "keyTTL": "7d",
}


@pytest.fixture(autouse=True)
def secret(world: InMemory) -> None:
    world.webhook_secrets["shared"] = FakeSecret("the-secret-that-the-sender-repeats")


def put(api: Api, body: Any, url: str = GITHUB) -> Any:
    answer = api.request("PUT", url, body)
    assert answer.status == 200, answer.text
    answers.EndpointObject.model_validate(answer.json)
    return answer.json


def get(api: Api, url: str = GITHUB) -> Any:
    answer = api.get(url)
    assert answer.status == 200, answer.text
    answers.EndpointWithDeliveries.model_validate(answer.json)
    return answer.json


def stored(world: InMemory, name: str = "github") -> Endpoint:
    endpoint = world.endpoints.get(name)
    assert endpoint is not None
    return endpoint


class TestPut:
    def test_answers_with_the_url_and_every_setting(self, api: Api, world: InMemory) -> None:
        endpoint = put(api, SMALLEST)
        assert endpoint == {
            "name": "github",
            "url": world.urls.endpoint_url("github", stored(world).secret_id, ""),
            "key": "body.workflow_run.id",
            "verify": "none",
            "output": "body",
            "keyTTL": "24h",
            "createdAt": iso(world.clock()),
            "updatedAt": iso(world.clock()),
        }
        name, last_part = endpoint["url"].removeprefix(f"https://hooks.example.com{ENDPOINTS}/").split("/")
        assert world.urls.check_endpoint(name, last_part) == stored(world).secret_id

    def test_stores_every_setting(self, api: Api, world: InMemory) -> None:
        shown = put(api, FULL)
        assert shown.items() >= {**FULL, "verify": {"scheme": "token", "secret": "shared", "header": "x-token"}}.items()
        assert stored(world) == Endpoint(
            name="github",
            secret_id=stored(world).secret_id,
            key="body.workflow_run.id",
            verify=Verification("token", "shared", "x-token"),
            complete_when="body.action == 'completed'",
            output="body.workflow_run",
            key_ttl="7d",
            created_at=world.clock(),
            updated_at=world.clock(),
        )

    def test_of_an_existing_endpoint_keeps_its_url_and_replaces_every_setting(self, api: Api, world: InMemory) -> None:
        first = put(api, FULL)
        world.clock.advance(5)
        again = put(api, SMALLEST)
        assert again == {
            **{name: first[name] for name in ("name", "url", "key", "createdAt")},
            "verify": "none",
            "output": "body",
            "keyTTL": "24h",
            "updatedAt": iso(world.clock()),
        }
        assert {**get(api), "deliveries": None} == {**again, "deliveries": None}

    def test_without_a_public_base_url_gives_a_url_with_the_domain_of_the_request(
        self, api: Api, world: InMemory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(vars(services), "urls", Urls("", world.signing_key))
        url = put(api, SMALLEST)["url"]
        assert url.startswith(f"https://{DOMAIN}{GITHUB}/")
        assert get(api)["url"] == url
        assert [endpoint["url"] for endpoint in api.get(ENDPOINTS).json["data"]] == [url]

    @pytest.mark.parametrize("name", ["a", "-", "0", "z" * 64])
    def test_takes_every_name_of_the_alphabet(self, api: Api, name: str) -> None:
        assert put(api, SMALLEST, f"{ENDPOINTS}/{name}")["name"] == name

    @pytest.mark.parametrize("name", ["GitHub", "a_b", "a.b", "z" * 65, "%C3%BC", "a%2Fb", "%0A", "a%0A"])
    def test_with_another_name_is_422_and_says_what_is_accepted(self, api: Api, world: InMemory, name: str) -> None:
        answer = api.request("PUT", f"{ENDPOINTS}/{name}", SMALLEST)
        assert answer.status == 422
        assert "a-z, 0-9 and -" in answer.error
        self.nothing_was_made(world)

    @pytest.mark.parametrize(
        ("body", "status", "message"),
        [
            ({}, 400, '"key" is required'),
            ({"key": "body.id"}, 400, '"verify" is required'),
            ({**SMALLEST, "verify": None}, 400, "verify"),
            ({**SMALLEST, "keyTtl": "1h"}, 400, 'did you mean "keyTTL"?'),
            ({**SMALLEST, "key": 7}, 400, '"key"'),
            ({**SMALLEST, "key": "body.["}, 422, "Invalid key"),
            ({**SMALLEST, "completeWhen": "body ="}, 422, "Invalid completeWhen"),
            ({**SMALLEST, "output": ""}, 422, "Invalid output"),
            ({**SMALLEST, "keyTTL": "soon"}, 422, "Invalid keyTTL"),
            ({**SMALLEST, "keyTTL": f"{RETENTION + 1}s"}, 422, "at most 30d"),
            ({**SMALLEST, "verify": "no"}, 422, "Invalid verify"),
            ({**SMALLEST, "verify": {"scheme": "smoke", "secret": "shared"}}, 422, "verify.scheme must be one of"),
            ({**SMALLEST, "verify": {"scheme": "github", "secret": "missing"}}, 422, 'no secret "waitpoints/missing"'),
            ("{", 400, "Invalid JSON"),
            ("", 400, "empty"),
            ("x" * (ENDPOINT_LIMIT + 1), 413, "too large"),
        ],
    )
    def test_that_cannot_be_used_is_refused_and_makes_nothing(
        self, api: Api, world: InMemory, body: Any, status: int, message: str
    ) -> None:
        answer = api.request("PUT", GITHUB, body)
        assert answer.status == status
        assert message in answer.error
        self.nothing_was_made(world)

    def test_that_cannot_be_used_leaves_an_existing_endpoint_as_it_was(self, api: Api, world: InMemory) -> None:
        put(api, FULL)
        before = stored(world)
        assert api.request("PUT", GITHUB, {**FULL, "verify": {"scheme": "github", "secret": "missing"}}).status == 422
        assert stored(world) == before

    def test_whose_secret_cannot_be_read_now_is_503(self, api: Api, world: InMemory) -> None:
        world.webhook_secrets["shared"] = MissingSecret("ThrottlingException")
        assert api.request("PUT", GITHUB, FULL).status == 503
        self.nothing_was_made(world)

    @pytest.mark.parametrize("key_ttl", ["0s", "30d"])
    def test_takes_every_duration_up_to_the_retention(self, api: Api, key_ttl: str) -> None:
        assert put(api, {**SMALLEST, "keyTTL": key_ttl})["keyTTL"] == key_ttl

    def nothing_was_made(self, world: InMemory) -> None:
        assert world.endpoints.list_endpoints(None, 1) == ([], None)


class TestRetrieve:
    def test_shows_what_put_answered(self, api: Api) -> None:
        endpoint = put(api, FULL)
        assert get(api) == {**endpoint, "deliveries": {}}

    def test_shows_counts_and_the_last_delivery_of_each_kind_that_came(self, api: Api, world: InMemory) -> None:
        put(api, SMALLEST)
        full = LastDelivery(
            at=world.clock(), ip="192.0.2.1", user_agent="GitHub-Hookshot", delivery_id="d-1", key="github:7", detail="why"
        )
        bare = LastDelivery(at=world.clock() + 1)
        counts = {DeliveryKind.NOT_MATCHING: 2_000, DeliveryKind.COMPLETED: 1}
        last = {DeliveryKind.NOT_MATCHING: bare, DeliveryKind.COMPLETED: full}
        world.endpoints.count(stored(world).secret_id, EndpointStatistics(counts, last))
        assert get(api)["deliveries"] == {
            "notMatching": {"count": 2_000, "lastAt": iso(bare.at)},
            "completed": {
                "count": 1,
                "lastAt": iso(full.at),
                "lastIp": "192.0.2.1",
                "lastUserAgent": "GitHub-Hookshot",
                "lastDeliveryId": "d-1",
                "lastKey": "github:7",
                "lastDetail": "why",
            },
        }

    @pytest.mark.parametrize("kind", DeliveryKind)
    def test_shows_every_kind(self, api: Api, world: InMemory, kind: DeliveryKind) -> None:
        put(api, SMALLEST)
        last = LastDelivery(at=world.clock())
        world.endpoints.count(stored(world).secret_id, EndpointStatistics({kind: 3}, {kind: last}))
        assert get(api)["deliveries"] == {str(kind): {"count": 3, "lastAt": iso(last.at)}}

    @pytest.mark.parametrize("name", ["unknown", "GitHub", "x" * 5_000, "%2F", "%ED%A0%80"])
    def test_of_an_unknown_or_impossible_name_is_404(self, api: Api, name: str) -> None:
        put(api, SMALLEST)
        answer = api.get(f"{ENDPOINTS}/{name}")
        assert (answer.status, answer.error) == (404, "Endpoint not found")


class TestDelete:
    def delete(self, api: Api, name: str = "github") -> HttpAnswer:
        return api.request("DELETE", f"{ENDPOINTS}/{name}")

    def test_removes_the_endpoint(self, api: Api) -> None:
        put(api, SMALLEST)
        assert self.delete(api).json == {"success": True}
        assert api.get(GITHUB).status == 404
        assert api.get(ENDPOINTS).json["data"] == []

    @pytest.mark.parametrize("name", ["github", "GitHub", "x" * 5_000, "%2F"])
    def test_of_an_unknown_or_impossible_name_is_404(self, api: Api, name: str) -> None:
        answer = self.delete(api, name)
        assert (answer.status, answer.error) == (404, "Endpoint not found")

    def test_then_put_gives_another_url_and_counts_from_zero(self, api: Api, world: InMemory) -> None:
        old = put(api, SMALLEST)
        counted = EndpointStatistics({DeliveryKind.KEPT: 1}, {DeliveryKind.KEPT: LastDelivery(at=1)})
        world.endpoints.count(stored(world).secret_id, counted)
        self.delete(api)
        new = put(api, SMALLEST)
        assert new["url"] != old["url"]
        assert get(api)["deliveries"] == {}


class TestList:
    @pytest.fixture
    def made(self, api: Api) -> list[Any]:
        return [put(api, SMALLEST, f"{ENDPOINTS}/{name}") for name in ("a", "b", "c", "d", "e")]

    def listed(self, api: Api, query: str = "") -> Any:
        answer = api.get(f"{ENDPOINTS}?{query}")
        assert answer.status == 200, answer.text
        answers.ListEndpointsResult.model_validate(answer.json)
        return answer.json

    def test_of_no_endpoints_is_empty(self, api: Api) -> None:
        assert self.listed(api) == {"data": [], "pagination": {}}

    def test_shows_every_endpoint_by_name_as_put_answered(self, api: Api, made: list[Any]) -> None:
        assert self.listed(api) == {"data": made, "pagination": {}}

    def test_pages_reach_every_endpoint_once(self, api: Api, made: list[Any]) -> None:
        found, after, sizes = [], "", []
        while True:
            answer = self.listed(api, f"page[size]=2&page[after]={after}")
            found += answer["data"]
            sizes.append(len(answer["data"]))
            if "next" not in answer["pagination"]:
                break
            after = answer["pagination"]["next"]
        assert (found, sizes) == (made, [2, 2, 1])

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ("page[size]=0", "page[size]"),
            ("page[size]=101", "page[size]"),
            ("page[after]=A", "page[after]"),
            ("page[after]=waitpoint_x", "page[after]"),
            ("limit=5", "page[size]"),
            ("page[before]=a", "page[after]"),
        ],
    )
    def test_an_invalid_parameter_is_refused_and_named(self, api: Api, query: str, named: str) -> None:
        answer = api.get(f"{ENDPOINTS}?{query}")
        assert answer.status == 400
        assert named in answer.error


def test_the_url_of_an_endpoint_opens_no_token(api: Api) -> None:
    """What its hash signs must not be accepted where a token's id is expected."""
    _, name, last_part = put(api, SMALLEST)["url"].rsplit("/", 2)
    secret_id, endpoints_hash = last_part[:24], last_part[24:]
    for written_id in (f"endpoint%2F{name}%2F{secret_id}", f"waitpoint_endpoint%2F{name}%2F{secret_id}", api.create()["id"]):
        assert api.post(f"{TOKENS}/{written_id}/callback/{endpoints_hash}", b"1", {}).status == 401


def test_no_secret_and_no_url_reaches_an_answer_or_the_log(api: Api, world: InMemory) -> None:
    handler: Any = telemetry.logger.registered_handler
    log = io.StringIO()
    before = handler.setStream(log)
    try:
        url = put(api, FULL)["url"]
        shown = [api.get(path).text for path in (GITHUB, ENDPOINTS)]
        api.request("PUT", GITHUB, {**FULL, "verify": {"scheme": "github", "secret": "shared"}})
        api.request("DELETE", GITHUB)
    finally:
        handler.setStream(before)
    assert '"endpoint":"github"' in log.getvalue()
    for text in (*shown, log.getvalue()):
        assert "the-secret-that-the-sender-repeats" not in text
    assert url[-64:] not in log.getvalue()


def test_an_endpoint_with_settings_that_were_not_changed_stays_the_same(api: Api, world: InMemory) -> None:
    put(api, FULL)
    before = stored(world)
    world.clock.advance(7)
    put(api, FULL)
    assert stored(world) == replace(before, updated_at=world.clock())
