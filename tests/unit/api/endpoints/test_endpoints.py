"""The routes that manage endpoints: `endpoints/settings`, `endpoints/change_request`."""

import io
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.support.endpoint_routes import FULL, GITHUB, SMALLEST, get, put, stored
from tests.support.in_process.api_gateway import DOMAIN, TOKENS, Api
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from tests.support.in_process.stores import RETENTION
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from tools.openapi import answers
from tools.openapi.operations import ENDPOINTS
from waitpoints.access.urls import Urls
from waitpoints.api.http import SMALL_LIMIT
from waitpoints.endpoint import Endpoint
from waitpoints.token import Verification, iso
from waitpoints.wiring import services

SECRET = "the-secret-that-the-provider-repeats"


@pytest.fixture(autouse=True)
def secret(world: World) -> None:
    world.webhook_secrets["shared"] = FakeSecret(SECRET)


def verify(secret: str, scheme: str = "github") -> dict[str, Any]:
    return {**SMALLEST, "verify": {"scheme": scheme, "secret": secret}}


TAG_ACCEPTED = "Invalid tag: expected 1 to 128 characters"
LIMIT = "at most 30d"
REFUSED: list[tuple[str, str, Any, int, str]] = [
    *(
        ("PUT", f"/{name}", SMALLEST, 422, "a-z, 0-9 and -")
        for name in ("GitHub", "a_b", "a.b", "z" * 65, "%C3%BC", "a%2Fb", "%0A", "a%0A")
    ),
    ("PUT", "/github", {}, 400, '"key" is required, such as "body.workflow_run.id"; "verify" is required'),
    ("PUT", "/github", {"key": "body.id"}, 400, '"verify" is required'),
    ("PUT", "/github", {**SMALLEST, "verify": None}, 400, "verify"),
    ("PUT", "/github", {**SMALLEST, "keyTtl": "1h"}, 400, 'did you mean "keyTTL"?'),
    ("PUT", "/github", {**SMALLEST, "key": 7}, 400, '"key"'),
    ("PUT", "/github", {**SMALLEST, "key": "body.["}, 422, "Invalid key"),
    ("PUT", "/github", {**SMALLEST, "completeWhen": "body ="}, 422, "Invalid completeWhen"),
    ("PUT", "/github", {**SMALLEST, "output": ""}, 422, "Invalid output"),
    ("PUT", "/github", {**SMALLEST, "keyTTL": "soon"}, 422, "Invalid keyTTL"),
    ("PUT", "/github", {**SMALLEST, "keyTTL": f"{RETENTION + 1}s"}, 422, LIMIT),
    ("PUT", "/github", {**SMALLEST, "tag": ""}, 422, TAG_ACCEPTED),
    ("PUT", "/github", {**SMALLEST, "tag": "t" * 129}, 422, TAG_ACCEPTED),
    ("PUT", "/github", {**SMALLEST, "tag": ["team-a"]}, 400, 'expected a text at "tag"'),
    ("PUT", "/github", {**SMALLEST, "verify": "no"}, 422, "Invalid verify"),
    ("PUT", "/github", verify("shared", "smoke"), 422, "verify.scheme must be one of"),
    ("PUT", "/github", verify("missing"), 422, '"webhooks/missing" with a text; store it: waitpoints secrets put missing'),
    ("PUT", "/github", verify("unreadable"), 503, ""),
    ("PUT", "/github", {**SMALLEST, "recordDeliveries": "7d"}, 422, "Invalid recordDeliveries"),
    *(
        ("PUT", "/github", {**verify("shared"), "recordDeliveries": text}, 422, "Invalid recordDeliveries")
        for text in ("soon", "0s", f"{RETENTION + 1}s")
    ),
    ("PUT", "/github", "{", 400, "Invalid JSON"),
    ("PUT", "/github", "", 400, "empty"),
    ("PUT", "/github", "x" * (SMALL_LIMIT + 1), 413, "too large"),
    ("PATCH", "/github", {}, 400, '"disabled" is required'),
    ("PATCH", "/github", {"disabled": "true"}, 400, 'expected true or false at "disabled"'),
    ("PATCH", "/github", {"disable": True}, 400, 'did you mean "disabled"?'),
    ("PATCH", "/github", {"disabled": True, "key": "body.id"}, 400, '"key"'),
    ("PATCH", "/github", "", 400, "empty"),
    ("PATCH", "/unknown", {"disabled": True}, 404, "Endpoint not found"),
    ("GET", "/unknown", None, 404, "Endpoint not found"),
    ("DELETE", "/unknown", None, 404, "Endpoint not found"),
    ("DELETE", "/GitHub", None, 404, "Endpoint not found"),
    ("GET", "?page[size]=0", None, 400, "page[size]"),
    ("GET", "?page[size]=101", None, 400, "page[size]"),
    ("GET", "?page[after]=A", None, 400, "page[after]"),
    ("GET", "?page[after]=waitpoint_x", None, 400, "page[after]"),
    ("GET", "?limit=5", None, 400, "page[size]"),
    ("GET", "?page[before]=a", None, 400, "page[after]"),
]


