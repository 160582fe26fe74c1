"""The Python client has everything that the API has, and its fake answers as the API is described to."""

import dataclasses
import re
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, TypeAdapter
from waitpoints_client import (
    APIError,
    ApproverOptions,
    CreateOptions,
    EndpointOptions,
    ListFilters,
    NotifyOptions,
    PageOptions,
    Waitpoints,
    calls,
    models,
)
from waitpoints_client.testing import FakeWaitpoints

from tools.openapi import answers
from tools.openapi.operation import Operation
from tools.openapi.operations import OPERATIONS, by_id
from waitpoints.api.create_request import CreateWaitpointTokenRequest
from waitpoints.api.page import definition as page_definition
from waitpoints.approvers import Approver
from waitpoints.notices import Channel

NOT_FOR_IT = {
    "preflight_complete_waitpoint_token_v1",  # browsers send it
    "complete_waitpoint_token_callback_v1",  # the URL is for others
    "show_waitpoint_token_callback_v1",
    "accept_delivery_v1",
}
CALLS = (
    calls.create(),
    calls.list_tokens({}).after(None),
    calls.get("id"),
    calls.extend("id", "7d"),
    calls.complete("id", 1),
    calls.complete_key("key", 1, None),
    calls.packet("id/name.json"),
    calls.public_token_claims(),
    calls.create_public_token("id", [], "1h"),
    calls.create_public_token("id", [], "1h", by_named_key=True),
    calls.put_endpoint("name", key="body.id", verify="none"),
    calls.get_endpoint("name"),
    calls.delete_endpoint("name"),
    calls.list_endpoints(None, None).after(None),
    calls.test_endpoint("name", "", {}, ""),
    calls.create_key("name", ["read"], "90d"),
    calls.list_keys(),
    calls.revoke_key("name"),
)


def operation_of(method: str, path: str) -> Operation:
    """The operation that a request is for."""
    for operation in OPERATIONS:
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(operation.path))
        if operation.method == method and re.fullmatch(pattern, path):
            return operation
    raise AssertionError(f"no operation: {method} {path}")


def test_every_operation_is_called() -> None:
    called = {operation_of(call.method, call.path).id for call in CALLS}

    assert called == {operation.id for operation in OPERATIONS} - NOT_FOR_IT


def sent(**options: Any) -> set[str]:
    return set(calls.create(**options).body)


def test_create_has_every_option() -> None:
    fields = {field.alias for field in CreateWaitpointTokenRequest.model_fields.values()}

    assert fields == sent(**dict.fromkeys(CreateOptions.__annotations__, "x"))


def test_a_list_has_every_filter() -> None:
    filters: Any = dict.fromkeys(ListFilters.__annotations__, "x")

    assert set(calls.list_tokens(filters).query) == set(by_id("list_waitpoint_tokens_v1").names("query"))


def test_a_page_has_every_member() -> None:
    assert PageOptions.__annotations__.keys() == set(page_definition.MEMBERS)


def test_notify_and_an_approver_have_every_member() -> None:
    assert NotifyOptions.__annotations__.keys() == set(Channel)
    assert ApproverOptions.__annotations__.keys() == {field.name for field in dataclasses.fields(Approver)}


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
        (models.Waiter, answers.Waiter),
        (models.CompletedBy, answers.CompletedBy),
        (models.Approver, answers.Approver),
        (models.ApproverLink, answers.ApproverLink),
        (models.ApproverAnswer, answers.ApproverAnswer),
        (models.Escalation, answers.Escalation),
        (models.Reminders, answers.Reminders),
        (models.Notify, answers.Notify),
        (models.Notice, answers.Notice),
        (models.OtherDeliveries, answers.OtherDeliveries),
        (models.MovedDeadline, answers.MoveDeadlineResponse),
        (models.Completion, answers.CompleteWaitpointTokenResponse),
        (models.KeyCompletion, answers.CompleteWaitpointKeyResponse),
        (models.PublicTokenClaims, answers.PublicTokenClaims),
        (models.EndpointWithDeliveries, answers.EndpointWithDeliveries),
        (models.Verification, answers.EndpointVerification),
        (models.Deliveries, answers.EndpointDeliveriesOfAKind),
        (models.EndpointTrial, answers.EndpointTrial),
        (models.TrialStep, answers.TrialStep),
        (models.CreatedKey, answers.CreatedKey),
        (models.NamedKey, answers.ListedKey),
    ],
)
def test_an_answer_has_every_field(model: type[BaseModel], answer: type[BaseModel]) -> None:
    read = {field.alias for field in model.model_fields.values()}

    assert set(answer.model_fields) - read - {"success"} <= SAME_AS_OTHERS


