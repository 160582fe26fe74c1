"""A browser that signs in at the handlers, and keeps its cookies."""

from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from tests.support.in_process.api_gateway import HttpAnswer
from tests.support.in_process.fakes.issuer import ANN, FakeIssuer
from waitpoints.access.sessions import BEGIN

PAGE = f"/api/v1/waitpoints/tokens/waitpoint_01jcn9w6zq0000000000000000/callback/{'0a' * 32}"


class Server(Protocol):
    def request(self, method: str, url: str, body: str | None, headers: Mapping[str, str]) -> HttpAnswer: ...


class Browser:
    """Keeps cookies as browsers do: each with the attributes that `__Host-` asks for."""

    def __init__(self, api: Server) -> None:
        self._api = api
        self.cookies: dict[str, str] = {}

    def get(self, url: str, **headers: str) -> HttpAnswer:
        return self._send("GET", url, None, headers)

    def post(self, url: str, form: Mapping[str, str], **headers: str) -> HttpAnswer:
        kind = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
        return self._send("POST", url, urlencode(form), kind | headers)

    def begin(self, target: str = PAGE, **query: str) -> HttpAnswer:
        return self.get(f"{BEGIN}?{urlencode({'to': target, **query})}")

    def sign_in(self, issuer: FakeIssuer, person: dict[str, Any] = ANN) -> HttpAnswer:
        return self.get(issuer.sign_in(self.begin().headers["location"], person))

    def _send(self, method: str, url: str, body: str | None, headers: Mapping[str, str]) -> HttpAnswer:
        sent = {"accept": "text/html", **headers}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        parts = urlsplit(url)
        answer = self._api.request(method, f"{parts.path}?{parts.query}", body, sent)
        for text in answer.cookies:
            self.keep(text)
        return answer

    def keep(self, text: str) -> None:
        [(name, cookie)] = SimpleCookie(text).items()
        assert name.startswith("__Host-")
        assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "Lax")
        assert cookie["secure"]
        assert cookie["httponly"]
        self.cookies[name] = cookie.value
        if cookie["max-age"] == "0":
            del self.cookies[name]
