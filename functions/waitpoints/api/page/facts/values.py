"""The facts of a page, `page.facts`: what is asked about, as labels and values that are written in the reader's language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from waitpoints.api.page import words
from waitpoints.api.page.facts import amounts
from waitpoints.api.page.markup import cut

DATE, INSTANT, LINK = "date", "instant", "link"
MAX_PATH = 80  # characters of a link's path that are shown; its host is shown whole


@dataclass(frozen=True, slots=True)
class Fact:
    """`value` is a text or a number, as `fact_checks` has accepted it for the format. `kind` says what a link leads to."""

    label: str
    value: str | int | float
    format: str | Mapping[str, str] | None = None
    kind: str = ""

    @property
    def url(self) -> str | None:
        return str(self.value) if self.format == LINK else None

    @property
    def instant(self) -> int | None:
        """The time in milliseconds, if it is one."""
        if self.format != INSTANT:
            return None
        return round(datetime.fromisoformat(str(self.value)).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    facts: tuple[Fact, ...]

    def texts(self) -> list[str]:
        """Return what people read that is written as it was given."""
        values = (fact.value for fact in self.facts if fact.format is None and isinstance(fact.value, str))
        kinds = (fact.kind for fact in self.facts)
        return [*filter(None, [self.title, *kinds]), *(fact.label for fact in self.facts), *values]


def of(value: Sequence[Mapping[str, Any]]) -> tuple[Group, ...]:
    """Return the groups of `page.facts`. Facts without a group are one without a title."""
    if any("facts" in one for one in value):
        return tuple(Group(one["title"], tuple(map(_fact, one["facts"]))) for one in value)
    return (Group("", tuple(map(_fact, value))),) if value else ()


def _fact(value: Mapping[str, Any]) -> Fact:
    return Fact(value["label"], value["value"], value.get("format"), value.get("kind", ""))


def written(language: str, fact: Fact, zone: str | None = None) -> str:
    """Return a fact's value for its reader. An instant is in UTC, or in a zone; a link shows its host and path."""
    value, text = fact.value, str(fact.value)
    match fact.format:
        case None if isinstance(value, str):
            return text
        case "link":
            url = urlsplit(text)
            return url.netloc.lower() + cut(url.path.rstrip("/"), MAX_PATH)
        case "date":
            return words.day(language, date.fromisoformat(text))
        case "instant":
            return words.time(language, datetime.fromtimestamp((fact.instant or 0) / 1000, UTC), zone)
        case format_:
            decimal = words.decimal(language)
            return amounts.written(language, value, format_ or amounts.NUMBER, decimal) or text
