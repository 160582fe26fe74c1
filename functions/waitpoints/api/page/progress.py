"""Where a decision stands, said once for pages, mails, Slack and Teams: what is needed, who has answered what, how it ended.

A sentence names its words (see `words`). Each medium shows the parts, of which callers wrote most, in its own way.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from waitpoints import approvers
from waitpoints.api.page import fields, words
from waitpoints.api.page.definition import Action, Page
from waitpoints.api.page.fields import Field
from waitpoints.api.page.markup import cut
from waitpoints.approvers import Approval, Approver
from waitpoints.token import Answer, Completed, Failed, Outcome, Output, TimedOut, Token

if TYPE_CHECKING:
    from waitpoints.sign_in import SignedIn

MAX_VALUE = 200  # characters of what a person entered into one field


@dataclass(frozen=True, slots=True)
class Sentence:
    """`word` is its name in `words`. The parts are by their names in it."""

    word: str
    parts: "Mapping[str, Part]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """Who has signed in, and what their page needs: the token of its form, its path, and where a sign-out is posted to."""

    signed_in: "SignedIn"
    form_token: str
    path: str
    sign_out_url: str

    @property
    def shown(self) -> str:
        return self.signed_in.email or self.signed_in.subject


Part = Sentence | Action | Approver | str | int
"""An action is shown by its label, an approver by name. A text is a caller's."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one person has answered, at the time `at`, or that they have not. `entered`: the fields that the reader may see."""

    who: Part
    said: Part
    at: int | None = None
    entered: tuple[tuple[Field, Any], ...] = ()

    def values(self, language: str) -> list[tuple[str, str]]:
        """Return the title of each field and what was entered, cut."""
        return [(field.title, cut(words.value(language, field, value), MAX_VALUE)) for field, value in self.entered]


@dataclass(frozen=True, slots=True)
class Progress:
    """A token with a page, as `person` sees it. None: somebody who cannot answer.

    `is_late`: what this person has just chosen changes nothing. Either they had answered otherwise, or the token had ended.
    `repeats_own`: they also read what they have entered. `account`: as whom they have signed in, if the page asks for that.
    """

    page: Page
    token: Token
    person: Approver | None = None
    is_late: bool = False
    repeats_own: bool = False
    account: Account | None = None

    @property
    def approval(self) -> Approval:
        return self.page.approval or Approval(())

    @property
    def own_answer(self) -> Answer | None:
        return self.token.answer_of(self.person.id) if self.person else None

    def own_values(self) -> Mapping[str, Any]:
        """Return what this person has entered, by the names of the fields."""
        return fields.entered(self.page.fields, self.own_answer.fields) if self.own_answer else {}

    @property
    def is_removed(self) -> bool:
        """Whether a hand-over took the page from this person."""
        return self.person is not None and self.token.has_removed(self.person.id)

    def as_of(self, token: Token) -> "Progress":
        """Return it as of the token now, read without its page."""
        approval = approvers.of_token(replace(token, page=self.token.page)) if token.hand_overs else self.page.approval
        return replace(self, page=replace(self.page, approval=approval), token=token)

    @property
    def is_open(self) -> bool:
        """Whether this person can still answer."""
        return self.token.outcome is None and self.own_answer is None

    @property
    def decided_by(self) -> Approver | str | None:
        """Whose answer ended the token: an approver, or a name in Slack. None while it waits, or if it ended in another way."""
        outcome = self.token.outcome
        by = outcome.completed_by if isinstance(outcome, Completed) else None
        if by is None:
            return None
        if self.page.approval is None:
            return by.slack_name
        if self.approval.is_open:
            answer = self.token.answer_of(by.approver or "")
            return self.approval.who_gave(answer) if answer else None
        return next((person for person in self.approval.everybody() if person.id == by.approver), None)

    def pending(self) -> list[Approver]:
        """Who may answer and has not."""
        return [] if self.token.outcome else self.approval.pending(self.token)

    def needed(self) -> list[Sentence]:
        """What it takes to decide. Empty after the end, and if nobody else is asked."""
        people, actions = len(self.rows()), self.page.actions
        if self.token.outcome or not (people or self.approval.is_open):
            return []
        if all(action.needs == 1 for action in actions):
            return [Sentence("needed_any")]
        return [self._needed(action, people) for action in actions]

    def rows(self) -> list[Row]:
        """The answers in their order, then who may still answer. Empty if there is only the person who reads it."""
        given = self.token.answers
        rows = [Row(self._name(self.approval.who_gave(one)), self.chosen(one), one.at, self._entered(one)) for one in given]
        rows += [Row(self._name(person), Sentence("not_answered")) for person in self.pending()]
        is_alone = len(rows) == 1 and self.person is not None and self.token.outcome is None
        return [] if is_alone and not self.approval.is_open else rows

    def handed_over(self) -> list[Row]:
        """Whom each hand-over added and removed, when, and with which key."""
        names = {person.id: person for person in self.approval.ever}
        return [
            Row(self._name(names[approver]), Sentence(word, {"key": one.key or Sentence("root_key")}), one.at)
            for one in self.token.hand_overs
            for word, ids in (("added_by", [person["id"] for person in one.added]), ("removed_by", one.removed))
            for approver in ids
        ]

    def chosen(self, answer: Answer) -> Part:
        return self.page.action(answer.action) or answer.action

    def own_choice(self) -> Sentence:
        """What this person has answered."""
        assert self.own_answer is not None, "only who has answered reads it"
        return Sentence("first_text" if self.is_late else "done_text", {"choice": self.chosen(self.own_answer)})

    def completed_by(self) -> Sentence:
        """Who completed the token."""
        by = self.decided_by
        return Sentence("decided_by", {"name": by}) if by else Sentence("other_way")

    def _entered(self, answer: Answer) -> tuple[tuple[Field, Any], ...]:
        """Return what somebody has entered, if this person may see it."""
        is_known = answer == self.own_answer and not self.repeats_own
        if self.person is None or is_known or not self.page.shows_answers:
            return ()
        values = fields.entered(self.page.fields, answer.fields)
        return tuple((field, values[field.name]) for field in self.page.fields if field.name in values)

    def _name(self, person: Approver) -> Part:
        return Sentence("you", {"name": person}) if self.person and person.id == self.person.id else person

    def _needed(self, action: Action, people: int) -> Sentence:
        if action.needs == 1:
            return Sentence("needed_one", {"choice": action})
        count = Counter(answer.action for answer in self.token.answers)[action.id]
        if self.approval.is_open:
            return Sentence("needed_open", {"needs": action.needs, "choice": action, "count": count})
        return Sentence("needed", {"needs": action.needs, "people": people, "choice": action, "count": count})


def ending(outcome: Outcome, page: Page | None) -> Sentence:
    """Return how a token ended, in words that name nobody."""
    match outcome:
        case TimedOut():
            return Sentence("ended_text")
        case Failed():
            return Sentence("failed_text")
        case Completed(_, Output(json)):
            action = page.decided(json) if page and json else None
            return Sentence("decided_text", {"choice": action}) if action else Sentence("completed_text")


def written(part: Part, words: Callable[[str], str], show: Callable[[str], str]) -> str:
    """Return a part in the sentences that `words` finds by name. `show` writes what a caller wrote as the medium must."""
    match part:
        case Sentence(word, parts):
            return words(word).format(**{name: written(one, words, show) for name, one in parts.items()})
        case Action(label=label):
            return show(label or words("submit"))
        case Approver(shown=text) | str(text):
            return show(text)
        case int():
            return str(part)
