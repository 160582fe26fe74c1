"""Endpoints on the deployed stack: managed over HTTP, by functions with the permissions of their roles."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.support.e2e.api import Api
from tests.support.e2e.secrets import Secrets
from tools.openapi import answers
from tools.openapi.operations import ENDPOINTS

SETTINGS = {"key": "body.id", "verify": "none", "completeWhen": "body.done", "output": "body.result", "keyTTL": "7d"}


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    """The URL that manages an endpoint of this test alone."""
    url = f"{ENDPOINTS}/e2e-{uuid4()}"
    yield url
    api.request("DELETE", url)


def put(api: Api, url: str, body: Any = SETTINGS) -> Any:
    answer = api.request("PUT", url, body)
    assert answer.status == 200, answer
    answers.EndpointObject.model_validate(answer.body)
    return answer.body


def test_an_endpoint_is_put_retrieved_listed_and_deleted(api: Api, url: str) -> None:
    made = put(api, url)
    assert made.items() >= {**SETTINGS, "name": url.rsplit("/", 1)[1]}.items()
    changed = put(api, url, {"key": "body.other", "verify": "none"})
    assert (changed["url"], changed["createdAt"], changed["key"]) == (made["url"], made["createdAt"], "body.other")
    assert api.request("GET", url).body == {**changed, "deliveries": {}}
    assert changed in listed(api)
    assert api.request("DELETE", url).body == {"success": True}
    assert (api.request("GET", url).status, api.request("DELETE", url).status) == (404, 404)
    assert put(api, url)["url"] != made["url"]


def listed(api: Api) -> list[Any]:
    """Every endpoint of the stack, listed one by one."""
    found, after = [], ""
    while True:
        answer = api.request("GET", f"{ENDPOINTS}?page%5Bsize%5D=1&page%5Bafter%5D={after}")
        assert answer.status == 200, answer
        found += answer.body["data"]
        if "next" not in answer.body["pagination"]:
            return found
        after = answer.body["pagination"]["next"]


def test_its_secret_is_read_and_must_have_the_schemes_form(api: Api, secrets: Secrets, url: str) -> None:
    name = secrets.make("e2e-endpoint", "the-secret-of-the-provider")
    assert put(api, url, {**SETTINGS, "verify": {"scheme": "github", "secret": name}})["verify"]["secret"] == name
    missing = api.request("PUT", url, {**SETTINGS, "verify": {"scheme": "github", "secret": "never-made"}})
    assert (missing.status, "no secret" in missing.body["error"]) == (422, True)


def test_one_that_took_everything_takes_nothing_unsigned_from_the_moment_it_is_signed_or_deleted(
    api: Api, secrets: Secrets, url: str
) -> None:
    signed = {**SETTINGS, "verify": {"scheme": "github", "secret": secrets.make("e2e-endpoint", "the-secret-of-the-provider")}}

    def deliver() -> int:
        return api.deliver(made["url"], b'{"id": 1}', {"content-type": "application/json"}).status

    made = put(api, url)
    assert [deliver() for _ in range(2)] == [200, 200]
    put(api, url, signed)
    assert [deliver() for _ in range(2)] == [401, 401]
    api.request("DELETE", url)
    made = put(api, url)
    assert deliver() == 200
    api.request("DELETE", url)
    put(api, url, signed)
    assert deliver() == 401
