"""Answers that are lost, repeated, late, or at the same moment as those of others."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from tests.support.in_process.settling import COMPLETED_BY
from tests.support.in_process.stores import TokenStore
from tests.support.in_process.world import World
from waitpoints.approvers import decided_text
from waitpoints.decisions import ApproverChoice, Decisions, Differs, Recorded, Removed, TooLate
from waitpoints.errors import TryAgain
from waitpoints.token import Answer, Completed, Document, DocumentKind, HandOver, Rules, TimedOut, Token

PAGE = Document(DocumentKind.PAGE, "{}")
MINUTE = 60_000


class ContestedStore(TokenStore):
    """`before` happens before an answer is written, and `lost` is how many responses to writes that took effect are lost.

    As botocore does, the write is then sent again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[], object] = lambda: None
        self.lost = 0
        self.writes = 0

    def answer(self, token: Token, answer: Answer, outcome: Completed | None) -> tuple[bool, Token]:
        before, self.before = self.before, lambda: None
        before()
        self.writes += 1
        result = super().answer(token, answer, outcome)
        if self.lost:
            self.lost -= 1
            return super().answer(token, answer, outcome)
        return result


class Decision:
    """A token that ends once two people have chosen "yes", or one "no"."""

    def __init__(self) -> None:
        self.world = World(ContestedStore)
        self.store = cast(ContestedStore, self.world.store)
        self.id = self.world.create(MINUTE, rules=Rules(has_approvers=True), document=PAGE)

    @property
    def token(self) -> Token:
        return self.store.get(self.id)

    def answer(
        self, person: str, action: str = "yes", fields: str = "{}", read: Token | None = None, same: tuple[str, ...] = ()
    ) -> Recorded | TooLate | Differs | Removed:
        choice = ApproverChoice(person, action, fields, 2 if action == "yes" else 1, same)
        return self.world.decisions.answer(read or self.token, choice, COMPLETED_BY, decided_text)

    def recorded(self) -> list[str]:
        return [answer.approver for answer in self.token.answers]

    def decided_by(self) -> list[str]:
        outcome = self.token.outcome
        assert isinstance(outcome, Completed)
        assert outcome.completed_by is not None
        given = [answer["approver"] for answer in json.loads(outcome.output.json or "")["answers"]]
        assert given[-1] == outcome.completed_by.approver
        return given


@pytest.fixture
def decision() -> Decision:
    return Decision()


class TestAnAnswer:
    def test_is_one_write_beside_the_read(self, decision: Decision) -> None:
        decision.answer("ann")
        decision.answer("bo")
        assert (decision.store.writes, decision.decided_by()) == (2, ["ann", "bo"])

    @pytest.mark.parametrize("action", ["yes", "no"])
    def test_whose_response_was_lost_is_recorded_once(self, decision: Decision, action: str) -> None:
        decision.store.lost = 1
        result = decision.answer("ann", action)
        assert isinstance(result, Recorded)
        assert (result.is_this, decision.recorded()) == (True, ["ann"])
        assert (decision.token.outcome is not None) is (action == "no")

    @pytest.mark.parametrize("action", ["yes", "no"])
    def test_that_is_sent_again_is_the_same(self, decision: Decision, action: str) -> None:
        first = decision.answer("ann", action)
        again = decision.answer("ann", action)
        assert isinstance(first, Recorded)
        assert isinstance(again, Recorded)
        assert (again.is_this, again.answer) == (True, first.answer)
        assert (decision.recorded(), decision.store.writes) == (["ann"], 1)

    def test_that_is_sent_again_after_somebody_else_has_decided_is_still_its_persons(self, decision: Decision) -> None:
        decision.answer("ann")
        decision.answer("bo", "no")
        again = decision.answer("ann")
        assert isinstance(again, Recorded)
        assert (again.is_this, again.token.outcome) == (True, decision.token.outcome)

    @pytest.mark.parametrize("person", ["ann", "bo"])
    def test_from_the_timeout_on_finds_a_token_that_has_timed_out(self, decision: Decision, person: str) -> None:
        """Even before its timer has stored that."""
        decision.answer("ann")
        timeout_at = decision.world.advance(MINUTE)
        result = decision.answer(person)
        assert isinstance(result, Recorded if person == "ann" else TooLate)
        assert result.token.outcome == TimedOut(timeout_at)
        assert decision.recorded() == ["ann"]

    def test_that_is_due_when_it_is_written_is_too_late(self, decision: Decision) -> None:
        decision.store.before = lambda: decision.world.tokens.expire(decision.id)
        read = decision.token
        decision.world.advance(MINUTE - 1)
        decision.world.clock.slips = -1
        result = decision.answer("ann", read=read)
        assert isinstance(result, TooLate)
        assert isinstance(result.token.outcome, TimedOut)
        assert decision.recorded() == []


