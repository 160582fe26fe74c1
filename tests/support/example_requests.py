"""Requests made from the table of operations, so that no test keeps a list of routes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.in_process.template import Route, Template
from tools.openapi.operation import EXAMPLE_DELIVERY_ID, Operation
from tools.openapi.operations import ENDPOINTS, OPERATIONS, by_id
from waitpoints.access.api_keys import NamedKey, Scope, digest, new_key
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.recorded_delivery import Contents, RecordedDelivery, new_delivery_id
from waitpoints.wiring import services

WITH_JSON_BODY = [operation for operation in OPERATIONS if operation.body and operation.body.model]
FIELDS = sorted({name for operation in WITH_JSON_BODY if operation.body for name in operation.body.fields})
QUERY_PARAMETERS = sorted({name for operation in OPERATIONS for name in operation.names("query")})
EXAMPLE_ENDPOINT = by_id("retrieve_endpoint_v1").examples("path")["name"]
EXAMPLE_KEY = by_id("revoke_key_v1").examples("path")["name"]
EXAMPLE_SECRET_ID = "0123456789abcdef01234567"
HEADERS = sorted({name for operation in OPERATIONS for name in operation.names("header")})


def named(operation: Any) -> str | None:
    """The id of a test for an operation."""
    return operation.id if isinstance(operation, Operation) else None


def places(token: Mapping[str, Any]) -> dict[str, str]:
    """The path parameters that lead to a token, as create answered with it, and to the endpoint of the examples."""
    return {
        "endpointHash": services.urls.endpoint_url(EXAMPLE_ENDPOINT, EXAMPLE_SECRET_ID, "").rsplit("/", 1)[1],
        "waitpointId": token["id"],
        "callbackHash": token["url"].rsplit("/", 1)[1],
        "path": f"{token['id']}/0123456789abcdef.json",
    }


def put_example_endpoint(*, records: bool = True) -> Endpoint:
    """Make the endpoint that the operations' examples name, and unless it records nothing the delivery that they name."""
    now, key = services.now(), "body.workflow_run.id"
    example = Endpoint(name=EXAMPLE_ENDPOINT, secret_id=EXAMPLE_SECRET_ID, key=key, verify=None, created_at=now, updated_at=now)
    if records:
        record_delivery(EXAMPLE_SECRET_ID, id=EXAMPLE_DELIVERY_ID)
    return services.endpoints.put(example)


def put_what_is_named_in(path: str) -> None:
    """Make of the examples' endpoint and delivery what a path needs. On moto, a delivery takes longer than most requests."""
    if path.startswith(ENDPOINTS):
        put_example_endpoint(records="/deliveries" in path)


def record_delivery(
    secret_id: str, body: bytes = b'{"workflow_run": {"id": 123456}}', *, pending: bool = False, **row: Any
) -> RecordedDelivery:
    """Store a recorded delivery that completed nothing, unless `row` says otherwise."""
    now = services.now()
    usual: dict[str, Any] = {"kind": DeliveryKind.NOT_MATCHING, "expires_at": now // 1000 + 86_400}
    own = {"id": new_delivery_id(row.get("at", now)), "at": now, "size": len(body), **({} if pending else usual), **row}
    delivery = RecordedDelivery(**{"expires_at": usual["expires_at"], **own})
    contents = Contents({"content-type": "application/json"}, "", body)
    begun = services.deliveries.begin(secret_id, EXAMPLE_ENDPOINT, replace(delivery, kind=None), contents)
    finished = replace(begun, kind=delivery.kind)
    assert pending or services.deliveries.finish(secret_id, finished)
    return finished


def make_example_key() -> None:
    """Make the named key that the operations' examples name."""
    now = services.now()
    services.api_key_store.add(NamedKey(EXAMPLE_KEY, digest(new_key()), (Scope("read"),), now), now)


def send(
    api: Api, operation: Operation, token: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> HttpAnswer:
    """Send the operation's example, for a token if there is one; with the API key unless headers are given."""
    url = operation.example_path(**places(token) if token else {})
    if query := operation.examples("query"):
        url += "?" + urlencode(query)
    own = api.authorized if headers is None else headers
    accept = {"accept": "text/html"} if operation.is_page else {}
    return api.request(
        operation.method,
        url,
        operation.body.example if operation.body else None,
        {**operation.examples("header"), **accept, **own},
    )


def route_of(operation: Operation, template: Template) -> Route:
    """The route of the template that API Gateway chooses for an operation."""
    route = template.route(operation.method, operation.example_path())
    assert route is not None, f"template.yaml has no route for {operation.route}"
    return route
