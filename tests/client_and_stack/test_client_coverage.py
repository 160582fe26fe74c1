"""The Python client has everything that the API has, and its fake answers as the API is described to."""

import re
from typing import Any, get_args

import httpx
import pytest
from pydantic import BaseModel
from waitpoints_client import (
    CreateOptions,
    DeliveryFilters,
    DeliveryKind,
    EndpointOptions,
    ListFilters,
    Waitpoints,
    calls,
    models,
)
from waitpoints_client.cli.options import Kind
from waitpoints_client.testing import FakeWaitpoints

from tests.support.client_of_handlers import Handlers
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.world import BASE_URL, World
from tools.openapi import answers
from tools.openapi.operation import Operation
from tools.openapi.operations import OPERATIONS, by_id
from waitpoints.api.endpoints import deliveries_query
from waitpoints.api.models.create_token import CreateWaitpointTokenRequest

NOT_FOR_IT = {
    "preflight_complete_waitpoint_token_v1",  # browsers send it
    "complete_waitpoint_token_callback_v1",  # the URL is for others
    "show_waitpoint_token_callback_v1",
    "accept_delivery_v1",
}


class Described(httpx.BaseTransport):
    """Sends to another transport, and checks each answer against the API's description."""

    def __init__(self, inner: httpx.BaseTransport, url: str) -> None:
        self._inner, self._url = inner, url
        self.succeeded: set[str] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        if str(request.url).startswith(self._url):
            operation = operation_of(request.method, request.url.raw_path.decode().partition("?")[0])
            operation.result.model_validate(answer.json())
            self.succeeded.add(operation.id)
        return answer


def operation_of(method: str, path: str) -> Operation:
    """The operation that a request is for."""
    for operation in OPERATIONS:
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(operation.path))
        if operation.method == method and re.fullmatch(pattern, path):
            return operation
    raise AssertionError(f"no operation: {method} {path}")


def every_call(token: str, stored: str, delivery: str) -> list[calls.Call[Any]]:
    """Every call, in an order in which each can succeed. `stored` is a large output's path, `delivery` one of `recorder`."""
    return [
        calls.create(),
        calls.list_tokens({}).after(None),
        calls.get(token),
        calls.extend(token, "7d"),
        calls.complete(token, 1),
        calls.delete(token, force=False),
        calls.complete_key("key", 1, None),
        calls.packet(stored),
        calls.public_token_claims(),
        calls.create_public_token(token, [], "1h"),
        calls.create_public_token(token, [], "1h", by_named_key=True),
        calls.put_endpoint("name", key="body.id", verify="none"),
        calls.get_endpoint("name"),
        calls.change_endpoint("name", disabled=True),
        calls.list_endpoints(None, None).after(None),
        calls.test_endpoint("name", "", {}, ""),
        calls.delete_endpoint("name"),
        calls.list_deliveries("recorder", {}).after(None),
        calls.get_delivery("recorder", delivery),
        calls.resend_delivery("recorder", delivery, None, None),
        calls.delete_delivery("recorder", delivery),
        calls.delete_deliveries("recorder"),
        calls.create_key("name", ["read"], "90d"),
        calls.list_keys(),
        calls.revoke_key("name"),
    ]


def sent(**options: Any) -> set[str]:
    return set(calls.create(**options).body)


def test_create_has_every_option() -> None:
    fields = {field.alias for field in CreateWaitpointTokenRequest.model_fields.values()}

    assert fields == sent(**dict.fromkeys(CreateOptions.__annotations__, "x"))


def test_a_list_has_every_filter() -> None:
    filters: Any = dict.fromkeys(ListFilters.__annotations__, "x")

    assert set(calls.list_tokens(filters).query) == set(by_id("list_waitpoint_tokens_v1").names("query"))


def test_a_list_of_deliveries_has_every_filter() -> None:
    filters: Any = dict.fromkeys(DeliveryFilters.__annotations__, "x")

    assert set(calls.list_deliveries("name", filters).query) == set(by_id("list_deliveries_v1").names("query"))


