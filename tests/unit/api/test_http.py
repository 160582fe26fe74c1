"""The HTTP API: the answer to every request. No request of any shape is answered 500."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from in_process.api_gateway import DOMAIN, TOKENS, Api, http_event
from in_process.template import Context, Template
from openapi.operation import Operation
from openapi.operations import OPERATIONS, methods
from tests.support.example_requests import FIELDS, HEADERS, QUERY_PARAMETERS, named, places, put_example_endpoint, send
from tests.support.fakes.in_memory import InMemory
from waitpoints.api.http import CREATE_LIMIT, PAYLOAD_LIMIT, Request, Response, http_handler
from waitpoints.timeouts import Limits
from waitpoints.urls import Urls
from waitpoints.wiring import services

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:orders:4711"
UNKNOWN = "waitpoint_" + "0" * 26
JSON = {"content-type": "application/json"}


def complete_url(token: Any) -> str:
    return f"{TOKENS}/{token['id']}/complete"


class TestCreate:
    def test_answers_with_the_token_and_what_a_browser_needs_to_complete_it(self, api: Api, world: InMemory) -> None:
        answer = api.post(TOKENS, {})
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.json["isCached"] is False
        assert answer.json["url"].startswith(f"https://hooks.example.com{TOKENS}/{answer.json['id']}/callback/")
        assert json.loads(answer.headers["x-trigger-jwt-claims"]) == {"sub": "waitpoints", "pub": True}
        bearer = {"authorization": f"Bearer {answer.headers['x-trigger-jwt']}"}
        assert api.post(complete_url(answer.json), {"data": 1}, bearer).status == 200
        assert world.tokens.retrieve(answer.json["id"]).outcome is not None

    def test_without_a_public_base_url_every_url_has_the_domain_of_the_request(
        self, api: Api, world: InMemory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(vars(services), "urls", Urls("", world.signing_key))
        created = api.create()
        assert created["url"].startswith(f"https://{DOMAIN}{TOKENS}/{created['id']}/callback/")
        assert api.retrieve(created["id"])["url"] == created["url"]
        assert [token["url"] for token in api.get(TOKENS).json["data"]] == [created["url"]]

    def test_keeps_all_that_it_is_given(self, api: Api, world: InMemory) -> None:
        created = api.create(timeout="1h", tags=["a", "b"], idempotencyKey="order-1", idempotencyKeyTTL="24h")
        shown = api.retrieve(created["id"])
        assert (shown["tags"], shown["idempotencyKey"]) == (["a", "b"], "order-1")
        token = world.store.get(created["id"])
        assert token.timeout_at == world.clock() + 3_600_000
        assert token.idempotency_key_expires_at == world.clock() + 86_400_000

    def test_takes_one_tag_as_text(self, api: Api) -> None:
        assert api.retrieve(api.create(tags="a")["id"])["tags"] == ["a"]

    @pytest.mark.parametrize("body", [None, b"", b" \n", {}, {"tags": None, "timeout": None}])
    @pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", None])
    def test_needs_no_body(self, api: Api, world: InMemory, body: Any, content_type: str | None) -> None:
        headers = {"authorization": f"Bearer {world.api_key.read_current()}"}
        answer = api.post(TOKENS, body, headers | ({"content-type": content_type} if content_type else {}))
        assert answer.status == 200
        assert api.retrieve(answer.json["id"])["status"] == "WAITING"

    def test_accepts_every_value_at_its_limit(self, api: Api) -> None:
        created = api.create(idempotencyKey="k" * 2048, tags=["\N{GRINNING FACE}" * 64] * 10)
        assert api.retrieve(created["id"])["idempotencyKey"] == "k" * 2048

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"{", "Invalid JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
            (b"[" * 2000 + b"]" * 2000, "nested deeper than 500 levels"),
            (b"\xff", "Invalid JSON"),
            (b'{"timeout": NaN}', "Invalid JSON"),
            ([], "Validation error"),
            ("null", "Validation error"),
            ("0", "Validation error"),
            ('"text"', "Validation error"),
            ({"idempotencyKey": None}, "idempotencyKey"),
            ({"idempotencyKey": 1}, "idempotencyKey"),
            ({"idempotencyKey": ""}, "idempotencyKey"),
            ({"idempotencyKey": "k" * 2049}, "2048"),
            ({"idempotencyKey": "\N{GRINNING FACE}" * 1025}, "2048"),
            ('{"idempotencyKey": "\\ud800"}', "idempotencyKey"),
            ({"tags": 1}, "tags"),
            ({"tags": [1]}, 'Tag 1 must be a string at "tags"'),
            ({"tags": ["ok", "t" * 129]}, "128"),
            ({"tags": "t" * 129}, "128"),
            ({"tags": ["\N{GRINNING FACE}" * 65]}, "128"),
            ({"taskToken": ""}, "taskToken"),
            ({"taskToken": "x"}, "taskToken"),
            ({"taskToken": None}, "taskToken"),
            ({"taskToken": "$$.Task.Token"}, '"taskToken.$": "$$.Task.Token"'),
            ({"taskToken": "{% $states.context.Task.Token %}"}, "JSONata"),
            ({"callbackId": None}, "callbackId"),
            ({"callbackId": "QUJD"}, "20 to 1024 characters of standard base64"),
            ({"callbackId": "$.callbackId"}, "an expression that was not evaluated"),
            ({"callbackId": "QUJD" * 6, "taskToken": "t" * 700}, "taskToken and callbackId exclude each other"),
            ({"execution": EXECUTION}, "execution needs a taskToken or a callbackId"),
            ({"taskToken": "t" * 700, "execution": "$$.Execution.Id"}, '"execution.$": "$$.Execution.Id"'),
            ({"taskToken": "t" * 700, "execution": None}, "execution"),
            ({"idempotencyKeyTTL": "1h"}, "idempotencyKeyTTL needs an idempotencyKey"),
            ({"unwrap": "yes"}, "unwrap"),
            ({"unwrap": True}, "unwrap needs a taskToken"),
            ({"context": True}, "context needs a taskToken"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_of_the_wrong_shape_is_400_and_makes_nothing(self, api: Api, world: InMemory, body: Any, message: str) -> None:
        answer = api.post(TOKENS, body)
        assert answer.status == 400
        assert message in answer.error
        assert world.store.tokens == {}

    def test_with_a_number_of_any_length_is_not_500(self, api: Api) -> None:
        assert api.post(TOKENS, f'{{"fromTheFuture": {"9" * 5000}}}').status in (200, 400)

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({"timeout": "soon"}, '"10m"'),
            ({"timeout": 60_000}, '"10m"'),
            ({"timeout": "2020-01-01"}, "future"),
            ({"timeout": ["10m"]}, '"10m"'),
            ({"timeout": ""}, '"10m"'),
            ({"idempotencyKey": "k", "idempotencyKeyTTL": ""}, "idempotencyKeyTTL"),
            ({"idempotencyKey": "k", "idempotencyKeyTTL": "0s"}, "idempotencyKeyTTL"),
            ({"tags": [str(n) for n in range(11)]}, "Waitpoints can only have 10 tags, you're trying to set 11."),
        ],
    )
    def test_with_an_impossible_value_is_422_and_makes_nothing(
        self, api: Api, world: InMemory, body: Any, message: str
    ) -> None:
        answer = api.post(TOKENS, body)
        assert answer.status == 422
        assert message in answer.error
        assert world.store.tokens == {}

    def test_over_the_limit_is_413_for_any_body(self, api: Api, world: InMemory) -> None:
        assert api.post(TOKENS, b"{}".ljust(CREATE_LIMIT)).status == 200
        for body in (b"{}".ljust(CREATE_LIMIT + 1), b"x" * (CREATE_LIMIT + 1)):
            answer = api.post(TOKENS, body)
            assert answer.status == 413
            assert "Request body too large" in answer.error
        assert len(world.store.tokens) == 1

    def test_with_a_used_key_returns_the_same_token(self, api: Api) -> None:
        first, again = api.create(idempotencyKey="k"), api.create(idempotencyKey="k", timeout="1s")
        assert again == {**first, "isCached": True}

    def test_retried_by_the_sdk_returns_the_first_answer(self, api: Api, world: InMemory) -> None:
        headers = {"authorization": world.api_key.read_current(), "x-trigger-request-idempotency-key": "call-1"}
        for body in ({}, {"idempotencyKey": "k"}):
            first, again = api.post(TOKENS, body, headers), api.post(TOKENS, body, headers)
            assert first.json == again.json
        assert api.post(TOKENS, {}, {**headers, "x-trigger-request-idempotency-key": "call-2"}).json != first.json
        assert len(world.store.tokens) == 3

    def test_follows_the_limits_of_the_stack(self, api: Api, world: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
        world.install(monkeypatch, Limits(default="7d", longest="30d"))
        assert world.store.get(api.create()["id"]).timeout_at == world.clock() + 7 * 86_400_000
        assert api.post(TOKENS, {"timeout": "31d"}).status == 422


class TestComplete:
    @pytest.mark.parametrize(
        ("body", "output"),
        [
            ('{"data": {"n": 1.50, "__proto__": 1}}', '{"n": 1.50, "__proto__": 1}'),
            ('{"data":null}', "null"),
            ('{"data":""}', '""'),
            ('{"data":1,"data":2}', "2"),
            ("{}", None),
        ],
    )
    def test_keeps_the_data_exactly_as_sent(self, api: Api, body: str, output: str | None) -> None:
        token = api.create()
        answer = api.post(complete_url(token), body)
        assert (answer.status, answer.json) == (200, {"success": True})
        assert api.retrieve(token["id"]).get("output") == output

    def test_takes_an_id_without_its_prefix(self, api: Api) -> None:
        token = api.create()
        assert api.post(f"{TOKENS}/{token['id'].removeprefix('waitpoint_')}/complete", {"data": 1}).status == 200
        assert api.retrieve(token["id"])["status"] == "COMPLETED"

    def test_a_second_time_succeeds_and_changes_nothing(self, api: Api) -> None:
        token = api.create()
        api.post(complete_url(token), {"data": 1})
        before = api.retrieve(token["id"])
        answer = api.post(complete_url(token), {"data": 2})
        assert (answer.status, answer.json) == (200, {"success": True})
        assert api.retrieve(token["id"]) == before

    def test_too_late_succeeds_and_leaves_the_token_timed_out(self, api: Api, world: InMemory) -> None:
        token = api.create(timeout="2s")
        world.clock.advance(2000)
        assert api.post(complete_url(token), {"data": 1}).status == 200
        assert api.retrieve(token["id"])["status"] == "TIMED_OUT"

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "{",
            "[]",
            "1",
            "null",
            '"data"',
            '{"data":NaN}',
            '{"data":1',
            '{"output":1}',
            '{"data":1,"output":2}',
            b"\xff",
            "[" * 9999,
        ],
    )
    def test_of_the_wrong_shape_is_400_and_changes_nothing(self, api: Api, body: str | bytes) -> None:
        token = api.create()
        before = api.retrieve(token["id"])
        answer = api.post(complete_url(token), body)
        assert answer.status == 400
        assert answer.error
        assert api.retrieve(token["id"]) == before

    def test_with_output_instead_of_data_names_data(self, api: Api) -> None:
        assert "data" in api.post(complete_url(api.create()), {"output": 1}).error

    def test_ignores_unknown_fields_only_from_the_sdk(self, api: Api) -> None:
        token = api.create()
        assert api.post(complete_url(token), {"output": 1}, api.from_sdk).status == 400
        assert api.post(complete_url(token), {"data": 1, "dataType": "json"}).status == 400
        assert api.post(complete_url(token), {"data": 1, "dataType": "json"}, api.from_sdk).status == 200
        assert api.retrieve(token["id"])["output"] == "1"

    def test_over_three_mebibytes_is_413_and_leaves_the_token_as_it_was(self, api: Api) -> None:
        token = api.create()
        before = api.retrieve(token["id"])
        assert api.post(complete_url(token), b'{"data":1}'.ljust(PAYLOAD_LIMIT + 1)).status == 413
        assert api.retrieve(token["id"]) == before
        assert api.post(complete_url(token), b'{"data":1}'.ljust(PAYLOAD_LIMIT)).status == 200

    def test_without_the_scope_is_403_before_it_is_404(self, api: Api, world: InMemory) -> None:
        stranger = world.credentials.sign_public_access_token(["write:waitpoints:another"])
        for token_id in (api.create()["id"], UNKNOWN):
            answer = api.post(f"{TOKENS}/{token_id}/complete", {}, {"authorization": f"Bearer {stranger}"})
            assert answer.status == 403
            assert answer.json == {
                "error": "Unauthorized",
                "code": "unauthorized",
                "param": "access_token",
                "type": "authorization",
            }

    def test_every_answer_allows_browsers_of_any_origin(self, api: Api, world: InMemory) -> None:
        asked = {"origin": "https://shop.example.com", "access-control-request-headers": "authorization,x-trigger-source"}
        preflight = api.request("OPTIONS", complete_url(api.create()), None, asked)
        assert preflight.status == 200
        assert preflight.headers["access-control-allow-headers"] == "authorization,x-trigger-source"
        assert "POST" in preflight.headers["access-control-allow-methods"]
        refused = api.post(complete_url(api.create()), {}, {"origin": "https://shop.example.com"})
        assert refused.status == 401
        for answer in (preflight, refused):
            assert answer.headers["access-control-allow-origin"] == "https://shop.example.com"
            assert "Origin" in answer.headers["vary"]
            assert "access-control-allow-credentials" not in answer.headers


class TestCallback:
    @pytest.mark.parametrize(
        ("content_type", "body", "output"),
        [
            ("application/json", b'{"n": 1.50}', '{"n": 1.50}'),
            ("application/json; charset=utf-8", '{"ü":1}'.encode(), '{"ü":1}'),
            ("application/vnd.api+json", b"[1]", "[1]"),
            ("text/plain", b"[1]", "[1]"),
            ("", b"null", "null"),
            ("application/x-www-form-urlencoded", b"a=1&b=2", '{"a":"1","b":"2"}'),
            ("application/xml", b"<a/>", '"<a/>"'),
            ("application/json", b'{"truncated', '"{\\"truncated"'),
            ("application/octet-stream", b"\xff\x00", '{"base64":"/wA="}'),
            ("application/json", b"", "{}"),
        ],
    )
    def test_keeps_any_body(self, api: Api, content_type: str, body: bytes, output: str) -> None:
        token = api.create()
        answer = api.post(token["url"], body, {"content-type": content_type} if content_type else {})
        assert (answer.status, answer.json) == (200, {"success": True})
        assert api.retrieve(token["id"])["output"] == output

    def test_needs_no_credential_and_ignores_the_query(self, api: Api) -> None:
        token = api.create()
        assert api.post(token["url"] + "?customId=7", b"1", {"authorization": "Basic rubbish"}).status == 200
        assert api.retrieve(token["id"])["output"] == "1"

    def test_a_second_time_succeeds_and_changes_nothing(self, api: Api) -> None:
        token = api.create()
        api.post(token["url"], b"1", JSON)
        before = api.retrieve(token["id"])
        answer = api.post(token["url"], b"2", JSON)
        assert (answer.status, answer.json) == (200, {"success": True})
        after = api.retrieve(token["id"])
        assert after.pop("otherDeliveries")["count"] == 1
        assert after == before

    @pytest.mark.parametrize("written", ["0" * 64, "x" * 64, "short", "%C3%BC" * 20, "0" * 5000])
    def test_with_a_wrong_hash_is_401_and_changes_nothing(self, api: Api, written: str) -> None:
        token = api.create()
        before = api.retrieve(token["id"])
        answer = api.post(f"{TOKENS}/{token['id']}/callback/{written}", b"1", JSON)
        assert (answer.status, answer.error) == (401, "Invalid URL, hash doesn't match")
        assert api.retrieve(token["id"]) == before

    def test_with_the_hash_of_another_token_completes_neither(self, api: Api) -> None:
        one, other = api.create(), api.create()
        wrong = one["url"].replace(one["id"], other["id"])
        assert api.post(wrong, b"1", JSON).status == 401
        assert {api.retrieve(token["id"])["status"] for token in (one, other)} == {"WAITING"}

    @pytest.mark.parametrize("written_id", ["waitpoint_a_b", "x", "waitpoint_", "%2e%2e", "0" * 26])
    def test_invalid_id_looks_like_a_wrong_hash(self, api: Api, written_id: str) -> None:
        assert api.post(f"{TOKENS}/{written_id}/callback/{'0' * 64}", b"1", JSON).status == 401

    def test_of_a_token_that_retention_removed_is_404(self, api: Api, world: InMemory) -> None:
        token = api.create()
        world.store.remove(token["id"])
        answer = api.post(token["url"], b"1", JSON)
        assert (answer.status, answer.error) == (404, "Waitpoint not found")

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
    def test_by_another_method_is_405_and_leaves_the_token_as_it_was(self, api: Api, method: str) -> None:
        token = api.create()
        before = api.retrieve(token["id"])
        answer = api.request(method, token["url"], b"1", JSON)
        assert (answer.status, answer.headers["allow"], answer.error) == (405, "POST", "Method not allowed")
        assert api.retrieve(token["id"]) == before

    def test_head_is_trellos_handshake_and_settles_nothing(self, api: Api) -> None:
        token = api.create()
        assert api.request("HEAD", token["url"], None, {}).status == 200
        assert api.request("HEAD", token["url"] + "0", None, {}).status == 401
        assert api.retrieve(token["id"])["status"] == "WAITING"

    def test_over_three_mebibytes_is_413_and_leaves_the_token_as_it_was(self, api: Api) -> None:
        token = api.create()
        before = api.retrieve(token["id"])
        for content_type in ("application/json", "application/octet-stream"):
            answer = api.post(token["url"], b"1".ljust(PAYLOAD_LIMIT + 1), {"content-type": content_type})
            assert answer.status == 413
        assert api.retrieve(token["id"]) == before
        assert api.post(token["url"], b"1".ljust(PAYLOAD_LIMIT), JSON).status == 200


class TestRetrieve:
    def test_shows_a_token_with_the_url_that_create_gave(self, api: Api) -> None:
        token = api.create()
        shown = api.retrieve(token["id"])
        assert (shown["id"], shown["url"], shown["status"]) == (token["id"], token["url"], "WAITING")
        assert api.retrieve(token["id"].removeprefix("waitpoint_")) == shown

    @pytest.mark.parametrize("written", ["0" * 26, "waitpoint_" + "0" * 26, "waitpoint_a_b", "x", "idempotency%23x", "%2F"])
    def test_of_an_invalid_or_unknown_id_is_404(self, api: Api, written: str) -> None:
        answer = api.get(f"{TOKENS}/{written}")
        assert (answer.status, answer.error) == (404, "Waitpoint not found")


def test_the_sdks_wait_route_finds_only_existing_tokens(api: Api) -> None:
    token = api.create()
    for _ in range(2):
        answer = api.post(f"/engine/v1/runs/run_1/waitpoints/tokens/{token['id']}/wait")
        assert (answer.status, answer.json) == (200, {"success": True})
    assert api.post(f"/engine/v1/runs/run_1/waitpoints/tokens/{UNKNOWN}/wait").status == 404


CLOSED = [operation for operation in OPERATIONS if operation.credentials]
OPEN = [operation for operation in OPERATIONS if not operation.credentials]
NO_CREDENTIAL = [None, "", "Bearer ", "Bearer wrong", "Basic dXNlcjpwYXNz", "Bearer a.b.c"]


@pytest.mark.parametrize("operation", CLOSED, ids=named)
@pytest.mark.parametrize("authorization", NO_CREDENTIAL)
def test_without_a_valid_credential_every_route_but_the_callback_is_401(
    api: Api, operation: Operation, authorization: str | None
) -> None:
    token = api.create()
    answer = send(api, operation, token, {} if authorization is None else {"authorization": authorization})
    assert answer.status == 401
    assert answer.error
    assert api.retrieve(token["id"])["status"] == "WAITING"


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_a_route_checks_the_api_key_alone_exactly_if_it_is_the_only_credential(
    api: Api, world: InMemory, monkeypatch: pytest.MonkeyPatch, operation: Operation
) -> None:
    token, checked = api.create(), list[str | None]()
    monkeypatch.setattr(world.credentials, "check_api_key", checked.append)
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


@pytest.mark.parametrize("operation", OPEN, ids=named)
@pytest.mark.parametrize("authorization", NO_CREDENTIAL)
def test_a_route_without_credentials_ignores_the_authorization_header(
    api: Api, operation: Operation, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    put_example_endpoint()
    assert send(api, operation, api.create(), headers).status == 200


@pytest.mark.parametrize("operation", CLOSED, ids=named)
def test_a_public_access_token_is_accepted_only_by_the_complete_route(api: Api, world: InMemory, operation: Operation) -> None:
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
def test_another_method_is_405_and_names_the_allowed_ones(api: Api, operation: Operation, method: str) -> None:
    token = api.create()
    put_example_endpoint()
    answer = api.request(method, operation.example_path(**places(token)), b"1", {})
    allowed = ", ".join(methods(operation.path))
    assert (answer.status, answer.headers["allow"], answer.error) == (405, allowed, "Method not allowed")
    assert api.retrieve(token["id"])["status"] == "WAITING"


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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
def test_no_request_of_any_shape_is_answered_500(api: Api, world: InMemory, data: st.DataObject) -> None:
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
    if answer["statusCode"] == 200 and answer["headers"].get("x-content-type-options") == "nosniff":
        return  # a handshake, which is answered as its sender wants it
    assert answer["headers"]["content-type"] == "application/json; charset=utf-8"
    shown = json.loads(answer["body"].encode())
    if answer["statusCode"] != 200:
        assert isinstance(shown["error"], str)
        assert "Traceback" not in shown["error"]


def test_a_base64_body_is_treated_like_the_same_text(api: Api, world: InMemory) -> None:
    body = b'{"tags":["\xc3\xbc"]}'
    answers = [
        api.post(TOKENS, body, {"authorization": world.api_key.read_current(), "content-type": kind})
        for kind in ("text/plain", "x/y")
    ]
    assert [api.retrieve(answer.json["id"])["tags"] for answer in answers] == [["ü"], ["ü"]]
    assert base64.b64encode(body).decode() not in answers[1].text
