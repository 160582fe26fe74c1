"""What callers ask of a stack over HTTP, and the HTTP API in front of the handlers, with events as API Gateway makes them.

The words are the same on every backend: `create`, `retrieve`, `change` and `complete` a token, also `complete_by_key`;
`deliver` to its URL, its links or an endpoint; `put_endpoint`; `ask` for what is answered with 200. `wait` begins a wait, of
which `result` is the end, and `awaited` makes a token for which something waits; time passes by `advance`. On moto `Api` has
those that go over HTTP, and `World` those without; on the deployed stack `tests/support/e2e/api.py` has all; the client has
its own, and `Served` the others. Faults' callers and the options' `Stack` say what they add to them.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.in_process.fakes.waits import FakeWaits
from tests.support.in_process.template import ACCOUNT, REGION, Template
from tools.openapi import operations
from tools.openapi.answers import CODES

TOKENS, ENDPOINTS = operations.TOKENS, operations.ENDPOINTS
API_ID = "a1b2c3d4e5"
DOMAIN = f"{API_ID}.execute-api.{REGION}.amazonaws.com"
_TEXT = ("text/", "application/json", "application/xml", "application/javascript")
COMPLETE_BY_KEY = "/api/v1/waitpoints/complete"
JSON = {"content-type": "application/json"}

type Token = Mapping[str, Any]
"""A token as an answer shows it."""


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: Mapping[str, str]
    text: str
    cookies: Sequence[str] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> str:
        """The error message of the answer, which also has a code of its status."""
        message, code = self.json["error"], self.json["code"]
        assert isinstance(message, str), message
        assert CODES[code].status == self.status, (code, self.status)
        return message


class Caller:
    """Who has an API key of a stack. A word that returns no answer asserts that it was 200."""

    def request(self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """Send one request: text and bytes as they are, anything else as JSON; with the API key unless headers are given."""
        raise NotImplementedError

    def ask(self, method: str, url: str, body: Any = None, **how: Any) -> dict[str, Any]:
        """Return what is answered with 200."""
        answer = self.request(method, url, body, **how)
        assert answer.status == 200, answer.text
        return answer.json

    def post(self, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        return self.request("POST", url, body, headers)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        return self.request("GET", url, None, headers)

    def create(self, **options: Any) -> dict[str, Any]:
        return self.ask("POST", TOKENS, options)

    def retrieve(self, token: Token | str) -> dict[str, Any]:
        return self.ask("GET", path_of(token))

    def complete(self, token: Token | str, **result: Any) -> dict[str, Any]:
        """With `data`, or with an `error`."""
        return self.ask("POST", f"{path_of(token)}/complete", result)

    def complete_by_key(self, key: str, **result: Any) -> dict[str, Any]:
        return self.ask("POST", COMPLETE_BY_KEY, {"idempotencyKey": key, **result})

    def change(self, token: Token | str, **changes: Any) -> dict[str, Any]:
        """Move the deadline of a token, or hand its page over."""
        return self.ask("PATCH", path_of(token), changes)

    def deliver(self, to: Mapping[str, Any] | str, body: Any, headers: Mapping[str, str] = JSON) -> HttpAnswer:
        """Post to the URL of a token, of one of its links or of an endpoint, as a webhook's provider does."""
        return self.post(to if isinstance(to, str) else to["url"], body, headers)

    def put_endpoint(self, name: str, **settings: Any) -> dict[str, Any]:
        return self.ask("PUT", f"{ENDPOINTS}/{name}", {"key": "body.id", "verify": "none", **settings})


def path_of(token: Token | str) -> str:
    return f"{TOKENS}/{token if isinstance(token, str) else token['id']}"


class Api(Caller):
    def __init__(self, template: Template, api_key: str) -> None:
        self._template = template
        self._api_key = api_key

    @property
    def authorized(self) -> dict[str, str]:
        """The headers of a JSON request with the API key."""
        return {"authorization": f"Bearer {self._api_key}", "content-type": "application/json"}

    @property
    def from_sdk(self) -> dict[str, str]:
        """The headers that identify a request of Trigger.dev's SDK."""
        return {"authorization": f"Bearer {self._api_key}", "x-trigger-source": "sdk"}

    def wait(self, token: Token, waits: FakeWaits, **options: Any) -> str:
        """Wait as a state of `waits` does. Returns its handle, of which `waits.result` is what it was resumed with."""
        handle, wait = waits.start(), self._template.functions()["wait_for_token"]
        wait.call({"waitpointId": token["id"], waits.member: handle, **options})
        return handle

    def request(self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        if headers is None:
            headers = self.authorized
        parts = urlsplit(url)
        raw = encode_body(body)
        route = self._template.route(method, parts.path)
        if route is None:
            return HttpAnswer(404, {"content-type": "application/json"}, '{"message":"Not Found"}')
        parameters = {name: unquote(value) for name, value in route.path_parameters.items()}
        event = http_event(method, parts.path, parts.query, raw, headers, route.route_key, parameters)
        answer = route.function.call(event)
        return HttpAnswer(answer["statusCode"], answer["headers"], answer["body"], answer.get("cookies", ()))


def http_event(
    method: str,
    path: str,
    query: str,
    body: bytes,
    headers: Mapping[str, str],
    route_key: str,
    path_parameters: Mapping[str, str],
) -> dict[str, Any]:
    """A request in payload format 2.0. A body that is not text by its content type comes in base64. Cookies are no header."""
    headers = {name.lower(): value for name, value in headers.items()}
    cookies = headers.pop("cookie", "")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"content-length": str(len(body)), "host": DOMAIN, **headers},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "domainName": DOMAIN,
            "domainPrefix": API_ID,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route_key,
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies.split("; ")
    if path_parameters:
        event["pathParameters"] = dict(path_parameters)
    if body:
        is_text = headers.get("content-type", "text/plain").startswith(_TEXT)
        try:
            text = body.decode() if is_text else None
        except UnicodeDecodeError:
            text = None
        event["body"] = base64.b64encode(body).decode() if text is None else text
        event["isBase64Encoded"] = text is None
    return event


def encode_body(body: Any) -> bytes:
    match body:
        case None:
            return b""
        case bytes():
            return body
        case str():
            return body.encode()
    return json.dumps(body, ensure_ascii=False).encode()
