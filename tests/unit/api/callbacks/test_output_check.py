"""Which outputs the payloadSchema of a token accepts, whoever sends them."""

from typing import Any

import pytest

from tests.support.callbacks import assert_untouched
from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import TOKENS, Api
from waitpoints.api.callbacks.output_check import fits
from waitpoints.token import Document, DocumentKind

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

    @pytest.mark.parametrize("schema", [{"$ref": "#"}, {"type": "wrong"}, {"pattern": "(?=a)"}, {"title": "x" * 8192}])
    def test_that_cannot_be_used_is_refused_at_create(self, api: Api, world: InMemory, schema: Any) -> None:
        answer = api.post(TOKENS, {"payloadSchema": schema})
        assert answer.status == 422
        assert "payloadSchema" in answer.error
        assert world.store.tokens == {}


PAGE = '{"title": "Go?", "actions": [{"id": "yes", "label": "Yes"}]}'


@pytest.mark.parametrize(
    ("document", "output", "accepted"),
    [
        (Document(DocumentKind.SCHEMA, '{"type": "boolean"}'), "true", True),
        (Document(DocumentKind.SCHEMA, '{"type": "boolean"}'), "1", False),
        (Document(DocumentKind.PAGE, PAGE), '{"action": "yes", "fields": {}}', True),
        (Document(DocumentKind.PAGE, PAGE), '{"action": "no", "fields": {}}', False),
    ],
)
def test_an_early_completion_fits_the_document_of_the_create(document: Document, output: str, accepted: bool) -> None:
    assert fits(document, output) is accepted
