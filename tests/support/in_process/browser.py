"""A browser that signs in at the handlers, and keeps its cookies."""

from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from tests.support.in_process.api_gateway import TOKENS, HttpAnswer
from tests.support.in_process.fakes.issuer import ANN, FakeIssuer
from tests.support.in_process.fakes.secret import FakeSecret
from waitpoints.access.sessions import BEGIN, OWN_BEGIN, OWN_PAGES
from waitpoints.access.urls import Urls

SIGNING_KEY = "the-signing-key-of-this-stack-0123456789"
PAGE, OTHER_PAGE = (Urls("", FakeSecret(SIGNING_KEY)).url(f"waitpoint_01jcn9w6zq000000000000000{at}", "") for at in (0, 1))
"""The pages of tokens that do not exist. A sign-in does not look."""


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
        begin = OWN_BEGIN if target in OWN_PAGES else BEGIN
        return self.get(f"{begin}?{urlencode({'to': target, **query})}")

    def sign_in(self, issuer: FakeIssuer, person: dict[str, Any] = ANN, target: str = PAGE) -> HttpAnswer:
        return self.get(issuer.sign_in(self.begin(target).headers["location"], person))

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
        assert name.startswith("__Host-") or cookie["path"].startswith(TOKENS)
        assert cookie["path"] == "/" or name.startswith("__Secure-")
        assert (cookie["domain"], cookie["samesite"]) == ("", "Lax")
        assert cookie["secure"]
        assert cookie["httponly"]
        self.cookies[name] = cookie.value
        if cookie["max-age"] == "0":
            del self.cookies[name]
