"""The create field `page`: what a person is shown behind a callback URL.

{"title", "text", "links": [{"label", "url"}], "actions": [{"id", "label", "style", "needs"}], "fields": {JSON Schema},
 "confirm"}, who may answer: see `approver_checks`, and when they are asked again: see `reminder_checks`
"""

import re
from typing import Any
from unicodedata import category

from waitpoints import json_text
from waitpoints.api.page import approver_checks, definition, submitted
from waitpoints.api.page.definition import Page
from waitpoints.errors import InvalidPage

MAX_BYTES = 16_384  # of the definition as JSON text
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
_URL = re.compile(r"(?i:https?://[^\s\x00-\x20\x7f-\xa0\\/?#]|mailto:[^\s\x00-\x20\x7f-\xa0\\])[^\s\x00-\x20\x7f-\xa0\\]*")


def parse(value: Any) -> tuple[Page, str]:
    """Return the page that a create asks for, and its JSON text for the table. Raises InvalidPage."""
    _check_shape(value)
    page, text = definition.of(value), json_text.dumps(value)
    _check_visible(page)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidPage("page", f"at most {MAX_BYTES:,} bytes of JSON are accepted")
    if page.fields:
        from waitpoints.api.page import field_checks  # noqa: PLC0415 - only for pages with fields

        field_checks.check_answerable(value["fields"], page.fields, "page.fields")
    return page, text


def _check_shape(value: Any) -> None:
    given = submitted.check_members(value, "page", definition.MEMBERS)
    if not isinstance(given.get("confirm", False), bool):
        raise InvalidPage("page.confirm", "expected true or false")
    approvers = approver_checks.check(given)
    if "actions" in given:
        needs = _check_actions(given["actions"], approvers)
        if approvers:
            approver_checks.check_decidable(needs, approvers)
    if "remind" in given:
        from waitpoints.api.page import reminder_checks  # noqa: PLC0415 - only for pages with reminders

        reminder_checks.check(given["remind"])
    submitted.check_text(given.get("title"), "page.title", MAX_TITLE)
    submitted.check_text(given.get("text", ""), "page.text", MAX_TEXT, 0)
    for link, place in submitted.check_items(given.get("links", []), "page.links", MAX_LINKS):
        _check_link(link, place)
    if "fields" in given:
        from waitpoints.api.page import field_checks  # noqa: PLC0415 - only for pages with fields

        field_checks.check_shape(given["fields"], "page.fields")


def _check_link(value: Any, place: str) -> None:
    link = submitted.check_members(value, place, definition.LINK_MEMBERS)
    url = submitted.check_text(link.get("url"), f"{place}.url", MAX_URL)
    if not _URL.fullmatch(url):
        raise InvalidPage(f"{place}.url", "expected an absolute URL of the scheme https, http or mailto, without spaces")
    submitted.check_text(link.get("label", url[:MAX_LINK_LABEL]), f"{place}.label", MAX_LINK_LABEL)


def _check_actions(value: Any, approvers: int) -> list[int]:
    """Return how many people each action needs."""
    listed = submitted.check_items(value, "page.actions", MAX_ACTIONS, 1)
    for action, place in listed:
        _check_action(action, place, approvers)
    if len({action["id"] for action, _ in listed}) < len(listed):
        raise InvalidPage("page.actions", "the same id twice")
    return [action.get("needs", 1) for action, _ in listed]


def _check_action(value: Any, place: str, approvers: int) -> None:
    action = submitted.check_members(value, place, definition.ACTION_MEMBERS)
    identifier, needs = action.get("id"), action.get("needs", 1)
    if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
        raise InvalidPage(f"{place}.id", "expected 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
    if "style" in action and action["style"] not in STYLES:
        raise InvalidPage(f"{place}.style", f"expected one of {', '.join(STYLES)}, or no style")
    if "needs" in action and not approvers:
        raise InvalidPage(f"{place}.needs", "it needs page.approvers")
    if isinstance(needs, bool) or not isinstance(needs, int) or needs < 1 or (approvers and needs > approvers):
        raise InvalidPage(f"{place}.needs", f"expected a whole number of 1 to {approvers}, the number of approvers")
    submitted.check_text(action.get("label"), f"{place}.label", MAX_ACTION_LABEL)


def _check_visible(page: Page) -> None:
    """Check that mails and chats, which leave out what cannot be seen, have something to show, and links are what they seem."""
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
