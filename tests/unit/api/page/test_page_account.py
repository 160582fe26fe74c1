"""A page on which people sign in: what each of them is shown, and who answers as whom. Nobody else answers as them."""

import base64
import io
import json
import random
import string
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import pytest

from tests.support import sign_in, slack
from tests.support.in_process.api_gateway import COMPLETE_BY_KEY, JSON, TOKENS, HttpAnswer, path_of
from tests.support.in_process.approval_page import BROWSER, FORM, has_nothing_to_press, page_of
from tests.support.in_process.browser import Browser
from tests.support.in_process.fakes.issuer import FakeIssuer
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.html_page import HtmlPage
from tests.support.in_process.template import SIGN_IN, Template
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from tests.support.sign_in import SignInStack
from tools.openapi import answers
from waitpoints.access.drafts import COOKIE as DRAFT
from waitpoints.access.drafts import LASTS, MOST
from waitpoints.access.sessions import BEGIN, COOKIE
from waitpoints.api.notices import channels, slack_message
from waitpoints.api.notices.slack_click import Click, _answer
from waitpoints.api.page import definition, words
from waitpoints.approvers import MAX_ANSWER
from waitpoints.errors import Forbidden
from waitpoints.token import SINCE, CompletedBy, Source
from waitpoints.waiter_result import Failure, Success
from waitpoints.wiring import services

ISSUER = "https://issuer.example.com"
ACTIONS: list[dict[str, Any]] = [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}]
SHARED: dict[str, Any] = {
    "title": "Pay 1,200 to ACME?",
    "text": "The invoice is attached.",
    "actions": ACTIONS,
    "requestedBy": "dee@example.com",
    "fields": {"type": "object", "properties": {"note": {"type": "string"}}},
}
NAMED = {**SHARED, "signIn": True, "approvers": ["ann@example.com", {"id": "bo", "name": "Bo Lee", "subject": "bo"}]}
WITH_BOTH = {**NAMED, "approvers": ["ann@example.com", {"id": "bo", "subject": "bo", "email": "bo@example.com"}]}
WITH_REQUESTER = {**NAMED, "approvers": [*NAMED["approvers"], {"id": "dee", "email": "Dee@example.com"}]}
OPEN = {**SHARED, "signIn": {"domains": ["example.com"]}}
ESCALATED = {"escalate": {"after": "1m", "to": ["ann@example.com"]}}
SECRETS = ("Pay", "ACME", "invoice", "Approve", "ann@", "Bo Lee", "dee@")
REJECT = {"action": "reject", "fields": {}}
ERROR = {"message": "no", "name": "Refused"}
KEY = "orders:4711"


@pytest.fixture
def stack(world: World, monkeypatch: pytest.MonkeyPatch) -> SignInStack:
    return sign_in.install(world, ISSUER, monkeypatch)


@dataclass
class Place:
    """A token on whose page people sign in, and for which an execution waits."""

    stack: SignInStack
    page: dict[str, Any]

    def __post_init__(self) -> None:
        self.world = self.stack.world
        self.waiter = self.world.new_waiter(context=True)
        self.token = self.stack.api.create(
            page=self.page, idempotencyKey=KEY, taskToken=self.waiter.handle, context=True, timeout="1h"
        )
        self.url: str = self.token["url"]
        self.path = self.url.removeprefix(self.stack.sessions.base_url)

    @property
    def shown(self) -> Any:
        return self.stack.api.retrieve(self.token["id"])

    @property
    def given(self) -> list[tuple[str, str]]:
        return [(one["approver"], one["action"]) for one in self.shown["answers"]]

    def result(self) -> Any:
        return self.world.step_functions.value(self.waiter.handle)

    def open(self, browser: Browser) -> HtmlPage:
        answer = browser.get(self.url)
        assert answer.status == 200, answer.text
        return page_of(answer)

    def answer(self, browser: Browser, action: str, note: str = "", **headers: str) -> HttpAnswer:
        return browser.post(self.url, self.form(browser, action, note), **headers)

    def form(self, browser: Browser, action: str = "reject", note: str = "") -> dict[str, str]:
        return {**form_of(self.open(browser)), "action": action, "field.note": note}

    def form_of_session(self, browser: Browser, action: str = "approve", note: str = "again") -> dict[str, str]:
        """Also if the page no longer shows a form."""
        session = self.stack.sessions.read(browser.cookies)
        assert session is not None
        return {"session": self.stack.sessions.form_token(session, self.token["id"]), "action": action, "field.note": note}

    def assert_waits(self) -> None:
        """Nothing has changed: nobody has answered, and two people can."""
        assert (self.shown["status"], self.given) == ("WAITING", [])
        assert self.world.step_functions.result(self.waiter.handle) is None
        for who in ("ann", "bo"):
            assert self.answer(self.stack.browser_of(who), "approve").status == 200
        assert self.result()["output"]["action"] == "approve"


def form_of(page: HtmlPage) -> dict[str, str]:
    """The hidden fields of the page's own form."""
    return {name: text for name, text in page.fields if name == "session"}


def says_nothing(answer: HttpAnswer) -> bool:
    return [one for one in SECRETS if one in answer.text] == []


@pytest.fixture(params=[NAMED, OPEN], ids=["approvers", "domains"])
def place(request: pytest.FixtureRequest, stack: SignInStack) -> Place:
    return Place(stack, request.param)


@pytest.fixture
def named(stack: SignInStack) -> Place:
    return Place(stack, NAMED)


@pytest.fixture
def open_to_all(stack: SignInStack) -> Place:
    return Place(stack, OPEN)


