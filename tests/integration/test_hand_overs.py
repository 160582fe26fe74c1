"""A hand-over, answers, an escalation and the timer at the same moment, in hundreds of orders: one outcome each.

Whoever is removed either has answered, and stays, or never counts.
"""

import json
import random
from collections import Counter
from functools import partial
from typing import Any

import pytest

from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.settling import COMPLETED_BY
from tests.support.in_process.world import FakeResumers
from tests.support.turns import StoreInTurns, Turns
from waitpoints.access.caller import ROOT
from waitpoints.api import hand_over_request
from waitpoints.api.page import page_checks
from waitpoints.approvers import answer_members, decided_text
from waitpoints.aws.services.outputs import Outputs
from waitpoints.aws.store import Store
from waitpoints.decisions import ApproverChoice, Decisions, Recorded, Removed
from waitpoints.errors import HasAnswered, TokenHasEnded
from waitpoints.hand_overs import HandOvers
from waitpoints.resumer import Resumer
from waitpoints.sign_in import SignedIn
from waitpoints.timers.due import Timers
from waitpoints.token import (
    OVERRIDDEN,
    Completed,
    Document,
    DocumentKind,
    Failed,
    NewToken,
    Rules,
    TimedOut,
    Token,
    TokenError,
    Waiter,
)
from waitpoints.tokens import Settled, Tokens

START = 1_800_000_000_000
TIMEOUT = START + 7_200_000
ANYONE = {
    "title": "Go?",
    "approvers": ["ann", "bo", "cy"],
    "actions": [{"id": "yes", "label": "Yes", "needs": 2}, {"id": "no", "label": "No"}],
    "escalate": {"after": "1h", "to": ["lea"]},
}
ISSUER = "https://issuer.example.com"
SIGNED = {
    **ANYONE,
    "signIn": True,
    "approvers": [{"id": name, "email": f"{name}@example.com"} for name in ("ann", "bo", "cy")],
    "escalate": {"after": "1h", "to": ["lea@example.com"]},
}
WANTED = hand_over_request.parse({"add": ["di"], "remove": ["ann"]})
RENAMED = hand_over_request.parse({"add": [{"id": "di", "subject": "ann"}], "remove": ["ann"]})
"""Ann is removed, and may answer by her subject. To her address, and then to her subject, she gives one answer."""
NO = TokenError("no")


class NoQueue:
    def send(self, *_: Any, **__: Any) -> None:
        """Each timer of this test fires by itself."""


