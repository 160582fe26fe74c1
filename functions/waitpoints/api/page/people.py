"""How a page speaks of its approvers: who looks at it, where the decision stands, who has answered what, and who decided.

Every approver sees the names of all. Whoever has no link of their own sees none.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from waitpoints.api.page.approvers import Approver
from waitpoints.api.page.definition import Page
from waitpoints.api.page.markup import Markup, element
from waitpoints.api.page.progress import Progress
from waitpoints.api.page.theme import Theme, isolated, strong
from waitpoints.token import Answer, Token


@dataclass(frozen=True, slots=True)
class People:
    """The approvers of one token, as `progress` has them, in the words of a theme."""

    theme: Theme
    progress: Progress

    def greeting(self) -> Markup | None:
        person = self.progress.person
        return element("p", self.theme.sentence("answer_as", name=strong(person.shown)), class_="note") if person else None

    def late(self) -> Markup | None:
        """That what this person has just chosen changes nothing."""
        if not self.progress.is_late:
            return None
        return self.own_choice("first_text") if self.progress.own_answer else element("p", self.theme["late_text"])

    def decided_by(self) -> Markup:
        """Who completed the token."""
        by = self.progress.decided_by
        return element("p", self.theme.sentence("decided_by", name=strong(by.shown)) if by else self.theme["other_way"])

    def own_choice(self, word: str) -> Markup:
        """The sentence with this name about what this person has answered."""
        own = self.progress.own_answer
        assert own is not None, "only who has answered is told of it"
        return element("p", self.theme.sentence(word, choice=strong(self._label_of(own))))

    def state(self) -> Markup | None:
        """What is needed, and each person with their answer. Of a token that has ended, the answers that came."""
        progress, theme = self.progress, self.theme
        rows = [self._row(person, answer) for person, answer in progress.given()]
        if progress.token.outcome is not None:
            return self._section("answers_heading", None, rows) if rows else None
        rows += [self._row(person, None) for person in progress.missing()]
        if len(rows) == 1:  # the person who looks at it
            return None
        is_any = all(action.needs == 1 for action in progress.page.actions)
        return self._section("standing_heading", element("p", theme["needed_any"]) if is_any else self._needed(len(rows)), rows)

    def _section(self, heading: str, needed: Markup | None, rows: list[Markup]) -> Markup:
        return element("section", element("h2", self.theme[heading]), needed, element("dl", rows), class_="people")

    def _needed(self, people: int) -> Markup:
        chosen, sentences = self.progress.chosen(), []
        for action in self.progress.page.actions:
            choice, needs, count = strong(self.theme.label(action)), str(action.needs), str(chosen[action.id])
            if action.needs == 1:
                sentences.append(self.theme.sentence("needed_one", choice=choice))
            else:
                sentences.append(self.theme.sentence("needed", needs=needs, people=str(people), choice=choice, count=count))
        return element("ul", [element("li", sentence) for sentence in sentences])

    def _row(self, person: Approver, answer: Answer | None) -> Markup:
        name = isolated(person.shown)
        said = element("dd", self.theme["not_answered"], class_="muted")
        if answer:
            at = self.theme.time(datetime.fromtimestamp(answer.at / 1000, UTC))
            said = element("dd", isolated(self._label_of(answer)), element("small", at))
        is_own = person == self.progress.person
        return element("div", element("dt", self.theme.sentence("you", name=name) if is_own else name), said)

    def _label_of(self, answer: Answer) -> str:
        action = self.progress.page.action(answer.action)
        return answer.action if action is None else self.theme.label(action)


def fullest(page: Page, theme: Theme) -> People:
    """Return the people of whom the form says most: all have answered but the one with the longest name."""
    assert page.approval is not None, "only a page with approvers has progress"
    months = [datetime(2026, month, 28, tzinfo=UTC) for month in range(1, 13)]
    at = int(max(months, key=lambda month: len(theme.time(month).encode())).timestamp() * 1000)
    people = sorted(page.approval.everybody(), key=lambda person: len(isolated(person.shown)))
    choice = max(page.actions, key=lambda action: len(isolated(action.label or "")))
    answers = tuple(Answer(person.id, choice.id, "{}", at) for person in people[:-1])
    return People(theme, Progress(page, Token(id="", created_at=0, answers=answers, escalated_at=0), people[-1]))
