"""The create field `metadata`."""

import json

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.api.metadata import MAX_BYTES

FITS = f'{{"order":"{"ü" * ((MAX_BYTES - 12) // 2)}"}}'
ONLY_NUMBERS = "an object without numbers of more than 64 bits and halves of surrogate pairs"
PAGE = {"title": "Deploy?", "actions": [{"id": "approve", "label": "Approve"}]}


class TestMetadata:
    def test_is_shown_by_retrieve_and_by_no_list_and_no_page(self, api: Api, world: World) -> None:
        token = api.create(metadata={"order": "secret-4711"}, page=PAGE)
        assert api.retrieve(token["id"])["metadata"] == {"order": "secret-4711"}
        assert [it.keys() & {"metadata"} for it in api.get(TOKENS).json["data"]] == [set()]
        assert "secret-4711" not in api.get(token["url"]).text
        assert "metadata" not in api.retrieve(api.create()["id"])

    @pytest.mark.parametrize(
        "text", ['{"n": 1.50, "big": 9223372036854775807, "small": -9223372036854775808}', "{}", '{"a":[{"b":null}],"a":2}']
    )
    def test_is_kept_as_it_was_sent(self, api: Api, text: str) -> None:
        token = api.post(TOKENS, f'{{"tags": "a", "metadata": {text} }}').json
        answer = api.get(f"{TOKENS}/{token['id']}")
        assert answer.text.endswith(f',"metadata":{text}}}')
        assert answer.headers["content-type"] == "application/json; charset=utf-8"

    def test_has_at_most_four_kibibytes_of_json(self, api: Api) -> None:
        assert api.retrieve(api.post(TOKENS, f'{{"metadata":{FITS}}}').json["id"])["metadata"] == json.loads(FITS)

    @pytest.mark.parametrize(
        ("text", "accepted"),
        [
            (FITS.replace('"}', '!"}'), "an object of at most 4,096 bytes of JSON"),
            ("{" + " " * MAX_BYTES + "}", "an object of at most 4,096 bytes of JSON"),
            *((text, ONLY_NUMBERS) for text in (r'{"a": "\ud800"}', r'{"\udc00": 1}', '{"a": [1e400]}')),
            *((f'{{"a": {number}}}', ONLY_NUMBERS) for number in (2**63, -(2**63) - 1)),
            *((text, "an object") for text in ("null", '"a"', '["a"]', "1", "true")),
        ],
    )
    def test_that_a_reader_may_refuse_is_refused(self, api: Api, world: World, text: str, accepted: str) -> None:
        """Step Functions, or EventBridge."""
        said = f'Validation error: expected {accepted} at "metadata"'
        is_refused(world, lambda: api.post(TOKENS, f'{{"metadata":{text}}}'), 400, said)

    def test_may_come_from_a_state(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("API_URL", "https://api.example.com")
        token = Template.load().functions()["create_token_in_state"].call({"metadata": {"execution": "arn", "n": 1.5}})
        assert api.get(f"{TOKENS}/{token['id']}").text.endswith(',"metadata":{"execution":"arn","n":1.5}}')