@pytest.mark.parametrize("before", [None, FULL], ids=["new", "existing"])
@pytest.mark.parametrize(("method", "path", "body", "status", "says"), REFUSED)
def test_anything_else_is_refused_with_the_reason_and_changes_nothing(
    api: Api, world: World, before: Any, method: str, path: str, body: Any, status: int, says: str
) -> None:
    world.webhook_secrets["unreadable"] = MissingSecret("ThrottlingException")
    if before:
        put(api, before)
    is_refused(world, partial(api.request, method, ENDPOINTS + path, body), status, says)


class TestPut:
    def test_answers_with_the_url_and_every_setting(self, api: Api, world: World) -> None:
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

    def test_stores_every_setting_and_again_without_a_change(self, api: Api, world: World) -> None:
        shown = put(api, FULL)
        assert shown.items() >= {**FULL, "verify": {"scheme": "token", "secret": "shared", "header": "x-token"}}.items()
        endpoint = Endpoint(
            name="github",
            secret_id=stored(world).secret_id,
            key="body.workflow_run.id",
            verify=Verification("token", "shared", "x-token"),
            complete_when="body.action == 'completed'",
            output="body.workflow_run",
            key_ttl="7d",
            tag="team-a",
            created_at=world.clock(),
            updated_at=world.clock(),
        )
        assert stored(world) == endpoint
        later = world.advance(7)
        put(api, FULL)
        assert stored(world) == replace(endpoint, updated_at=later)

    def test_of_an_existing_endpoint_keeps_its_url_and_replaces_every_setting(self, api: Api, world: World) -> None:
        first = put(api, FULL)
        world.advance(5)
        again = put(api, SMALLEST)
        assert again == {
            **{name: first[name] for name in ("name", "url", "key", "createdAt")},
            "verify": "none",
            "output": "body",
            "keyTTL": "24h",
            "updatedAt": iso(world.clock()),
        }
        assert get(api) == {**again, "deliveries": {}}

    def test_without_a_public_base_url_gives_a_url_with_the_domain_of_the_request(
        self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(vars(services), "urls", Urls("", world.signing_key))
        url = put(api, SMALLEST)["url"]
        assert url.startswith(f"https://{DOMAIN}{GITHUB}/")
        assert get(api)["url"] == url
        assert [endpoint["url"] for endpoint in api.get(ENDPOINTS).json["data"]] == [url]

    @pytest.mark.parametrize(("name", "key_ttl"), [("a", "0s"), ("-", "30d"), ("0", "1h"), ("z" * 64, "24h")])
    def test_takes_every_name_of_the_alphabet_and_every_duration_up_to_the_retention(
        self, api: Api, name: str, key_ttl: str
    ) -> None:
        endpoint = put(api, {**SMALLEST, "keyTTL": key_ttl}, f"{ENDPOINTS}/{name}")
        assert (endpoint["name"], endpoint["keyTTL"]) == (name, key_ttl)


class TestPatch:
    def test_disables_and_enables_and_keeps_the_url_and_every_setting(self, api: Api, world: World) -> None:
        made = put(api, FULL)
        world.advance(5)
        for disabled in (True, True, False, False):
            answer = api.request("PATCH", GITHUB, {"disabled": disabled})
            answers.EndpointObject.model_validate(answer.json)
            expected = {**made, "updatedAt": iso(world.clock()), **({"disabled": True} if disabled else {})}
            assert (answer.status, answer.json) == (200, expected)
            assert get(api) == {**expected, "deliveries": {}}
            assert api.get(ENDPOINTS).json["data"] == [expected]

    def test_outlasts_a_put_but_no_deletion(self, api: Api) -> None:
        put(api, SMALLEST)
        api.request("PATCH", GITHUB, {"disabled": True})
        assert put(api, FULL)["disabled"] is True
        assert api.request("DELETE", GITHUB).json == {"success": True}
        assert (api.get(GITHUB).status, api.get(ENDPOINTS).json["data"]) == (404, [])
        assert "disabled" not in put(api, FULL)


class TestList:
    def test_of_no_endpoints_is_empty(self, api: Api) -> None:
        assert api.get(ENDPOINTS).json == {"data": [], "pagination": {}}

    @pytest.mark.parametrize(("size", "sizes"), [(2, [2, 2, 1]), (5, [5]), (100, [5])])
    def test_pages_reach_every_endpoint_once_by_name_as_put_answered(self, api: Api, size: int, sizes: list[int]) -> None:
        made = [put(api, SMALLEST, f"{ENDPOINTS}/{name}") for name in ("z" * 64, "a-b", "0", "a", "-")]
        found, cursor = [], ""
        for expected in sizes:
            answer = api.get(f"{ENDPOINTS}?page[size]={size}&page[after]={cursor}")
            answers.ListEndpointsResult.model_validate(answer.json)
            assert len(answer.json["data"]) == expected
            found += answer.json["data"]
            cursor = answer.json["pagination"].get("next", "")
        assert (found, cursor) == (sorted(made, key=lambda it: str(it["name"])), "")

    @pytest.mark.parametrize(("after", "names"), [("a", ["github"]), ("z", [])])
    def test_that_begins_after_a_name_without_an_endpoint_goes_on_behind_it(
        self, api: Api, after: str, names: list[str]
    ) -> None:
        put(api, SMALLEST)
        page = api.get(f"{ENDPOINTS}?page[size]=1&page[after]={after}").json
        assert ([endpoint["name"] for endpoint in page["data"]], page["pagination"]) == (names, {})


def test_the_url_of_an_endpoint_opens_no_token(api: Api) -> None:
    """What its hash signs must not be accepted where a token's id is expected."""
    _, name, last_part = put(api, SMALLEST)["url"].rsplit("/", 2)
    secret_id, endpoints_hash = last_part[:24], last_part[24:]
    for written_id in (f"endpoint%2F{name}%2F{secret_id}", f"waitpoint_endpoint%2F{name}%2F{secret_id}", api.create()["id"]):
        assert api.post(f"{TOKENS}/{written_id}/callback/{endpoints_hash}", b"1", {}).status == 401


def test_no_secret_and_no_url_reaches_an_answer_or_the_log(api: Api, world: World, log: io.StringIO) -> None:
    url = put(api, FULL)["url"]
    shown = [api.get(path).text for path in (GITHUB, ENDPOINTS)]
    api.request("PUT", GITHUB, {**FULL, "verify": {"scheme": "github", "secret": "shared"}})
    api.request("DELETE", GITHUB)
    assert '"endpoint":"github"' in log.getvalue()
    assert not any(SECRET in text for text in (*shown, log.getvalue()))
    assert url[-64:] not in log.getvalue()
