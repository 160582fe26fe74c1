"""The page behind a callback URL, over the HTTP API: what a person, a program and a robot get in each state of its token."""

import io
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from in_process.api_gateway import TOKENS, Api, HttpAnswer
from tests.support.fakes.in_memory import RETENTION, InMemory
from tests.support.html_page import HtmlPage
from waitpoints.errors import TryAgain
from waitpoints.waiter_result import Success

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "accept-language": "en-GB,en;q=0.9"}
FORM = {**BROWSER, "content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
APPROVAL: dict[str, Any] = {
    "title": "Deploy 4.2 to production?",
    "text": "All checks passed.\nAnn built it.",
    "links": [{"label": "Release notes", "url": "https://example.com/notes?a=1&b=2"}],
    "actions": [{"id": "approve", "label": "Approve it"}, {"id": "reject", "label": "Reject it", "style": "danger"}],
    "fields": {
        "type": "object",
        "required": ["amount"],
        "properties": {
            "amount": {"type": "integer", "title": "Amount", "minimum": 1},
            "share": {"type": "number", "title": "Share"},
            "note": {"type": "string", "format": "textarea", "title": "Note"},
            "urgent": {"type": "boolean", "title": "Urgent"},
            "regions": {"type": "array", "title": "Regions", "items": {"enum": ["eu", "us"]}},
        },
    },
}
FITTING = {"field.amount": "7", "field.share": "2.5", "field.note": "Fine <b>\r\nby me"}
GIVEN = {"amount": 7, "share": 2.5, "note": "Fine <b>\nby me", "urgent": False}
NOTHING_TO_PRESS = {"button", "form", "input", "textarea", "select"}


@pytest.fixture
def token(api: Api) -> dict[str, Any]:
    created: dict[str, Any] = api.create(page=APPROVAL, timeout="1d")
    return created


def opened(api: Api, token: Mapping[str, Any], **headers: str) -> HtmlPage:
    """The page of a token, as a browser opens it."""
    answer = api.get(token["url"], {**BROWSER, **headers})
    assert answer.status == 200, answer.text
    return page_of(answer)


def page_of(answer: HttpAnswer) -> HtmlPage:
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(answer.text.encode()) < 50_000
    return HtmlPage(answer.text)


def submit(api: Api, token: Mapping[str, Any], fields: Any = FITTING, action: str | None = "approve") -> HttpAnswer:
    """Post the form as a browser does."""
    pairs = [*(fields.items() if isinstance(fields, Mapping) else fields), *([("action", action)] if action else [])]
    return api.post(token["url"], urlencode(pairs).encode(), FORM)


def output(api: Api, token: Mapping[str, Any]) -> Any:
    shown = api.retrieve(token["id"])
    assert shown["status"] == "COMPLETED", shown
    return json.loads(shown["output"])


def assert_untouched(api: Api, token: Mapping[str, Any], count: int | None = None) -> None:
    shown = api.retrieve(token["id"])
    assert (shown["status"], "output" in shown) == ("WAITING", False)
    assert shown.get("otherDeliveries", {}).get("count") == count


def has_nothing_to_press(page: HtmlPage) -> bool:
    return not NOTHING_TO_PRESS & {tag for tag, _ in page.tags} and not page.links


class TestGet:
    def test_shows_the_page_of_a_waiting_token(self, api: Api, token: dict[str, Any]) -> None:
        page = opened(api, token)
        for text in ("Example Ltd", APPROVAL["title"], APPROVAL["text"], "Release notes", "Amount", "Open until "):
            assert str(text) in page.text
        assert page.title == "Deploy 4.2 to production? · Example Ltd"
        assert page.links == ["https://example.com/notes?a=1&b=2"]
        assert page.buttons == {"Approve it": ("action", "approve"), "Reject it": ("action", "reject")}
        assert_untouched(api, token)

    def test_forbids_what_a_page_could_be_abused_for(self, api: Api, token: dict[str, Any]) -> None:
        headers = api.get(token["url"], BROWSER).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        expected = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}
        assert {name: headers[name] for name in expected} == expected
        assert headers["vary"] == "Accept, Accept-Language"

    @pytest.mark.parametrize(
        ("accepted", "language"), [("fr-CA, en;q=0.5", "fr"), ("it, ja;q=0.8, de;q=0.9", "de"), ("it", "en")]
    )
    def test_speaks_the_language_that_the_browser_asks_for(
        self, api: Api, token: dict[str, Any], accepted: str, language: str
    ) -> None:
        answer = api.get(token["url"], {**BROWSER, "accept-language": accepted})
        assert page_of(answer).language == answer.headers["content-language"] == language

    def test_of_a_token_without_a_page_shows_that_it_waits_and_nothing_to_press(self, api: Api) -> None:
        token = api.create(timeout="1d")
        page = opened(api, token)
        assert "This link lets another system complete a request" in page.text
        assert "Open until" in page.text
        assert has_nothing_to_press(page)
        assert_untouched(api, token)

    def test_after_the_choice_says_what_was_decided_but_not_by_whom_or_with_which_fields(
        self, api: Api, token: dict[str, Any]
    ) -> None:
        assert submit(api, token, {**FITTING, "field.note": "secret-note"}).status == 200
        page = opened(api, token)
        assert "Decided" in page.text
        assert "Approve it was chosen" in page.text
        assert "secret-note" not in page.html
        assert "192.0.2" not in page.html
        assert has_nothing_to_press(page)

    @pytest.mark.parametrize("asked", [APPROVAL, None])
    def test_of_a_token_that_was_failed_says_that_it_was_cancelled_and_no_more(self, api: Api, asked: Any) -> None:
        failed = api.create(**({"page": asked} if asked else {}))
        api.post(f"{TOKENS}/{failed['id']}/complete", {"error": {"message": "secret-reason"}})
        page = opened(api, failed)
        assert "This request was cancelled" in page.text
        assert "ompleted" not in page.text
        assert [icon["class"] for tag, icon in page.tags if tag == "svg"] == ["icon alert"]
        assert "secret-reason" not in page.html
        assert has_nothing_to_press(page)

    def test_of_a_completed_token_without_a_page_says_only_that(self, api: Api) -> None:
        token = api.create()
        api.post(token["url"], {"secret": "of the sender"})
        page = opened(api, token)
        assert "This request has been completed" in page.text
        assert "of the sender" not in page.html
        assert has_nothing_to_press(page)

    @pytest.mark.parametrize("asked", [APPROVAL, None])
    def test_after_the_timeout_says_that_it_has_ended(self, api: Api, world: InMemory, asked: Any) -> None:
        token = api.create(timeout="1m", **({"page": asked} if asked else {}))
        world.clock.advance(60_000)
        page = opened(api, token)
        assert "The time to answer is over" in page.text
        assert has_nothing_to_press(page)

    def test_with_a_wrong_hash_is_a_page_with_401(self, api: Api, token: dict[str, Any]) -> None:
        answer = api.get(token["url"][:-1] + ("0" if token["url"][-1] != "0" else "1"), BROWSER)
        assert answer.status == 401
        assert "This link is not valid" in page_of(answer).text
        assert APPROVAL["title"] not in answer.text

    def test_of_a_removed_token_is_a_page_with_404(self, api: Api, token: dict[str, Any], world: InMemory) -> None:
        submit(api, token)
        world.clock.advance(RETENTION * 1000)
        answer = api.get(token["url"], BROWSER)
        assert answer.status == 404
        assert "This link no longer exists" in page_of(answer).text

    def test_that_fails_asks_to_try_again(
        self, api: Api, token: dict[str, Any], monkeypatch: pytest.MonkeyPatch, world: InMemory
    ) -> None:
        monkeypatch.setattr(world.tokens, "retrieve", throttled)
        answer = api.get(token["url"], BROWSER)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert "Please try again" in page_of(answer).text

    @pytest.mark.parametrize("accepted", [None, "*/*", "application/json", "image/avif,image/webp,*/*;q=0.8", ""])
    def test_that_does_not_ask_for_html_is_405_whatever_the_state(
        self, api: Api, token: dict[str, Any], accepted: str | None
    ) -> None:
        headers = {} if accepted is None else {"accept": accepted}
        for url in (token["url"], api.create()["url"]):
            answer = api.get(url, headers)
            assert (answer.status, answer.headers["allow"]) == (405, "POST")
            assert answer.error
        wrong = api.get(token["url"][:-4] + "0000", headers)
        assert (wrong.status, wrong.error) == (401, api.post(token["url"][:-4] + "0000", b"", headers).error)
        assert_untouched(api, token)

    @pytest.mark.parametrize("asked", [APPROVAL, None])
    def test_that_is_a_handshake_is_answered_also_to_a_browser(self, api: Api, asked: Any) -> None:
        token = api.create(**({"page": asked} if asked else {}))
        for headers in (BROWSER, {}):
            answer = api.get(token["url"] + "?challenge=abc_-123", headers)
            assert (answer.status, answer.text) == (200, "abc_-123")
            assert answer.headers["content-type"].startswith("text/plain")
            meta = api.get(token["url"] + "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=t", headers)
            assert (meta.status, meta.text) == (200, "1158201444")
        assert_untouched(api, token)


