"""Which outputs the payloadSchema of a token accepts, whoever sends them."""

import json
from typing import Any

import pytest

from tests.support.callbacks import assert_untouched, complete
from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.template import Template

FUNCTIONS = Template.load().functions()
JSON = {"content-type": "application/json"}
SCHEMA = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}
FITTING, UNFITTING = b'{"approved": true}', b'{"approved": "secret-text"}'


class TestPayloadSchema:
    def test_refuses_a_delivery_that_does_not_fit_and_takes_the_next(self, api: Api) -> None:
        token = api.create(payloadSchema=SCHEMA)
        answer = api.post(token["url"], UNFITTING, JSON)
        assert answer.status == 422
        assert '"type" at #/properties/approved/type' in answer.error
        assert "secret-text" not in answer.text
        assert_untouched(api, token, 1)
        assert api.post(token["url"], FITTING, JSON).status == 200
        assert api.retrieve(token["id"])["output"] == FITTING.decode()

    def test_is_asked_of_a_request_to_complete_which_is_not_counted(self, api: Api) -> None:
        token = api.create(payloadSchema=SCHEMA)
        for body in ({"data": {"approved": "secret-text"}}, {}):
            answer = complete(api, token, body)
            assert answer.status == 422
            assert "secret-text" not in answer.text
        assert_untouched(api, token)
        assert complete(api, token, {"data": {"approved": True}}).status == 200
        assert json.loads(api.retrieve(token["id"])["output"]) == {"approved": True}

    def test_is_asked_of_a_state_machine(self, api: Api) -> None:
        token = api.create(payloadSchema=SCHEMA)
        with pytest.raises(Exception, match="payloadSchema"):
            FUNCTIONS["complete_token_in_state"].call({"waitpointId": token["id"], "data": 1})
        assert_untouched(api, token)

    def test_is_not_asked_of_an_error(self, api: Api) -> None:
        token = api.create(payloadSchema=SCHEMA)
        assert complete(api, token, {"error": {"message": "no"}}).status == 200
        assert api.retrieve(token["id"])["outputIsError"] is True

    def test_is_asked_of_a_form(self, api: Api) -> None:
        token = api.create(payloadSchema={"properties": {"a": {"const": "1"}}, "required": ["a"]})
        headers = {"content-type": "application/x-www-form-urlencoded"}
        assert [api.post(token["url"], body, headers).status for body in (b"a=2", b"a=1")] == [422, 200]

    @pytest.mark.parametrize("schema", [{"$ref": "#"}, {"type": "wrong"}, {"pattern": "(?=a)"}, {"title": "x" * 8192}])
    def test_that_cannot_be_used_is_refused_at_create(self, api: Api, world: InMemory, schema: Any) -> None:
        answer = api.post(TOKENS, {"payloadSchema": schema})
        assert answer.status == 422
        assert "payloadSchema" in answer.error
        assert world.store.tokens == {}
