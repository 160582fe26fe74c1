"""What a POST to a token with a page says: a browser's form, or a program's JSON `{"action", "fields"}`.

form                       meaning
action=<id>                the button that was pressed
field.<name>=<text>        a field; a field of several choices has one for each that is ticked
confirmed=yes, or no       the answer on the page that asks a second time; programs are not asked
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from waitpoints import json_text
from waitpoints.api.http import FORM
from waitpoints.api.page import fields as page_fields
from waitpoints.api.page import words
from waitpoints.api.page.definition import Action, Page
from waitpoints.api.page.fields import Problem
from waitpoints.json_text import present
from waitpoints.unknown_names import unknown

PREFIX = "field."
SESSION = "session"  # the hidden field of a page on which people have signed in: see `Sessions.form_token`
_MEMBERS = ("action", "fields")  # of a JSON body
MAX_PAIRS = 30 * 200 + 10  # every choice of every field

Values = Mapping[str, Sequence[str]]
"""The texts of each field as they were sent, to fill in the form again."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A choice that settles the token. `fields` are JSON texts: a program's stay as they were sent, digit for digit.

    `values` are the texts of a form, None for JSON.
    """

    action: Action
    fields: Mapping[str, str]
    values: Values | None = None

    @property
    def output(self) -> str:
        """The JSON text that the run gets."""
        return json_text.object_of(self.members)

    @property
    def members(self) -> dict[str, str]:
        return {"action": json_text.dumps(self.action.id), "fields": self.fields_text}

    @property
    def fields_text(self) -> str:
        return json_text.object_of(self.fields)


@dataclass(frozen=True, slots=True)
class NotConfirmed:
    """A choice that fits, of a page that asks a second time."""

    action: Action
    values: Values


@dataclass(frozen=True, slots=True)
class GoBack:
    """The answer "no" on the page that asks a second time: show the form as it was. `values` None: as it is at first."""

    values: Values | None


@dataclass(frozen=True, slots=True)
class Errors:
    """What does not fit: the problem of each field by its name, and of the whole, which says what is accepted."""

    values: Values
    problems: Mapping[str, Problem]
    whole: Problem | None = None
    detail: str = ""

    @property
    def message(self) -> str:
        """What a program is answered. Has nothing of the values."""
        of_fields = [f'field "{name}": {_said(found)}' for name, found in self.problems.items()]
        of_whole = [self.detail or words.problem("en", self.whole)] if self.whole else []
        return " ".join(["The body does not fit the token's page:", *of_whole, *of_fields])


def read(page: Page, body: bytes, content_type: str, decimal: str | None = None) -> Submission | NotConfirmed | GoBack | Errors:
    """Return what the body says. A JSON object is read under any content type: curl sends JSON as a form.

    `decimal`: how the person who fills in the form writes fractions. None: a program sends it.
    """
    try:
        text = body.decode("utf-8-sig")
        if not text.lstrip(" \t\r\n").startswith("{") and content_type.strip().lower().startswith(FORM):
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PAIRS)
            return _of_form(page, pairs, decimal)
    except ValueError:  # not UTF-8, or too many fields
        text = ""
    return of_json(page, text)


def read_token(body: bytes) -> str:
    """Return the field SESSION of a form. Empty unless it comes once."""
    try:
        found = [text for name, text in parse_qsl(body.decode(), max_num_fields=MAX_PAIRS) if name == SESSION]
    except ValueError:
        return ""
    return found[0] if len(found) == 1 else ""


def read_values(page: Page, body: bytes) -> Values:
    """Return the texts of a form's fields, whatever else it has."""
    try:
        pairs = parse_qsl(body.decode("utf-8-sig"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PAIRS)
    except ValueError:
        pairs = []
    return {field.name: [text for name, text in pairs if name == PREFIX + field.name] for field in page.fields}


def of_json(page: Page, text: str) -> Submission | Errors:
    """Return what a program's JSON text says."""
    try:
        return _of_json(page, json_text.parse_unambiguous(text), text)
    except json_text.RepeatedName as error:
        return Errors({}, {}, Problem("unreadable"), f"{error}.")
    except json_text.NotJson:
        return _of_json(page, None, "")


def _of_form(page: Page, pairs: list[tuple[str, str]], decimal: str | None) -> Submission | NotConfirmed | GoBack | Errors:
    sent: dict[str, list[str]] = {}
    for name, text in pairs:
        sent.setdefault(name, []).append(text)
    values = {field.name: sent.pop(PREFIX + field.name, []) for field in page.fields}
    actions, confirmed = sent.pop("action", []), sent.pop("confirmed", [])
    if page.sign_in:
        sent.pop(SESSION, None)
    action = page.action(actions[0]) if len(actions) == 1 else None
    if sent:
        return Errors(values, {}, Problem("unreadable"), "it has a field that the page does not have.")
    if confirmed == ["no"]:
        return GoBack(values)
    found = {field.name: page_fields.from_texts(field, values[field.name], decimal) for field in page.fields}
    result = _result(page, action, found, values)
    if isinstance(result, Submission) and page.confirm and confirmed != ["yes"]:
        return NotConfirmed(result.action, values)
    return result


def _said(problem: Problem) -> str:
    return f"expected {problem.expected}." if problem.expected else words.problem("en", problem)


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _of_json(page: Page, value: Any, text: str) -> Submission | Errors:
    fields = value.get("fields", {}) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(fields, dict):
        return Errors({}, {}, Problem("unreadable"), 'expected a JSON object {"action": "…", "fields": {…}}.')
    if wrong := [name for name in value if name not in _MEMBERS]:
        return Errors({}, {}, Problem("unreadable"), _sentence(unknown(wrong[0], _MEMBERS)))
    names = [field.name for field in page.fields]
    if wrong := [name for name in fields if name not in names]:
        return Errors(
            {}, {}, Problem("unreadable"), _sentence(unknown(wrong[0], names)) if names else "the page has no fields."
        )
    found = {field.name: page_fields.from_json(field, fields) for field in page.fields}
    own = json_text.members(json_text.members(text)["fields"]) if fields else {}
    return _result(page, page.action(value.get("action")), found, None, own)


def _result(
    page: Page, action: Action | None, found: Mapping[str, Any], values: Values | None, own: Mapping[str, str] | None = None
) -> Submission | Errors:
    """`values` are the texts of a form, `own` the JSON texts of what was sent as JSON."""
    if action and not action.needs_fields:
        found = {name: one for name, one in found.items() if not (isinstance(one, Problem) and one.is_missing)}
    problems = {name: one for name, one in found.items() if isinstance(one, Problem)}
    if action is None:
        expected = " or ".join(json_text.dumps(action.id) for action in page.actions)
        return Errors(values or {}, problems, Problem("no_action"), f'expected "action" to be {expected}.')
    if problems:
        return Errors(values or {}, problems)
    texts = {name: (own or {}).get(name) or json_text.dumps(one) for name, one in present(found).items()}
    return Submission(action, texts, values)
