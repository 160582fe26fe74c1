"""The language and brand in which pages are written, and what their sentences are made of."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from waitpoints.api.page import words
from waitpoints.api.page.definition import Action
from waitpoints.api.page.markup import Markup, element, join

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Theme:
    """The page's language, one of `words.WORDS`, and the stack's brand. `color` is `#rrggbb`; `name` may be empty."""

    language: str = words.DEFAULT
    name: str = ""
    color: str = "#2457d6"

    def __getitem__(self, word: str) -> str:
        return words.WORDS[self.language][word]

    def sentence(self, word: str, **parts: Markup | str) -> Markup:
        """Return one of the page's own sentences with elements in the places of `{name}`."""
        pieces = _PLACE.split(self[word])
        return join(*(parts[piece] if at % 2 else piece for at, piece in enumerate(pieces)))

    def time(self, at: datetime) -> Markup:
        machine = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return element("time", words.time(self.language, at), datetime=machine)

    @property
    def decimal(self) -> str:
        return words.decimal(self.language)

    def label(self, action: Action) -> str:
        return self["submit"] if action.label is None else action.label


def isolated(text: str) -> Markup:
    """Return a caller's text within the page's own: its direction changes nothing around it."""
    return element("bdi", text)


def strong(text: str) -> Markup:
    return element("strong", isolated(text))
