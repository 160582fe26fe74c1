"""Every example payload that GitHub publishes, as both content types of a webhook's settings: kept as it was sent."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.e2e.api import Api
from tests.sdk import node

AT_ONCE = 8
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def payloads() -> list[tuple[str, str]]:
    """The event and the text of each payload, of github.com and of each version of the Enterprise Server."""
    node.node()
    folder = node.FOLDER / "node_modules" / "@octokit" / "webhooks-examples"
    events = [event for file in folder.glob("*/index.json") for event in json.loads(file.read_text())]
    found = {(event["name"], json.dumps(example, ensure_ascii=False)) for event in events for example in event["examples"]}
    assert len(found) > 400
    return sorted(found)


def test_a_payload_is_kept_byte_for_byte_as_json(api: Api, payloads: list[tuple[str, str]]) -> None:
    def sent(text: str) -> tuple[bytes, str]:
        return text.encode(), "application/json"

    assert kept(api, payloads, sent) == [text for _, text in payloads]


def test_a_payload_is_kept_as_the_field_of_a_form(api: Api, payloads: list[tuple[str, str]]) -> None:
    def sent(text: str) -> tuple[bytes, str]:
        return urlencode({"payload": text}).encode(), FORM

    assert [json.loads(output) for output in kept(api, payloads, sent)] == [{"payload": text} for _, text in payloads]


def kept(api: Api, payloads: list[tuple[str, str]], sent: Callable[[str], tuple[bytes, str]]) -> list[Any]:
    """The output of a token for each payload, delivered with GitHub's own headers."""

    def deliver(payload: tuple[str, str]) -> Any:
        event, text = payload
        token = api.create()
        body, content_type = sent(text)
        headers = {"Content-Type": content_type, "X-GitHub-Event": event, "User-Agent": "GitHub-Hookshot/044aadd"}
        assert api.deliver(token["url"], body, headers).status == 200
        return api.retrieve(token)["output"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(deliver, payloads))
