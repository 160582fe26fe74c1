"""A token's page, as it is stored: a JSON text that `page_checks.parse` has checked once, when the token was created."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from waitpoints import approvers, json_text
from waitpoints.api.page import fields as page_fields
from waitpoints.api.page import words
from waitpoints.api.page.fields import Field
from waitpoints.approvers import Approval, Approver
from waitpoints.errors import TokenNotFound
from waitpoints.token import SINCE, HandOver, Token

if TYPE_CHECKING:
    from waitpoints.api.page.facts.values import Group
    from waitpoints.sign_in import SignInRule

DEFAULT_ACTION = "submit"
TRANSLATED = (
    "title",
    "text",
    "label",
    "description",
    "value",
    "kind",
)  # members that may have a text for each language of the page


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Action:
    """`label` is None for the one action of a page without actions: the page's own words name it.

    `needs` is how many people must choose it. `needs_fields`: whether who chooses it must fill in the required fields.
    """

    id: str
    label: str | None
    style: str | None = None
    needs: int = 1
    needs_fields: bool = True

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        return cls(value["id"], value["label"], value.get("style"), value.get("needs", 1), value.get("needsFields", True))


@dataclass(frozen=True, slots=True)
class Page:
    """A page as a reader is shown it. `language` is that of its texts, if the page says so, and of the words around them.

    `shows_answers`: whether approvers see what others have entered. `same_fields`: what all who choose an action that needs its
    fields must enter alike. `sign_in`: where they must sign in. `time_zone`: that of its mails and messages.
    """

    language: str
    source: Mapping[str, Any]
    title: str
    text: str
    links: tuple[Link, ...]
    actions: tuple[Action, ...]
    fields: tuple[Field, ...]
    confirm: bool
    approval: Approval | None = None
    reminds: bool = False
    shows_answers: bool = True
    same_fields: tuple[str, ...] = ()
    sign_in: "SignInRule | None" = None
    facts: "tuple[Group, ...]" = ()
    time_zone: str | None = None

    @property
    def since_version(self) -> int | None:
        """The first version that knows all its members, and so may settle its token. None: every version."""
        formats = ["numberFormat" for field in self.fields if field.number_format]
        names = chain(self.source, formats, *self.source.get("actions", ()))
        return max((SINCE[name] for name in names if name in SINCE), default=None)

    def in_language(self, wanted: str) -> "Page":
        """Return the page in that of its languages which an Accept-Language asks for first, else in its first one."""
        language = words.language(wanted, languages_of(self.source))
        return self if language == self.language else replace(of(self.source, language), approval=self.approval)

    def for_reader(self, person: Approver | None) -> "Page":
        """Return the page in the language of a person, or of the first approver where many read."""
        first = person or next(iter(self.approval.approvers if self.approval else ()), None)
        return self.in_language((first and first.language) or "")

    def action(self, action_id: Any) -> Action | None:
        return next((action for action in self.actions if action.id == action_id), None)

    def decided(self, output: str) -> Action | None:
        """Return the action that a token's output names. None if it names none: the token was completed in another way."""
        try:
            value = json_text.parse(output)
        except json_text.NotJson:
            return None
        return self.action(value.get("action")) if isinstance(value, dict) else None


def of_text(text: str | None, hand_overs: Sequence[HandOver] = ()) -> Page:
    """Return the page of a stored text after these hand-overs. Raises TokenNotFound without one: its token was removed."""
    if text is None:
        raise TokenNotFound
    return of(json_text.parse(text), hand_overs=hand_overs)


def of_token(token: Token) -> Page:
    """Return the page of a token that was read with it. Raises WrittenLater."""
    token.check_version()
    return of_text(token.page, token.hand_overs)


def of(source: Mapping[str, Any], wanted: str = "", hand_overs: Sequence[HandOver] = ()) -> Page:
    """Return the page with these members, which have been checked, in the language that is wanted most."""
    languages = languages_of(source)
    language = words.language(wanted, languages)
    value = translated(source, languages, language) if languages else source
    fields = page_fields.of_schema(value["fields"]) if "fields" in value else ()
    same = value.get("sameFields", ())
    return Page(
        language=language,
        source=source,
        title=value["title"],
        text=value.get("text", ""),
        links=tuple(Link(link.get("label", link["url"][:200]), link["url"]) for link in value.get("links", ())),
        actions=tuple(map(Action.of, value.get("actions", ()))) or (Action(DEFAULT_ACTION, None),),
        fields=fields,
        confirm=value.get("confirm", False),
        approval=approvers.of_page(value, hand_overs),
        reminds="remind" in value,
        shows_answers=value.get("showAnswers", True),
        same_fields=tuple(field.name for field in fields if same is True or field.name in same),
        sign_in=_sign_in(value) if isinstance(value.get("signIn"), dict) and "issuer" in value["signIn"] else None,
        facts=_facts(value["facts"]) if "facts" in value else (),
        time_zone=value.get("timeZone"),
    )


def _facts(value: Sequence[Mapping[str, Any]]) -> "tuple[Group, ...]":
    from waitpoints.api.page.facts import values

    return values.of(value)


def _sign_in(value: Mapping[str, Any]) -> "SignInRule":
    from waitpoints import timeouts
    from waitpoints.sign_in import SignInRule

    rule, max_age = value["signIn"], value.get("maxAge")
    age = None if max_age is None else timeouts.duration(max_age)
    return SignInRule(rule["issuer"], rule["clientId"], tuple(rule.get("domains", ())), age)


def languages_of(source: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the languages of a page's texts. Empty if it does not say them."""
    named = source.get("language", ())
    return (named,) if isinstance(named, str) else tuple(named)


def translated(value: Any, languages: Sequence[str], language: str) -> Any:
    """Return members of a page with the texts of one of its languages. A text that lacks a language stays as it is."""
    if isinstance(value, list):
        return [translated(one, languages, language) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: one.get(language, one[languages[0]])
        if name in TRANSLATED and isinstance(one, dict) and one.keys() == {*languages}
        else translated(one, languages, language)
        for name, one in value.items()
    }
