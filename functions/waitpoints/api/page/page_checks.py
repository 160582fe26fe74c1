"""The create field `page`: what a person is shown behind a callback URL.

{"title", "text", "links": [{"label", "url"}], "actions": [{"id", "label", "style", "needs", "needsFields"}],
 "fields": {JSON Schema}, "facts": see `fact_checks`, "confirm", "language"}

With `language`, each title, text, label and description may be an object that has a text for each of these languages.
Who may answer: see `approver_checks`. When they are asked again: see `reminder_checks`.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any
from unicodedata import category

from waitpoints import json_text
from waitpoints.api.page import approver_checks, definition, render, shapes, words
from waitpoints.api.page.definition import Page
from waitpoints.api.page.progress import Progress
from waitpoints.api.page.reminder_checks import REMINDERS
from waitpoints.api.page.shapes import FLAG, Chosen, Fitting, Items, Members, Shape, Text
from waitpoints.api.page.theme import Theme, isolated
from waitpoints.approvers import LANGUAGES, Approval, Approver
from waitpoints.errors import InvalidPage
from waitpoints.token import Answer, Token

MAX_BYTES = 16_384  # of the definition as JSON text
MAX_HTML = 60_000  # bytes of the form before a person fills it in
MAX_TITLE = 200  # characters
MAX_TEXT = 10_000  # characters
MAX_LINKS = 10
MAX_LINK_LABEL = 200  # characters
MAX_URL = 2048  # characters
MAX_ACTIONS = 8
MAX_ACTION_LABEL = 100  # characters
STYLES = ("primary", "danger")
UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Zs")  # Unicode's categories of controls, format characters and spaces

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Browsers drop line breaks in a URL, and read "\" as "/": neither is accepted, nor any character that is not shown.
_SEEN = r"[^\s\x00-\x20\x7f-\xa0\\\ud800-\udfff]"
_URL = re.compile(rf"(?i:https?://(?![/?#]){_SEEN}|mailto:{_SEEN}){_SEEN}*")


def _form(_: Any) -> Shape:
    """Only a page with fields loads what checks them."""
    from waitpoints.api.page.field_checks import FORM

    return FORM


def _facts(_: Any) -> Shape:
    """Only a page with facts loads what checks them."""
    from waitpoints.api.page.facts.fact_checks import FACTS

    return FACTS


def _is(pattern: re.Pattern[str], longest: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and len(value) <= longest and pattern.fullmatch(value) is not None


def _are_languages(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(one in LANGUAGES and value.count(one) == 1 for one in value)


def _is_zone(value: Any) -> bool:
    from waitpoints import zones

    return isinstance(value, str) and value in zones.names()


LINK = Members(
    {
        "label": Text(MAX_LINK_LABEL),
        "url": Fitting(
            _is(_URL, MAX_URL),
            f"expected an absolute URL of the scheme https, http or mailto, without spaces, of at most {MAX_URL:,} characters",
        ),
    },
    needed=("url",),
)
ACTION = Members(
    {
        "id": Fitting(_is(_ID, 64), "expected 1 to 64 characters of A-Z, a-z, 0-9, _ and -"),
        "label": Text(MAX_ACTION_LABEL),
        "style": Fitting(lambda value: value in STYLES, f"expected one of {', '.join(STYLES)}, or no style"),
        "needs": None,
        "needsFields": FLAG,
    },
    needed=("id", "label"),
)
_LANGUAGES = Fitting(
    lambda value: _are_languages([value] if isinstance(value, str) else value),
    f"expected one of {', '.join(LANGUAGES)}, or a list of several, each once",
)
PAGE = Members(
    {
        "title": Text(MAX_TITLE),
        "text": Text(MAX_TEXT, 0),
        "links": Items(LINK, MAX_LINKS),
        "actions": Items(ACTION, MAX_ACTIONS, 1),
        "facts": Chosen(_facts),
        "fields": Chosen(_form),
        "confirm": FLAG,
        "remind": REMINDERS,
        "language": None,
        "timeZone": Fitting(_is_zone, "expected a name of IANA's time zone database, such as Europe/Berlin or UTC"),
        **approver_checks.SHAPES,
    },
    needed=("title",),
)


def parse(value: Any, client: tuple[str, str] | None = None, *, needs_sign_in: bool = False) -> tuple[Page, str]:
    """Return the page that a create asks for, and its JSON text for the table. Raises InvalidPage.

    `client`: the issuer where people sign in, and the id of the client there.
    """
    if isinstance(value, dict) and "language" in value:
        shapes.check_shape(value["language"], _LANGUAGES, "page.language")
        languages = definition.languages_of(value)
        for language in languages:
            _check(definition.translated(value, languages, language))
    else:
        _check(value)
    value = approver_checks.without_requester(value)
    if needs_sign_in or not value.keys().isdisjoint(("signIn", "maxAge")):
        value = approver_checks.check_bound(value, client)
    text = json_text.dumps(value)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidPage("page", f"at most {MAX_BYTES:,} bytes of JSON are accepted")
    return definition.of(value), text


def _check(value: Any) -> None:
    """Check a page in one of its languages. Raises InvalidPage."""
    shapes.check_shape(value, PAGE, "page")
    approver_checks.check_people(value)
    actions = value.get("actions", ())
    if len({action["id"] for action in actions}) < len(actions):
        raise InvalidPage("page.actions", "the same id twice")
    page = definition.of(value)
    if "fields" in value:
        from waitpoints.api.page import field_checks

        field_checks.check_fields(value["fields"], page.fields)
    _check_all_visible(page)


def _check_all_visible(page: Page) -> None:
    """Check that mails and chats, which leave out what cannot be seen, have something to show, and links are what they seem."""
    shown = [("page.title", page.title)]
    shown += [(f"page.links[{at}].label", link.label) for at, link in enumerate(page.links)]
    shown += [(f"page.actions[{at}].label", action.label) for at, action in enumerate(page.actions) if action.label]
    shown += [("page.facts", text) for group in page.facts for text in group.texts()]
    shown += [("page.approvers", person.shown) for person in (page.approval.everybody() if page.approval else ())]
    for at, link in enumerate(page.links):
        if any(category(character) in UNSEEN for character in link.url):
            reason = "characters that cannot be seen are not accepted: write them as in %E2%80%AE"
            raise InvalidPage(f"page.links[{at}].url", reason)
    for path, text in shown:
        check_visible(path, text)


def check_visible(path: str, text: str) -> None:
    """Raises InvalidPage if nothing of a text can be seen."""
    if all(category(character) in UNSEEN for character in approver_checks.NOT_SHOWN.sub("", text)):
        raise InvalidPage(path, "expected more than characters that cannot be seen")


def check_size(page: Page) -> None:
    """Raises InvalidPage if the form of a page is too large. Its longest language counts, and its approvers' answers."""
    if "language" not in page.source and 2 * _size(page) <= MAX_HTML:
        return  # languages differ in this project's own words only, which are much less than half of a form
    longest = max(map(_size, {one.language: one for one in (page.in_language(language) for language in words.WORDS)}.values()))
    if longest > MAX_HTML:
        raise InvalidPage("page", f"as HTML it has {longest:,} bytes; at most {MAX_HTML:,} are accepted")


