"""Where a decision stands, as one of its approvers sees it: who has answered what, who is still asked, what is needed."""

from collections import Counter
from dataclasses import dataclass

from waitpoints.api.page.approvers import Approval, Approver
from waitpoints.api.page.definition import Page
from waitpoints.token import Answer, Completed, Token


@dataclass(frozen=True, slots=True)
class Progress:
    """A token whose page has approvers. `person` is who looks at it; None is somebody who cannot answer.

    `is_late`: what this person has just chosen changes nothing. Either they had answered otherwise, or the token had ended.
    """

    page: Page
    token: Token
    person: Approver | None = None
    is_late: bool = False

    @property
    def approval(self) -> Approval:
        assert self.page.approval is not None, "only a page with approvers has progress"
        return self.page.approval

    @property
    def own_answer(self) -> Answer | None:
        return self.token.answer_of(self.person.id) if self.person else None

    @property
    def is_open(self) -> bool:
        """Whether this person can still answer."""
        return self.token.outcome is None and self.own_answer is None

    @property
    def decided_by(self) -> Approver | None:
        """Whose answer ended the token. None while it waits, and if it was ended in another way."""
        outcome = self.token.outcome
        by = outcome.origin.approver if isinstance(outcome, Completed) and outcome.origin else None
        return next((person for person in self.approval.everybody() if person.id == by), None)

    def given(self) -> list[tuple[Approver, Answer]]:
        """The answers in their order, and whose they are."""
        people = {person.id: person for person in self.approval.everybody()}
        return [(people[answer.approver], answer) for answer in self.token.answers]

    @property
    def asked(self) -> tuple[Approver, ...]:
        """Who may answer, also who has."""
        return _asked(self.token, self.page)

    def missing(self) -> list[Approver]:
        """Who may answer and has not."""
        return [person for person in self.asked if self.token.answer_of(person.id) is None]

    def chosen(self) -> Counter[str]:
        """How many people have chosen each action."""
        return Counter(answer.action for answer in self.token.answers)


def find_asked(token: Token, page: Page, approver: str) -> Approver | None:
    """Return the person with this id if they may answer a token's page now."""
    return next((person for person in _asked(token, page) if person.id == approver), None)


def find_asked_in_slack(token: Token, page: Page, member: str) -> Approver | None:
    """The same, by the id of a member of Slack."""
    return next((person for person in _asked(token, page) if person.slack == member), None)


def _asked(token: Token, page: Page) -> tuple[Approver, ...]:
    return page.approval.asked(is_escalated=token.escalated_at is not None) if page.approval else ()