class TestAPerson:
    def test_who_submits_is_told_what_they_chose_and_the_run_gets_exactly_that(self, api: Api, world: InMemory) -> None:
        waiter = world.new_waiter(context=True)
        token = api.create(page=APPROVAL, taskToken=waiter.handle, context=True)
        answer = submit(api, token, [*FITTING.items(), ("field.regions", "us"), ("field.regions", "eu")])
        page = page_of(answer)
        assert answer.status == 200
        assert "You chose Approve it." in page.text
        assert "UTC" in page.text
        assert has_nothing_to_press(page)
        expected = {"action": "approve", "fields": {**GIVEN, "regions": ["us", "eu"]}}
        assert output(api, token) == expected
        completed_by = api.retrieve(token["id"])["completedBy"]
        assert (completed_by["source"], completed_by["ip"]) == ("callback", "192.0.2.1")
        told = world.step_functions.result(waiter.handle)
        assert isinstance(told, Success)
        result = json.loads(told.json)
        assert result["output"] == expected
        assert result["completedBy"]["source"] == "callback"

    def test_whose_answers_do_not_fit_sees_them_again_with_the_errors(self, api: Api, token: dict[str, Any]) -> None:
        answers = [("field.amount", "0"), ("field.share", "a lot"), ("field.note", "  a\r\n<b>"), ("field.urgent", "yes")]
        answer = submit(api, token, [*answers, ("field.regions", "us")])
        page = page_of(answer)
        assert answer.status == 422
        assert page.title == "Error: Deploy 4.2 to production? · Example Ltd"
        assert "Please check your answers" in page.text
        assert "Open until " in page.text
        assert page.links[:2] == ["#f0", "#f1"]
        assert "Enter 1 or more." in page.text
        assert "Enter a number, such as 3.5." in page.text
        sent_again = [*answers[:2], ("field.note", "  a\r\n<b>"), *answers[3:], ("field.regions", "us")]
        assert page.fields == sent_again
        assert_untouched(api, token, 1)

        page.fields[:2] = [("field.amount", "3"), ("field.share", "")]
        assert api.post(token["url"], page.press("Reject it"), FORM).status == 200
        fields = {"amount": 3, "note": "  a\n<b>", "urgent": True, "regions": ["us"]}
        assert output(api, token) == {"action": "reject", "fields": fields}

    def test_types_numbers_as_their_language_writes_them(self, api: Api) -> None:
        token = api.create(page={**APPROVAL, "confirm": True})
        german = {**FORM, "accept-language": "de-AT,de;q=0.9"}
        wrong = urlencode({"field.amount": "x", "field.share": "2,5", "action": "approve"}).encode()
        assert api.post(token["url"], wrong, FORM).text.count("Enter a number, such as 3.5.") == 2
        again = page_of(api.post(token["url"], wrong, german))
        [share] = [one for _, one in again.tags if one.get("name") == "field.share"]
        assert (share["type"], share["value"]) == ("text", "2,5")
        again.fields[0] = ("field.amount", "7")
        asked = page_of(api.post(token["url"], again.press("Approve it"), german))
        assert "2,5" in asked.texts
        assert api.post(token["url"], asked.press("Bestätigen: Approve it"), german).status == 200
        assert output(api, token)["fields"]["share"] == 2.5

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"field.amount=7", "Choose one of the buttons."),
            (b"action=delete&field.amount=7", "Choose one of the buttons."),
            (b"action=approve&action=reject&field.amount=7", "Choose one of the buttons."),
            (b"action=approve", "Fill in this field."),
            (b"action=approve&field.amount=7&field.price=1", "The form could not be read."),
            (b"action=approve&field.amount=7&field.amount=8", "This answer is not accepted."),
            (b"action=approve&field.amount=7&field.regions=mars", "Choose one of the answers shown."),
            (b"action=approve&field.amount=%ff", "The form could not be read."),
            (b"\xff\xfe", "The form could not be read."),
            (b"", "Choose one of the buttons."),
        ],
    )
    def test_never_settles_with_anything_else(self, api: Api, token: dict[str, Any], body: bytes, said: str) -> None:
        answer = api.post(token["url"], body, FORM)
        assert answer.status == 422
        assert said in page_of(answer).text
        assert_untouched(api, token, 1)

    def test_who_comes_too_late_is_sent_to_what_was_decided(self, api: Api, token: dict[str, Any]) -> None:
        submit(api, token)
        late = submit(api, token, {"field.amount": "9"}, "reject")
        assert (late.status, late.text) == (303, "")
        location = token["url"].rpartition("/")[2]
        assert late.headers["location"] == location
        assert "Approve it was chosen" in opened(api, token).text
        assert output(api, token) == {"action": "approve", "fields": GIVEN}
        assert api.retrieve(token["id"])["otherDeliveries"]["count"] == 1

    def test_who_presses_twice_is_shown_what_they_chose(self, api: Api, token: dict[str, Any]) -> None:
        """The browser shows the answer to the second press only."""
        submit(api, token)
        assert submit(api, token).status == 303
        page = opened(api, token)
        assert "Decided" in page.texts
        assert "Approve it was chosen. No further answer is needed." in page.text

    def test_who_comes_after_the_timeout_is_sent_to_the_page_that_says_so(
        self, api: Api, token: dict[str, Any], world: InMemory
    ) -> None:
        world.clock.advance(86_400_000)
        assert submit(api, token).status == 303
        assert api.retrieve(token["id"])["status"] == "TIMED_OUT"
        assert "The time to answer is over" in opened(api, token).text

    def test_who_chooses_at_the_same_time_as_others_wins_or_is_sent_to_what_was_decided(self, api: Api) -> None:
        for _ in range(5):
            token = api.create(page=APPROVAL)
            with ThreadPoolExecutor(8) as pool:
                chosen = [("approve", "reject")[n % 2] for n in range(8)]
                statuses = list(pool.map(lambda action, token=token: submit(api, token, action=action).status, chosen))
            assert sorted(statuses) == [200] + [303] * 7
            winner = chosen[statuses.index(200)]
            assert output(api, token)["action"] == winner
            assert f"{winner.capitalize()} it was chosen" in opened(api, token).text

    def test_whose_choice_could_not_be_saved_is_asked_to_try_again(
        self, api: Api, token: dict[str, Any], monkeypatch: pytest.MonkeyPatch, world: InMemory
    ) -> None:
        with monkeypatch.context() as failing:
            failing.setattr(world.tokens, "complete", throttled)
            answer = submit(api, token)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert "Please try again" in page_of(answer).text
        assert submit(api, token).status == 200

    def test_writes_nothing_of_it_into_the_log(self, api: Api, token: dict[str, Any], log: io.StringIO) -> None:
        submit(api, token, {"field.amount": "secret-amount", "field.note": "secret-note"})
        submit(api, token, {"field.amount": "7", "field.note": "secret-note"})
        opened(api, token)
        submit(api, token, {"field.amount": "7", "field.note": "secret-note"})
        assert '"status":422' in log.getvalue()
        assert token["url"].rpartition("/")[2] not in log.getvalue()
        assert "secret-" not in log.getvalue()
        assert APPROVAL["title"] not in log.getvalue()

    def test_whose_choice_another_one_overtakes_is_counted_and_shown_what_was_decided(
        self, api: Api, world: InMemory, token: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The other choice comes while this one is checked against the page."""
        document = world.store.read_document

        def document_later(token_id: str, kind: Any) -> str | None:
            monkeypatch.setattr(world.store, "read_document", document)
            submit(api, token, action="reject")
            return document(token_id, kind)

        monkeypatch.setattr(world.store, "read_document", document_later)
        assert submit(api, token).status == 303
        assert output(api, token)["action"] == "reject"
        assert api.retrieve(token["id"])["otherDeliveries"]["count"] == 1

    def test_who_sends_too_much_is_told_so(self, api: Api, token: dict[str, Any]) -> None:
        answer = submit(api, token, {"field.note": "x" * 3_145_728})
        assert answer.status == 413
        assert "Your answer is too large" in page_of(answer).text
        assert_untouched(api, token)

    @pytest.mark.parametrize("text", ["'" * 3_000_000, "\\" * 3_000_000, "é" * 1_500_000])
    def test_whose_answer_cannot_be_shown_again_is_told_that_it_is_too_large(
        self, api: Api, token: dict[str, Any], text: str
    ) -> None:
        answer = api.post(token["url"], f"action=approve&field.amount=7&field.note={text}".encode(), FORM)
        assert answer.status == (422 if text[0] == "é" else 413)
        assert len(json.dumps(answer.text, ensure_ascii=False).encode()) < 6_200_000
        assert_untouched(api, token, 1)


class TestConfirm:
    @pytest.fixture
    def token(self, api: Api) -> dict[str, Any]:
        created: dict[str, Any] = api.create(page={**APPROVAL, "confirm": True}, timeout="1d")
        return created

    def test_asks_a_second_time_and_settles_only_then(self, api: Api, token: dict[str, Any]) -> None:
        asked = submit(api, token, [*FITTING.items(), ("field.urgent", "yes"), ("field.regions", "eu")])
        page = page_of(asked)
        assert asked.status == 200
        assert "You are about to choose Approve it." in page.text
        for shown in ("Amount", "7", "Fine <b>\r\nby me", "Yes", "eu"):
            assert shown in page.text
        assert_untouched(api, token)

        done = api.post(token["url"], page.press("Confirm: Approve it"), FORM)
        assert "You chose Approve it." in page_of(done).text
        assert output(api, token) == {"action": "approve", "fields": {**GIVEN, "urgent": True, "regions": ["eu"]}}

    def test_goes_back_to_the_form_as_it_was(self, api: Api, token: dict[str, Any]) -> None:
        sent = [*FITTING.items(), ("field.urgent", "yes"), ("field.regions", "eu")]
        page = page_of(submit(api, token, sent))
        back = api.post(token["url"], page.press("Go back"), FORM)
        assert back.status == 200
        assert page_of(back).fields == sent
        assert "Open until " in page_of(back).text
        assert_untouched(api, token)

    def test_does_not_ask_for_what_does_not_fit(self, api: Api, token: dict[str, Any]) -> None:
        assert submit(api, token, {"field.amount": "x"}).status == 422
        assert api.post(token["url"], b"action=approve&confirmed=yes&field.amount=x", FORM).status == 422
        assert_untouched(api, token, 2)

    def test_does_not_ask_for_a_text_that_it_cannot_show(self, api: Api, token: dict[str, Any]) -> None:
        answer = submit(api, token, {**FITTING, "field.note": "a\x0bb\x1b"})
        assert answer.status == 422
        assert "Remove the control characters" in page_of(answer).text
        assert_untouched(api, token, 1)

    def test_refuses_the_form_of_a_program_that_does_not_confirm(self, api: Api, token: dict[str, Any]) -> None:
        form = {"content-type": FORM["content-type"]}
        answer = api.post(token["url"], b"action=approve&field.amount=7", form)
        assert (answer.status, "confirmed=yes" in answer.error) == (422, True)
        assert_untouched(api, token, 1)
        assert api.post(token["url"], b"action=approve&field.amount=7&confirmed=yes", form).json == {"success": True}

    @pytest.mark.parametrize("answer", ["", "maybe", "Yes", "yes&confirmed=yes", "yes&confirmed=no"])
    def test_takes_nothing_but_one_yes_for_an_answer(self, api: Api, token: dict[str, Any], answer: str) -> None:
        asked = api.post(token["url"], f"action=approve&field.amount=7&confirmed={answer}".encode(), FORM)
        assert "You are about to choose Approve it." in page_of(asked).text
        assert_untouched(api, token)

    def test_does_not_ask_a_program_that_sends_json(self, api: Api, token: dict[str, Any]) -> None:
        assert api.post(token["url"], {"action": "approve", "fields": {"amount": 7}}, JSON).json == {"success": True}
        assert output(api, token)["action"] == "approve"


class TestAnotherSite:
    """A page of another site can make a browser post a form to the URL. The person is asked on our own page."""

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
    @pytest.mark.parametrize("confirmed", [{}, {"confirmed": "yes"}])
    @pytest.mark.parametrize("confirm", [True, False])
    def test_that_posts_a_form_makes_the_page_ask(self, api: Api, site: str, confirmed: dict[str, str], confirm: bool) -> None:
        token = api.create(page={**APPROVAL, "confirm": confirm})
        body = urlencode({"action": "approve", **FITTING, **confirmed}).encode()
        asked = api.post(token["url"], body, {**FORM, "sec-fetch-site": site})
        assert "You are about to choose Approve it." in page_of(asked).text
        assert_untouched(api, token)

        back = page_of(api.post(token["url"], page_of(asked).press("Go back"), {**FORM, "sec-fetch-site": "same-origin"}))
        assert back.fields == list(FITTING.items())
        done = api.post(token["url"], page_of(asked).press("Confirm: Approve it"), {**FORM, "sec-fetch-site": "same-origin"})
        assert "You chose Approve it." in page_of(done).text
        assert output(api, token) == {"action": "approve", "fields": GIVEN}

    @pytest.mark.parametrize(
        "kind", ["text/plain", FORM["content-type"], "application/json", "multipart/form-data; boundary=b"]
    )
    def test_that_posts_json_makes_the_page_show_its_form(self, api: Api, token: dict[str, Any], kind: str) -> None:
        body = b'{"action":"approve","fields":{"amount":7,"note":"="}}'
        headers = {**BROWSER, "content-type": kind, "sec-fetch-site": "cross-site"}
        shown = page_of(api.post(token["url"], body, headers))
        assert set(shown.buttons) == {"Approve it", "Reject it"}
        assert_untouched(api, token)
        refused = api.post(token["url"], body, {**headers, "accept": "*/*"})
        assert (refused.status, "another site" in refused.error) == (422, True)
        assert_untouched(api, token, 1)

    @pytest.mark.parametrize("site", ["same-origin", "none"])
    def test_is_not_our_own_page(self, api: Api, token: dict[str, Any], site: str) -> None:
        body = urlencode({"action": "approve", **FITTING}).encode()
        assert "You chose Approve it." in page_of(api.post(token["url"], body, {**FORM, "sec-fetch-site": site})).text


class TestAProgram:
    @pytest.mark.parametrize(
        "headers",
        [
            JSON,
            {},
            {"content-type": FORM["content-type"]},
            {"content-type": "text/plain"},
            {**JSON, "accept": "text/html, */*"},
        ],
    )
    def test_settles_with_json_of_any_content_type(self, api: Api, token: dict[str, Any], headers: dict[str, str]) -> None:
        answer = api.post(token["url"], {"action": "reject", "fields": {"amount": 7, "regions": ["eu"]}}, headers)
        assert (answer.status, answer.json) == (200, {"success": True})
        assert output(api, token) == {"action": "reject", "fields": {"amount": 7, "urgent": False, "regions": ["eu"]}}

    def test_is_told_which_actions_the_page_has(self, api: Api, token: dict[str, Any]) -> None:
        shortest, without = api.create(page={"title": "Go on?"}), api.create()
        told = [api.retrieve(it["id"]).get("pageActions") for it in (token, shortest, without)]
        assert told == [["approve", "reject"], ["submit"], None]

    @pytest.mark.parametrize(
        "number", ["0.12345678901234567890123", "12345678901234567890123.0", "12345678901234567890123", "1e3", "-0", "2.50"]
    )
    def test_sends_numbers_that_arrive_digit_for_digit(self, api: Api, token: dict[str, Any], number: str) -> None:
        choice = f'{{"action": "approve", "fields": {{"share": 1, "amount": 7, "share": {number}}}}}'
        assert api.post(token["url"], choice.encode(), JSON).status == 200
        written = f'{{"action":"approve","fields":{{"amount":7,"share":{number},"urgent":false}}}}'
        assert api.retrieve(token["id"])["output"] == written

        token = api.create(page=APPROVAL)
        api.request("POST", f"{TOKENS}/{token['id']}/complete", f'{{"data": {choice}}}'.encode())
        assert api.retrieve(token["id"])["output"] == written

    def test_sends_a_number_that_no_double_holds_and_is_refused(self, api: Api, token: dict[str, Any]) -> None:
        choice = b'{"action": "approve", "fields": {"amount": 7, "share": 1e999}}'
        assert api.post(token["url"], choice, JSON).status == 422
        assert_untouched(api, token, 1)

    def test_too_late_gets_a_success_and_changes_nothing(self, api: Api, token: dict[str, Any]) -> None:
        submit(api, token)
        answer = api.post(token["url"], {"action": "reject", "fields": {"amount": 7}}, JSON)
        assert (answer.status, answer.json) == (200, {"success": True})
        assert output(api, token)["action"] == "approve"

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"action": "delete", "fields": {"amount": 7}}, 'expected "action" to be "approve" or "reject"'),
            ({"fields": {"amount": 7}}, 'expected "action" to be "approve" or "reject"'),
            ({"action": "approve"}, 'field "amount": Fill in this field.'),
            ({"action": "approve", "fields": {"amount": 0}}, 'field "amount": Enter 1 or more.'),
            ({"action": "approve", "fields": {"amount": "7"}}, 'field "amount": This answer is not accepted.'),
            ({"action": "approve", "fields": {"amount": True}}, 'field "amount"'),
            ({"action": "approve", "fields": {"amount": 7, "urgent": "yes"}}, 'field "urgent"'),
            ({"action": "approve", "fields": {"amount": 7, "regions": ["mars"]}}, 'field "regions"'),
            ({"action": "approve", "fields": {"amont": 7}}, '"amont"'),
            (
                {"action": "approve", "fields": {"amount": 7}, "extra": 1},
                'unknown field "extra": expected one of action, fields',
            ),
            ({"approved": True}, 'unknown field "approved": expected one of action, fields'),
            ({"acton": "approve"}, 'unknown field "acton": did you mean "action"?'),
            ([], "expected a JSON object"),
            (b"null", "expected a JSON object"),
            (b'"approve"', "expected a JSON object"),
            (b"{", "expected a JSON object"),
            (b"", "expected a JSON object"),
            (b"\xff\x00", "expected a JSON object"),
            (b"[" * 100_000, "expected a JSON object"),
        ],
    )
    @pytest.mark.parametrize(
        "kind", ["application/json", "text/plain", "application/octet-stream", "multipart/form-data; boundary=b"]
    )
    def test_with_anything_else_is_422_and_settles_nothing(
        self, api: Api, token: dict[str, Any], body: Any, said: str, kind: str
    ) -> None:
        answer = api.post(token["url"], body, {"content-type": kind})
        assert answer.status == 422
        assert said in answer.error
        assert_untouched(api, token, 1)

    def test_is_not_told_what_it_sent(self, api: Api, token: dict[str, Any]) -> None:
        answer = api.post(token["url"], {"action": "approve", "fields": {"amount": "secret-value"}}, JSON)
        assert "secret-value" not in answer.text


class TestOtherWaysToComplete:
    """The page says which outputs a token takes, as a payloadSchema does: also with the API key, by key and by an endpoint."""

    def test_with_the_api_key(self, api: Api, token: dict[str, Any]) -> None:
        refused = api.post(f"{TOKENS}/{token['id']}/complete", {"data": {"approved": True}})
        assert (refused.status, 'unknown field "approved"' in refused.error) == (422, True)
        assert api.post(f"{TOKENS}/{token['id']}/complete", {}).status == 422
        assert_untouched(api, token)
        chosen = {"action": "approve", "fields": {"amount": 7}}
        assert api.post(f"{TOKENS}/{token['id']}/complete", {"data": chosen}).status == 200
        assert output(api, token) == {"action": "approve", "fields": {"amount": 7, "urgent": False}}
        assert "Approve it was chosen" in opened(api, token).text

    def test_with_an_error(self, api: Api, token: dict[str, Any]) -> None:
        assert api.post(f"{TOKENS}/{token['id']}/complete", {"error": {"message": "Withdrawn"}}).status == 200
        assert api.retrieve(token["id"])["outputIsError"] is True

    def test_by_its_key(self, api: Api) -> None:
        token = api.create(page=APPROVAL, idempotencyKey="deploy-4.2")
        by_key = "/api/v1/waitpoints/complete"
        assert api.post(by_key, {"idempotencyKey": "deploy-4.2", "data": 1}).status == 422
        assert_untouched(api, token)
        chosen = {"action": "reject", "fields": {"amount": 7}}
        assert api.post(by_key, {"idempotencyKey": "deploy-4.2", "data": chosen}).json["id"] == token["id"]
        assert output(api, token)["fields"] == {"amount": 7, "urgent": False}

    def test_by_an_endpoint(self, api: Api) -> None:
        settings = {"key": "body.id", "verify": "none", "output": "body.choice"}
        endpoint = api.request("PUT", "/api/v1/endpoints/chat", settings).json
        token = api.create(page=APPROVAL, idempotencyKey="chat:d1")
        unfit = {"id": "d1", "choice": {"action": "delete"}}
        assert api.post(endpoint["url"], unfit, JSON).status == 200
        tried = api.post("/api/v1/endpoints/chat/test", {"body": unfit}).json
        assert tried["steps"][-1]["result"] == "does not match"
        assert_untouched(api, token)
        assert (
            api.post(endpoint["url"], {"id": "d1", "choice": {"action": "approve", "fields": {"amount": 7}}}, JSON).status
            == 200
        )
        assert output(api, token)["action"] == "approve"


class TestCreate:
    @pytest.mark.parametrize(
        "beside", [{"verify": {"scheme": "github", "secret": "G"}}, {"completeWhen": "body.a"}, {"payloadSchema": {}}]
    )
    def test_refuses_other_rules_beside_a_page(self, api: Api, world: InMemory, beside: dict[str, Any]) -> None:
        answer = api.post(TOKENS, {"page": APPROVAL, **beside})
        assert answer.status == 422
        assert f"{next(iter(beside))} is not accepted with it" in answer.error  # also where its secret does not exist
        assert world.store.tokens == {}

    def test_refuses_a_page_that_cannot_be_shown(self, api: Api, world: InMemory) -> None:
        answer = api.post(TOKENS, {"page": {"title": "Deploy?", "confirn": True}})
        assert answer.status == 422
        assert "confirm" in answer.error
        assert world.store.tokens == {}

    def test_refuses_a_page_that_is_too_large_as_html(self, api: Api) -> None:
        choices = [f"{at:03}" + "<" * 40 for at in range(80)]
        fields = {"properties": {"one": {"enum": choices}, "two": {"enum": choices}}}
        answer = api.post(TOKENS, {"page": {"title": "T", "fields": fields}})
        assert answer.status == 422
        assert "60,000" in answer.error


PAIRS = st.lists(
    st.tuples(
        st.sampled_from(
            ["action", "confirmed", "field.amount", "field.share", "field.note", "field.urgent", "field.regions", "x"]
        ),
        st.sampled_from(["approve", "reject", "yes", "no", "7", "-1", "2.5", "eu", "us", ""]) | st.text(max_size=5),
    ),
    max_size=8,
)
BODIES = st.one_of(
    st.binary(max_size=50),
    PAIRS.map(lambda pairs: urlencode(pairs, errors="surrogatepass").encode()),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["approve", "eu"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["action", "fields", "amount", "note", "regions"]), inner, max_size=3)
        ),
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(BODIES, st.sampled_from([{}, JSON, FORM, BROWSER, {"content-type": FORM["content-type"]}]), st.booleans())
def test_no_body_is_answered_otherwise_and_only_a_choice_that_fits_settles(
    api: Api, body: bytes, headers: dict[str, str], confirm: bool
) -> None:
    token = api.create(page={**APPROVAL, "confirm": confirm})
    answer = api.post(token["url"], body, headers)
    shown = api.retrieve(token["id"])
    if shown["status"] == "COMPLETED":
        assert answer.status == 200
        chosen = json.loads(shown["output"])
        assert chosen["action"] in ("approve", "reject")
        assert {"amount", "urgent"} <= chosen["fields"].keys() <= APPROVAL["fields"]["properties"].keys()
        assert isinstance(chosen["fields"]["amount"], int)
    else:
        assert answer.status == 422 or (answer.status == 200 and confirm and headers is FORM)


def throttled(*_: Any, **__: Any) -> Any:
    raise TryAgain("AWS throttled")
