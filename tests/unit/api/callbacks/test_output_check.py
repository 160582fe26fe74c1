"""Which outputs the payloadSchema of a token accepts, whoever sends them."""

import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.api.callbacks.output_check import fits
from waitpoints.token import Document, DocumentKind

SCHEMA = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}
FITTING, UNFITTING = b'{"approved": true}', b'{"approved": "secret-text"}'


class TestPayloadSchema:
    def test_refuses_a_delivery_that_does_not_fit_and_takes_the_next(self, api: Api, world: World) -> None:
        token = api.create(payloadSchema=SCHEMA)
        says = '"type" at #/properties/approved/type'
        answer = is_refused(world, lambda: api.deliver(token, UNFITTING), 422, says, is_counted=True)
        assert "secret-text" not in answer.text
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
