"""The settings of an endpoint: what PUT takes, refuses and keeps."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.endpoint_routes import FULL, GITHUB, SMALLEST, get, put, stored
from tests.support.fakes.in_memory import RETENTION, InMemory
from tests.support.in_process.api_gateway import DOMAIN, Api
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from tools.openapi.operations import ENDPOINTS
from waitpoints.access.urls import Urls
from waitpoints.api.http import SMALL_LIMIT
from waitpoints.endpoint import Endpoint
from waitpoints.token import Verification, iso
from waitpoints.wiring import services


@pytest.fixture(autouse=True)
def secret(world: InMemory) -> None:
    world.webhook_secrets["shared"] = FakeSecret("the-secret-that-the-provider-repeats")


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
            tag="team-a",
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
            ({}, 400, '"key" is required, such as "body.workflow_run.id"; "verify" is required'),
            ({"key": "body.id"}, 400, '"verify" is required'),
            ({**SMALLEST, "verify": None}, 400, "verify"),
            ({**SMALLEST, "keyTtl": "1h"}, 400, 'did you mean "keyTTL"?'),
            ({**SMALLEST, "key": 7}, 400, '"key"'),
            ({**SMALLEST, "key": "body.["}, 422, "Invalid key"),
            ({**SMALLEST, "completeWhen": "body ="}, 422, "Invalid completeWhen"),
            ({**SMALLEST, "output": ""}, 422, "Invalid output"),
            ({**SMALLEST, "keyTTL": "soon"}, 422, "Invalid keyTTL"),
            ({**SMALLEST, "keyTTL": f"{RETENTION + 1}s"}, 422, "at most 30d"),
            ({**SMALLEST, "tag": ""}, 422, "Invalid tag: expected 1 to 128 characters"),
            ({**SMALLEST, "tag": "t" * 129}, 422, "Invalid tag: expected 1 to 128 characters"),
            ({**SMALLEST, "tag": ["team-a"]}, 400, 'expected a text at "tag"'),
            ({**SMALLEST, "verify": "no"}, 422, "Invalid verify"),
            ({**SMALLEST, "verify": {"scheme": "smoke", "secret": "shared"}}, 422, "verify.scheme must be one of"),
            (
                {**SMALLEST, "verify": {"scheme": "github", "secret": "missing"}},
                422,
                '"webhooks/missing" with a text; store it: waitpoints secrets put missing',
            ),
            ("{", 400, "Invalid JSON"),
            ("", 400, "empty"),
            ("x" * (SMALL_LIMIT + 1), 413, "too large"),
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


def test_an_endpoint_with_settings_that_were_not_changed_stays_the_same(api: Api, world: InMemory) -> None:
    put(api, FULL)
    before = stored(world)
    world.clock.advance(7)
    put(api, FULL)
    assert stored(world) == replace(before, updated_at=world.clock())
