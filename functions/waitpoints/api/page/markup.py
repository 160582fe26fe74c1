"""HTML as elements. The only place where text becomes HTML: every text is escaped, as content or an attribute.

Content is what people read, see `visible`. Attributes, and what `verbatim` returns, are sent back as they are.
"""

import re
from collections.abc import Iterable
from html import escape
from typing import Self
from unicodedata import category

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tab, line feed and carriage return
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_DIRECTIONS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # overrides, embeddings and isolates
MAX_MARKS = 5  # on one letter: more reach into the line above
_MAYBE_MARKS = re.compile(rf"[^\w\s]{{{MAX_MARKS + 1},}}")


def printable(text: str) -> str:
    """Return a text in which nothing is a control character or half of a surrogate pair, for inputs and error messages."""
    if _is_plain(text):
        return text
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("\ufffd", text))


def visible(text: str) -> str:
    """Return a text that reads as it is written: what would reorder it is `\\u202e`, and no letter draws over other lines."""
    if _is_plain(text):
        return text
    escaped = _DIRECTIONS.sub(lambda found: f"\\u{ord(found[0]):04x}", printable(text))
    return _MAYBE_MARKS.sub(_with_few_marks, escaped)


def _is_plain(text: str) -> bool:
    """Whether a text has nothing to replace, as most have."""
    return text.isascii() and text.isprintable()


def _with_few_marks(found: re.Match[str]) -> str:
    """Return it with at most MAX_MARKS marks in a row. Spacing marks and format characters between them end no row."""
    kept, marks = "", 0
    for character in found[0]:
        kind = category(character)
        is_mark = kind in ("Mn", "Me")
        marks = marks + is_mark if is_mark or kind in ("Mc", "Cf") else 0
        kept += "" if is_mark and marks > MAX_MARKS else character
    return kept


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


class Markup(str):
    """HTML of an `Element`, a `Fragment` or this project's own code, never of a request or a page's definition."""

    __slots__ = ()


class Element(Markup):
    """An element. `class_="x"` is class, `aria_label` is aria-label; True has no value, None and False no attribute."""

    __slots__ = ()

    def __new__(cls, tag: str, /, *children: "Child", **attributes: str | int | float | bool | None) -> Self:
        written = "".join(
            f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{verbatim(str(value))}"')
            for key, value in attributes.items()
            if value is not None and value is not False
        )
        return super().__new__(cls, f"<{tag}{written}>" + ("" if tag in _VOID else f"{Fragment(*children)}</{tag}>"))


class Fragment(Markup):
    """Its children, one after the other."""

    __slots__ = ()

    def __new__(cls, *children: "Child") -> Self:
        return super().__new__(cls, "".join(map(_written, children)))


_VOID = {"input", "link", "meta"}

Child = str | None | Iterable[str | None]
"""A Markup is inserted, another text is escaped, None is nothing."""


def escaped(text: str) -> Markup:
    return verbatim(visible(text))


def verbatim(text: str) -> Markup:
    """Return it with references in place of what HTML reads otherwise, the shortest ones: pages have a limit."""
    return Markup(escape(printable(text), quote=False).replace('"', "&#34;").replace("'", "&#39;"))


def _written(child: Child) -> str:
    if child is None or isinstance(child, Markup):
        return child or ""
    return escaped(child) if isinstance(child, str) else Fragment(*child)
