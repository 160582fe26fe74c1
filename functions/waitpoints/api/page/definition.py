"""The create field `page`: what a person is shown behind a callback URL.

    {"title", "text", "links": [{"label", "url"}], "actions": [{"id", "label", "style", "needs"}], "fields": {JSON Schema},
     "confirm"}, who may answer: see `approvers`, and when they are asked again: see `reminders`

A token keeps its definition as the JSON text that `parse` returns; `load` reads it back.
"""

import re
from dataclasses import dataclass
from typing import Any

from waitpoints import json_text
from waitpoints.api.page import approvers as page_approvers
from waitpoints.api.page import fields as page_fields
from waitpoints.api.page import submitted
from waitpoints.api.page.approvers import Approval
from waitpoints.api.page.fields import Field
from waitpoints.errors import InvalidPage, TokenNotFound

MAX_BYTES = 16_384  # of the definition as JSON text
MAX_TITLE = 200  # characters
MAX_TEXT = 10_000  # characters
MAX_LINKS = 10
MAX_LINK_LABEL = 200  # characters
MAX_URL = 2048  # characters
MAX_ACTIONS = 8
MAX_ACTION_LABEL = 100  # characters
STYLES = ("primary", "danger")
DEFAULT_ACTION = "submit"
UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Zs")  # Unicode's categories of controls, format characters and spaces

_MEMBERS = ("title", "text", "links", "actions", "fields", "confirm", "remind", *page_approvers.MEMBERS)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Browsers drop line breaks in a URL, and read "\" as "/": neither is accepted, nor any character that is not shown.
_URL = re.compile(r"(?i:https?://[^\s\x00-\x20\x7f-\xa0\\/?#]|mailto:[^\s\x00-\x20\x7f-\xa0\\])[^\s\x00-\x20\x7f-\xa0\\]*")


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Action:
    """`label` is None for the one action of a page without actions: the page's own words name it.

    `needs` is how many people must choose it.
    """

    id: str
    label: str | None
    style: str | None = None
    needs: int = 1


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    text: str
    links: tuple[Link, ...]
    actions: tuple[Action, ...]
    fields: tuple[Field, ...]
    confirm: bool
    approval: Approval | None = None
    reminds: bool = False

    def action(self, action_id: Any) -> Action | None:
        return next((action for action in self.actions if action.id == action_id), None)

    def decided(self, output: str) -> Action | None:
        """Return the action that a token's output names. None if it names none: the token was completed in another way."""
        try:
            value = json_text.parse(output)
        except json_text.NotJson:
            return None
        return self.action(value.get("action")) if isinstance(value, dict) else None


def parse(value: Any) -> str:
    """Return the JSON text of a definition, for the table. Raises InvalidPage."""
    page = _page(value)
    _check_visible(page)
    text = json_text.dumps(value)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidPage("page", f"at most {MAX_BYTES:,} bytes of JSON are accepted")
    if page.fields:
        from waitpoints.api.page import field_checks  # noqa: PLC0415 - a page can be shown without it

        field_checks.check(value["fields"], page.fields, "page.fields")
    return text


def _check_visible(page: Page) -> None:
    """Check that mails and chats, which leave out what nobody sees, have something to show, and that links are what they seem.

    Pages that are stored may not.
    """
    from unicodedata import category  # noqa: PLC0415 - only for new pages

    shown = [("page.title", page.title)]
    shown += [(f"page.links[{at}].label", link.label) for at, link in enumerate(page.links)]
    shown += [(f"page.actions[{at}].label", action.label) for at, action in enumerate(page.actions) if action.label]
    shown += [("page.approvers", person.shown) for person in (page.approval.everybody() if page.approval else ())]
    for at, link in enumerate(page.links):
        if any(category(character) in UNSEEN for character in link.url):
            reason = "characters that cannot be seen are not accepted: write them as in %E2%80%AE"
            raise InvalidPage(f"page.links[{at}].url", reason)
    for place, text in shown:
        if all(category(character) in UNSEEN for character in text):
            raise InvalidPage(place, "expected more than characters that cannot be seen")


def load(text: str | None) -> Page:
    """Return the page of a text that `parse` returned. Raises TokenNotFound without one: its token was removed meanwhile."""
    if text is None:
        raise TokenNotFound
    return _page(json_text.parse(text))


def _page(value: Any) -> Page:
    given = submitted.check_members(value, "page", _MEMBERS)
    confirm = given.get("confirm", False)
    if not isinstance(confirm, bool):
        raise InvalidPage("page.confirm", "expected true or false")
    links = submitted.check_items(given.get("links", []), "page.links", MAX_LINKS)
    approval = page_approvers.parse(given)
    most = len(approval.approvers) if approval else 0
    actions = _actions(given["actions"], most) if "actions" in given else (Action(DEFAULT_ACTION, None),)
    if approval:
        page_approvers.check_decidable([action.needs for action in actions], most)
    if "remind" in given:
        from waitpoints.api.page import reminders  # noqa: PLC0415 - only for pages with reminders

        reminders.check(given["remind"])
    return Page(
        title=submitted.check_text(given.get("title"), "page.title", MAX_TITLE),
        text=submitted.check_text(given.get("text", ""), "page.text", MAX_TEXT, 0),
        links=tuple(_link(link, place) for link, place in links),
        actions=actions,
        fields=page_fields.parse(given["fields"], "page.fields") if "fields" in given else (),
        confirm=confirm,
        approval=approval,
        reminds="remind" in given,
    )


def _link(value: Any, place: str) -> Link:
    link = submitted.check_members(value, place, ("label", "url"))
    url = submitted.check_text(link.get("url"), f"{place}.url", MAX_URL)
    if not _URL.fullmatch(url):
        raise InvalidPage(f"{place}.url", "expected an absolute URL of the scheme https, http or mailto, without spaces")
    return Link(submitted.check_text(link.get("label", url[:MAX_LINK_LABEL]), f"{place}.label", MAX_LINK_LABEL), url)


def _actions(value: Any, approvers: int) -> tuple[Action, ...]:
    listed = submitted.check_items(value, "page.actions", MAX_ACTIONS, 1)
    actions = tuple(_action(action, place, approvers) for action, place in listed)
    if len({action.id for action in actions}) < len(actions):
        raise InvalidPage("page.actions", "the same id twice")
    return actions


def _action(value: Any, place: str, approvers: int) -> Action:
    action = submitted.check_members(value, place, ("id", "label", "style", "needs"))
    identifier, style, needs = action.get("id"), action.get("style"), action.get("needs", 1)
    if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
        raise InvalidPage(f"{place}.id", "expected 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
    if "style" in action and style not in STYLES:
        raise InvalidPage(f"{place}.style", f"expected one of {', '.join(STYLES)}, or no style")
    if "needs" in action and not approvers:
        raise InvalidPage(f"{place}.needs", "it needs page.approvers")
    if isinstance(needs, bool) or not isinstance(needs, int) or needs < 1 or (approvers and needs > approvers):
        raise InvalidPage(f"{place}.needs", f"expected a whole number of 1 to {approvers}, the number of approvers")
    return Action(identifier, submitted.check_text(action.get("label"), f"{place}.label", MAX_ACTION_LABEL), style, needs)
