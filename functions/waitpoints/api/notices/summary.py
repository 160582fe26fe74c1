"""What notices say about a token: the sentences of its `Progress`, as plain text in the language of who reads them.

What callers wrote stands on one line, and each person's answer on a line with nothing of others. Only mails keep the line
breaks of what a person entered, each line indented below it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from waitpoints.api.notices import notice_words
from waitpoints.api.notices.plan import Notice
from waitpoints.api.page import words
from waitpoints.api.page.markup import cut, visible
from waitpoints.api.page.progress import MAX_VALUE, Part, Progress, Row, Sentence, ending, written
from waitpoints.token import Completed


@dataclass(frozen=True, slots=True)
class Person:
    """A person and their answer. `entered` has each field that the reader may see, and its value with its line breaks."""

    name: str
    said: str
    entered: tuple[tuple[str, str], ...] = ()
    colon: str = ": "

    def lines(self, *, with_entered: bool = True, keeps_breaks: bool = False) -> list[str]:
        shown = [(title, text.replace("\n", "\n    ") if keeps_breaks else line(text)) for title, text in self.entered]
        entered = (f"  • {title}{self.colon}{text}" for title, text in shown if with_entered)
        return [f"{self.name}{self.colon}{self.said}", *entered]


@dataclass(frozen=True, slots=True)
class FactLine:
    """A fact of the page. `title` is that of the group that it begins; `value` of a link is its host and path."""

    title: str
    label: str
    value: str
    url: str | None = None

    @property
    def is_long(self) -> bool:
        return len(line(self.value)) > MAX_VALUE

    def shortened(self) -> "FactLine":
        return replace(self, value=cut(line(self.value), MAX_VALUE))


@dataclass(frozen=True, slots=True)
class Summary:
    progress: Progress

    @classmethod
    def of(cls, notice: Notice) -> "Summary":
        has_ended = notice.token.outcome is not None
        return cls(Progress(notice.page, notice.token, notice.target.person, repeats_own=has_ended))

    @property
    def language(self) -> str:
        return self.progress.page.language

    @property
    def colon(self) -> str:
        return words.colon(self.language)

    def __getitem__(self, word: str) -> str:
        return notice_words.sentence(self.language, word)

    def said(self, word: str, **parts: Part) -> str:
        return self.written(Sentence(word, parts))

    def written(self, part: Part) -> str:
        return written(part, self.__getitem__, line)

    def facts(self) -> list[FactLine]:
        """The facts of the page. Only a page with some loads what writes them."""
        page, lines = self.progress.page, list[FactLine]()
        if not page.facts:
            return lines
        from waitpoints.api.page.facts import values

        for group in page.facts:
            for fact in group.facts:
                title = line(group.title) if fact is group.facts[0] else ""
                label = line(f"{fact.label} ({fact.kind})" if fact.kind else fact.label)
                value = block(values.written(self.language, fact, page.time_zone))
                lines.append(FactLine(title, label, value, fact.url))
        return lines

    def needed(self) -> list[str]:
        return [self.written(sentence) for sentence in self.progress.needed()]

    def people(self) -> list[Person]:
        """Each person with their answer, or that they have not answered yet."""
        return [self._person(row) for row in self.progress.rows()]

    def _person(self, row: Row) -> Person:
        entered = tuple((line(title), block(text)) for title, text in row.values(self.language))
        return Person(self.written(row.who), self.written(row.said), entered, self.colon)

    def lines(self, *, with_entered: bool = True) -> list[str]:
        """What is needed, and each person's answer."""
        return [*self.needed(), *(one for person in self.people() for one in person.lines(with_entered=with_entered))]

    def ending(self) -> list[str]:
        """How the token ended, and by whom. The first line is a heading."""
        assert self.progress.token.outcome is not None, "a waiting token has no ending"
        said = ending(self.progress.token.outcome, self.progress.page)
        lines = [self[said.word.replace("_text", "_heading")], self.written(said)]
        is_overridden = self.progress.page.approval is not None and isinstance(self.progress.token.outcome, Completed)
        has_decider = self.progress.decided_by or is_overridden
        return [*lines, self.written(self.progress.completed_by())] if has_decider else lines

    def time(self, instant: int) -> str:
        return words.time(self.language, datetime.fromtimestamp(instant / 1000, UTC), self.progress.page.time_zone)


def line(text: str) -> str:
    """Return a caller's text as one line."""
    return " ".join(block(text).split())


def block(text: str) -> str:
    """Return a caller's text as people may read it in every client."""
    return "\n".join(visible(text).splitlines()).strip()


def fitting(text: str, room: int, size: Callable[[str], int]) -> str:
    """Return what fits of a text, by the size of its characters, with "…" if something is cut off. Empty if nothing fits."""
    if sum(map(size, text)) <= room:
        return text
    kept, left = "", room - size("…")
    for character in text:
        left -= size(character)
        if left < 0:
            break
        kept += character
    return f"{kept}…" if kept else ""
