"""What becomes of a delivery to a callback URL: the order of its checks, and deliveries that settle nothing.

`callbacks/output_check`
"""

from typing import Any

import pytest

from tests.support.callbacks import assert_untouched, complete, signed
from tests.support.in_process.api_gateway import JSON, Api
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.api.callbacks.output_check import fits
from waitpoints.token import Document, DocumentKind, iso

SCHEMA = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}
IP = "192.0.2.1"


class TestOtherDeliveries:
    @pytest.mark.parametrize("end", ["callback", "complete", "fail", "timeout"])
    def test_are_those_that_come_after_the_end(self, api: Api, world: World, end: str) -> None:
        token = api.create(timeout="1h")
        match end:
            case "callback":
                api.deliver(token, b"1")
            case "complete":
                complete(api, token, {"data": 1})
            case "fail":
                complete(api, token, {"error": {"message": "no"}})
            case _:
                world.advance(seconds=3600)
        before = api.retrieve(token["id"])
        world.advance(seconds=1)
        for number in (1, 2):
            answer = api.post(token["url"], b"2", {**JSON, "webhook-id": f"late-{number}"})
            assert (answer.status, answer.json) == (200, {"success": True})
        others = {"count": 2, "lastAt": iso(world.clock()), "lastIp": IP, "lastDeliveryId": "late-2"}
        assert api.retrieve(token["id"]) == {**before, "otherDeliveries": others}

    def test_that_cannot_be_counted_do_not_fail(
        self, api: Api, world: World, stripe: FakeSecret, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any) -> None:
            raise ConnectionError("the table is out of reach")

        monkeypatch.setattr(world.store, "count_delivery", broken)
        ended, filtered, typed = api.create(), api.create(completeWhen="body.done"), api.create(payloadSchema=SCHEMA)
        verified = api.create(verify={"scheme": "stripe", "secret": "stripe"})
        api.deliver(ended, b"1")
        answers = [api.deliver(token, b"{}").status for token in (ended, filtered, typed, verified)]
        assert answers == [200, 200, 422, 401]
        for token in (filtered, typed, verified):
            assert_untouched(api, token)


class TestOrder:
    def test_is_hash_signature_complete_when_schema(self, api: Api, stripe: FakeSecret) -> None:
        token = api.create(
            verify={"scheme": "stripe", "secret": "stripe"}, completeWhen="body.done", payloadSchema={"required": ["n"]}
        )
        answers = []
        for url, body, is_signed in (
            (token["url"][:-1] + "x", b'{"done": true, "n": 1}', True),
            (token["url"], b"{}", False),
            (token["url"], b"{}", True),
            (token["url"], b'{"done": true}', True),
        ):
            answers.append(api.post(url, body, signed(token, body) if is_signed else JSON).status)
        assert answers == [401, 401, 200, 422]
        assert_untouched(api, token, 3)
        body = b'{"done": true, "n": 1}'
        assert api.post(token["url"], body, signed(token, body)).status == 200
        assert api.retrieve(token["id"])["output"] == body.decode()

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
    def test_gives_a_wrong_hash_the_same_answer_by_every_method(self, api: Api, method: str) -> None:
        token = api.create()
        headers = {"webhook-request-origin": "example.com"}
        answer = api.request(method, token["url"][:-1] + "x?challenge=abc&validationToken=abc", b"", headers)
        assert (answer.status, answer.error) == (401, "Invalid URL, hash doesn't match")


class TestPayloadSchema:
    def test_refuses_a_delivery_that_does_not_fit_and_takes_the_next(self, api: Api, world: World) -> None:
        token = api.create(payloadSchema=SCHEMA)
        says = '"type" at #/properties/approved/type'
        answer = is_refused(world, lambda: api.deliver(token, b'{"approved": "secret-text"}'), 422, says, is_counted=True)
        assert "secret-text" not in answer.text
        assert api.deliver(token, b'{"approved": true}').status == 200
        assert api.retrieve(token["id"])["output"] == b'{"approved": true}'.decode()


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
