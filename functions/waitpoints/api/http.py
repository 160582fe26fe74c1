"""API Gateway's HTTP events (payload format 2.0), and the one mapping of errors to status codes."""

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import json_text, telemetry
from waitpoints.access.caller import ROOT, Action, Caller
from waitpoints.aws.failures import AWS_FAILURES, try_again
from waitpoints.errors import (
    BodyTooLarge,
    CannotResume,
    CannotResumeNow,
    InternalServerError,
    InvalidRequest,
    MethodNotAllowed,
    WaitpointsError,
)
from waitpoints.wiring import services

CREATE_LIMIT = 65_536  # bytes of body (contract C2): a payloadSchema needs room
SMALL_LIMIT = 10_240  # bytes of any other body
PAYLOAD_LIMIT = 3_145_728  # bytes of body (contract P1 and K1)
SLACK_LIMIT = 1_048_576  # bytes of body: a click comes with the message that it was in
HANDSHAKE_LIMIT = 16_384  # bytes of body; handshakes have less than 1 KB


FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    domain: str
    source_ip: str
    path: Mapping[str, str]
    headers: Mapping[str, str]
    raw_query: str
    body_text: str
    is_base64: bool
    route: str = ""
    cookies: Mapping[str, str] = field(default_factory=dict)
    caller: Caller = ROOT

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "Request":
        return cls(
            method=event["requestContext"]["http"]["method"],
            domain=event["requestContext"]["domainName"],
            source_ip=_source_ip(event),
            path=event.get("pathParameters") or {},
            headers=event.get("headers") or {},
            raw_query=event.get("rawQueryString") or "",
            body_text=event.get("body") or "",
            is_base64=bool(event.get("isBase64Encoded")),
            route=event.get("routeKey") or "",
            cookies=dict(text.split("=", 1) for text in event.get("cookies") or () if "=" in text),
        )

    @property
    def api_url(self) -> str:
        """The base URL of this request. API Gateway sets the domain, so a caller can't forge it."""
        return f"https://{self.domain}"

    @property
    def from_sdk(self) -> bool:
        """Whether Trigger.dev's SDK sent the request. A newer SDK may send fields that are unknown here."""
        return self.headers.get("x-trigger-source") == "sdk"

    @property
    def is_of_person(self) -> bool:
        """Whether a browser sent it that shows a page: it asks for HTML, and posts nothing but a form."""
        is_form = self.headers.get("content-type", "").strip().lower().startswith(FORM)
        return self.accepts_html and (self.method == "GET" or is_form)

    @property
    def accepts_html(self) -> bool:
        return "text/html" in self.headers.get("accept", "").lower()

    @property
    def is_of_another_site(self) -> bool:
        """Whether a browser sent it for a page that is not of this API. Programs do not send the header."""
        return self.headers.get("sec-fetch-site", "none").strip().lower() not in ("same-origin", "none")

    @property
    def is_of_own_page(self) -> bool:
        """Whether a browser sent it for a page of this API. `Origin` does not tell: it is null for a page without referrer."""
        return self.headers.get("sec-fetch-site") == "same-origin"

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")

    def read_body(self, limit: int) -> bytes:
        """Return the body. Raises BodyTooLarge if it has more than `limit` bytes, InvalidRequest if its base64 is invalid."""
        try:
            if self.is_base64:
                body = base64.b64decode(self.body_text, validate=True)
            else:
                body = self.body_text.encode("utf-8", "surrogatepass")
        except ValueError:  # also for what is not ASCII
            raise InvalidRequest("The body is not valid base64") from None
        if len(body) > limit:
            raise BodyTooLarge(f"Request body too large: the limit is {limit} bytes")
        return body

    def read_members(self, limit: int) -> dict[str, str]:
        """Return the JSON text of each member of the body, which must be an object. Raises InvalidRequest or BodyTooLarge."""
        try:
            return json_text.members(self._read_text(limit))
        except json_text.NotJson as error:
            raise InvalidRequest(f"Invalid JSON: {error}") from None

    def read_json(self, limit: int, *, optional: bool = False, kept: Collection[str] = ()) -> Any:
        """Return the body's JSON value; an empty `optional` body is `{}`. Raises InvalidRequest or BodyTooLarge.

        Only within its members `kept` may an object repeat a name.
        """
        try:
            return json_text.parse_unambiguous(self._read_text(limit, optional=optional), kept)
        except json_text.NotJson as error:
            raise InvalidRequest(f"Invalid JSON: {error}") from None

    def _read_text(self, limit: int, *, optional: bool = False) -> str:
        try:
            text = self.read_body(limit).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InvalidRequest("Invalid JSON: the body must be UTF-8") from None
        if text.strip(" \t\r\n"):
            return text
        if not optional:
            raise InvalidRequest("Request body is empty")
        return "{}"


