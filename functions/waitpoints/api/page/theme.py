"""The language and brand in which pages are written, and what their sentences are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from waitpoints.api.page import words
from waitpoints.api.page.markup import Element, Markup, escaped
from waitpoints.api.page.progress import Part, Sentence, written


def isolated(text: str) -> Markup:
    """Return a caller's text within the page's own: its direction changes nothing around it."""
    return Element("bdi", text)


def strong(text: str) -> Markup:
    return Element("strong", isolated(text))


@dataclass(frozen=True, slots=True)
class Theme:
    """The page's language, one of `words.WORDS`, and the stack's brand. `color` is `#rrggbb`; `name` may be empty."""

    language: str = words.DEFAULT
    name: str = ""
    color: str = "#2457d6"

    def __getitem__(self, word: str) -> str:
        return words.WORDS[self.language][word]

    def sentence(self, word: str, show: Callable[[str], Markup] = strong, **parts: Part) -> Markup:
        return self.written(Sentence(word, parts), show)

    def written(self, part: Part, show: Callable[[str], Markup] = strong) -> Markup:
        """Return a part as HTML. `show` writes what a caller wrote."""
        return Markup(written(part, lambda word: escaped(self[word]), show))

    def time(self, at: datetime) -> Markup:
        machine = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return Element("time", words.time(self.language, at), datetime=machine)

    @property
    def colon(self) -> str:
        return words.colon(self.language)

    @property
    def decimal(self) -> str:
        return words.decimal(self.language)
