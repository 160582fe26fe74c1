"""Count what it costs to sign in: a page that two people approve in their browsers, by their links and signed in."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from tests.support.in_process.approval_page import page_of
from tests.support.in_process.browser import Browser
from tests.support.in_process.counting.notices import TWO
from tests.support.in_process.counting.waits import Added, Bench, Wait, counted
from tests.support.in_process.fakes.issuer import ANN, SECRET, FakeIssuer, issuer
from tests.support.in_process.html_page import HtmlPage
from tests.support.in_process.moto_stack import client_of

SIGNED_IN = {**TWO, "signIn": True}
EMAILS = [str(email) for email in TWO["approvers"]]


def count_sign_in(bench: Bench) -> dict[str, Added]:
    with at_an_issuer(bench) as (signing, idp):
        known, strangers, others = ({email: Browser(signing.api) for email in EMAILS} for _ in range(3))
        approved(signing, SIGNED_IN, known, idp)  # reads what functions keep: secrets, the issuer's document and its keys
        by_link, signed_in = approved(signing, TWO, others), approved(signing, SIGNED_IN, strangers, idp)
        return {
            "`signIn`: both of two approvers sign in": Added(by_link, signed_in),
            "the same, and both have a session": Added(by_link, approved(signing, SIGNED_IN, known)),
        }


@contextmanager
def at_an_issuer(bench: Bench) -> Iterator[tuple[Bench, FakeIssuer]]:
    """The stack with an issuer, which knows its secret. Sign-ins are so rare that each reads the key of sessions again."""
    secrets = client_of("secretsmanager")
    with issuer() as idp, bench.with_issuer(idp.url) as signing, mock.patch("waitpoints.aws.services.secrets.REFETCH_AFTER", 0):
        counted(idp, bench.meter, "_redeem", "Issuer:token")
        name = f"waitpoints/{os.environ['ENVIRONMENT']}/sign-in/OIDC_CLIENT_SECRET"
        secrets.create_secret(Name=name, SecretString=SECRET)
        try:
            yield signing, idp
        finally:
            secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def approved(bench: Bench, page: Mapping[str, Any], browsers: Mapping[str, Any], idp: FakeIssuer | None = None) -> Wait:
    """Return the wait for a page that each of these people opens and approves. With an issuer, they sign in first."""
    bench.start_earlier_timers()
    bench.meter.take()
    wait, stream, before = Wait(), bench.stream(), bench.stored()
    created = bench.step(wait, "create", "create_token", lambda: bench.api.create(page=page), over_http=True)
    bench.register(wait, created["id"])
    links = [link["url"] for link in created["links"]] or [created["url"]] * len(browsers)
    for url, (email, browser) in zip(links, browsers.items(), strict=True):
        visit = Visit(bench, wait, browser)
        shown = visit.open(url)
        if idp:
            visit.sign_in(shown.links[0], idp, email)
            shown = visit.open(url)
        visit.approve(url, shown)
    bench.guarantee(wait, stream)
    wait.add_stored(before, bench.stored())
    return wait


class Visit:
    """What one person does in a browser."""

    def __init__(self, bench: Bench, wait: Wait, browser: Any) -> None:
        self._bench, self._wait, self._browser = bench, wait, browser

    def open(self, url: str) -> HtmlPage:
        return page_of(self._step("open the page", "show_callback", lambda: self._browser.get(url)))

    def sign_in(self, link: str, idp: FakeIssuer, email: str) -> None:
        begun = self._step("begin to sign in", "begin_sign_in", lambda: self._browser.get(link))
        back = idp.sign_in(begun.headers["location"], {**ANN, "sub": email, "email": email})
        self._step("come back from the issuer", "finish_sign_in", lambda: self._browser.get(back), not_counted=())

    def approve(self, url: str, shown: HtmlPage) -> None:
        form = {"action": "submit", **{name: value for name, value in shown.fields if name == "session"}}
        answer = self._step("answer", "accept_callback", lambda: self._browser.post(url, form))
        assert answer.status == 200, answer.text

    def _step(self, name: str, function: str, run: Any, **options: Any) -> Any:
        return self._bench.step(self._wait, name, function, run, over_http=True, **options)
