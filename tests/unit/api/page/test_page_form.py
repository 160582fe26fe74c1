"""What a form, or a program's JSON, says to a page."""

from functools import partial
from typing import Any

import pytest

from tests.support.callbacks import assert_untouched
from tests.support.in_process.api_gateway import JSON, TOKENS, Api
from tests.support.in_process.approval_page import APPROVAL, FITTING, FORM, GIVEN, opened, output, page_of, submit
from tests.support.in_process.world import World
from tests.support.refusals import is_refused


@pytest.fixture
def token(api: Api) -> dict[str, Any]:
    return api.create(page=APPROVAL, timeout="1d")


class TestConfirm:
    @pytest.fixture
    def token(self, api: Api) -> dict[str, Any]:
        return api.create(page={**APPROVAL, "confirm": True}, timeout="1d")

    def test_asks_a_second_time_goes_back_to_the_same_form_and_settles_only_then(self, api: Api, token: dict[str, Any]) -> None:
        sent = [*FITTING.items(), ("field.urgent", "yes"), ("field.regions", "eu")]
        asked = submit(api, token, sent)
        page = page_of(asked)
        assert asked.status == 200
        assert "You are about to choose Approve it." in page.text
        for shown in ("Amount", "7", "Fine <b>\nby me", "Yes", "eu"):
            assert shown in page.text
        back = api.post(token["url"], page.press("Go back"), FORM)
        assert (back.status, page_of(back).fields) == (200, sent)
        assert "Answer due by " in page_of(back).text
        assert_untouched(api, token)

        done = api.post(token["url"], page.press("Confirm: Approve it"), FORM)
        assert "You chose Approve it." in page_of(done).text
        assert output(api, token) == {"action": "approve", "fields": {**GIVEN, "urgent": True, "regions": ["eu"]}}

    @pytest.mark.parametrize(("written", "is_ticked"), [("false", False), ("no", False), ("true", True)])
    def test_shows_a_box_as_it_is_taken(self, api: Api, token: dict[str, Any], written: str, is_ticked: bool) -> None:
        page = page_of(submit(api, token, [*FITTING.items(), ("field.urgent", written)]))
        assert f"Urgent{'Yes' if is_ticked else 'No'}Regions" in page.text
        back = page_of(api.post(token["url"], page.press("Go back"), FORM))
        assert (("field.urgent", "yes") in back.fields) is is_ticked
        api.post(token["url"], page.press("Confirm: Approve it"), FORM)
        assert output(api, token)["fields"]["urgent"] is is_ticked

    @pytest.mark.parametrize(
        ("body", "headers", "says"),
        [
            (b"action=approve&field.amount=x", FORM, "Amount: Enter a whole number"),
            (b"action=approve&confirmed=yes&field.amount=x", FORM, "Amount: Enter a whole number"),
            (b"action=approve&field.amount=7&field.note=a%0Bb%1B", FORM, "Remove the control characters"),
            (b"action=approve&field.amount=7", {"content-type": FORM["content-type"]}, "confirmed=yes"),
        ],
    )
    def test_does_not_ask_for_what_is_refused(
        self, api: Api, world: World, token: dict[str, Any], body: bytes, headers: dict[str, str], says: str
    ) -> None:
        is_refused(world, lambda: api.post(token["url"], body, headers), 422, says, is_counted=True)

    def test_takes_the_form_of_a_program_that_confirms(self, api: Api, token: dict[str, Any]) -> None:
        form = {"content-type": FORM["content-type"]}
        assert api.post(token["url"], b"action=approve&field.amount=7&confirmed=yes", form).json == {"success": True}

    @pytest.mark.parametrize("answer", ["", "maybe", "Yes", "yes&confirmed=yes", "yes&confirmed=no"])
    def test_takes_nothing_but_one_yes_for_an_answer(self, api: Api, token: dict[str, Any], answer: str) -> None:
        asked = api.post(token["url"], f"action=approve&field.amount=7&confirmed={answer}".encode(), FORM)
        assert "You are about to choose Approve it." in page_of(asked).text
        assert_untouched(api, token)


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
        choice = f'{{"action": "approve", "fields": {{"amount": 7, "share": {number}}}}}'
        assert api.deliver(token, choice.encode()).status == 200
        written = f'{{"action":"approve","fields":{{"amount":7,"share":{number},"urgent":false}}}}'
        assert api.retrieve(token["id"])["output"] == written

        token = api.create(page=APPROVAL)
        api.request("POST", f"{TOKENS}/{token['id']}/complete", f'{{"data": {choice}}}'.encode())
        assert api.retrieve(token["id"])["output"] == written

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"action": "delete", "fields": {"amount": 7}}, 'expected "action" to be "approve" or "reject"'),
            ({"fields": {"amount": 7}}, 'expected "action" to be "approve" or "reject"'),
            ({"action": "approve"}, 'field "amount": Fill in this field.'),
            ({"action": "approve", "fields": {"amount": 0}}, 'field "amount": Enter 1 or more.'),
            ({"action": "approve", "fields": {"amount": "7"}}, 'field "amount": expected a whole number.'),
            ({"action": "approve", "fields": {"amount": True}}, 'field "amount"'),
            ({"action": "approve", "fields": {"amount": 7, "urgent": "yes"}}, 'field "urgent": expected true or false.'),
            ({"action": "approve", "fields": {"amount": 7, "regions": "eu"}}, 'field "regions": expected a list.'),
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
            (b'{"action": "approve", "fields": {"amount": 7, "share": 1e999}}', 'field "share"'),
            ({"action": "approve", "fields": {"amount": "secret-value"}}, 'field "amount"'),
            (b"", "expected a JSON object"),
            (b"\xff\x00", "expected a JSON object"),
            (b"[" * 100_000, "expected a JSON object"),
        ],
    )
    @pytest.mark.parametrize(
        "kind", ["application/json", "text/plain", "application/octet-stream", "multipart/form-data; boundary=b"]
    )
    def test_with_anything_else_is_422_and_settles_nothing(
        self, api: Api, world: World, token: dict[str, Any], body: Any, said: str, kind: str
    ) -> None:
        ask = partial(api.post, token["url"], body, {"content-type": kind})
        assert "secret-value" not in is_refused(world, ask, 422, said, is_counted=True).text


