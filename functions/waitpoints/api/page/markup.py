"""HTML as elements. The only place where text becomes HTML: every text is escaped, as content or an attribute.

Content is what people read, see `visible`. Attributes, and what `verbatim` returns, are sent back as they are.
"""

from collections.abc import Iterable
from html import escape
from typing import Self

from waitpoints.api.page.submitted import printable, visible


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
    return Markup(escape(printable(text), quote=True))


def _written(child: Child) -> str:
    if child is None or isinstance(child, Markup):
        return child or ""
    return escaped(child) if isinstance(child, str) else Fragment(*child)
