"""A request to change who may answer a waiting token's page."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.support.in_process.world import World
from waitpoints import json_text
from waitpoints.api import hand_over_request
from waitpoints.api.hand_over_request import MAX_BYTES, MAX_EVER
from waitpoints.api.page import page_checks
from waitpoints.errors import HasAnswered, InvalidNotify, InvalidPage
from waitpoints.token import Answer, HandOver, Token
from waitpoints.wiring import services

ANN = {"id": "ann", "email": "ann@example.com"}
PAGE: dict[str, Any] = {
    "title": "Go?",
    "approvers": [ANN, "bo@example.com", "cy"],
    "requestedBy": "dee",
    "actions": [{"id": "yes", "label": "Yes", "needs": 2}, {"id": "no", "label": "No"}],
    "escalate": {"after": "1d", "to": ["lea"]},
}
TWICE = "has the same id, e-mail address or Slack id"


def token(page: dict[str, Any] = PAGE, *hand_overs: HandOver, **more: Any) -> Token:
    return Token(id="t", created_at=0, page=page_checks.parse(page)[1], hand_overs=hand_overs, **more)


def hand_over(waiting: Token, **lists: Any) -> HandOver | None:
    return hand_over_request.parse(lists).of(waiting, 1, "ci")


def changed(added: Sequence[str] = (), removed: Sequence[str] = ()) -> HandOver:
    return HandOver(tuple({"id": one} for one in added), tuple(removed), 0)


class TestAHandOver:
    def test_adds_as_a_page_does_and_removes_by_id(self) -> None:
        assert hand_over(token(), add=["di@example.com", {"id": "ed", "name": "Ed"}], remove=["ann", "lea"]) == HandOver(
            ({"id": "di@example.com", "email": "di@example.com"}, {"id": "ed", "name": "Ed"}), ("ann", "lea"), 1, "ci"
        )

    def test_that_was_made_is_none(self) -> None:
        """So a request that is sent again after a lost answer changes nothing."""
        waiting = token(PAGE, changed(["di"], ["ann"]))
        assert hand_over(waiting, add=["di"], remove=["ann"]) is None
        assert hand_over(waiting, add=["di", "bo@example.com"]) is None
        assert hand_over(waiting, add=["ed", "di"], remove=["ann", "cy"]) == HandOver(({"id": "ed"},), ("cy",), 1, "ci")

    @pytest.mark.parametrize("written", ["ANN", "\uff41nn", "an\u200bn"])
    def test_removes_a_person_however_the_id_is_spelt(self, written: str) -> None:
        assert hand_over(token(), remove=[written, "ann"]) == HandOver((), ("ann",), 1, "ci")

    def test_may_give_the_address_of_who_is_removed_to_another_id(self) -> None:
        found = hand_over(token(), add=[{"id": "ann 2", "email": "ANN@example.com"}], remove=["ann"])
        assert found == HandOver(({"id": "ann 2", "email": "ANN@example.com"},), ("ann",), 1, "ci")


IS_GONE = "is removed, and their link never answers again: choose another id"
IS_THERE = "is there already, with other members: remove them, and add another id"
TOO_FEW = (
    "approvers: all could answer and nothing be decided: at least 2 who may answer now must stay or be added, and this leaves 1"
)
BEFORE = token(PAGE, changed(["di"], ["ann"]), changed(["ed"], ["di"]))
MANY = token(PAGE, changed([f"p{n}" for n in range(16)]), changed([f"q{n}" for n in range(16)], [f"p{n}" for n in range(16)]))
NEARLY_FULL = token(PAGE, HandOver(({"id": "di", "name": "x" * (MAX_BYTES - 200)},), (), 0))
LARGE = token({**PAGE, "text": "<" * 9_000 + "x" * 1_000, "approvers": ["ann", "bo"]})
TOO_LARGE = replace(LARGE, page=json_text.dumps({**json_text.parse(LARGE.page or ""), "text": "<" * 14_000}))
ROOM = {"id": "ed", "name": "<" * 100}
FULL = [{"id": "ed", "name": "x" * 100}, {"id": "flo", "name": "x" * 100}]
REFUSED: list[tuple[Token, dict[str, Any], str]] = [
    # the waiting token, the lists, and the reason, or how it begins
    (token(), {}, "approvers: expected add, remove, or both"),
    (token(), {"ad": ["x"]}, 'approvers: unknown field "ad": did you mean "add"?'),
    (token(), {"add": []}, "approvers.add: expected a list of 1 to 20 items"),
    (token(), {"add": "di"}, "approvers.add: expected a list of 1 to 20 items"),
    (
        token(),
        {"add": [{"id": "x", "slack": "@x"}]},
        "approvers.add[0].slack: expected a member id, such as U024BE7LH, not a name",
    ),
    (token(), {"add": [{"id": "\u200b"}]}, "approvers.add[0]: expected more than characters that cannot be seen"),
    (token(), {"add": ["di", "DI"]}, f"approvers.add[1]: approvers.add[0] {TWICE}"),
    (token(), {"remove": []}, "approvers.remove: expected a list of 1 to 40 items"),
    (token(), {"remove": [1]}, "approvers.remove[0]: expected a text of 1 to 128 characters"),
    (token({"title": "Go?"}), {"add": ["di"]}, "approvers: this waitpoint has no page that names its approvers"),
    (Token(id="t", created_at=0), {"add": ["di"]}, "approvers: this waitpoint has no page that names its approvers"),
    (
        token(),
        {"remove": ["cy", "dee"]},
        "approvers.remove[1]: no approver has this id: expected one of ann, bo@example.com, cy, lea",
    ),
    (token(), {"add": ["ann"], "remove": ["ann"]}, f"approvers.add[0]: ann {IS_GONE}"),
    *((BEFORE, {"add": [id_]}, f"approvers.add[0]: {id_.lower()} {IS_GONE}") for id_ in ("ann", "ANN", "di")),
    (token(), {"add": ["CY"]}, f"approvers.add[0]: cy {IS_THERE}"),
    (token(), {"add": [{"id": "ann"}]}, f"approvers.add[0]: ann {IS_THERE}"),
    (token(), {"add": [{"id": "x", "email": "Ann@example.com"}]}, f"approvers.add[0]: ann {TWICE}"),
    (token(), {"add": ["ann@example.com"]}, f"approvers.add[0]: ann {TWICE}"),
    (
        token(),
        {"add": ["ed", "De\u200be"]},
        "page.requestedBy: dee is approvers.add[1], too: nobody answers their own request without page.selfApproval",
    ),
    (token(answers=(Answer("cy", "yes", "{}", 1),)), {"remove": ["ann", "bo@example.com"]}, TOO_FEW),
    (token(), {"remove": ["ann", "cy"]}, TOO_FEW),
    (token(), {"add": [f"p{n}" for n in range(17)]}, "approvers.add: at most 20 people are accepted at a time"),
    (
        MANY,
        {"add": [f"r{n}" for n in range(5)], "remove": [f"q{n}" for n in range(5)]},
        f"approvers.add: at most {MAX_EVER} people in all are accepted, also those who were removed",
    ),
    (
        NEARLY_FULL,
        {"add": FULL},
        f"approvers: all hand-overs of a waitpoint may have {MAX_BYTES:,} bytes of JSON; with this…",
    ),
    (TOO_LARGE, {"add": [ROOM]}, "page: as HTML it has…"),
]
ACCEPTED: list[tuple[Token, dict[str, Any]]] = [
    (token({**PAGE, "approvers": ["ann", "bo"], "selfApproval": True}), {"add": ["dee"]}),
    (token(), {"remove": ["ann"]}),
    (token(escalated_at=1), {"remove": ["ann", "cy"]}),  # the lead may answer now
    (token(), {"add": [f"p{n}" for n in range(16)]}),
    (MANY, {"add": [f"r{n}" for n in range(4)], "remove": [f"q{n}" for n in range(4)]}),
    (NEARLY_FULL, {"add": ["ed"]}),
    (LARGE, {"add": [ROOM]}),
]


@pytest.mark.parametrize(("waiting", "lists", "problem"), REFUSED)
def test_anything_else_is_refused(waiting: Token, lists: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidPage) as caught:
        hand_over(waiting, **lists)
    said = caught.value.message.removeprefix("Invalid ")
    assert said == problem or (problem[-1] == "…" and said.startswith(problem[:-1]))


@pytest.mark.parametrize(("waiting", "lists"), ACCEPTED)
def test_what_is_just_within_is_accepted(waiting: Token, lists: dict[str, Any]) -> None:
    assert hand_over(waiting, **lists) is not None


def test_who_has_answered_stays() -> None:
    waiting = token(answers=(Answer("ann", "yes", "{}", 1),))
    with pytest.raises(HasAnswered, match="ann has answered, and stays: only those who have not can be removed") as caught:
        hand_over(waiting, add=["di"], remove=["ANN"])
    assert caught.value.status == 409


class TestNotify:
    MAIL = '{"email":true}'

    @pytest.fixture(autouse=True)
    def only_example_com(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.install(monkeypatch)
        monkeypatch.setitem(vars(services), "mail_domains", ("example.com",))

    @pytest.mark.parametrize(
        ("person", "problem"),
        [
            ("di", "notify: it does not reach di: each approver needs an email"),
            ({"id": "di", "slack": "U0123"}, "notify: it does not reach di: each approver needs an email"),
            ("di@example.org", "notify.email: it does not reach di@example.org: this stack sends mail only to example.com"),
            ("dí@example.com", "notify.email: it does not reach dí@example.com: mail goes to addresses in ASCII only"),
        ],
        ids=str,
    )
    def test_must_reach_who_is_added(self, person: Any, problem: str) -> None:
        with pytest.raises(InvalidNotify) as caught:
            hand_over(token(notify=self.MAIL, has_notify=True), add=[person])
        assert caught.value.message.startswith(f"Invalid {problem}")

    def test_need_not_reach_who_was_there_before_a_parameter_changed(self) -> None:
        waiting = token(notify=self.MAIL, has_notify=True)
        assert hand_over(waiting, add=["di@example.com"]) is not None
        assert hand_over(waiting, remove=["ann"]) is not None
