"""The page behind a callback URL: what a person and another site get, and the other ways to complete its token."""

import io
import json
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.callbacks import assert_untouched
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.approval_page import (
    APPROVAL,
    BROWSER,
    FITTING,
    FORM,
    GIVEN,
    has_nothing_to_press,
    opened,
    output,
    page_of,
    submit,
)
from tests.support.in_process.world import World
from tests.support.refusals import is_refused


@pytest.fixture
def token(api: Api) -> dict[str, Any]:
    return api.create(page=APPROVAL, timeout="1d")


class TestAPerson:
    def test_whose_answers_do_not_fit_sees_them_again_with_the_errors(self, api: Api, token: dict[str, Any]) -> None:
        answers = [("field.amount", "0"), ("field.share", "a lot"), ("field.note", "  a\r\n<b>"), ("field.urgent", "yes")]
        answer = submit(api, token, [*answers, ("field.regions", "us")])
        page = page_of(answer)
        assert answer.status == 422
        assert page.title == "Error: Deploy 4.2 to production? · Example Ltd"
        assert "Please check your answers" in page.text
        assert "Answer due by " in page.text
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

    @pytest.mark.parametrize(
        ("language", "browser", "shown", "share"),
        [
            (None, "de-AT,de;q=0.9", "de", "2,5"),  # of the words around it
            ("de", "en", "de", "2,5"),  # fixed
            (["en", "de"], "de-AT", "de", "2,5"),
            (["en", "de"], "fr", "en", "2.5"),
        ],
    )
    def test_reads_and_writes_everything_in_one_language_of_the_page(
        self, api: Api, language: Any, browser: str, shown: str, share: str
    ) -> None:
        title = {one: f"{one}: Deploy?" for one in ([language] if isinstance(language, str) else language or [])}
        of_page = {"title": title, "language": language} if language else {"title": f"{shown}: Deploy?"}
        token = api.create(page={**APPROVAL, **of_page, "confirm": True}, timeout="1d")
        headers = {**FORM, "accept-language": browser}
        body = urlencode({"field.amount": "x", "field.share": share, "action": "approve"}).encode()
        wrong = api.post(token["url"], body, headers)
        assert dict(page_of(wrong).fields)["field.share"] == share
        body = body.replace(b"=x", b"=7")
        asked, done = api.post(token["url"], body, headers), api.post(token["url"], body + b"&confirmed=yes", headers)
        for answer in (api.get(token["url"], headers), wrong, asked, done, api.get(token["url"], headers)):
            assert (answer.headers["content-language"], page_of(answer).language) == (shown, shown)
            assert f"{shown}: Deploy?" in page_of(answer).texts
        assert share in page_of(asked).texts
        assert share in page_of(done).texts
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
    def test_never_settles_with_anything_else(
        self, api: Api, world: World, token: dict[str, Any], body: bytes, said: str
    ) -> None:
        is_refused(world, lambda: api.post(token["url"], body, FORM), 422, said, is_counted=True)

    def test_who_comes_too_late_is_sent_to_what_was_decided(self, api: Api, token: dict[str, Any]) -> None:
        submit(api, token)
        late = submit(api, token, {"field.amount": "9"}, "reject")
        assert (late.status, late.text) == (303, "")
        location = token["url"].rpartition("/")[2]
        assert late.headers["location"] == location
        assert "Approve it was chosen" in opened(api, token).text
        assert output(api, token) == {"action": "approve", "fields": GIVEN}
        assert api.retrieve(token["id"])["otherDeliveries"]["count"] == 1

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
        self, api: Api, world: World, token: dict[str, Any], monkeypatch: pytest.MonkeyPatch
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

    def test_who_sends_too_much_is_told_so(self, api: Api, world: World, token: dict[str, Any]) -> None:
        ask = partial(submit, api, token, {"field.note": "x" * 3_145_728})
        is_refused(world, ask, 413, "Your answer is too large")

    @pytest.mark.parametrize("text", ["'" * 3_000_000, "\\" * 3_000_000, "é" * 1_500_000])
    def test_whose_answer_cannot_be_shown_again_is_told_that_it_is_too_large(
        self, api: Api, world: World, token: dict[str, Any], text: str
    ) -> None:
        ask = partial(api.post, token["url"], f"action=approve&field.amount=7&field.note={text}".encode(), FORM)
        answer = is_refused(world, ask, 422 if text[0] == "é" else 413, is_counted=True)
        assert len(json.dumps(answer.text, ensure_ascii=False).encode()) < 6_200_000


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
        assert has_nothing_to_press(page_of(done))
        assert output(api, token) == {"action": "approve", "fields": GIVEN}

    @pytest.mark.parametrize(
        "kind", ["text/plain", FORM["content-type"], "application/json", "multipart/form-data; boundary=b"]
    )
    def test_that_posts_json_makes_the_page_show_its_form(
        self, api: Api, world: World, token: dict[str, Any], kind: str
    ) -> None:
        body = b'{"action":"approve","fields":{"amount":7,"note":"="}}'
        headers = {**BROWSER, "content-type": kind, "sec-fetch-site": "cross-site"}
        shown = page_of(api.post(token["url"], body, headers))
        assert set(shown.buttons) == {"Approve it", "Reject it"}
        assert_untouched(api, token)
        ask = partial(api.post, token["url"], body, {**headers, "accept": "*/*"})
        is_refused(world, ask, 422, "another site", is_counted=True)

    @pytest.mark.parametrize("site", ["same-origin", "none"])
    def test_is_not_our_own_page(self, api: Api, token: dict[str, Any], site: str) -> None:
        body = urlencode({"action": "approve", **FITTING}).encode()
        assert "You chose Approve it." in page_of(api.post(token["url"], body, {**FORM, "sec-fetch-site": site})).text
