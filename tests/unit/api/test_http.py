"""The HTTP API: the answer to every request. No request of any shape is answered 500."""

import io
import json
import re
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.example_requests import FIELDS, HEADERS, QUERY_PARAMETERS, named, places, put_example_endpoint, send
from tests.support.in_process.api_gateway import Api, http_event
from tests.support.in_process.template import Context, Template
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from tools.openapi.answers import CODES
from tools.openapi.operation import Operation
from tools.openapi.operations import OPERATIONS, methods
from waitpoints.access.api_keys import new_key
from waitpoints.access.caller import ROOT, Action, Caller
from waitpoints.api.http import Request, Response, http_handler

CLOSED = [operation for operation in OPERATIONS if operation.credentials]
OPEN = [operation for operation in OPERATIONS if not operation.credentials]
NO_CREDENTIAL = [None, "", "Bearer ", "bearer x", "Größe", "\x00", "x" * 9000, "Basic dXNlcjpwYXNz", "Bearer a.b.c"]


@pytest.mark.parametrize("operation", CLOSED, ids=named)
@pytest.mark.parametrize("authorization", NO_CREDENTIAL)
def test_without_a_valid_credential_every_route_but_the_callback_is_401(
    api: Api, world: World, operation: Operation, authorization: str | None
) -> None:
    token = api.create()
    headers = {} if authorization is None else {"authorization": authorization}
    assert is_refused(world, lambda: send(api, operation, token, headers), 401).error


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_a_route_checks_the_api_key_alone_exactly_if_it_is_the_only_credential(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch, operation: Operation
) -> None:
    token, checked = api.create(), list[str | None]()

    def check(written: str | None) -> Caller:
        checked.append(written)
        return ROOT

    monkeypatch.setattr(world.credentials, "caller", check)
    monkeypatch.setattr(world.credentials, "check_root", check)
    send(api, operation, token, {})
    assert checked == ([None] if operation.credentials == ("secretKey",) else [])


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("decorate", "status"), [(http_handler("POST"), 401), (http_handler("POST", api_key_required=False), 200)]
)
def test_a_new_route_is_closed_unless_it_says_otherwise(decorate: Any, status: int) -> None:
    reached = []

    def answer(request: Request) -> Response:
        reached.append(request.method)
        return Response({})

    post, get = (http_event(method, "/new", "", b"", {}, "ANY /new", {}) for method in ("POST", "GET"))
    assert decorate(answer)(post, Context("New"))["statusCode"] == status
    assert decorate(answer)(get, Context("New"))["statusCode"] == 405  # before the credential is looked at
    assert reached == ["POST"] * (status == 200)


class TestANamedKey:
    """On a route that does nothing else."""

    @staticmethod
    def ask(key: str, scope: Action | None = "read") -> tuple[int, dict[str, Any], list[str | None]]:
        """Returns the status, the body, and the names of the callers that were let in."""
        callers = []

        @http_handler("POST", scope=scope)
        def answer(request: Request) -> Response:
            callers.append(request.caller.name)
            return Response({})

        event = http_event("POST", "/new", "", b"", {"authorization": f"Bearer {key}"}, "ANY /new", {})
        context: Any = Context("New")
        answered = answer(event, context)
        return answered["statusCode"], json.loads(answered["body"]), callers

    @pytest.fixture(autouse=True)
    def _use(self, api: Api) -> None:
        """The handlers use the world."""

    def test_lets_in_by_its_name_and_is_noted(self, world: World, log: io.StringIO) -> None:
        key = world.api_key_store.make("ci", "create", "read:team-a")
        assert self.ask(key) == (200, {}, ["ci"])
        [line] = [json.loads(line) for line in log.getvalue().splitlines()]
        assert (line["apiKey"], line["status"]) == ("ci", 200)
        assert list(world.api_key_store.read_used().values()) == [world.clock()]

    def test_is_403_where_only_the_root_key_may_go_and_is_not_looked_up(self, world: World) -> None:
        every = world.api_key_store.make("ci", "create", "read", "complete", "endpoints")
        for key in (every, new_key()):
            status, body, callers = self.ask(key, None)
            assert (status, body["error"]) == (403, "Only the root key may do this, and this is a named key")
            assert callers == []
        assert world.api_key_store.reads == 0
        assert self.ask(world.api_key.read_current(), None) == (200, {}, [None])
        for wrong in ("tr_prod_sk_", every[:-1], every + "0"):
            assert self.ask(wrong, None)[0] == 401

    def test_that_cannot_be_read_is_503_and_the_root_key_goes_on(self, world: World) -> None:
        key = world.api_key_store.make("ci", "read")
        world.api_key_store.failure = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")
        for _ in range(3):
            status, _, callers = self.ask(key)
            assert (status, callers) == (503, [])
        assert self.ask(world.api_key.read_current()) == (200, {}, [None])
        assert world.api_key_store.reads == 1