def _size(page: Page) -> int:
    theme = Theme(page.language, "x" * 100)
    state = fullest(page, theme)
    return len(render.form(state.page, theme, token=state.token, progress=state).encode())


def fullest(page: Page, theme: Theme) -> Progress:
    """Return the progress of which the form says most: all have answered but the approver with the longest name."""
    at = _longest_time(theme.language)
    token = Token(id="", created_at=at, timeout_at=at)
    approval = page.approval
    if approval is None:
        return Progress(page, token)
    if approval.is_open:
        most = tuple(Approver(f"{number:0254}") for number in range(approver_checks.MAX_APPROVERS))
        approval = Approval(most, ever=most)
        page = replace(page, approval=approval)
    people = sorted(approval.everybody(), key=lambda person: len(isolated(person.shown)))
    choice = max(page.actions, key=lambda action: len(isolated(action.label or "")))
    answers = tuple(Answer(person.id, choice.id, "{}", at) for person in people[:-1])
    return Progress(page, replace(token, answers=answers, escalated_at=at), people[-1])


@cache
def _longest_time(language: str) -> int:
    """Return an instant, in milliseconds, that has the longest text."""
    months = [datetime(2026, month, 28, tzinfo=UTC) for month in range(1, 13)]
    return int(max(months, key=lambda month: len(words.time(language, month).encode())).timestamp() * 1000)
