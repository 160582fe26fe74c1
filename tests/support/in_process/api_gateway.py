"""An HTTP API in front of the handlers: the routes of template.yaml, and events as API Gateway makes them."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.in_process.template import ACCOUNT, REGION, Template
from tools.openapi import operations
from tools.openapi.answers import CODES

TOKENS = operations.TOKENS
API_ID = "a1b2c3d4e5"
DOMAIN = f"{API_ID}.execute-api.{REGION}.amazonaws.com"
_TEXT = ("text/", "application/json", "application/xml", "application/javascript")


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


class Api:
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

    def create(self, **body: Any) -> Any:
        """Create a token and return the answer's body."""
        answer = self.post(TOKENS, body)
        assert answer.status == 200, answer.text
        return answer.json

    def retrieve(self, token_id: str) -> Any:
        answer = self.get(f"{TOKENS}/{token_id}")
        assert answer.status == 200, answer.text
        return answer.json

    def post(self, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        return self.request("POST", url, body, headers)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        return self.request("GET", url, None, headers)

    def request(self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """Send a request: text and bytes as they are, anything else as JSON; with the API key unless headers are given."""
        if headers is None:
            headers = self.authorized
        parts = urlsplit(url)
        raw = _bytes(body)
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


def _bytes(body: Any) -> bytes:
    match body:
        case None:
            return b""
        case bytes():
            return body
        case str():
            return body.encode()
    return json.dumps(body, ensure_ascii=False).encode()
