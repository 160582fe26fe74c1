"""The rules in a request to create a token are checked before there is one."""

from typing import Any

import pytest

from tests.support.approval_page import APPROVAL
from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from waitpoints.api.deliveries import rules
from waitpoints.errors import InvalidCompleteWhen


class TestVerifyAtCreate:
    def test_takes_a_scheme_and_the_name_of_a_secret(self, api: Api, world: InMemory, stripe: FakeSecret) -> None:
        token = api.create(verify={"scheme": "stripe", "secret": "stripe"})
        assert stripe.read_current() not in repr(world.store.get(token["id"]))

    def test_lists_the_schemes_and_names_the_nearest(self, api: Api) -> None:
        answer = api.post(TOKENS, {"verify": {"scheme": "strype", "secret": "stripe"}})
        assert answer.status == 422
        assert all(name in answer.error for name in ("github", "slack", 'did you mean "stripe"?'))

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

    @pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "x" * 65, 7, None])
    def test_refuses_a_name_that_no_secret_has(self, api: Api, name: Any) -> None:
        assert api.post(TOKENS, {"verify": {"scheme": "stripe", "secret": name}}).status == 422


def test_a_refusal_names_the_field_and_what_is_accepted() -> None:
    with pytest.raises(InvalidCompleteWhen) as refused:
        rules.check_complete_when("body." + "a" * 256)
    assert refused.value.message == "Invalid completeWhen: at most 256 characters are accepted"


class TestCreate:
    @pytest.mark.parametrize(
        "beside", [{"verify": {"scheme": "github", "secret": "G"}}, {"completeWhen": "body.a"}, {"payloadSchema": {}}]
    )
    def test_refuses_other_rules_beside_a_page(self, api: Api, world: InMemory, beside: dict[str, Any]) -> None:
        answer = api.post(TOKENS, {"page": APPROVAL, **beside})
        assert answer.status == 422
        assert f"{next(iter(beside))} is not accepted with it" in answer.error  # also where its secret does not exist
        assert world.store.tokens == {}

    def test_refuses_a_page_that_cannot_be_shown(self, api: Api, world: InMemory) -> None:
        answer = api.post(TOKENS, {"page": {"title": "Deploy?", "confirn": True}})
        assert answer.status == 422
        assert "confirm" in answer.error
        assert world.store.tokens == {}

    def test_refuses_a_page_that_is_too_large_as_html(self, api: Api) -> None:
        choices = [f"{at:03}" + "<" * 40 for at in range(80)]
        fields = {"properties": {"one": {"enum": choices}, "two": {"enum": choices}}}
        answer = api.post(TOKENS, {"page": {"title": "T", "fields": fields}})
        assert answer.status == 422
        assert "60,000" in answer.error
