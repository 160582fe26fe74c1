"""The rules in a request to create a token are checked before there is one."""

import pytest

from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from waitpoints.api.callbacks import rules
from waitpoints.errors import InvalidCompleteWhen


class TestVerifyAtCreate:
    def test_refuses_a_secret_that_is_missing_and_says_its_full_name(self, api: Api, world: InMemory) -> None:
        answer = api.post(TOKENS, {"verify": {"scheme": "stripe", "secret": "none"}})
        assert (answer.status, world.store.tokens) == (422, {})
        assert '"webhooks/none"' in answer.error

    def test_answers_503_if_the_secret_cannot_be_read_now(self, api: Api, world: InMemory) -> None:
        world.webhook_secrets["stripe"] = MissingSecret("InternalServiceError")
        answer = api.post(TOKENS, {"verify": {"scheme": "stripe", "secret": "stripe"}})
        assert (answer.status, world.store.tokens) == (503, {})

    def test_refuses_a_secret_of_the_wrong_form_without_showing_it(self, api: Api, world: InMemory) -> None:
        world.webhook_secrets["svix"] = FakeSecret("whsec_not base64: hidden")
        answer = api.post(TOKENS, {"verify": {"scheme": "svix", "secret": "svix"}})
        assert (answer.status, world.store.tokens) == (422, {})
        assert "hidden" not in answer.text


def test_a_refusal_names_the_field_and_what_is_accepted() -> None:
    with pytest.raises(InvalidCompleteWhen) as refused:
        rules.check_complete_when("body." + "a" * 256)
    assert refused.value.message == "Invalid completeWhen: at most 256 characters are accepted"


def test_a_page_is_refused_that_is_too_large_as_html(api: Api, world: InMemory) -> None:
    assert api.post(TOKENS, {"page": {"title": "T", "text": "<" * 10_000}}).status == 200
    choices = [f"{at:03}" + "<" * 40 for at in range(80)]
    fields = {"properties": {"one": {"enum": choices}, "two": {"enum": choices}}}
    answer = api.post(TOKENS, {"page": {"title": "T", "fields": fields}})
    assert (answer.status, "60,000" in answer.error, len(world.store.tokens)) == (422, True, 1)