APPROVAL: PageOptions = {
    "title": "Deploy?",
    "approvers": [{"id": "ann", "name": "Ann Lee", "slack": "U024BE7LH"}, "bo@example.com"],
    "requestedBy": "dee",
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
}


class Described(httpx.BaseTransport):
    """The fake, each of whose answers must be as the API's description says."""

    def __init__(self, fake: FakeWaitpoints) -> None:
        self._fake = fake
        self.seen: set[tuple[str, int]] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._fake.handle_request(request)
        operation = operation_of(request.method, request.url.raw_path.decode().partition("?")[0])
        self.seen.add((operation.id, answer.status_code))
        if answer.status_code == 200:
            operation.result.model_validate(answer.json())
            assert all(name in answer.headers for name in operation.headers)
        else:
            body: Any = operation.refusals[answer.status_code].body
            TypeAdapter(body).validate_python(answer.json())
        return answer


def test_the_fake_answers_as_the_api_is_described_to() -> None:
    fake = FakeWaitpoints()
    described = Described(fake)
    client = Waitpoints(fake.url, fake.api_key, transport=described)
    kept = client.complete_key("k", {"a": 1}, ttl="1h")
    token = client.create(idempotency_key="k", tags=["b", "a"], timeout="1h", task_token="t" * 20)
    failed, timed_out = client.create(timeout=1), client.create(tags="a")
    client.extend(failed, None)
    client.fail(failed, "no")
    client.complete(timed_out)
    for one_token in (token, failed, timed_out, kept):
        fake.deliver(client.get(one_token).url, b"again")
        client.get(one_token)
    for page in client.list(page_size=1).pages():
        list(client.list(page_size=1, before=page.previous, failed=True))
    client.create_public_token(token)
    client.send(calls.create_public_token(token, [], "1h", by_named_key=True))
    client.public_token_claims()
    endpoint = client.endpoints.put("e", key="body.id", verify="none", key_ttl=0)
    for body in ({"id": 1}, {}, {"id": "2"}):
        client.endpoints.test("e", body)
        fake.deliver(endpoint.url, body)
    client.endpoints.put("f", key="body.id", verify={"scheme": "github", "secret": "github"}, tag="a", complete_when="body")
    client.endpoints.get("e")
    list(client.endpoints.list(page_size=1))
    large = client.create()
    client.complete(large, '"' * 800_000)
    client.send(calls.packet(str(client.send(calls.get(large)).output_text)))
    client.get(client.create(page={"title": "Go?"}, notify={"email": ["ann@example.com"], "slack": "#deploys"}))
    asked = client.create(page={**APPROVAL, "escalate": {"after": "1h", "to": ["lead"]}})
    for approver in ("ann", "bo@example.com"):
        fake.answer(asked, approver, "approve")
        client.get(asked)
    client.complete(overridden := client.create(page=APPROVAL), {"action": "reject"})
    client.get(overridden)
    sent: list[tuple[str, bytes]] = [
        (asked.url.replace("callback/", "callback/0"), b"{}"),
        (overridden.url, b"{}"),
        (asked.links[-1].url, b'{"action": "approve"}'),
        (asked.links[0].url, b'{"action": "wait"}'),
        (asked.links[0].url, b"x" * 3_145_729),
    ]
    for url, content in sent:
        described.handle_request(httpx.Request("POST", url, content=content))
    calls_refused: list[Any] = [
        lambda: client.get("none"),
        lambda: client.create(timeout="soon"),
        lambda: client.extend(token, "1h"),
        lambda: client.create(idempotency_key=""),
        lambda: list(client.list(page_size=0)),
        lambda: client.endpoints.get("none"),
        lambda: client.send(calls.packet("none")),
    ]
    for call in calls_refused:
        with pytest.raises(APIError):
            call()
    client.endpoints.delete("e")
    for expires in (None, "1h"):
        client.keys.create("nightly", ["create:team-a", "read"], expires=expires)
        client.keys.list()
        client.keys.revoke("nightly")

    callback = "complete_waitpoint_token_callback_v1"
    succeeded = {name for name, status in described.seen if status == 200} - {callback}
    assert succeeded == {operation.id for operation in OPERATIONS} - NOT_FOR_IT
    assert {status for name, status in described.seen if name != callback} == {200, 400, 404, 409, 422}
    assert {status for name, status in described.seen if name == callback} == {200, 401, 403, 413, 422}