@dataclass(frozen=True, slots=True)
class Response:
    """`body` is answered as JSON, or as plain text if it is a text, unless `headers` say otherwise. `cookies` are set."""

    body: Mapping[str, Any] | str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Sequence[str] = ()

    def event(self, more_headers: Mapping[str, str]) -> dict[str, Any]:
        is_text = isinstance(self.body, str)
        kind = "text/plain" if is_text else "application/json"
        return {
            "statusCode": self.status,
            "headers": {
                "content-type": f"{kind}; charset=utf-8",
                "x-content-type-options": "nosniff",
                **self.headers,
                **more_headers,
            },
            "body": self.body if is_text else json_text.dumps(self.body),
            **({"cookies": [*self.cookies]} if self.cookies else {}),
        }


RECEIVED = Response({"success": True})
"""The answer to a delivery and to a completion, whether or not it settled the token."""

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


def http_handler(
    *methods: str,
    allow: tuple[str, ...] = (),
    scope: Action | None = None,
    api_key_required: bool = True,
    browsers: bool = False,
    for_person: Callable[[Request, Response], Response] | None = None,
) -> Callable[[Callable[[Request], Response]], Handler]:
    """Decorate a function that answers requests with these methods as a Lambda handler. It checks the API key after the method.

    `allow` lists all methods of the path if other functions serve some of them. `scope` is what a named key needs; without one,
    only the root key is accepted. Without `api_key_required`, the function checks another credential itself. `browsers` allows
    web pages of any origin (CORS). That is safe because credentials are sent in a header, never in a cookie. `for_person` makes
    a page of a refusal.
    """

    def decorate(answer: Callable[[Request], Response]) -> Handler:
        def respond(request: Request) -> Response:
            if browsers and request.method == "OPTIONS":
                return _preflight(request)
            if request.method not in methods:
                raise MethodNotAllowed(*(allow or methods))
            if api_key_required:
                request = _with_caller(request, scope)
            return answer(request)

        @wraps(answer)
        def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            with telemetry.canonical_line("request", requestId=context.aws_request_id, route=event.get("routeKey")):
                request = Request.of(event)
                try:
                    response = respond(request)
                except Exception as error:
                    response = _answer_refusal(error)
                    if for_person and request.is_of_person:
                        response = for_person(request, response)
                telemetry.note(status=response.status)
                return response.event(_cors(request) if browsers else {})

        return handler

    return decorate


def _source_ip(event: Mapping[str, Any]) -> str:
    """Return the caller's address. Behind CloudFront it is what a request with CloudFront's certificate says: ADDRESS:PORT."""
    context = event["requestContext"]
    if services.is_behind_cloudfront and (context.get("authentication") or {}).get("clientCert"):
        from ipaddress import ip_address

        address, _, port = (event.get("headers") or {}).get("cloudfront-viewer-address", "").rpartition(":")
        with suppress(ValueError):
            return str(ip_address(address if port.isdecimal() else ""))
    return str(context["http"].get("sourceIp", ""))


def _with_caller(request: Request, scope: Action | None) -> Request:
    """Return the request with its caller. Raises Unauthenticated, and Forbidden if the caller is a key without the scope."""
    if scope is None:
        services.credentials.check_root(request.authorization)
        return request
    caller = services.credentials.caller(request.authorization)
    caller.require(scope)
    return replace(request, caller=caller)


def _preflight(request: Request) -> Response:
    """Answer the CORS preflight that a browser sends before a request with the SDK's headers (contract P3)."""
    headers = {
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": request.headers.get("access-control-request-headers", "authorization, content-type"),
        "access-control-max-age": "300",
    }
    return Response({}, headers=headers)


def _cors(request: Request) -> dict[str, str]:
    origin = request.headers.get("origin")
    if not origin:
        return {}
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": "x-trigger-jwt, x-trigger-jwt-claims",
        "vary": "Origin, Access-Control-Request-Headers",
    }


def _answer_refusal(error: Exception) -> Response:
    if isinstance(error, (*AWS_FAILURES, CannotResumeNow)):
        error = try_again(error, "send the same request again")
    elif isinstance(error, CannotResume):
        error = InvalidRequest("AWS rejected taskToken or callbackId: this stack may lack permission to resume that execution")
    if not isinstance(error, WaitpointsError):
        telemetry.logger.exception("Unexpected error: please report it as a bug in Waitpoints")
        error = InternalServerError()
    telemetry.note(refused=type(error).__name__)
    telemetry.count("RefusedOnPurpose", by=int(error.on_purpose))
    return Response({"error": error.message, "code": error.code, **error.members}, error.status, error.headers)