class TestValuesThatMustBeTheSame:
    def test_are_refused_if_they_differ_and_the_person_may_answer_again(self, decision: Decision) -> None:
        decision.answer("ann", fields='{"a":1,"b":1}', same=("a",))
        refused = decision.answer("bo", fields='{"a":2,"b":1}', same=("a",))
        assert isinstance(refused, Differs)
        assert (refused.others.approver, refused.fields, decision.recorded()) == ("ann", ("a",), ["ann"])
        assert isinstance(decision.answer("bo", fields='{"a":1.0,"b":2}', same=("a",)), Recorded)
        assert decision.decided_by() == ["ann", "bo"]

    def test_are_those_of_the_same_action(self, decision: Decision) -> None:
        decision.answer("ann", fields='{"a":1}', same=("a",))
        assert isinstance(decision.answer("bo", "no", '{"a":2}', same=("a",)), Recorded)

    def test_are_compared_with_the_answer_that_came_first_at_the_same_moment(self, decision: Decision) -> None:
        decision.store.before = lambda: decision.answer("ann", fields='{"a":1}', same=("a",))
        refused = decision.answer("bo", fields='{"a":2}', same=("a",))
        assert isinstance(refused, Differs)
        assert (refused.token.answers, decision.recorded()) == (decision.token.answers, ["ann"])

    def test_of_a_lost_response_are_ones_own(self, decision: Decision) -> None:
        decision.store.lost = 1
        assert isinstance(decision.answer("ann", fields='{"a":1}', same=("a",)), Recorded)

    def test_are_too_late_after_the_end(self, decision: Decision) -> None:
        decision.answer("ann", fields='{"a":1}', same=("a",))
        decision.answer("cy", "no")
        assert isinstance(decision.answer("bo", fields='{"a":2}', same=("a",)), TooLate)


class TestAtTheSameMoment:
    def test_another_persons_answer_comes_first_and_both_count(self, decision: Decision) -> None:
        decision.store.before = lambda: decision.answer("ann")
        result = decision.answer("bo")
        assert isinstance(result, Recorded)
        assert decision.decided_by() == decision.recorded() == ["ann", "bo"]

    def test_the_same_persons_other_answer_comes_first_and_stands(self, decision: Decision) -> None:
        decision.store.before = lambda: decision.answer("ann", "no")
        result = decision.answer("ann", "yes")
        assert isinstance(result, Recorded)
        assert (result.is_this, result.answer.action, decision.decided_by()) == (False, "no", ["ann"])

    def test_a_hand_over_comes_first_and_the_answer_of_who_was_removed_does_not_count(self, decision: Decision) -> None:
        away = HandOver((), ("ann",), decision.world.clock())
        decision.store.before = lambda: decision.store.hand_over(decision.token, away)
        result = decision.answer("ann", "no")
        assert isinstance(result, Removed)
        assert (decision.recorded(), decision.token.outcome) == ([], None)

    def test_a_hand_over_of_others_comes_first_and_is_in_the_output(self, decision: Decision) -> None:
        away = HandOver(({"id": "di"},), ("ann",), decision.world.clock(), "ci")
        decision.store.before = lambda: decision.store.hand_over(decision.token, away)
        decision.answer("bo", "no")
        assert (decision.decided_by(), decision.store.writes) == (["bo"], 2)
        outcome = decision.token.outcome
        assert isinstance(outcome, Completed)
        [shown] = json.loads(outcome.output.json or "")["handOvers"]
        assert (shown["added"], shown["removed"], shown["key"]) == (["di"], ["ann"], "ci")

    def test_an_answer_that_is_always_too_slow_is_given_up(self, decision: Decision) -> None:
        def refuse(token: Token, *_: Any) -> tuple[bool, Token]:
            return False, replace(token, answers=())

        decision.store.answer = refuse  # type: ignore[assignment]
        with pytest.raises(TryAgain):
            decision.answer("ann")

    def test_every_one_of_twenty_people_is_tried_often_enough(self) -> None:
        """At worst, each of the other nineteen is faster once."""
        decision = Decision()
        store, others = decision.store, [f"person {number}" for number in range(19)]

        def overtake() -> None:
            if others:
                other = others.pop()
                Decisions(store, None, decision.world.clock).answer(  # type: ignore[arg-type]
                    decision.token, ApproverChoice(other, "yes", "{}", 20), COMPLETED_BY, decided_text
                )
                store.before = overtake

        store.before = overtake
        choice = ApproverChoice("the last", "yes", "{}", 20)
        assert isinstance(decision.world.decisions.answer(decision.token, choice, COMPLETED_BY, decided_text), Recorded)
        assert len(decision.decided_by()) == len(decision.recorded()) == 20
