"""One page for several calls of tools, and the decision about each."""

from typing import Any

import pytest

from waitpoints_client import Failed, Ok, asking
from waitpoints_client.agents import BatchPage, ToolCall, approval_page_of
from waitpoints_client.models import TokenError
from waitpoints_client.testing import FakeWaitpoints

REFUND = ToolCall("a", "refund", {"order": "A-1"})
MAIL = ToolCall("b", "send_mail", {"to": "ann@example.com"}, respond=True)
ASK = ToolCall("c", "ask_customer", {"question": "Which?"}, approve=False, respond=True)
CHOICES = ("approve", "reject", "respond")


@pytest.fixture
def page() -> BatchPage:
    return approval_page_of([REFUND, MAIL, ASK])


def kinds(page: BatchPage, output: Any) -> list[str]:
    return [decision.type for decision in page.decisions(Ok(output)).values()]


def answer(*chosen: str, action: str = "decide", **fields: Any) -> dict[str, Any]:
    choices = {f"call_{number}": choice for number, choice in enumerate(chosen, 1)}
    return {"action": action, "fields": {**choices, **fields}, "approver": "ann"}


def test_each_call_is_shown_with_what_may_be_chosen(page: BatchPage) -> None:
    properties = page.page["fields"]["properties"]

    assert page.page["title"] == "Run refund, send_mail, ask_customer?"
    assert page.page["text"] == (
        "▸ 1. refund:\n  ▸ order: A-1\n\n▸ 2. send_mail:\n  ▸ to: ann@example.com\n\n▸ 3. ask_customer:\n  ▸ question: Which?"
    )
    assert [one["const"] for one in properties["call_2"]["oneOf"]] == ["approve", "reject", "respond"]
    assert [one["const"] for one in properties["call_3"]["oneOf"]] == ["reject", "respond"]
    assert page.page["fields"]["required"] == ["call_1", "call_2", "call_3"]


def test_each_call_gets_its_own_decision(page: BatchPage) -> None:
    decisions = page.decisions(Ok(answer("approve", "reject", "respond", message_2="too late", message_3="The blue one")))

    assert [one.type for one in decisions.values()] == ["approve", "reject", "respond"]
    assert decisions["a"].arguments is REFUND.arguments
    assert [one.message for one in decisions.values()] == ["", "too late", "The blue one"]
    assert {one.by for one in decisions.values()} == {"ann"}


@pytest.mark.parametrize(
    "output",
    [
        None,
        {},
        answer(),
        answer("", "x", "respond"),
        answer(action="reject"),
        answer("approve", "approve", "approve", action="reject"),
        answer("approve", "approve", "approve", action="approve"),
        answer("respond", "respond", "approve", message_1="x"),
    ],
)
def test_what_approves_no_call_rejects_it(page: BatchPage, output: Any) -> None:
    assert kinds(page, output) == ["reject"] * 3


def test_silence_never_approves(page: BatchPage) -> None:
    decisions = page.decisions(Failed(TokenError(message="timed out"), timed_out=True))

    assert {(one.type, one.timed_out) for one in decisions.values()} == {("reject", True)}


def test_a_call_that_is_cut_cannot_be_approved_and_the_others_can() -> None:
    long = ToolCall("long", "write", {"file": "x" * 50_000})

    page, allowed = approval_page_of([REFUND, long]), approval_page_of([REFUND, long], allow_cut=True)

    assert "▸ order: A-1" in str(page.page["text"])
    assert kinds(page, answer("approve", "approve")) == ["approve", "reject"]
    assert kinds(allowed, answer("approve", "approve")) == ["approve", "approve"]


def test_several_approvers_choose_the_same() -> None:
    page = approval_page_of([REFUND, MAIL], needs=2, title={"en": "Both?", "de": "Beide?"}, text="Ann asked.").page

    assert page["sameFields"] == ["call_1", "call_2"]
    assert page["actions"][0].get("needs") == 2
    assert page["language"] == ["en", "de"]
    assert str(page["text"]).startswith("Ann asked.\n\n▸ 1. refund:")


def test_its_words_can_be_in_other_languages() -> None:
    labels: Any = {name: {"en": name, "de": name.upper()} for name in (*CHOICES, "message", "submit", "reject_all")}

    page = approval_page_of([MAIL], title={"en": "Mail?", "de": "Schreiben?"}, labels=labels).page

    assert [action["label"] for action in page["actions"]] == [labels["submit"], labels["reject_all"]]
    properties = page["fields"]["properties"]
    assert [choice["title"] for choice in properties["call_1"]["oneOf"]] == [labels[name] for name in CHOICES]
    assert properties["message_1"]["title"] == {"en": "1. message", "de": "1. MESSAGE"}


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(TypeError, match="Unknown option 'rejectall': did you mean 'reject_all'"):
        approval_page_of([MAIL], labels={"rejectall": "X"})  # type: ignore[arg-type]


@pytest.mark.parametrize("calls", [[], [REFUND, REFUND], [ToolCall(str(at), "t", {}) for at in range(15)]])
def test_too_many_or_the_same_calls_are_refused(calls: list[ToolCall]) -> None:
    with pytest.raises(ValueError, match="A page has 1 to 14 calls, each with its own id"):
        approval_page_of(calls)


def test_arguments_that_are_no_json_are_refused() -> None:
    with pytest.raises(ValueError, match="The arguments are no JSON"):
        approval_page_of([ToolCall("a", "t", {"a": float("inf")})])


def test_the_same_calls_are_asked_about_once(page: BatchPage) -> None:
    fake = FakeWaitpoints()
    fake.on_create(
        lambda token: fake.answer(token, "ann", "decide", {"call_1": "approve", "call_2": "reject", "call_3": "reject"})
    )
    with fake.client() as waitpoints:
        for _ in range(2):
            result = waitpoints.ask(approval_page_of([REFUND, MAIL, ASK]), run="r", call="1", approvers=["ann"])
            assert page.decisions(result)["a"].runs

        assert len([*waitpoints.list()]) == 1
        other = asking.request(approval_page_of([REFUND, MAIL]), run="r", call="1", approvers=["ann"])
        assert other["idempotency_key"] != asking.request(page, run="r", call="1", approvers=["ann"])["idempotency_key"]
