"""What the approvers of a token's page decide: one answer a person, the first stands, and the token ends once.

An answer is one read and one conditional update, which holds only if nobody has answered or handed over since the read
(invariant 6). So every answer recorded before the end is in the output, and none after it, and the values that must be the same
are. An action decides once as many people have chosen it as it needs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from waitpoints import telemetry
from waitpoints.approvers import different_values
from waitpoints.errors import attempts
from waitpoints.ports import Clock
from waitpoints.resumer import Resumer
from waitpoints.token import Answer, Completed, CompletedBy, HandOver, Output, Token

if TYPE_CHECKING:
    from waitpoints.aws.store import Store
    from waitpoints.sign_in import SignedIn


@dataclass(frozen=True, slots=True)
class ApproverChoice:
    """What a person chose: an action that `needs` as many people, and the JSON text of the fields.

    The values of `same_fields` must be those of the others who chose the action. `signed_in`: who it is, if the page asks that.
    """

    approver: str
    action: str
    fields: str
    needs: int
    same_fields: tuple[str, ...] = ()
    signed_in: "SignedIn | None" = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answer of this person that stands, and the token as it is now. `is_this`: it is the same as the choice."""

    token: Token
    answer: Answer
    is_this: bool


@dataclass(frozen=True, slots=True)
class TooLate:
    """The token had ended before this person answered."""

    token: Token


@dataclass(frozen=True, slots=True)
class Differs:
    """The choice is not recorded: `others`, the answer of somebody else to the action, has other values of `fields`."""

    token: Token
    others: Answer
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """A hand-over came before this person's answer."""

    token: Token


MakeOutput = Callable[[Sequence[Answer], Sequence[HandOver]], str]
"""Returns the JSON text of a token's output from all answers, of which the last one decides, and all hand-overs."""


class Decisions:
    def __init__(self, store: "Store", resumer: Resumer, clock: Clock) -> None:
        self._store = store
        self._resumer = resumer
        self._clock = clock

    def answer(
        self, token: Token, choice: ApproverChoice, by: CompletedBy, make_output: MakeOutput
    ) -> Recorded | TooLate | Differs | Removed:
        """Record what a person chose on the page of `token`, which was just read. Settles it if that decides.

        The same answer again, also after a lost response, is the one that is recorded. Raises TryAgain.
        """
        has_sign_in = token.rules is not None and token.rules.has_sign_in
        assert has_sign_in == (choice.signed_in is not None), "only who has signed in answers a page with a sign-in"
        for _ in attempts("Other people answer at the same moment. Send the same answer again"):
            now = self._clock()
            as_of_now = replace(token, outcome=token.outcome_at(now))  # a due token has ended, even before that is stored
            if earlier := token.answer_of(choice.approver, choice.signed_in):
                is_this = (earlier.action, earlier.fields) == (choice.action, choice.fields)
                return Recorded(as_of_now, earlier, is_this)
            if token.has_removed(choice.approver):
                return Removed(as_of_now)
            if as_of_now.outcome is not None:
                return TooLate(as_of_now)
            # All answers to the action agree, so the first one stands for them.
            others = next((one for one in token.answers if one.action == choice.action), None)
            if others and (fields := different_values(choice.same_fields, choice.fields, others.fields)):
                return Differs(as_of_now, others, fields)
            answer = Answer(choice.approver, choice.action, choice.fields, now, choice.signed_in)
            answers = (*token.answers, answer)
            decides = sum(one.action == choice.action for one in answers) >= choice.needs
            by_them = replace(by, approver=choice.approver)
            outcome = Completed(now, Output(make_output(answers, token.hand_overs)), by_them) if decides else None
            is_recorded, token = self._store.answer(token, answer, outcome)
            if is_recorded:
                telemetry.note(tokenId=token.id, answers=len(answers), won=decides)
                telemetry.count("AnswersRecorded")
                if outcome:
                    telemetry.count(f"TokensSettledBy{by.source.capitalize()}")
                    self._resumer.resume_fast(token)
                return Recorded(token, answer, is_this=True)
        raise AssertionError("the last attempt raises")
