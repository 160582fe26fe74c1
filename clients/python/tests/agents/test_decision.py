"""What the answer to a tool's page means."""

from typing import Any

import pytest

from waitpoints_client import Failed, Ok
from waitpoints_client.agents import ApprovalPage, Decision, approval_page
from waitpoints_client.models import TokenError

SCHEMA = {
    "type": "object",
    "required": ["order", "amount"],
    "properties": {
        "order": {"type": "string"},
        "amount": {"type": "number", "maximum": 500, "multipleOf": 0.01},
        "express": {"type": "boolean"},
        "note": {"type": "string"},
        "parts": {"type": "array", "items": {"enum": ["lamp", "cable"]}, "minItems": 1},
        "code": {"type": "string", "pattern": "^[A-Z]+$"},
        "shop": {"$ref": "#/$defs/Shop"},
    },
    "$defs": {"Shop": {"enum": ["berlin", "paris"]}},
}
CALL = {
    "order": "A-1",
    "amount": 19.99,
    "express": True,
    "note": "a\r\nb",
    "parts": ["lamp", "cable"],
    "shop": "paris",
    "x": [1],
}
SENT = {"order": "A-1", "amount": 19.99, "express": "true", "note": "a\nb", "parts": ["cable", "lamp"]}


@pytest.fixture
def page() -> ApprovalPage:
    return approval_page("refund", CALL, SCHEMA, respond=True)


def decide(page: ApprovalPage, action: Any = "approve", *without: str, **fields: Any) -> Decision:
    sent = {name: value for name, value in {**SENT, **fields}.items() if name not in without}
    return page.decision(Ok({"action": action, "fields": sent, "approver": "ann"}))


def test_an_unchanged_form_approves_the_callers_own_arguments(page: ApprovalPage) -> None:
    decision = decide(page, message="go")

    assert (decision.type, decision.message, decision.by, decision.runs) == ("approve", "go", "ann", True)
    assert decision.arguments is CALL


def test_an_answer_without_fields_approves_the_callers_own_arguments(page: ApprovalPage) -> None:
    assert page.decision(Ok({"action": "approve", "fields": {}})).arguments is CALL
    assert page.decision(Ok({"action": "approve"})).arguments is CALL


@pytest.mark.parametrize(
    ("name", "value"),
    [("order", "B-2"), ("amount", 20), ("express", "false"), ("note", "c"), ("parts", ["lamp"]), ("code", "ABC")],
)
def test_a_changed_field_changes_only_its_argument(page: ApprovalPage, name: str, value: Any) -> None:
    decision = decide(page, **{name: value})

    assert (decision.type, decision.runs) == ("edit", True)
    assert decision.arguments == {**CALL, name: False if value == "false" else value}
    assert decision.arguments["x"] is CALL["x"]


def test_a_cleared_field_removes_its_argument(page: ApprovalPage) -> None:
    assert decide(page, "approve", "note").arguments == {name: value for name, value in CALL.items() if name != "note"}
    assert decide(page, note=" \r\n").arguments == {name: value for name, value in CALL.items() if name != "note"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"amount": 900}, "amount: 900 is greater than the maximum of 500"),
        ({"amount": 1.001}, "amount: 1.001 is not a multiple of 0.01"),
        ({"amount": "x"}, "amount: 'x' is not of type 'number'"),
        ({"code": "abc"}, "code: 'abc' does not match '^[A-Z]+$'"),
        ({"parts": []}, "parts: [] should be non-empty"),
        ({"express": {}}, "express: {} is not of type 'boolean'"),
    ],
)
def test_a_change_that_does_not_fit_the_tool_is_a_reject_that_says_so(page: ApprovalPage, fields: Any, said: str) -> None:
    decision = decide(page, **fields, message="go")

    assert (decision.type, decision.arguments, decision.runs) == ("reject", None, False)
    assert decision.message == f"approved with a change that does not fit the tool: {said}\ngo"


def test_a_required_argument_that_is_missing_is_a_reject(page: ApprovalPage) -> None:
    assert "'order' is a required property" in decide(page, "approve", "order").message


def test_a_reject_has_the_persons_message(page: ApprovalPage) -> None:
    decision = decide(page, "reject", amount=5, message="too much")

    assert (decision.type, decision.message, decision.by, decision.arguments) == ("reject", "too much", "ann", None)


def test_a_response_is_the_tools_result(page: ApprovalPage) -> None:
    assert decide(page, "respond", message="done by hand").type == "respond"
    assert decide(page, "respond", message="done by hand").message == "done by hand"
    empty = decide(page, "respond")
    assert (empty.type, empty.message) == ("reject", "no answer was written")


def test_silence_never_approves(page: ApprovalPage) -> None:
    timed_out = page.decision(Failed(TokenError(message="timed out"), timed_out=True))
    failed = page.decision(Failed(TokenError(message="withdrawn")))

    assert (timed_out.type, timed_out.timed_out, timed_out.runs) == ("reject", True, False)
    assert (failed.type, failed.message, failed.timed_out) == ("reject", "withdrawn", False)


@pytest.mark.parametrize(
    "output",
    [
        None,
        "approve",
        True,
        [],
        {},
        {"action": None},
        {"action": ["approve"]},
        {"action": "run", "fields": {}},
        {"action": "a\u202eb"},
    ],
)
def test_anything_else_is_a_reject_that_says_why(page: ApprovalPage, output: Any) -> None:
    decision = page.decision(Ok(output))

    assert decision.type == "reject"
    assert decision.message.startswith("not approved: ")
    assert decision.output == output


@pytest.mark.parametrize("fields", [None, [], "x", {"message": 5}, {"order": None}, {"order": ["A-1"]}])
def test_no_fields_raise(page: ApprovalPage, fields: Any) -> None:
    assert page.decision(Ok({"action": "approve", "fields": fields})).type in ("approve", "reject")


def test_an_answer_to_another_page_of_the_call_is_a_reject(page: ApprovalPage) -> None:
    decision = decide(page, shop="berlin")

    assert decision.type == "reject"
    assert decision.message == "not approved: the answer is to another page, with shop"


def test_an_action_that_the_page_does_not_have_runs_nothing() -> None:
    page = approval_page("tool", {"a": "x" * 20_000})

    assert page.decision(Ok({"action": "approve", "fields": {}})).type == "reject"
    assert page.decision(Ok({"action": "respond", "fields": {"message": "x"}})).type == "reject"


def test_who_is_known_by_a_sign_in_alone_is_named_by_their_address(page: ApprovalPage) -> None:
    signed_in = {"issuer": "https://id.example", "subject": "8f3", "email": "ann@example.com", "at": "…"}
    answer = {"approver": "8f3", "action": "reject", "fields": {}, "signedIn": signed_in}
    output = {"action": "reject", "fields": {}, "approver": "8f3", "answers": [answer]}

    assert page.decision(Ok(output)).by == "ann@example.com"
    assert page.decision(Ok({**output, "answers": None})).by == "8f3"
    assert page.decision(Ok({**output, "answers": [5, {"signedIn": {"subject": "8f3"}}]})).by == "8f3"