class TestBeforeTheSignIn:
    def test_the_page_says_nothing_of_what_is_asked_and_leads_to_the_issuer(self, place: Place) -> None:
        answer = place.stack.browser().get(place.url)
        page = page_of(answer)
        assert (answer.status, says_nothing(answer), page.title) == (200, True, "Please sign in · Example Ltd")
        [begin] = page.links
        assert begin.startswith(f"{place.stack.sessions.base_url}{BEGIN}?to=")
        assert not {"form", "script", "button"} & {tag for tag, _ in page.tags}
        assert place.stack.api.get(begin).status in (303, 503)  # the page is one to which a sign-in leads back

    @pytest.mark.parametrize("who", ["bo", "cy@example.com", "nobody"])
    def test_a_link_that_names_a_person_shows_the_same_page(self, named: Place, who: str) -> None:
        """Whoever is asked, was removed or was never asked: neither before nor after the end does it name them."""
        for change in ("add", "remove"):
            named.stack.api.change(named.token, approvers={change: ["cy@example.com"]})
        for end in (named.assert_waits, lambda: None):
            answer = named.stack.browser().get(personal(named, who))
            assert (answer.status, answer.text) == (200, named.stack.browser().get(named.url).text)
            is_refused(named.world, lambda: named.stack.browser().post(personal(named, who), {"action": "reject"}), 403)
            end()

    def test_nothing_is_said_after_the_end_and_a_post_not_counted(self, place: Place) -> None:
        place.assert_waits()
        answer = place.stack.browser().get(place.url)
        assert (answer.status, says_nothing(answer)) == (200, True)
        for headers in ({}, {"sec-fetch-site": "cross-site"}):
            is_refused(place.world, partial(place.stack.browser().post, place.url, {"action": "approve"}, **headers), 403)
        is_refused(place.world, lambda: place.stack.api.post(place.url, REJECT), 403)


class TestTheWrongPerson:
    @pytest.mark.parametrize(
        ("page", "subject", "email"),
        [
            (NAMED, "cy", "cy@example.com"),
            (NAMED, "cy", None),
            (NAMED, "x", "ann@example.com.evil.com"),
            (NAMED, "x", "bo@example.com"),
            (NAMED, "BO", "x@example.com"),
            (WITH_BOTH, "x", "bo@example.com"),
            (OPEN, "cy", "cy@sub.example.com"),
            (OPEN, "cy", "cy@notexample.com"),
            (OPEN, "cy", None),
            (OPEN, "x", "Dee@Example.com"),
        ],
    )
    def test_reads_who_they_are_and_no_other_name(self, stack: SignInStack, page: Any, subject: str, email: str | None) -> None:
        place = Place(stack, page)
        browser = stack.browser_of(subject, email)
        own = email or subject
        answer = is_refused(stack.world, lambda: browser.get(place.url), 403, own)
        page_shown = page_of(answer)
        assert [one for one in SECRETS if one in answer.text.replace(own, "")] == []
        assert "account=other" in page_shown.links[0]
        assert place.stack.api.get(page_shown.links[0]).status in (303, 503)
        is_refused(stack.world, lambda: browser.post(place.url, {"action": "approve", **form_of(page_shown)}), 403, own)

    def test_is_who_asked_even_if_the_page_names_them_by_subject(self, stack: SignInStack) -> None:
        page = {**NAMED, "approvers": ["ann@example.com", {"id": "boss", "subject": "dee"}, {"id": "bo", "subject": "bo"}]}
        place = Place(stack, page)
        assert stack.browser_of("dee").get(place.url).status == 403
        other = stack.api.create(page={**page, "selfApproval": True})
        assert stack.browser_of("dee").get(other["url"]).status == 200

    def test_is_who_asked_unless_they_may(self, stack: SignInStack) -> None:
        place = Place(stack, {**OPEN, "selfApproval": True})
        assert place.answer(stack.browser_of("dee"), "reject").status == 200
        assert place.given == [("dee", "reject")]

    @pytest.mark.parametrize("language", words.WORDS)
    def test_reads_in_their_language_that_no_address_was_confirmed(self, place: Place, language: str, log: io.StringIO) -> None:
        answer = place.stack.browser_of("cy", None).get(place.url, **{"accept-language": language})
        assert words.WORDS[language]["no_address_text"] in page_of(answer).text
        assert "no_address" in page_of(answer).text
        assert '"signIn":"no_address"' in log.getvalue()

    def test_reads_nothing_of_an_address_where_no_address_is_asked(self, stack: SignInStack, world: World) -> None:
        subjects = [{"id": "ann", "subject": "ann"}, {"id": "bo", "subject": "bo"}]
        url = stack.api.create(page={**NAMED, "approvers": subjects, "requestedBy": "Dee"})["url"]
        for email in (None, "x@example.com"):
            is_refused(world, partial(stack.browser_of("cy", email).get, url), 403, "cannot answer here")

    def test_whose_address_is_not_known_may_be_who_asked(self, stack: SignInStack) -> None:
        place = Place(stack, OPEN)
        assert stack.browser_of("cy", None, domain="example.com").get(place.url).status == 403
        for asks in ("dee@example.com", "dee@example.com.", "dee\u2800@example.com"):
            other = stack.api.create(page={**NAMED, "requestedBy": asks})["url"]
            found = [stack.browser_of("bo", email).get(other).status for email in (None, "bo@example.com", "Dee@example.com")]
            assert found == [403, 200, 403], asks


