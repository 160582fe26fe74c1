"""A page whose approvers answer, each by a link of their own, and everybody else who tries to."""

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.decision import choose, given, link
from tests.support.in_process.api_gateway import JSON, TOKENS, Api, HttpAnswer
from tests.support.in_process.approval_page import BROWSER, FORM, has_nothing_to_press, output, page_of
from tests.support.in_process.html_page import HtmlPage
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from waitpoints.api.page import words

PEOPLE = [{"id": "ann", "name": "Ann Lee", "email": "ann@example.com"}, "bo@example.com", "cy"]
PAGE: dict[str, Any] = {
    "title": "Deploy 4.2 to production?",
    "approvers": PEOPLE,
    "actions": [{"id": "approve", "label": "Approve it", "needs": 2}, {"id": "reject", "label": "Reject it"}],
    "fields": {"type": "object", "properties": {"note": {"type": "string", "title": "Note"}}},
}
ENTERED: dict[str, Any] = {
    "amount": {"type": "number", "title": "Amount"},
    "note": {"type": "string", "title": "Note"},
    "urgent": {"type": "boolean", "title": "Urgent"},
}
IDS = ["ann", "bo@example.com", "cy"]
HOUR = 3_600_000  # milliseconds


@pytest.fixture
def token(api: Api) -> dict[str, Any]:
    return api.create(page=PAGE, timeout="1d")


def press(api: Api, url: str, action: str, note: str = "") -> HttpAnswer:
    return api.post(url, urlencode({"action": action, "field.note": note}), FORM)


def opened(api: Api, token: dict[str, Any], approver: str, language: str = "en") -> HtmlPage:
    answer = api.get(link(token, approver), {**BROWSER, "accept-language": language})
    assert answer.status == 200, answer.text
    return page_of(answer)


