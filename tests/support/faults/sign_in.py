"""People who sign in: their browsers, and an issuer whose every call may fail. They do what the pages say, and nothing else."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from tests.support.faults.aws import client
from tests.support.faults.callers import PATIENCE
from tests.support.faults.wire import NotAnswered
from tests.support.faults.world import World
from tests.support.in_process.api_gateway import HttpAnswer
from tests.support.in_process.approval_page import page_of
from tests.support.in_process.browser import Browser
from tests.support.in_process.fakes.issuer import SECRET, FakeIssuer
from tests.support.in_process.html_page import HtmlPage
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import STACK_NAME
from tests.support.sign_in import browser_of
from waitpoints import https
from waitpoints.access.sessions import SIGN_OUT
from waitpoints.https import HttpsAnswer, NoAnswer
from waitpoints.oidc.issuer import FAILED_FOR
from waitpoints.token import Token

TITLE = "Deploy?"
CLIENT_SECRET = f"waitpoints/{STACK_NAME}/sign-in/OIDC_CLIENT_SECRET"
ANSWERED_WITH = {"throttled": 429, "5xx": 503}
"""What an issuer answers by which a call fails. After any other fault there is no answer."""
OF_ONE_SIGN_IN = re.compile(r"(?:state|nonce|code|code_verifier)=([\w-]+)")


class SignInWorld(World):
    """A stack at which people sign in. Each of its functions starts anew for each request, unless `is_warm`."""

    def __init__(self, stack: MotoStack, idp: FakeIssuer) -> None:
        super().__init__(stack)
        self.clock.now = time.time_ns() // 1_000_000  # that of the ID tokens
        self.idp = idp
        self.is_warm = False
        self.private: set[str] = set()
        """What only a browser, the issuer and the stack may know."""
        self.secrets |= {self.secret("SessionKey"), SECRET}
        self.put_client_secret(SECRET)

    def put_client_secret(self, value: str) -> None:
        self.idp.secret = value
        self.secrets.add(value)
        try:
            client("secretsmanager").create_secret(Name=CLIENT_SECRET, SecretString=value)
        except client("secretsmanager").exceptions.ResourceExistsException:
            client("secretsmanager").put_secret_value(SecretId=CLIENT_SECRET, SecretString=value)

    @contextmanager
    def alive(self) -> Iterator[None]:
        with ExitStack() as until_the_end:
            monotonic = SimpleNamespace(monotonic=lambda: self.clock() / 1000)  # so that who waits finds a secret read again
            until_the_end.enter_context(mock.patch("waitpoints.aws.services.secrets.time", monotonic))
            until_the_end.enter_context(mock.patch("waitpoints.https.within", lambda _, work: work()))
            until_the_end.enter_context(mock.patch("waitpoints.https.call", self._issuer_called(https.call)))
            until_the_end.enter_context(super().alive())
            yield

    def _issuer_called(self, call: Callable[..., HttpsAnswer]) -> Callable[..., HttpsAnswer]:
        """The calls to the issuer, as the wire sees them: `issuer.token`."""

        def called(method: str, url: str, *how: Any) -> HttpsAnswer:
            def effect() -> HttpsAnswer:
                answer = call(method, url, *how)
                self.private |= {*OF_ONE_SIGN_IN.findall(str(how)), answer.members.get("id_token", SECRET)}
                return answer

            name = urlsplit(url).path.rpartition("/")[2]
            try:
                return self.wire.call(f"issuer.{name}", effect)
            except NotAnswered as failure:
                if status := ANSWERED_WITH.get(str(failure)):
                    return HttpsAnswer(status, b"")
                raise NoAnswer("ReadTimeoutError") from None

        return called

    def request(self, method: str, url: str, body: str | None, headers: Mapping[str, str]) -> HttpAnswer:
        """What a browser is answered; 500 by API Gateway if the function dies."""
        if not self.is_warm:
            self.forget()
        answer = self.http_once(method, url, (body or "").encode(), headers)
        if answer is None:
            return HttpAnswer(500, {}, "Internal Server Error")
        self.private |= {text.partition(";")[0].partition("=")[2] for text in answer.cookies} - {""}
        self.private.update(OF_ONE_SIGN_IN.findall(f"{url} {answer.headers.get('location', '')}"))
        return answer

    def lost(self) -> list[str]:
        logged = self.log.getvalue()
        told = [f"the log has {text}" for text in (*self.private, "@example.com", "ann-1") if text in logged]
        return super().lost() + told

    def _wrong_with_token(self, token: Token) -> Iterator[str]:
        yield from super()._wrong_with_token(token)
        for answer in token.answers if token.rules and token.rules.has_sign_in else ():
            who = answer.signed_in
            if who is None or who.issuer != self.idp.url or who.subject not in (answer.approver, f"{answer.approver}-1"):
                yield f"{token.id} has an answer as {answer.approver} of {who}"


class Person:
    """`name` is a part of the subject and address. What went wrong is tried again as the page says, or by loading it again."""

    def __init__(self, world: SignInWorld, name: str, *, has_session: bool = False) -> None:
        self._world = world
        self._browser = browser_of(world, f"{name}-1", f"{name}@example.com") if has_session else Browser(world)
        self._who = {"sub": f"{name}-1", "email": f"{name}@example.com", "email_verified": True}

    def open(self, token: Mapping[str, Any]) -> HtmlPage:
        """Open a token's page, and sign in where it asks for that. Returns what is shown then."""
        url = token["url"]
        for _ in range(PATIENCE):
            answer = self._browser.get(url)
            if answer.status == 303:
                url = answer.headers["location"]
                url = self._world.idp.sign_in(url, self._who) if url.startswith(self._world.idp.url) else url
            elif answer.status != 500:
                page = page_of(answer)
                if TITLE in answer.text:
                    return page
                assert answer.status in (200, 403, 503), answer
                assert page.links or answer.status == 503 or "Open your link again" in page.text, page.text
                url = page.links[0] if page.links else url if answer.status == 503 else token["url"]
                self._world.clock.advance(FAILED_FOR + 1000)
        raise AssertionError("the person has given up")

    def form(self, page: HtmlPage, action: str) -> dict[str, str]:
        """What the page sends when a button is pressed."""
        return {**dict(it for it in page.fields if it[0] == "session"), "action": action, "field.reason": "fine"}

    def answer(self, token: Mapping[str, Any], action: str, form: dict[str, str] | None = None) -> HtmlPage:
        """Answer a page, also by the form of one that was opened before. Returns what is shown then.

        Where an answer is not received, the page is opened again, and answered if it still asks.
        """
        for _ in range(PATIENCE):
            if form is None:
                page = self.open(token)
                if "Reject" not in page.buttons:
                    return page
                form = self.form(page, action)
            answer = self._browser.post(token["url"], form)
            if answer.status == 200:
                return page_of(answer)
            assert answer.status in (403, 500, 503), answer
            form = None if answer.status == 403 else form
        raise AssertionError("the person has given up")

    def sign_out(self, token: Mapping[str, Any]) -> None:
        form = {"to": urlsplit(token["url"]).path}
        answer = next(it for _ in range(PATIENCE) if (it := self._browser.post(SIGN_OUT, form)).status not in (500, 503))
        assert (answer.status, answer.headers["location"], self._browser.cookies) == (303, token["url"], {})