class TestTheRightPerson:
    def test_sees_the_page_and_who_they_are(self, place: Place) -> None:
        page = place.open(place.stack.browser_of("ann"))
        assert "Pay 1,200 to ACME?" in page.text
        assert "ann@example.com" in page.text
        assert {"Approve", "Reject", "Sign out"} <= page.buttons.keys()
        assert ("to", place.path) in page.fields

    def test_answers_and_the_answer_says_who_they_are(self, place: Place) -> None:
        place.answer(place.stack.browser_of("ann"), "approve", "fine")
        [answer] = place.shown["answers"]
        evidence = {"issuer": ISSUER, "subject": "ann", "email": "ann@example.com", "at": answer["signedIn"]["at"]}
        assert answer["signedIn"] == evidence
        received = place.answer(place.stack.browser_of("bo"), "approve")
        assert "Thank you" in page_of(received).text
        result, shown = place.result(), place.shown
        assert [one["signedIn"]["subject"] for one in result["output"]["answers"]] == ["ann", "bo"]
        assert result["output"]["answers"][0] == {**answer, "fields": {"note": "fine"}}
        for completed_by in (result["completedBy"], shown["completedBy"]):
            assert completed_by["signedIn"] == result["output"]["answers"][1]["signedIn"]
            assert "override" not in completed_by

    def test_answers_once(self, place: Place) -> None:
        ann = place.stack.browser_of("ann")
        first = form_of(place.open(ann))
        place.answer(ann, "approve")
        again = ann.post(place.url, {**first, "action": "reject", "field.note": ""})
        assert "Your first answer stands" in page_of(again).text
        assert ([action for _, action in place.given], place.shown["status"]) == (["approve"], "WAITING")

    def test_answers_as_themselves_by_a_link_that_names_somebody_else(self, named: Place) -> None:
        ann = named.stack.browser_of("ann")
        url = personal(named, "bo")
        page = page_of(ann.get(url))
        assert ann.post(url, {**form_of(page), "action": "approve", "field.note": ""}).status == 200
        assert named.given == [("ann@example.com", "approve")]

    def test_is_found_by_the_address_without_case(self, named: Place) -> None:
        assert named.answer(named.stack.browser_of("a", "ANN@Example.COM"), "approve").status == 200
        assert named.given == [("ann@example.com", "approve")]

    def test_does_not_answer_twice_under_two_names(self, stack: SignInStack, world: World) -> None:
        """Ann answers after the escalation to her address, and is added by her subject then."""
        place = Place(stack, {**NAMED, "approvers": ["bo@example.com", "cy@example.com"]} | ESCALATED)
        world.advance(60_000)
        world.timers.fire(place.token["id"])
        ann = stack.browser_of("ann")
        place.answer(ann, "approve")
        stack.api.change(place.token, approvers={"add": [{"id": "of ann", "subject": "ann"}]})
        ann.post(place.url, place.form_of_session(ann))
        assert (place.given, place.shown["status"]) == ([("ann@example.com", "approve")], "WAITING")

    @pytest.mark.parametrize("email", ["ann@example.com", "Ann@Example.COM"])
    def test_does_not_answer_twice_by_two_accounts_of_one_mailbox(self, place: Place, email: str) -> None:
        """Some issuers join a password and Google, or make an account anew: one mailbox has two subjects."""
        place.answer(place.stack.browser_of("ann"), "approve", "fine")
        second = place.stack.browser_of("ann-second", email, domain="example.com")
        assert "Your answer was recorded" in place.open(second).text
        answered = second.post(place.url, place.form_of_session(second))
        assert "Your first answer stands" in page_of(answered).text
        assert ([action for _, action in place.given], place.shown["status"]) == (["approve"], "WAITING")
        place.answer(place.stack.browser_of("bo"), "approve")
        assert [one["signedIn"]["subject"] for one in place.result()["output"]["answers"]] == ["ann", "bo"]

    def test_does_not_answer_twice_by_two_accounts_at_once(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """Both have read the page before either has answered, so the answers' condition decides."""
        first, second = place.stack.browser_of("ann"), place.stack.browser_of("ann-second", "ann@example.com")
        form = place.form(second)
        answer = place.world.store.answer

        def answer_after_the_other(*given: Any) -> Any:
            monkeypatch.setattr(place.world.store, "answer", answer)
            assert place.answer(first, "approve").status == 200
            return answer(*given)

        monkeypatch.setattr(place.world.store, "answer", answer_after_the_other)
        assert "Your first answer stands" in page_of(second.post(place.url, form)).text
        assert ([action for _, action in place.given], place.shown["status"]) == (["approve"], "WAITING")

    def test_who_was_removed_is_told_so(self, stack: SignInStack, world: World) -> None:
        place = Place(stack, {**NAMED, "approvers": [*NAMED["approvers"], "cy@example.com"]})
        stack.api.change(place.token, approvers={"remove": ["ann@example.com"]})
        assert has_nothing_to_press(page_of(is_refused(world, lambda: stack.browser_of("ann").get(place.url), 403)))
        added = {"approvers": {"add": ["Jörg"]}}
        asks = partial(stack.api.request, "PATCH", path_of(place.token), added)
        is_refused(world, asks, 422, "cannot sign in")

    def test_confirms_in_the_same_session(self, stack: SignInStack) -> None:
        place = Place(stack, {**OPEN, "confirm": True})
        ann = stack.browser_of("ann")
        asked = page_of(place.answer(ann, "reject"))
        confirmed = {**form_of(asked), "action": "reject", "field.note": "", "confirmed": "yes"}
        assert "Thank you" in page_of(ann.post(place.url, confirmed)).text

    def test_has_as_much_room_as_a_page_without_a_sign_in_less_the_evidence(self, place: Place) -> None:
        assert place.answer(place.stack.browser_of("ann"), "reject", "x" * (MAX_ANSWER - 100)).status == 413
        assert place.answer(place.stack.browser_of("ann"), "reject", "x" * (MAX_ANSWER - 300)).status == 200

    def test_sees_after_the_end_what_was_answered(self, place: Place) -> None:
        place.assert_waits()
        assert "Decided by" in place.open(place.stack.browser_of("ann")).text

    def test_sees_how_many_of_their_domain_are_needed(self, open_to_all: Place) -> None:
        assert "2 people must choose Approve. So far: 0." in open_to_all.open(open_to_all.stack.browser_of("ann")).text
        open_to_all.answer(open_to_all.stack.browser_of("ann"), "approve", "checked twice")
        shown = open_to_all.open(open_to_all.stack.browser_of("bo")).text
        assert "ann@example.comApprove" in shown
        assert "checked twice" in shown


class TestRetrieve:
    def test_says_who_must_sign_in(self, place: Place) -> None:
        rule = True if "approvers" in place.page else {"domains": ["example.com"]}
        assert place.shown["page"] == {"title": "Pay 1,200 to ACME?", "signIn": rule}
        answers.WaitpointTokenObject.model_validate(place.shown)
        [listed] = place.stack.api.get(TOKENS).json["data"]
        assert listed["page"] == {"title": "Pay 1,200 to ACME?"}


class TestTheLinks:
    """All people use one URL, which names no one, so it may be passed on."""

    def test_of_all_people_are_the_callback_url(self, stack: SignInStack) -> None:
        place = Place(stack, {**NAMED, "escalate": {"after": "1m", "to": ["lea@example.com"]}})
        again = stack.api.create(page=place.page, idempotencyKey=KEY)
        assert again["isCached"]
        links = [{"approver": who, "url": place.url} for who in ("ann@example.com", "bo", "lea@example.com")]
        assert place.token["links"] == again["links"] == place.shown["links"] == links
        handed_over = {"add": ["cy@example.com"], "remove": ["bo"]}
        for _ in range(2):
            changed = stack.api.change(place.token, approvers=handed_over)
            assert changed["links"] == [{"approver": "cy@example.com", "url": place.url}]
        assert {one["url"] for one in place.shown["links"]} == {place.url}

    def test_of_nobody_where_the_page_names_nobody(self, open_to_all: Place) -> None:
        assert open_to_all.token["links"] == open_to_all.shown["links"] == []
        assert open_to_all.shown["url"] == open_to_all.url


class TestAnAttack:
    def test_by_a_scanner_that_follows_every_link_answers_for_nobody_and_signs_nobody_out(
        self, world: World, idp: FakeIssuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is a mail filter, or a browser that loads links in advance, with the cookies of who may answer and who may not."""
        place = Place(sign_in.install(world, idp.url, monkeypatch), NAMED)
        for browser in (place.stack.browser(), place.stack.browser_of("eve"), place.stack.browser_of("ann")):
            session = browser.cookies.get(COOKIE)
            links = [place.url, *page_of(browser.get(place.url)).links] * 3
            assert {browser.get(link).status for link in links} <= {200, 303, 403}
            assert browser.cookies.get(COOKIE) == session
        assert "otherDeliveries" not in place.shown
        place.assert_waits()

    def test_by_cors_gets_no_credentials(self, place: Place) -> None:
        answer = place.stack.browser_of("ann").get(place.url, origin="https://evil.example")
        assert [name for name in answer.headers if name.startswith("access-control")] == []


def assert_is_unreadable(content: str) -> None:
    """It is encrypted, not only compressed, beside a nonce."""
    sealed = base64.b64decode(content + "=" * (-len(content) % 4), "-_")
    with pytest.raises(zlib.error):
        zlib.decompress(sealed[16:])


NOTE = "Checked twice.\r\n<b>Bo</b> says ja, 日本."


class TestASessionThatEndsWhileSomebodyWrites:
    """Nothing is sent, and nothing is lost: who wrote it has it in the form again. Nobody else reads it."""

    @staticmethod
    def interrupted(place: Place, note: str = NOTE, **headers: str) -> tuple[Browser, HttpAnswer]:
        """Ann's browser, whose session was over when she pressed the button, and what it was answered."""
        ann = place.stack.browser_of("ann")
        form = place.form(ann, "approve", note)
        ann.cookies.clear()
        return ann, ann.post(place.url, form, **headers)

    @staticmethod
    def signed_in(place: Place, browser: Browser, who: str, **session: Any) -> Browser:
        browser.cookies |= place.stack.browser_of(who, **session).cookies
        return browser

    def test_is_told_so_and_finds_it_in_the_form_again(self, place: Place, log: io.StringIO) -> None:
        ann, answer = self.interrupted(place)
        assert (answer.status, says_nothing(answer)) == (403, True)
        assert "Your answer was not sent yet" in page_of(answer).text
        assert "After you sign in" in answer.text
        [kept] = answer.cookies
        assert f"Path={place.path};" in kept
        place.stack.session_key.rotate("the next key of this stack")
        shown = self.signed_in(place, ann, "ann").get(place.url)
        page = page_of(shown)
        assert page.title.startswith("Your answer was not sent yet: Pay 1,200")
        assert ("field.note", NOTE) in page.fields
        assert ann.cookies.keys() == {COOKIE}, "it is shown once"
        assert ("field.note", "") in place.open(ann).fields
        assert (place.given, place.shown["status"]) == ([], "WAITING")
        assert ann.post(place.url, {**form_of(page), "action": "approve", "field.note": NOTE}).status == 200
        assert place.shown["answers"][0]["fields"] == {"note": NOTE.replace("\r\n", "\n")}
        assert_is_unreadable(kept.partition("=")[2].partition(".")[0])
        assert "Checked" not in log.getvalue()

    @pytest.mark.parametrize("language", words.WORDS)
    def test_is_told_so_in_their_language(self, place: Place, language: str) -> None:
        _, answer = self.interrupted(place, **{"accept-language": language})
        assert words.WORDS[language]["unsent_heading"] in page_of(answer).text

    def test_is_not_read_by_who_signs_in_instead_and_kept_for_who_wrote_it(self, place: Place) -> None:
        ann, _ = self.interrupted(place)
        for other in ("bo", "eve", "ann-second"):
            shown = self.signed_in(place, ann, other).get(place.url)
            assert "Checked" not in shown.text
            assert "was not sent" not in shown.text
        assert "Checked" in self.signed_in(place, ann, "ann").get(place.url).text

    def test_is_kept_while_somebody_else_is_signed_in(self, place: Place) -> None:
        """In another tab, as who may not answer here."""
        ann = place.stack.browser_of("ann")
        form = place.form(ann, "approve", NOTE)
        eve = self.signed_in(place, ann, "eve", email="eve@other.example")
        answer = eve.post(place.url, form)
        assert (answer.status, "Checked" in answer.text, "was not sent yet" in answer.text) == (403, False, True)
        too_large = eve.post(place.url, {**form, "field.note": "Checked" * 3_000})
        assert (too_large.status, "Checked" in too_large.text, too_large.cookies) == (403, False, ())
        assert "Checked" in self.signed_in(place, ann, "ann").get(place.url).text

    @pytest.mark.parametrize(("who", "is_filled_in"), [("ann", True), ("bo", False)])
    def test_signed_in_again_in_another_tab_sends_nothing(self, place: Place, who: str, is_filled_in: bool) -> None:
        ann = place.stack.browser_of("ann")
        form = place.form(ann, "approve", NOTE)
        answer = self.signed_in(place, ann, who).post(place.url, form)
        page = page_of(answer)
        assert (answer.status, place.given) == (403, [])
        assert (("field.note", NOTE) in page.fields, "was not sent yet" in page.text) == (is_filled_in, is_filled_in)

    def test_with_too_much_to_keep_can_copy_it_before_the_sign_in(self, place: Place) -> None:
        note = "".join(random.Random(7).choices(string.printable[:90], k=6_000))  # noqa: S311 - a text that does not compress
        _, answer = self.interrupted(place, note)
        page = page_of(answer)
        assert (answer.cookies, note in page.text) == ((), True)
        assert "Copy it before you sign in" in page.text

    def test_without_a_form_of_anybody_is_kept_nothing(self, place: Place) -> None:
        for session in ("", "x", f"{'x' * 43}.y", place.stack.sessions.issuer):
            form = {"action": "approve", "field.note": NOTE, "session": session}
            assert place.stack.browser().post(place.url, form).cookies == ()
        forged = place.stack.browser()
        forged.post(place.url, {**form, "session": f".{'x' * 43}"})
        assert "Checked" not in self.signed_in(place, forged, "ann").get(place.url).text

    def test_gets_nothing_of_another_page_or_after_half_an_hour(self, place: Place) -> None:
        ann, _ = self.interrupted(place)
        other = place.stack.api.create(page=place.page)["url"]
        assert "Checked" not in self.signed_in(place, ann, "ann").get(other).text
        place.world.advance(LASTS)
        assert "Checked" not in ann.get(place.url).text

    def test_reads_on_a_page_for_recent_sign_ins_that_nothing_was_sent(self, stack: SignInStack, world: World) -> None:
        place = Place(stack, {**OPEN, "maxAge": "5m"})
        ann = stack.browser_of("ann", auth_time=world.clock())
        form = place.form(ann, "approve", NOTE)
        world.advance(360_001)
        answer = ann.post(place.url, form)
        assert (answer.status, "was not sent yet" in answer.text, place.given) == (403, True, [])
        again = self.signed_in(place, ann, "ann", auth_time=world.clock())
        assert ("field.note", NOTE) in page_of(again.get(place.url)).fields

    def test_leaves_room_in_the_headers_that_api_gateway_accepts(self, place: Place) -> None:
        """10,240 bytes, of which a browser's own are about 1,500, beside five sign-ins that have begun."""
        long = f"{'x' * 60}@{'y' * 60}.{'y' * 60}.example.com"
        ann = place.stack.browser_of("s" * 255, long, auth_time=place.world.clock())
        for _ in range(5):
            ann.keep(services.attempts.begin({}, place.path, 86_400)[1][0])
        sent = "; ".join(f"{name}={text}" for name, text in ann.cookies.items())
        assert len(sent) + len(f"; {DRAFT}=") + MOST + len(place.path) < 10_240 - 1_500


class TestMaxAge:
    def test_asks_for_a_recent_sign_in_and_checks_it(self, stack: SignInStack, world: World) -> None:
        place = Place(stack, {**OPEN, "maxAge": "5m"})
        now = world.clock()
        for auth_time, is_shown in ((now - 360_000, True), (now - 360_001, False), (None, False)):
            answer = stack.browser_of("ann", auth_time=auth_time).get(place.url)
            assert says_nothing(answer) is not is_shown
            if not is_shown:
                assert "max_age=300" in page_of(answer).links[0]
                assert "You signed in some time ago." in answer.text


class TestAChangedIssuer:
    @pytest.mark.parametrize("variable", ["OIDC_ISSUER", "OIDC_CLIENT_ID"])
    def test_is_said_by_waiting_pages(self, place: Place, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
        ann = place.stack.browser_of("ann")
        monkeypatch.setenv(variable, "another")
        assert says_nothing(is_refused(place.world, lambda: ann.get(place.url), 403, "The way to sign in has changed"))

    def test_that_was_removed_is_said_and_the_root_key_ends_them(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OIDC_ISSUER")
        monkeypatch.setitem(vars(services), "sessions", None)
        answer = place.stack.browser().get(place.url)
        assert "The way to sign in has changed" in page_of(answer).text
        assert place.stack.api.complete(place.token, error=ERROR)["settled"] is True


Way = Callable[[Place], Callable[[Any], HttpAnswer]]
"""Prepares all that is there before. Returns what tries to end the token."""


def by_api(credential: Callable[[Place], str], of_key: str = "") -> Way:
    def prepare(place: Place) -> Callable[[Any], HttpAnswer]:
        url, named = (COMPLETE_BY_KEY, {"idempotencyKey": of_key}) if of_key else (f"{path_of(place.token)}/complete", {})
        headers = {**JSON, "authorization": f"Bearer {credential(place)}"}
        return lambda sent: place.stack.api.post(url, {**named, **sent}, headers)

    return prepare


def by_state(**named: str) -> Way:
    def complete(place: Place, sent: Any) -> HttpAnswer:
        function = Template.load(SIGN_IN).functions()["complete_token_in_state"]
        with pytest.raises(Forbidden) as refused:
            function.call({**(named or {"waitpointId": place.token["id"]}), **sent})
        return HttpAnswer(403, JSON, json.dumps({"error": refused.value.message, "code": "unauthorized"}))

    return lambda place: partial(complete, place)


def by_url(headers: Mapping[str, str], approver: str = "") -> Way:
    def post(place: Place, sent: Any) -> HttpAnswer:
        body = "action=reject&field.note=" if headers is FORM else json.dumps(sent.get("data", sent))
        return place.stack.api.post(personal(place, approver) if approver else place.url, body, headers)

    return lambda place: partial(post, place)


def root(place: Place) -> str:
    return place.world.api_key.read_current()


def with_scope(*scopes: str) -> Callable[[Place], str]:
    return lambda place: place.world.api_key_store.make("robot", *scopes)


def public_token(scope: str) -> Callable[[Place], str]:
    return lambda place: place.world.credentials.sign_public_access_token([scope.format(place.token["id"])])


def pressing(change: Callable[[Place, Browser, dict[str, str]], object] = lambda *_: None, site: str = "same-origin") -> Way:
    """Ann's browser has the page and presses a button, after a change of the browser or the form."""

    def press(place: Place) -> Callable[[Any], HttpAnswer]:
        ann = place.stack.browser_of("ann")
        form = place.form(ann)
        change(place, ann, form)
        return lambda _: ann.post(place.url, form, **{"sec-fetch-site": site})

    return press


def with_session(session: str) -> Way:
    return pressing(lambda _, __, form: form.update(session=session))


def of_another_token(place: Place, ann: Browser, form: dict[str, str]) -> None:
    form |= form_of(page_of(ann.get(place.stack.api.create(page=place.page)["url"])))


def of_another_person(place: Place, _: Browser, form: dict[str, str]) -> None:
    """As in a tab that was opened before somebody else signed in."""
    form |= form_of(place.open(place.stack.browser_of("bo")))


def rotated(place: Place, *_: Any) -> None:
    place.stack.session_key.rotate("the next key of this stack")


def signed_in_again(place: Place, ann: Browser, _: Any) -> None:
    """After a rotation, so the form is that of another session."""
    rotated(place)
    ann.cookies = place.stack.browser_of("ann").cookies


def json_in_a_session(place: Place) -> Callable[[Any], HttpAnswer]:
    cookie = "; ".join(f"{name}={text}" for name, text in place.stack.browser_of("ann").cookies.items())
    headers = {**JSON, "cookie": cookie, "sec-fetch-site": "same-origin"}
    return lambda _: place.stack.api.post(place.url, json.dumps(REJECT), headers)


ROOT_ONLY = "Only who signs in, and the root key by its id, complete this waitpoint"
ON_ITS_PAGE = "Only who has signed in answers this waitpoint, on its own page"
NOT_ASKED, UNSENT = "Your answer is not needed right now", "Your answer was not sent yet"
AGAIN = "You are answering as ann@example.com."
"""The person is known, so they see the page again, and what was sent is one more of the other deliveries."""
PROGRAMS: dict[str, tuple[Way, str]] = {
    "named key, by id": (by_api(with_scope("complete", "create")), ROOT_ONLY),
    "public token, by id": (by_api(public_token("write:waitpoints:{}")), ROOT_ONLY),
    "public token for all, by id": (by_api(public_token("admin")), ROOT_ONLY),
    "root key, by key": (by_api(root, KEY), ROOT_ONLY),
    "named key, by key": (by_api(with_scope("complete"), KEY), ROOT_ONLY),
    "state, by id": (by_state(), ROOT_ONLY),
    "state, by key": (by_state(idempotencyKey=KEY), ROOT_ONLY),
    "callback URL, JSON": (by_url(JSON), ON_ITS_PAGE),
    "callback URL, form": (by_url(FORM), NOT_ASKED),
    "personal link, JSON": (by_url(JSON, "ann@example.com"), ON_ITS_PAGE),
    "personal link, form": (by_url(FORM, "ann@example.com"), NOT_ASKED),
}
"""Who, by which way, and in which words they are refused. The root key by id is the one that ends the token."""
BROWSERS: dict[str, tuple[Way, str]] = {
    **{f"from {site}": (pressing(site=site), NOT_ASKED) for site in ("cross-site", "same-site", "none", "")},
    "form without its token": (pressing(lambda _, __, form: form.pop("session")), AGAIN),
    "form with an empty token": (with_session(""), AGAIN),
    "form with a made-up token": (with_session("0" * 64), AGAIN),
    "form of another token": (pressing(of_another_token), AGAIN),
    "form of another person": (pressing(of_another_person), AGAIN),
    "form of a session before": (pressing(signed_in_again), AGAIN),
    "cookie that ended": (pressing(lambda _, ann, __: ann.cookies.clear()), UNSENT),
    "cookie whose key was rotated": (pressing(rotated), UNSENT),
    "JSON in a session": (json_in_a_session, AGAIN),
}
SENT: tuple[Any, ...] = ({"data": REJECT}, {"error": ERROR}, {}, {"data": "x" * 200_000})


def personal(place: Place, approver: str) -> str:
    return place.world.urls.url(place.token["id"], "", approver)


class TestNobodyElseAnswersAsThem:
    @pytest.mark.parametrize(
        ("way", "sent"), [*product(PROGRAMS, SENT), *((way, None) for way in BROWSERS)], ids=lambda it: str(it)[:40]
    )
    def test_by_another_way(self, place: Place, way: str, sent: Any) -> None:
        act, says = (PROGRAMS | BROWSERS)[way]
        answer = is_refused(place.world, partial(act(place), sent), 403, says, is_counted=says == AGAIN)
        assert says_nothing(answer) is (says != AGAIN)
        assert says != NOT_ASKED or has_nothing_to_press(page_of(answer))

    @pytest.mark.parametrize("sent", [SENT[0], SENT[-1]], ids=["fits", "large"])
    def test_by_an_endpoint_whose_delivery_is_counted_as_not_matching(self, place: Place, sent: Any) -> None:
        endpoint = place.stack.api.put_endpoint("orders", output="body.o")
        assert place.stack.api.deliver(endpoint, {"id": "4711", "o": sent["data"]}).status == 200
        place.assert_waits()

    @pytest.mark.parametrize("sent", [{"data": REJECT}, {"error": ERROR}], ids=["complete", "fail"])
    def test_the_root_key_ends_it_by_its_id_as_an_override(self, place: Place, sent: Any) -> None:
        place.answer(place.stack.browser_of("ann"), "approve")
        assert by_api(root)(place)(sent).status == 200
        shown = place.shown
        assert (shown["status"], shown["completedBy"]["override"]) == ("COMPLETED", True)
        assert "signedIn" not in shown["completedBy"]
        assert [one["signedIn"]["subject"] for one in shown["answers"]] == ["ann"]

    @pytest.mark.parametrize("completion", [{"data": REJECT}, {"error": ERROR}, {}], ids=str)
    @pytest.mark.parametrize("page", [NAMED, OPEN], ids=["approvers", "domains"])
    def test_a_completion_that_came_first_is_not_claimed(self, stack: SignInStack, page: Any, completion: Any) -> None:
        kept = stack.api.complete_by_key(KEY, **completion)["id"]
        place = Place(stack, page)
        assert place.token["id"] != kept
        place.assert_waits()

    def test_a_click_in_slack_changes_nothing(self, stack: SignInStack, world: World) -> None:
        world.channels.add("slack")
        world.channel_secrets["SLACK_BOT_TOKEN"] = FakeSecret("xoxb")
        person = {"id": "ann", "email": "ann@example.com", "slack": "U024BE7LH"}
        for page in ({**NAMED, "approvers": [person, "bo@example.com"]}, OPEN):
            notify = {"slack": "#deploys", **({"email": True} if page is not OPEN else {})}
            world.channels.add("email")
            token = stack.api.create(page=page, notify=notify)
            click = Click(token["id"], "reject", "U024BE7LH", "ann", None, "")
            assert _answer(click, CompletedBy(source=Source.CALLBACK)) == "This can only be answered on its page."
            shown = stack.api.retrieve(token["id"])
            assert (shown["status"], shown["answers"], shown["otherDeliveries"]["count"]) == ("WAITING", [], 1)

    def test_slack_has_a_link_in_place_of_buttons(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("API_URL", "https://api.example.com")
        token = place.world.tokens.retrieve(place.token["id"])
        page = definition.of_token(token)
        asked = replace(slack.notice(), page=page, token=token)
        assert channels.link_of(asked) == place.url
        blocks = json.dumps(slack_message.message(replace(asked, link=place.url), "", lambda: True))
        assert slack_message.OPENED in blocks
        assert slack_message.PRESSED not in blocks
        assert [slack_message.choice_of(page, action.id) for action in page.actions] == [None, None]

    def test_an_earlier_release_settles_none(self, place: Place) -> None:
        token = place.world.store.find(place.token["id"])
        assert token is not None
        assert token.since_version == SINCE["signIn"]


class TestACreate:
    @pytest.mark.parametrize(
        ("environment", "body", "says"),
        [
            *(({"OIDC_ISSUER": ""}, {"page": page}, "OidcIssuer") for page in (NAMED, OPEN)),
            ({"SIGN_IN": "required"}, {"page": {"title": "t"}}, "SignIn=required"),
            ({"SIGN_IN": "required"}, {"page": {"title": "t", "approvers": ["ann@example.com"]}}, "SignIn=required"),
            ({}, {"page": OPEN, "notify": {"email": True}}, "notify"),
        ],
    )
    def test_is_refused(
        self, stack: SignInStack, world: World, monkeypatch: pytest.MonkeyPatch, environment: Any, body: Any, says: str
    ) -> None:
        world.channels.add("email")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        is_refused(world, partial(stack.api.post, TOKENS, body), 422, says)

    @pytest.mark.parametrize("body", [{}, {"page": NAMED}, {"page": OPEN}], ids=["no page", "approvers", "domains"])
    def test_on_a_stack_that_requires_it_may_have_no_page(
        self, stack: SignInStack, monkeypatch: pytest.MonkeyPatch, body: Any
    ) -> None:
        monkeypatch.setenv("SIGN_IN", "required")
        stack.api.create(**body)

    def test_reaches_people_of_a_domain_by_addresses(self, stack: SignInStack, world: World) -> None:
        world.channels.add("email")
        stack.api.create(page=OPEN, notify={"email": ["team@example.com"]})

    def test_of_many_of_a_domain_is_decided_by_twenty_at_most(self, stack: SignInStack) -> None:
        page = {**OPEN, "actions": [{**ACTIONS[0], "needs": 20}, ACTIONS[1]]}
        place = Place(stack, page)
        for number in range(20):
            assert place.answer(stack.browser_of(f"person-{number}"), "approve").status == 200
        assert place.shown["status"] == "COMPLETED"
        assert len(place.result()["output"]["answers"]) == 20


HELD_BY: dict[str, dict[str, Any]] = {
    "no page": {},
    "a page without a sign-in": {"page": {**SHARED, "approvers": ["ann@example.com", "bo@example.com"]}},
    "a page for a domain": {"page": OPEN},
    "other people": {"page": {**NAMED, "approvers": ["mallory@example.com", "bo@example.com"]}},
    "another subject": {"page": {**NAMED, "approvers": ["ann@example.com", {"id": "bo", "name": "Bo Lee", "subject": "eve"}]}},
    "more people later": {"page": {**NAMED, "escalate": {"after": "1m", "to": ["mallory@example.com"]}}},
    "fewer needed": {"page": {**NAMED, "actions": [{**ACTIONS[0], "needs": 1}, ACTIONS[1]]}},
    "who asks answers": {"page": {**NAMED, "selfApproval": True}},
    "an old sign-in": {"page": {**NAMED, "maxAge": "24h"}},
    "another question": {"page": {**NAMED, "title": "Order pizza?"}},
}


class TestAKeyThatIsHeld:
    @pytest.mark.parametrize("ends", [False, True], ids=["waits", "completed"])
    @pytest.mark.parametrize("holder", HELD_BY)
    def test_by_another_page_gives_its_token_to_no_run(
        self, stack: SignInStack, world: World, monkeypatch: pytest.MonkeyPatch, holder: str, ends: bool
    ) -> None:
        monkeypatch.setenv("API_URL", "https://api.example.com")
        held = stack.api.create(idempotencyKey=KEY, **HELD_BY[holder])
        if ends:
            stack.api.post(f"{TOKENS}/{held['id']}/complete", {"error": ERROR})
        before, waiters = world.store.find(held["id"]), [world.new_waiter() for _ in range(2)]
        wanted = [{"idempotencyKey": KEY, "page": NAMED, "taskToken": waiter.handle} for waiter in waiters]
        answer = is_refused(world, lambda: stack.api.post(TOKENS, wanted[0]), 409)
        assert says_nothing(answer)
        Template.load(SIGN_IN).functions()["create_token_in_state"].call(wanted[1])
        results = [world.step_functions.result(waiter.handle) for waiter in waiters]
        assert results == [None, Failure("KeyTaken", answer.json["error"])]
        assert (world.store.find(held["id"]), [*world.store.tokens]) == (before, [held["id"]])

    @pytest.mark.parametrize(
        ("page", "again"),
        [*((page, dict(reversed(page.items()))) for page in (NAMED, OPEN, WITH_REQUESTER)), (NAMED, WITH_REQUESTER)],
        ids=["approvers", "domains", "who asks among them", "who asks among them now"],
    )
    def test_by_the_same_page_gives_its_token_however_it_is_written(self, stack: SignInStack, page: Any, again: Any) -> None:
        first = stack.api.create(idempotencyKey=KEY, page=page)
        assert stack.api.create(idempotencyKey=KEY, page=again) == {**first, "isCached": True}

    def test_by_the_same_page_gives_its_token_after_a_hand_over_and_the_end(self, named: Place, world: World) -> None:
        named.stack.api.change(named.token, approvers={"add": ["cy@example.com"], "remove": ["bo"]})
        late, later = world.new_waiter(), world.new_waiter()
        again = {"idempotencyKey": KEY, "page": NAMED}
        assert named.stack.api.create(**again, taskToken=late.handle)["id"] == named.token["id"]
        for who in ("ann", "cy"):
            assert named.answer(named.stack.browser_of(who), "approve").status == 200
        assert named.stack.api.create(**again, taskToken=later.handle)["id"] == named.token["id"]
        assert [one["approver"] for one in named.result()["output"]["answers"]] == ["ann@example.com", "cy@example.com"]
        assert isinstance(world.step_functions.result(late.handle), Success)
        assert world.step_functions.result(later.handle) == world.step_functions.result(late.handle)

    def test_of_a_request_is_checked_too(self, stack: SignInStack, world: World) -> None:
        """An SDK sends it with each attempt of a call."""
        headers = {**stack.api.authorized, "x-trigger-request-idempotency-key": "one-call"}
        first = stack.api.post(TOKENS, {"page": NAMED}, headers)
        assert stack.api.post(TOKENS, {"page": NAMED}, headers).json == first.json
        is_refused(world, lambda: stack.api.post(TOKENS, {"page": OPEN}, headers), 409)

    def test_by_a_completion_that_another_create_claims_meanwhile_is_refused(
        self, stack: SignInStack, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = stack.api.complete_by_key(KEY, data=REJECT)["id"]
        find = world.store.find

        def find_and_lose(token_id: str) -> Any:
            found = find(token_id)
            monkeypatch.setattr(world.store, "find", find)
            assert stack.api.create(idempotencyKey=KEY)["id"] == kept
            return found

        monkeypatch.setattr(world.store, "find", find_and_lose)
        assert stack.api.post(TOKENS, {"idempotencyKey": KEY, "page": NAMED}).status == 409
        assert [*world.store.tokens] == [kept]

    def test_until_its_ttl_is_free_then(self, stack: SignInStack, world: World) -> None:
        held = stack.api.create(idempotencyKey=KEY, idempotencyKeyTTL="60s")
        world.advance(60_000)
        assert stack.api.create(idempotencyKey=KEY, page=NAMED)["id"] != held["id"]

    def test_by_a_sign_in_gives_a_page_without_one_more_than_it_asks_for(
        self, named: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is read for it."""
        monkeypatch.setattr(named.world.store, "read_document", None)
        assert named.stack.api.create(idempotencyKey=KEY, page={"title": "Go?"})["id"] == named.token["id"]


def test_a_browser_that_asks_for_no_html_is_told_the_method(place: Place) -> None:
    assert place.stack.api.get(place.url, {"accept": "application/json"}).status == 405
    assert place.stack.api.get(place.url, BROWSER).status == 200