class TestAnActionThatNeedsNoFields:
    """`needsFields: false`: to reject, nothing must be filled in."""

    @pytest.fixture
    def token(self, api: Api) -> dict[str, Any]:
        approve, reject = APPROVAL["actions"]
        read = {"type": "boolean", "const": True, "title": "I have read it"}
        region = {"enum": ["eu", "us"], "title": "Region"}
        fields = {
            "required": ["amount", "read", "region"],
            "properties": {**APPROVAL["fields"]["properties"], "read": read, "region": region},
        }
        page = {**APPROVAL, "actions": [approve, {**reject, "needsFields": False}], "fields": fields}
        return api.create(page=page)

    def test_is_a_button_for_which_the_browser_asks_for_nothing(self, api: Api, token: dict[str, Any]) -> None:
        tags = opened(api, token).tags
        assert [attributes.get("value") for tag, attributes in tags if "formnovalidate" in attributes] == ["reject"]

    def test_leaves_out_the_required_fields_that_are_empty(self, api: Api, token: dict[str, Any]) -> None:
        done = page_of(submit(api, token, {"field.amount": " ", "field.note": "Too late"}, "reject"))
        assert "You chose Reject it." in done.text
        assert "AmountNo answer" in done.text
        assert output(api, token) == {"action": "reject", "fields": {"note": "Too late", "urgent": False}}

    @pytest.mark.parametrize("fields", [{}, {"fields": {"urgent": False}}])
    @pytest.mark.parametrize("by_api_key", [False, True])
    def test_leaves_them_out_for_a_program(
        self, api: Api, token: dict[str, Any], fields: dict[str, Any], by_api_key: bool
    ) -> None:
        choice = {"action": "reject", **fields}
        path = f"{TOKENS}/{token['id']}/complete"
        answer = api.post(path, {"data": choice}) if by_api_key else api.deliver(token, choice)
        assert answer.status == 200
        assert output(api, token) == {"action": "reject", "fields": {"urgent": False}}

    @pytest.mark.parametrize("field", [("field.amount", "0"), ("field.amount", "x"), ("field.region", "mars")])
    def test_refuses_what_is_given_and_does_not_fit(
        self, api: Api, world: World, token: dict[str, Any], field: tuple[str, str]
    ) -> None:
        is_refused(world, lambda: submit(api, token, [field], "reject"), 422, is_counted=True)

    def test_lets_no_other_action_do_without(self, api: Api, world: World, token: dict[str, Any]) -> None:
        missing = [f'field "{name}"' for name in ("amount", "read", "region")]
        is_refused(world, lambda: api.deliver(token, {"action": "approve"}), 422, *missing, is_counted=True)
