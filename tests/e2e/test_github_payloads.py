"""The example payloads that GitHub publishes, as both content types of a webhook's settings: kept as they were sent."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.providers import github_examples
from tests.providers.github_examples import Example
from tests.support.e2e.api import Api

AT_ONCE = 8
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def examples() -> tuple[Example, ...]:
    return github_examples.one_of_each_event()


def test_a_payload_is_kept_byte_for_byte_as_json(api: Api, examples: tuple[Example, ...]) -> None:
    def sent(text: str) -> tuple[bytes, str]:
        return text.encode(), "application/json"

    assert kept(api, sent, examples) == [example.text for example in examples]


def test_a_payload_is_kept_as_the_field_of_a_form(api: Api, examples: tuple[Example, ...]) -> None:
    def sent(text: str) -> tuple[bytes, str]:
        return urlencode({"payload": text}).encode(), FORM

    assert [json.loads(output) for output in kept(api, sent, examples)] == [{"payload": example.text} for example in examples]


def kept(api: Api, sent: Callable[[str], tuple[bytes, str]], examples: tuple[Example, ...]) -> list[Any]:
    """The output of a token for each payload, delivered with GitHub's own headers."""

    def deliver(example: Example) -> Any:
        token = api.create()
        body, content_type = sent(example.text)
        headers = {"Content-Type": content_type, "X-GitHub-Event": example.event, "User-Agent": "GitHub-Hookshot/044aadd"}
        assert api.deliver(token["url"], body, headers).status == 200
        return api.retrieve(token)["output"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(deliver, examples))
