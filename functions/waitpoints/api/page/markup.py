"""HTML as elements. The only place where text becomes HTML: every text is escaped, whether it is content or an attribute."""

from collections.abc import Iterable
from html import escape

from waitpoints.api.page.submitted import printable


class Markup(str):
    """HTML that `element`, `join` or `literal` made."""

    __slots__ = ()


_VOID = {"input", "link", "meta"}

Child = str | None | Iterable[str | None]
"""A Markup is inserted, another text is escaped, None is nothing."""


def element(tag: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """Return an element. `class_="x"` is class, `aria_label` is aria-label; True has no value, None and False no attribute."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escaped(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{tag}{written}>" + ("" if tag in _VOID else f"{join(*children)}</{tag}>"))


def join(*children: Child) -> Markup:
    return Markup("".join(_child(child) for child in children))


def literal(html: str) -> Markup:
    """HTML of this project's own code, never of a request or a page's definition."""
    return Markup(html)


def _child(child: Child) -> str:
    if child is None or isinstance(child, Markup):
        return child or ""
    return escaped(child) if isinstance(child, str) else join(*child)


def escaped(text: str) -> Markup:
    return Markup(escape(printable(text), quote=True))
