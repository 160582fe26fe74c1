"""A request to change who may answer a waiting token's page."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.support.fakes.in_memory import InMemory
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


def refusal(waiting: Token, **lists: Any) -> str:
    with pytest.raises(InvalidPage) as caught:
        hand_over(waiting, **lists)
    return caught.value.message.removeprefix("Invalid ")


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


class TestIsRefused:
    @pytest.mark.parametrize(
        ("lists", "problem"),
        [
            ({}, "approvers: expected add, remove, or both"),
            ({"ad": ["x"]}, 'approvers: unknown field "ad": did you mean "add"?'),
            ({"add": []}, "approvers.add: expected a list of 1 to 20 items"),
            ({"add": "di"}, "approvers.add: expected a list of 1 to 20 items"),
            (
                {"add": [{"id": "x", "slack": "@x"}]},
                "approvers.add[0].slack: expected a member id, such as U024BE7LH, not a name",
            ),
            ({"add": [{"id": "\u200b"}]}, "approvers.add[0]: expected more than characters that cannot be seen"),
            ({"add": ["di", "DI"]}, f"approvers.add[1]: approvers.add[0] {TWICE}"),
            ({"remove": []}, "approvers.remove: expected a list of 1 to 40 items"),
            ({"remove": [1]}, "approvers.remove[0]: expected a text of 1 to 128 characters"),
        ],
        ids=str,
    )
    def test_without_its_shape(self, lists: dict[str, Any], problem: str) -> None:
        assert refusal(token(), **lists) == problem

    @pytest.mark.parametrize("page", [None, {"title": "Go?"}])
    def test_of_a_token_that_names_no_approvers(self, page: Any) -> None:
        waiting = token(page) if page else Token(id="t", created_at=0)
        assert refusal(waiting, add=["di"]) == "approvers: this waitpoint has no page that names its approvers"

    def test_without_the_person_to_remove(self) -> None:
        said = refusal(token(), remove=["cy", "dee"])
        assert said == "approvers.remove[1]: no approver has this id: expected one of ann, bo@example.com, cy, lea"

    def test_of_who_has_answered(self) -> None:
        waiting = token(answers=(Answer("ann", "yes", "{}", 1),))
        with pytest.raises(HasAnswered, match="ann has answered, and stays: only those who have not can be removed") as caught:
            hand_over(waiting, add=["di"], remove=["ANN"])
        assert caught.value.status == 409

    @pytest.mark.parametrize(
        ("lists", "problem"),
        [
            ({"add": ["ann"], "remove": ["ann"]}, "ann is removed, and their link never answers again: choose another id"),
            ({"add": ["CY"]}, "cy is there already, with other members: remove them, and add another id"),
            ({"add": [{"id": "ann"}]}, "ann is there already, with other members: remove them, and add another id"),
            ({"add": [{"id": "x", "email": "Ann@example.com"}]}, f"ann {TWICE}"),
            ({"add": ["ann@example.com"]}, f"ann {TWICE}"),
        ],
        ids=str,
    )
    def test_with_a_person_who_is_there_or_removed(self, lists: dict[str, Any], problem: str) -> None:
        assert refusal(token(), **lists) == f"approvers.add[0]: {problem}"

    @pytest.mark.parametrize("id_", ["ann", "ANN", "di"])
    def test_with_an_id_that_was_removed_before(self, id_: str) -> None:
        waiting = token(PAGE, changed(["di"], ["ann"]), changed(["ed"], ["di"]))
        assert "is removed, and their link never answers again" in refusal(waiting, add=[id_])

    def test_with_who_requested_it(self) -> None:
        why = "nobody answers their own request without page.selfApproval"
        assert refusal(token(), add=["ed", "De\u200be"]) == f"page.requestedBy: dee is approvers.add[1], too: {why}"
        allowed = token({**PAGE, "approvers": ["ann", "bo"], "selfApproval": True})
        assert hand_over(allowed, add=["dee"]) is not None

    def test_if_all_could_answer_and_nothing_be_decided(self) -> None:
        said = refusal(token(answers=(Answer("cy", "yes", "{}", 1),)), remove=["ann", "bo@example.com"])
        assert said == (
            "approvers: all could answer and nothing be decided: at least 2 who may answer now must stay or be added, "
            "and this leaves 1"
        )
        assert hand_over(token(), remove=["ann"]) is not None
        assert hand_over(token(escalated_at=1), remove=["ann", "cy"]) is not None, "the lead may answer now"
        assert refusal(token(), remove=["ann", "cy"]).endswith("and this leaves 1")

    def test_over_twenty_at_a_time_and_forty_in_all(self) -> None:
        waiting = token()
        assert refusal(waiting, add=[f"p{n}" for n in range(17)]) == "approvers.add: at most 20 people are accepted at a time"
        first = hand_over(waiting, add=[f"p{n}" for n in range(16)])
        assert first is not None
        second = changed([f"q{n}" for n in range(16)], [f"p{n}" for n in range(16)])
        waiting = token(PAGE, first, second)
        assert hand_over(waiting, add=["r1", "r2", "r3", "r4"], remove=["q1", "q2", "q3", "q4"]) is not None
        said = refusal(waiting, add=["r1", "r2", "r3", "r4", "r5"], remove=["q1", "q2", "q3", "q4", "q5"])
        assert said == f"approvers.add: at most {MAX_EVER} people in all are accepted, also those who were removed"

    def test_over_the_bytes_of_all(self) -> None:
        waiting = token(PAGE, HandOver(({"id": "di", "name": "x" * (MAX_BYTES - 200)},), (), 0))
        assert hand_over(waiting, add=["ed"]) is not None
        said = refusal(waiting, add=[{"id": "ed", "name": "x" * 100}, {"id": "flo", "name": "x" * 100}])
        assert said.startswith(f"approvers: all hand-overs of a waitpoint may have {MAX_BYTES:,} bytes of JSON; with this one")

    def test_if_the_page_would_be_too_large(self) -> None:
        text = "<" * 9_000 + "x" * 1_000
        waiting = token({**PAGE, "text": text, "approvers": ["ann", "bo"]})
        room = {"id": "ed", "name": "<" * 100}
        assert hand_over(waiting, add=[room]) is not None
        waiting = replace(waiting, page=json_text.dumps({**json_text.parse(waiting.page or ""), "text": "<" * 14_000}))
        assert refusal(waiting, add=[room]).startswith("page: as HTML it has")


class TestNotify:
    MAIL = '{"email":true}'

    @pytest.fixture(autouse=True)
    def only_example_com(self, world: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
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