def test_every_kind_of_a_recorded_delivery_can_be_asked_for() -> None:
    assert set(get_args(DeliveryKind)) == set(deliveries_query.KINDS) == set(Kind)


def test_a_resend_has_every_option() -> None:
    resend = by_id("resend_delivery_v1").body
    assert resend is not None

    assert set(calls.resend_delivery("name", "delivery", "token", "key").body) == set(resend.fields)


def test_an_endpoint_has_every_setting() -> None:
    settings: Any = dict.fromkeys(EndpointOptions.__annotations__, "x")
    put = by_id("put_endpoint_v1").body
    assert put is not None

    assert set(calls.put_endpoint("name", **settings).body) == set(put.fields)


SAME_AS_OTHERS = {"completedAfter", "type", "userProvidedIdempotencyKey"}
"""Fields of a token that repeat another one: `timeoutAt`, none, and whether there is an `idempotencyKey`."""


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (models.CreatedToken, answers.CreateWaitpointTokenResponse),
        (models.Token, answers.WaitpointTokenObject),
        (models.Completion, answers.CompleteWaitpointTokenResponse),
        (models.KeyCompletion, answers.CompleteWaitpointKeyResponse),
        (models.EndpointWithDeliveries, answers.EndpointWithDeliveries),
        (models.EndpointTrial, answers.EndpointTrial),
        (models.RetrievedDelivery, answers.RetrievedDelivery),
        (models.CreatedKey, answers.CreatedKey),
    ],
)
def test_an_answer_has_every_field(model: type[BaseModel], answer: type[BaseModel]) -> None:
    """The others are made of their schemas."""
    read = {field.alias for field in model.model_fields.values()}

    assert set(answer.model_fields) - read - {"success"} <= SAME_AS_OTHERS


def test_a_change_of_a_token_is_answered_to_one_of_two_calls() -> None:
    read = {field.alias for model in (models.MovedDeadline, models.HandedOver) for field in model.model_fields.values()}

    assert read == set(answers.MoveDeadlineResponse.model_fields)


def test_every_operation_for_programs_has_a_call(api: Api, world: World) -> None:
    world.webhook_secrets["SECRET"] = FakeSecret("the-secret")
    described = Described(handlers := Handlers(api, world), BASE_URL)
    client = Waitpoints(BASE_URL, world.api_key.read_current(), transport=described)
    large = client.create()
    client.complete(large, '"' * 800_000)
    verify: Any = {"scheme": "token", "secret": "SECRET", "header": "X-Token"}
    recorder = client.send(calls.put_endpoint("recorder", key="body.id", verify=verify, record_deliveries="1d"))
    handlers.deliver(recorder.url, '{"id": 1}', {"x-token": "the-secret"})
    [recorded] = client.send(calls.list_deliveries("recorder", {}).after(None)).items
    for call in every_call(client.create().id, str(client.send(calls.get(large)).output_text), recorded.id):
        client.send(call)

    assert described.succeeded == {operation.id for operation in OPERATIONS} - NOT_FOR_IT


def test_the_fake_answers_as_the_api_is_described_to() -> None:
    fake = FakeWaitpoints()
    client = Waitpoints(fake.url, fake.api_key, transport=Described(fake, fake.url))
    signed: Any = {"title": {"de": "Los?"}, "language": "de", "approvers": ["ann@example.com", {"id": "bo"}], "signIn": True}
    asked = client.create(page=signed, notify={"email": True}, metadata={"n": 1}, idempotency_key="k", idempotency_key_ttl="1d")
    plain = client.create(timeout="1h", tags="a")
    fake.answer(asked, "ann@example.com", "submit")
    client.complete(plain, 1)
    client.complete_key("early", 1)

    assert {client.get(it.id).status for it in client.list(page_size=1)} == {"COMPLETED"}
    client.create(timeout="1h")
    fake.advance("1h")
    assert [client.get(it).status for it in client.list(failed=True)] == ["TIMED_OUT"]