@pytest.mark.parametrize("operation", OPEN, ids=named)
@pytest.mark.parametrize("authorization", NO_CREDENTIAL)
def test_a_route_without_credentials_ignores_the_authorization_header(
    api: Api, operation: Operation, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    put_example_endpoint()
    assert send(api, operation, api.create(), headers).status == 200


@pytest.mark.parametrize("operation", CLOSED, ids=named)
def test_a_public_access_token_is_accepted_only_by_the_complete_route(api: Api, world: World, operation: Operation) -> None:
    public = world.credentials.sign_public_access_token(["admin"])
    answer = send(api, operation, api.create(), {"authorization": f"Bearer {public}"})
    assert answer.status == (200 if "publicAccessToken" in operation.credentials else 401)


def answered(path: str) -> set[str]:
    """The methods of a path that are not 405. A page is not among them: these requests do not accept HTML."""
    return {it for other in OPERATIONS if other.path == path and not other.is_page for it in (other.method, *other.tested_by)}


@pytest.mark.parametrize(
    ("operation", "method"),
    [
        (operation, method)
        for operation in OPERATIONS
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        if method not in answered(operation.path)
    ],
    ids=named,
)
def test_another_method_is_405_and_names_the_allowed_ones(api: Api, world: World, operation: Operation, method: str) -> None:
    token = api.create()
    put_example_endpoint()
    ask = partial(api.request, method, operation.example_path(**places(token)), b"1", {})
    assert is_refused(world, ask, 405, "Method not allowed").headers["allow"] == ", ".join(methods(operation.path))


@pytest.mark.parametrize(
    ("operation", "method"), [(operation, method) for operation in OPERATIONS for method in operation.tested_by], ids=named
)
def test_a_method_that_tests_a_path_is_answered_and_does_nothing(api: Api, operation: Operation, method: str) -> None:
    token = api.create()
    put_example_endpoint()
    answer = api.request(method, operation.example_path(**places(token)), b"", {})
    assert (answer.status, answer.text) == (200, "")
    assert api.retrieve(token["id"])["status"] == "WAITING"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text(st.characters(categories=["Cs"]))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
ALMOST_RIGHT = st.sampled_from(["10m", "2030-01-01", 60, ["a"], {"scopes": ["admin"]}, "", 10**20, "9" * 50 + "d"])
BODIES = st.binary(max_size=200) | st.dictionaries(st.sampled_from(FIELDS), VALUES | ALMOST_RIGHT, max_size=3).map(
    lambda it: json.dumps(it).encode()
)
QUERIES = st.text(max_size=60) | st.lists(
    st.tuples(
        st.sampled_from(QUERY_PARAMETERS),
        st.text(max_size=12) | st.sampled_from(["WAITING", "7d", "1e9y", "2030", "0" * 26, "99999999999999"]),
    ),
    max_size=3,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))
METHODS = st.sampled_from(["GET", "POST", "OPTIONS", "HEAD", "DELETE"])
HEADER_VALUES = st.dictionaries(st.sampled_from(["authorization", "content-type", "origin", *HEADERS]), st.text(max_size=80))


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
def test_no_request_of_any_shape_is_answered_500(api: Api, world: World, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(OPERATIONS))
    method = data.draw(st.just(operation.method) | METHODS)
    route = Template.load().route(method, operation.example_path())
    assert route is not None
    existing = operation.examples("path") | places(api.create())
    written = {  # the parameters have names of their own in template.yaml
        name: data.draw(st.just(existing[documented]) | st.text(max_size=70))
        for name, documented in zip(route.path_parameters, re.findall(r"\{(\w+)\}", operation.path), strict=True)
    }
    headers = data.draw(HEADER_VALUES)
    if data.draw(st.booleans()):
        headers["authorization"] = f"Bearer {world.api_key.read_current()}"
    query, body = data.draw(QUERIES), data.draw(BODIES)
    event = http_event(method, operation.path, query, body, headers, route.route_key, written)

    answer = route.function.handler()(event, Context(route.function.logical_id))

    assert answer["statusCode"] in (200, 400, 401, 403, 404, 405, 409, 413, 422)
    assert answer["headers"]["x-content-type-options"] == "nosniff"
    if answer["statusCode"] == 200 and "content-security-policy" in answer["headers"]:
        return  # a handshake, which is answered as its provider wants it
    assert answer["headers"]["content-type"] == "application/json; charset=utf-8"
    shown = json.loads(answer["body"].encode())
    if answer["statusCode"] != 200:
        assert isinstance(shown["error"], str)
        assert CODES[shown["code"]].status == answer["statusCode"]
        assert "Traceback" not in shown["error"]
