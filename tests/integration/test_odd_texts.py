"""Every text that a caller gives, at every door, as no sane caller writes it: refused or kept, never an unnamed error."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.example_requests import named, places, put_what_is_named_in, route_of
from tests.support.in_process.api_gateway import Api, http_event
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tools.openapi.operation import Operation
from tools.openapi.operations import ENDPOINTS, OPERATIONS, by_id
from waitpoints.aws.endpoint_store import EndpointStore
from waitpoints.errors import TryAgain, WaitpointsError

pytestmark = pytest.mark.slow

ODD = {
    "halves of surrogate pairs": "\ud800" * 24,
    "a half at the end": "approved by somebody \udc00",
    "controls": "\x00\x1b\x7f\x85\x9b\u202e\uffff" * 4,
    "3,000 characters": "x" * 3000,
}
TASK_TOKEN = "AAAAKgAAAAIAAAAAAAAAAtask"
ARN = "arn:aws:states:us-east-1:123456789012:execution:orders:4711"
PAGE = {
    "title": "Deploy?",
    "text": "Now",
    "links": [{"label": "Diff", "url": "https://example.com/"}],
    "actions": [{"id": "approve", "label": "Approve"}],
    "fields": {"properties": {"size": {"enum": ["S", "M"], "title": "Size"}, "note": {"type": "string", "pattern": "a"}}},
}
CREATES = (
    {
        "idempotencyKey": "k",
        "idempotencyKeyTTL": "1h",
        "timeout": "1h",
        "tags": ["a"],
        "taskToken": TASK_TOKEN,
        "execution": ARN,
    },
    {"tags": "a", "callbackId": "A" * 24, "metadata": {"order": "a"}},
    {"verify": {"scheme": "token", "secret": "s", "header": "x-token"}, "completeWhen": "body.a == 'b'"},
    {"payloadSchema": {"properties": {"a": {"const": "b", "pattern": "c", "title": "d"}}, "required": ["a"]}},
    {"page": PAGE},
)
ERROR = {"message": "no", "name": "Refused", "code": "NO"}
COMPLETIONS = ({"data": {"a": ["b"]}}, {"error": ERROR})
BODIES: dict[str, tuple[dict[str, Any], ...]] = {
    "create_waitpoint_token_v1": CREATES,
    "complete_waitpoint_token_v1": COMPLETIONS,
    "complete_waitpoint_key_v1": tuple({"idempotencyKey": "k", "idempotencyKeyTTL": "1h", **one} for one in COMPLETIONS),
    "mint_public_token_v1": ({"scopes": ["read:runs"], "expirationTime": "1h"},),
    "create_public_token_v1": ({"claims": {"scopes": ["read:runs"]}, "expirationTime": "1h"},),
    "create_key_v1": ({"name": "a", "scopes": ["create:a", "endpoints"], "expiresIn": "1h"},),
    "put_endpoint_v1": (
        {"key": "body.a", "completeWhen": "body.b == 'c'", "output": "body.d", "keyTTL": "1h", "verify": "none"},
        {"key": "body.a", "verify": {"scheme": "token", "secret": "s", "header": "x-token"}},
    ),
    "complete_waitpoint_token_callback_v1": ({"action": "approve", "fields": {"size": "S", "note": "a"}},),
    "accept_delivery_v1": ({"workflow_run": {"id": "a"}},),
    "try_endpoint_v1": ({"body": {"workflow_run": {"id": "a"}}, "headers": {"x-a": "b"}, "query": "c=d"}, {"body": "text"}),
}


def written(value: Any, odd: str) -> Iterator[Any]:
    """Yield the value once for each text and each name in it, with the odd text in place of that one."""
    match value:
        case str():
            yield odd
        case list():
            for place, one in enumerate(value):
                yield from ([*value[:place], other, *value[place + 1 :]] for other in written(one, odd))
        case dict():
            for name, one in value.items():
                yield from ({**value, name: other} for other in written(one, odd))
                yield {(odd if other == name else other): inner for other, inner in value.items()}


def status(operation: Operation, stack: MotoStack, event: dict[str, Any]) -> int:
    answer = route_of(operation, stack.template).function.call(event)
    json.dumps(answer["headers"]).encode()
    answer["body"].encode()
    return int(answer["statusCode"])


def event_of(operation: Operation, stack: MotoStack, api: Api, body: str) -> dict[str, Any]:
    """The event of a request about a new token with a page, or the endpoint of the examples."""
    path = operation.example_path(**places(api.create(page=PAGE)))
    route = stack.template.route(operation.method, path)
    assert route is not None
    headers = {**operation.examples("header"), **api.authorized}
    return {**http_event(operation.method, path, "", b"", headers, route.route_key, route.path_parameters), "body": body}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", BODIES)
def test_in_a_body_is_refused_or_kept(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions, name: str, odd: str
) -> None:
    put_what_is_named_in(by_id(name).path)
    event = event_of(by_id(name), stack, api, "")
    for body in (one for sane in BODIES[name] for one in written(sane, ODD[odd])):
        assert status(by_id(name), stack, {**event, "body": json.dumps(body)}) < 500, body


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_around_a_body_is_refused_or_kept(api: Api, stack: MotoStack, operation: Operation, odd: str) -> None:
    put_what_is_named_in(operation.path)
    event = event_of(operation, stack, api, json.dumps(operation.body.example) if operation.body else "")
    path, headers = event.get("pathParameters", {}), event["headers"]
    changes: list[dict[str, Any]] = [
        *({"pathParameters": {**path, name: ODD[odd]}} for name in path),
        *({"headers": {**headers, name: ODD[odd]}} for name in (*headers, *HEADERS, ODD[odd])),
        *({"rawQueryString": f"{name}={ODD[odd]}"} for name in (*operation.names("query"), ODD[odd])),
        *({"body": ODD[odd], "isBase64Encoded": encoded} for encoded in (False, True)),
    ]
    for change in changes:
        assert status(operation, stack, {**event, **change}) < 500, change


HEADERS = (
    *("accept", "accept-language", "content-type", "cookie", "origin", "user-agent", "sec-fetch-site", "webhook-id"),
    *("x-github-event", "x-trigger-request-idempotency-key", "access-control-request-headers"),
)
WAIT = {"waitpointId": "waitpoint_" + "0" * 26, "taskToken": TASK_TOKEN, "execution": ARN}
PAYLOADS: dict[str, tuple[dict[str, Any], ...]] = {
    "create_token_in_state": CREATES,
    "complete_token_in_state": (
        *({"waitpointId": WAIT["waitpointId"], **one} for one in COMPLETIONS),
        *({"idempotencyKey": "k", "idempotencyKeyTTL": "1h", **one} for one in COMPLETIONS),
    ),
    "wait_for_token": (WAIT, {"waitpointId": WAIT["waitpointId"], "callbackId": "A" * 24}),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("function", PAYLOADS)
def test_in_a_payload_of_a_state_is_a_named_error_or_kept(
    stack: MotoStack, step_functions: FakeStepFunctions, function: str, odd: str
) -> None:
    for payload in (one for written_in in PAYLOADS[function] for one in written(written_in, ODD[odd])):
        try:
            stack.call(function, payload)
        except TryAgain:
            pytest.fail(f"no retry can help: {payload}")
        except WaitpointsError:
            pass


def test_a_trial_reads_no_endpoint_of_a_name_that_none_can_have(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB refuses a key of over 1,024 bytes, which would be answered 503."""
    monkeypatch.setattr(EndpointStore, "get", lambda *_: pytest.fail("it was read"))
    assert api.post(f"{ENDPOINTS}/{'x' * 3000}/test", {"body": 1}).status == 404