class Race:
    """One token, and what became of each of the actors."""

    def __init__(self, store: Store, seed: int, signs_in: bool) -> None:
        self.signs_in = signs_in
        self.chance = random.Random(seed)  # noqa: S311
        self.turns, self.step_functions = Turns(seed), FakeStepFunctions()
        self.store = store
        self.waiter = Waiter(self.step_functions.start_task(), START)
        page, text = page_checks.parse(SIGNED if signs_in else ANYONE, (ISSUER, "waitpoints"))
        document = Document(DocumentKind.PAGE, text, since_version=page.since_version)
        rules = Rules(has_approvers=True, has_sign_in=signs_in)
        new = NewToken(timeout_at=TIMEOUT, waiter=self.waiter, rules=rules, document=document, first_ask=START + 3_600_000)
        self.id = self.parts(START, store)[0].create(new, START).token_id
        self.said: dict[str, Any] = {}

    def parts(self, now: int, store: Any) -> tuple[Tokens, Decisions, HandOvers, Timers]:
        client: Any = self.step_functions
        queue: Any = NoQueue()
        outputs = Outputs(lambda: client_of("s3"), "none is large")
        resumer = Resumer(store, outputs, FakeResumers(client), lambda: now, parallel=1)
        tokens = Tokens(store, outputs, resumer, lambda: now)
        decisions, hand_overs = Decisions(store, resumer, lambda: now), HandOvers(tokens, store, lambda: now)
        return tokens, decisions, hand_overs, Timers(tokens, store, queue, lambda: now)

    def at(self, now: int | None = None) -> tuple[Tokens, Decisions, HandOvers, Timers]:
        """What acts, in turns, with a clock near the timeout."""
        return self.parts(now or self.chance.choice([TIMEOUT - 1, TIMEOUT - 1, TIMEOUT]), StoreInTurns(self.store, self.turns))

    def answer(self, person: str) -> None:
        tokens, decisions, _, _ = self.at()
        token, signed_in = tokens.find(self.id), self.who(person)
        may_answer = bool(token.hand_overs) if person == "di" else not token.has_removed(person)
        if may_answer:
            choice = ApproverChoice(person, "yes", "{}", 2, signed_in=signed_in)
            self.said[person] = decisions.answer(token, choice, COMPLETED_BY, decided_text)

    def who(self, person: str) -> SignedIn | None:
        subject = "ann" if person == "di" else person
        return SignedIn(ISSUER, subject, f"{subject}@example.com", START) if self.signs_in else None

    def hand_over(self) -> None:
        try:
            self.at()[2].hand_over(self.id, partial((RENAMED if self.signs_in else WANTED).of, key="ci"), ROOT)
        except (HasAnswered, TokenHasEnded) as error:
            self.said["hand-over"] = error

    def override(self) -> None:
        """A named key is refused, at any moment, and the root key ends it."""
        tokens, *_ = self.at()
        assert not isinstance(tokens.complete(self.id, NO, COMPLETED_BY), Settled)
        self.said["root"] = tokens.complete(self.id, NO, COMPLETED_BY, OVERRIDDEN)

    def fire(self, now: int) -> None:
        self.at(now)[3].fire(self.id)

    def run(self) -> Token:
        self.turns.play(
            [
                partial(self.answer, "ann"),
                partial(self.answer, "bo"),
                self.hand_over,
                partial(self.fire, TIMEOUT - 1),
                *([partial(self.fire, TIMEOUT)] if self.chance.random() < 0.5 else []),
                *([partial(self.answer, "di")] if self.signs_in else []),
                *([self.override] if self.signs_in and self.chance.random() < 0.3 else []),
            ]
        )
        seen = self.store.get(self.id)
        tokens, *_ = self.parts(TIMEOUT, self.store)
        tokens.expire(self.id)
        tokens.resume_waiters(self.id)
        token = self.store.get(self.id)
        assert seen.outcome in (None, token.outcome), "an outcome is final"
        return token


def one_outcome(store: Store, seed: int, signs_in: bool) -> str:
    race = Race(store, seed, signs_in)
    token = race.run()
    answered, outcome = [answer.approver for answer in token.answers], token.outcome
    assert not {"ann", "di"} <= {*answered}, "one person has answered under two names"
    assert not ("ann" in answered and token.has_removed("ann"))
    for person in ("ann", "bo", "di"):
        said = race.said.get(person)
        recorded = said.answer.approver if isinstance(said, Recorded) else None
        assert recorded in (None, *answered)
        assert (recorded == person) is (person in answered)
    if isinstance(race.said.get("ann"), Removed):
        assert token.has_removed("ann")
    if not token.hand_overs:
        assert "hand-over" in race.said
    if isinstance(race.said.get("hand-over"), HasAnswered):
        assert "ann" in answered
    assert isinstance(race.said.get("root"), Settled) is isinstance(outcome, Failed)
    if isinstance(outcome, Completed):
        given = json.loads(outcome.output.json or "")
        assert given["answers"] == answer_members(token.answers)
        assert given.get("handOvers", []) == [one.shown_members() for one in token.hand_overs]
        assert len(answered) == 2
        assert "bo" in answered
    else:
        assert isinstance(outcome, TimedOut | Failed)
        assert len(answered) < 2
    assert token.unresumed() == []
    return f"{type(outcome).__name__}, {'handed over' if token.hand_overs else 'not handed over'}, {len(answered)} answers"


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [pytest.param(60, marks=pytest.mark.few), pytest.param(300, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("signs_in", [False, True], ids=["by links", "signed in"])
def test_each_order_has_one_outcome(store: Store, stack: MotoStack, rounds: int, signs_in: bool) -> None:
    outcomes = Counter[str]()
    for seed in range(rounds):
        outcomes[one_outcome(store, seed, signs_in)] += 1
        stack.empty_table()
    kinds = " / ".join(outcomes)
    words = ("Completed", "TimedOut, handed over", "TimedOut, not", "0 answers", "1 answers", *(["Failed"] if signs_in else []))
    assert all(word in kinds for word in words), kinds