def instant(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def answers(api: Api, token: dict[str, Any]) -> list[tuple[str, str]]:
    return given(api.retrieve(token["id"]))


class TestLinks:
    def test_of_everybody_are_in_the_create_and_in_retrieve(self, api: Api, token: dict[str, Any]) -> None:
        assert [it["approver"] for it in token["links"]] == IDS
        assert api.retrieve(token["id"])["links"] == token["links"]
        assert link(token, "bo@example.com").endswith("?approver=bo%40example.com")

    def test_of_a_cached_create_are_those_of_the_stored_page(self, api: Api) -> None:
        first = api.create(page=PAGE, idempotencyKey="k")
        again = api.create(page={**PAGE, "approvers": ["ed", "flo", "gus"]}, idempotencyKey="k")
        assert (again["isCached"], again["links"]) == (True, first["links"])

    def test_are_not_made_for_a_token_without_approvers(self, api: Api) -> None:
        plain = api.create(page={"title": "Go?"}, idempotencyKey="k")
        assert "links" not in plain
        assert "links" not in api.create(page=PAGE, idempotencyKey="k")
        assert {"links", "answers", "approvers"}.isdisjoint(api.retrieve(plain["id"]))

    def test_of_somebody_who_is_not_asked_are_forbidden(self, api: Api, world: World, token: dict[str, Any]) -> None:
        for name in ("dee", "Ann", "ann ", "ann@example.com"):
            url = world.urls.url(token["id"], "https://x.example", name)
            answer = is_refused(world, partial(api.post, url, '{"action": "reject"}', JSON), 403)
            assert "approved" not in answer.text


class TestADecision:
    def test_is_the_first_action_that_enough_people_choose(self, api: Api, world: World) -> None:
        waiter = world.new_waiter(context=True)
        token = api.create(page=PAGE, taskToken=waiter.handle, context=True)
        assert choose(api, token, "ann", "approve", note="fine").status == 200
        assert api.retrieve(token["id"])["status"] == "WAITING"
        assert choose(api, token, "cy", "approve", note="me too").status == 200
        given = output(api, token)
        assert {**given, "answers": None} == {
            "action": "approve",
            "fields": {"note": "me too"},
            "approver": "cy",
            "answers": None,
        }
        assert [(it["approver"], it["action"], it["fields"]) for it in given["answers"]] == [
            ("ann", "approve", {"note": "fine"}),
            ("cy", "approve", {"note": "me too"}),
        ]
        told = world.step_functions.value(waiter.handle)
        assert (told["output"], told["completedBy"]["approver"]) == (given, "cy")
        retrieved = api.retrieve(token["id"])
        assert retrieved["completedBy"]["approver"] == "cy"
        assert "query" not in retrieved["completedBy"]  # of the link, which names the approver
        assert retrieved["answers"] == given["answers"]


class TestAPerson:
    @pytest.mark.parametrize("confirm", [False, True])
    @pytest.mark.parametrize(
        "body", ["action=reject&field.note=", "action=", "field.price=1", "action=approve&field.note=other"]
    )
    def test_who_answers_again_is_told_that_the_first_answer_stands(self, api: Api, confirm: bool, body: str) -> None:
        token = api.create(page={**PAGE, "confirm": confirm})
        choose(api, token, "ann", "approve")
        again = api.post(link(token, "ann"), body, FORM)
        page = page_of(again)
        assert (again.status, has_nothing_to_press(page)) == (200, True)
        assert "Your first answer stands" in page.texts
        assert "You have already chosen Approve it and cannot change it." in page.text
        assert (answers(api, token), api.retrieve(token["id"])["otherDeliveries"]["count"]) == ([("ann", "approve")], 1)

    def test_who_decides_is_thanked_also_if_they_press_twice(self, api: Api, token: dict[str, Any]) -> None:
        choose(api, token, "ann", "approve")
        for _ in range(2):
            page = page_of(press(api, link(token, "cy"), "approve"))
            assert "Thank you" in page.texts
            assert "You chose Approve it." in page.text
            assert "Ann Lee" in page.texts
        assert "otherDeliveries" not in api.retrieve(token["id"])
        assert "Decided by cy." in opened(api, token, "cy").text

    def test_who_presses_twice_while_others_decide_sees_again_what_they_entered(self, api: Api, token: dict[str, Any]) -> None:
        press(api, link(token, "ann"), "approve", "Friday is fine")
        choose(api, token, "cy", "approve")
        again = page_of(press(api, link(token, "ann"), "approve", "Friday is fine"))
        assert "Decided by cy." in again.text
        assert "NoteFriday is fine" in again.text

    def test_sees_who_asks_until_when_and_who_may_answer_later(self, api: Api, world: World) -> None:
        page = {**PAGE, "requestedBy": "dee", "escalate": {"after": "4h", "to": [{"id": "lead", "name": "Lea Lead"}, "ops"]}}
        token = api.create(page=page, timeout="1d")
        shown = opened(api, token, "ann")
        later, last = (words.time("en", instant(world.clock() + hours * HOUR)) for hours in (4, 24))
        facts = f"Requested by deeAnswer due by {last}"
        assert f"{PAGE['title']}{facts}You are answering as Ann Lee." in shown.text
        for shown in (page_of(press(api, link(token, "ann"), "approve")), opened(api, token, "ann")):
            assert facts in shown.text
            assert f"From {later}, these people can also answer: Lea Lead, ops" in shown.text
        plain = page_of(api.get(token["url"], BROWSER)).text
        assert f"{PAGE['title']}Answer due by {last}You need your own link" in plain

    def test_sees_nobody_who_may_answer_later_if_the_timeout_was_moved_to_before(self, api: Api) -> None:
        token = api.create(page={**PAGE, "escalate": {"after": "1d", "to": ["lead"]}}, timeout="2d")
        for timeout, is_shown in (("1h", False), ("30h", True)):
            assert api.request("PATCH", f"{TOKENS}/{token['id']}", json.dumps({"timeout": timeout}).encode()).status == 200
            assert ("these people can also answer" in opened(api, token, "ann").text) is is_shown
            assert ("escalation" in api.retrieve(token["id"])) is is_shown

    @pytest.mark.parametrize("body", ["action=reject&field.note=", "action=", "action=approve&field.note=" + "x" * 3_100])
    def test_who_comes_too_late_is_told_who_decided_and_goes_nowhere_else(
        self, api: Api, token: dict[str, Any], body: str
    ) -> None:
        choose(api, token, "ann", "approve")
        choose(api, token, "cy", "approve")
        late = api.post(link(token, "bo@example.com"), body, FORM)
        page = page_of(late)
        assert (late.status, has_nothing_to_press(page)) == (200, True)
        assert "Your answer came too late and does not count." in page.texts
        assert "Approve it was chosen." in page.text
        assert "Decided by cy." in page.text
        assert "bo@example.com" not in page.texts
        assert api.post(link(token, "bo@example.com"), body, {}).json == {"success": True}
        assert api.retrieve(token["id"])["otherDeliveries"]["count"] == 2
        assert "too late" not in opened(api, token, "bo@example.com").text
        again = page_of(press(api, link(token, "ann"), "reject"))
        assert "You have already chosen Approve it and cannot change it." in again.text
        assert "Decided by cy." in again.text

    def test_whose_answer_a_decision_overtakes_is_told_so(
        self, api: Api, world: World, token: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The others answer while this answer is read."""
        find = world.tokens.find

        def find_then_decide(token_id: str) -> Any:
            monkeypatch.setattr(world.tokens, "find", find)
            found = find(token_id)
            choose(api, token, "cy", "reject")
            return found

        monkeypatch.setattr(world.tokens, "find", find_then_decide)
        page = page_of(press(api, link(token, "ann"), "approve"))
        assert "Your answer came too late and does not count." in page.texts
        assert "Decided by cy." in page.text
        assert api.retrieve(token["id"])["otherDeliveries"]["count"] == 1

    def test_who_is_not_asked_yet_is_told_so(self, api: Api, world: World) -> None:
        token = api.create(page={**PAGE, "escalate": {"after": "1d", "to": ["lead"]}})
        url = link(token, "lead")
        for ask in (partial(api.get, url, BROWSER), partial(press, api, url, "reject")):
            page = page_of(is_refused(world, ask, 403, "Your answer is not needed right now"))
            assert has_nothing_to_press(page)
            assert PAGE["title"] not in page.text
            assert "Ann Lee" not in page.text

    def test_whose_answers_do_not_fit_sees_them_again_and_is_still_greeted(self, api: Api, world: World) -> None:
        fields = {"required": ["note"], "properties": {"note": {"type": "string", "title": "Note"}}}
        token = api.create(page={**PAGE, "fields": fields})
        url, says = link(token, "ann"), ("Note: Fill in this field.", "You are answering as Ann Lee")
        is_refused(world, lambda: press(api, url, "approve"), 422, *says, is_counted=True)
        is_refused(world, lambda: api.post(url, '{"action": "approve"}', JSON), 422, is_counted=True)

    @pytest.mark.parametrize("more", [{}, {"showAnswers": False}])
    def test_sees_again_what_they_entered_and_nobody_else_on_the_plain_url(self, api: Api, more: dict[str, Any]) -> None:
        token = api.create(page={**PAGE, **more})
        press(api, link(token, "ann"), "approve", "mine")
        for shown in (opened(api, token, "ann"), page_of(press(api, link(token, "ann"), "reject", "other"))):
            assert "Your answersNotemine" in shown.text
        choose(api, token, "cy", "approve", note="theirs")
        shown = opened(api, token, "ann")
        assert ("Your answersNotemine" in shown.text, "Note: theirs" in shown.text) == (True, not more)
        assert "mine" not in page_of(api.get(token["url"], BROWSER)).text


class TestFieldsThatMustBeTheSame:
    @pytest.fixture
    def token(self, api: Api) -> dict[str, Any]:
        """Ann has approved 1,200 euros."""
        created: dict[str, Any] = api.create(
            page={**PAGE, "fields": {"properties": ENTERED}, "sameFields": ["amount", "urgent"]}
        )
        assert choose(api, created, "ann", "approve", amount=1200, note="fine").status == 200
        return created

    def approve(self, api: Api, token: dict[str, Any], amount: str, language: str = "en", **more: str) -> HttpAnswer:
        fields = {"action": "approve", "field.amount": amount, **more}
        return api.post(link(token, "cy"), urlencode(fields), {**FORM, "accept-language": language})

    def test_are_refused_with_both_values_and_taken_over(self, api: Api, world: World, token: dict[str, Any]) -> None:
        ask = partial(self.approve, api, token, "7", **{"field.note": "mine"})
        says = "Amount: Others entered: 1200. Enter the same, or choose another button.", "You are answering as cy."
        page = page_of(is_refused(world, ask, 422, *says, is_counted=True))
        assert "Urgent: Others" not in page.text
        assert {("field.amount", "7"), ("field.note", "mine")} <= {*page.fields}
        assert self.approve(api, token, "1200.0", **{"field.note": "mine"}).status == 200
        assert output(api, token)["fields"] == {"amount": 1200, "note": "mine", "urgent": False}

    def test_of_a_program_are_named_without_values(self, api: Api, world: World, token: dict[str, Any]) -> None:
        says = 'Others who chose this action sent other values of "amount", "urgent": send the same, or another action'
        is_refused(world, lambda: choose(api, token, "cy", "approve", amount=7, urgent=True), 422, says, is_counted=True)
        assert choose(api, token, "cy", "reject", amount=7).status == 200
        assert answers(api, token) == [("ann", "approve"), ("cy", "reject")]

    def test_may_be_what_others_left_open(self, api: Api, token: dict[str, Any]) -> None:
        token = api.create(page={**PAGE, "fields": {"properties": ENTERED}, "sameFields": True})
        choose(api, token, "ann", "approve")
        page = page_of(self.approve(api, token, "1,5", "de", **{"field.urgent": "yes"}))
        for said in ("Amount: Andere haben angegeben: Keine Angabe.", "Urgent: Andere haben angegeben: Nein."):
            assert said in page.text

    def test_are_shown_as_text_whatever_others_entered(self, api: Api) -> None:
        token = api.create(page={**PAGE, "fields": {"properties": ENTERED}, "sameFields": ["note"]})
        hostile = "<script>{others}\u202e" + "x" * 300
        choose(api, token, "ann", "approve", note=hostile)
        refused = self.approve(api, token, "")
        assert hostile.replace("\u202e", r"\u202e") in page_of(refused).texts
        assert [tag for tag, _ in page_of(refused).tags].count("script") == 1

    def test_do_not_bind_an_action_that_needs_no_fields(self, api: Api) -> None:
        reject = {"id": "reject", "label": "Reject it", "needs": 2, "needsFields": False}
        page = {**PAGE, "actions": [PAGE["actions"][0] | {"needs": 1}, reject], "fields": {"properties": ENTERED}}
        token = api.create(page=page | {"sameFields": ["amount"]})
        assert choose(api, token, "ann", "reject", amount=5).status == 200
        assert choose(api, token, "cy", "reject").status == 200
        assert output(api, token)["action"] == "reject"

    def test_do_not_bind_the_api_key(self, api: Api, token: dict[str, Any]) -> None:
        data = {"action": "approve", "fields": {"amount": 7}}
        api.complete(token, data=data)
        assert api.retrieve(token["id"])["completedBy"]["override"] is True


class TestWhoeverElse:
    """Robots, providers and other sites meet a personal link as they meet any callback URL."""

    def test_that_makes_a_handshake_is_answered(self, api: Api, token: dict[str, Any]) -> None:
        shaken = api.get(f"{link(token, 'ann')}&hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=x", {})
        assert (shaken.status, shaken.text) == (200, "1158201444")
        shaken = api.post(link(token, "ann"), {"type": "url_verification", "token": "x", "challenge": "3eZbrw"}, JSON)
        assert (shaken.status, "3eZbrw" in shaken.text) == (200, True)
        assert answers(api, token) == []

    def test_that_posts_a_form_from_another_site_makes_the_page_ask_as_whom(self, api: Api, token: dict[str, Any]) -> None:
        elsewhere = {**FORM, "sec-fetch-site": "cross-site"}
        asked = page_of(api.post(link(token, "ann"), "action=approve&field.note=fine&confirmed=yes", elsewhere))
        assert "You are answering as Ann Lee" in asked.text
        assert answers(api, token) == []
        here = {**FORM, "sec-fetch-site": "same-origin"}
        assert api.post(link(token, "ann"), asked.press("Confirm: Approve it"), here).status == 200
        assert answers(api, token) == [("ann", "approve")]
