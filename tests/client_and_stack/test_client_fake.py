"""The Python client's fake refuses what the handlers refuse, in the same words."""

import json
from typing import Any

import httpx
import pytest
from waitpoints_client.testing import FakeWaitpoints

from in_process.api_gateway import TOKENS, Api

BY_KEY, ENDPOINT, PUBLIC = "/api/v1/waitpoints/complete", "/api/v1/endpoints/orders", "/api/v1/auth/jwt"
LONG = "x" * 2049
CREATES: list[Any] = [
    b"",
    b"{",
    b"[]",
    b"x" * 65_537,
    {"timeOut": "1h"},
    {"nothing": 1},
    {"timeout": 60},
    {"timeout": ""},
    {"timeout": "0s"},
    {"timeout": "1.5h"},
    {"timeout": "2020-01-01T00:00:00Z"},
    {"timeout": None, "tags": None},
    {"tags": 1},
    {"tags": [1]},
    {"tags": ["x" * 129]},
    {"tags": "x" * 129},
    {"tags": list("abcdefghijk")},
    {"idempotencyKey": ""},
    {"idempotencyKey": LONG},
    {"idempotencyKey": "k", "idempotencyKeyTTL": "soon"},
    {"idempotencyKey": "k", "idempotencyKeyTTL": "0s"},
    {"idempotencyKeyTTL": "1h"},
    {"page": {"title": "Go on?"}, "payloadSchema": {}},
    {"taskToken": "t" * 20, "callbackId": "c" * 20},
]
COMPLETES: list[Any] = [
    b"",
    b"[1]",
    {"output": 1},
    {"dat": 1},
    {"data": 1, "error": {"message": "no"}},
    {"error": "no"},
    {"error": {}},
    {"error": {"message": ""}},
    {"error": {"message": "x" * 4097}},
    {"error": {"message": "no", "nam": "A"}},
    {"error": {"message": "no", "name": "No Name"}},
    {"error": {"message": "no", "name": "WaitpointTimeoutError"}},
    {"error": {"message": "no", "code": ""}},
    {"error": {"message": "no", "code": 1}},
    {},
]
KEYS: list[Any] = [
    {},
    {"idempotencyKey": 1},
    {"idempotencyKey": "k", "idempotencyKeyTTL": "31d"},
    {"idempotencyKey": "k", "idempotencyKeyTTL": "soon"},
    {"idempotencyKey": "k", "key": 1},
]
QUERIES = [
    "page[size]=0",
    "page[size]=many",
    "page[after]=none",
    "page[before]=none",
    "sort=name",
    "filter[status]=LOST",
    "filter[status]=WAITING,",
    "filter[outputIsError]=yes",
    "filter[undelivered]=false",
    "filter[undelivered]=true&filter[tags]=a",
    "filter[createdAt][period]=soon",
    "filter[createdAt][from]=soon",
    "filter[completedAt][to]=soon",
    "filter[tag]=a",
    "filter[tags]=&filter[status]=&sort=",
]
ENDPOINTS: list[Any] = [
    b"",
    {},
    {"key": "body.id"},
    {"key": "body.id", "verify": "all"},
    {"key": "body.id", "verify": 1},
    {"key": "body.id", "verify": "none", "keyTTL": "soon"},
    {"key": "body.id", "verify": "none", "keyTTL": "31d"},
    {"key": "body.id", "verify": "none", "filter": "a"},
]
PUBLIC_TOKENS: list[Any] = [b"", {"scopes": []}, {"expirationTime": "31d"}, {"expirationTime": "soon"}, {"expirationTime": 1}]


def odd(method: str, path: str, bodies: list[Any]) -> list[Any]:
    return [pytest.param(method, path, body, id=f"{path.rsplit('/', maxsplit=1)[-1]} {str(body)[:60]}") for body in bodies]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *odd("POST", TOKENS, CREATES),
        *odd("POST", f"{TOKENS}/ID/complete", COMPLETES),
        *odd("POST", BY_KEY, KEYS),
        *odd("PUT", ENDPOINT, ENDPOINTS),
        *odd("PUT", "/api/v1/endpoints/No%20Name", [{"key": "body.id", "verify": "none"}]),
        *odd("POST", f"{ENDPOINT}/test", [{"body": 1}]),
        *odd("POST", PUBLIC, PUBLIC_TOKENS),
        *[pytest.param("GET", f"{TOKENS}?{query}", None, id=query) for query in QUERIES],
        *odd("GET", "/api/v1/endpoints?page[size]=0", [None]),
        *odd("GET", f"{TOKENS}/none", [None]),
        *odd("GET", "/api/v1/packets/none/none.json", [None]),
        *odd("DELETE", TOKENS, [None]),
    ],
)
def test_an_odd_request_is_answered_as_the_handlers_do(api: Api, method: str, path: str, body: Any) -> None:
    fake = FakeWaitpoints()
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    theirs = api.request(method, path.replace("ID", api.create()["id"]), content)
    url = fake.url + path.replace("ID", fake.client().create().id)
    ours = fake.handle_request(httpx.Request(method, url, content=content, headers={"authorization": f"Bearer {fake.api_key}"}))

    assert ours.status_code == theirs.status, (ours.text, theirs.text)
    if theirs.status != 200:
        assert ours.json() == theirs.json


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer ", "wrong"])
def test_a_wrong_credential_is_refused_as_the_handlers_do(api: Api, authorization: str | None) -> None:
    fake = FakeWaitpoints()
    headers = {} if authorization is None else {"authorization": authorization}
    theirs = api.get(TOKENS, headers)
    ours = fake.handle_request(httpx.Request("GET", fake.url + TOKENS, headers=headers))

    assert (ours.status_code, ours.json()) == (theirs.status, theirs.json)
