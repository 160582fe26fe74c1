"""Which outputs the payloadSchema of a token accepts, whoever sends them."""

import pytest

from tests.support.callbacks import assert_untouched
from tests.support.in_process.api_gateway import Api
from waitpoints.api.callbacks.output_check import fits
from waitpoints.token import Document, DocumentKind

SCHEMA = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}
FITTING, UNFITTING = b'{"approved": true}', b'{"approved": "secret-text"}'


class TestPayloadSchema:
    def test_refuses_a_delivery_that_does_not_fit_and_takes_the_next(self, api: Api) -> None:
        token = api.create(payloadSchema=SCHEMA)
        answer = api.deliver(token, UNFITTING)
        assert answer.status == 422
        assert '"type" at #/properties/approved/type' in answer.error
        assert "secret-text" not in answer.text
        assert_untouched(api, token, 1)
        assert api.deliver(token, FITTING).status == 200
        assert api.retrieve(token["id"])["output"] == FITTING.decode()


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
