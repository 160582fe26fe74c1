"""What the pages of tools' calls have in common: a title, a text of the program's own, buttons, and a field for a message."""

from collections.abc import Mapping
from html import escape
from typing import Any

from typing_extensions import TypedDict

from waitpoints_client.agents.shown_text import cut, one_line, visible, weight
from waitpoints_client.request_types import Action, PageOptions, PageText
from waitpoints_client.wire import refuse_unknown, write_json

ROOM, TEXT_ROOM, INTRODUCTION_ROOM = 12_000, 9_500, 2_000
"""The weight of a page, which leaves room for its approvers, of its text, and of the program's own part of that."""
SLACK_ROOM = 2_900
"""Characters. Slack shows a part of a longer text only, and must have no button then that approves."""
LONGEST_TITLE, LONGEST_MESSAGE = 200, 1_000
CUT = "This is too long to be shown whole, so nobody can approve it here."
MESSAGE = "Message to the agent, unless you approve"
"""After a yes, the tool's own result is all that most frameworks tell a model."""


class Labels(TypedDict, total=False):
    """Words of a page in place of the English ones. With a title in several languages, each may be in all of them."""

    approve: PageText
    reject: PageText
    respond: PageText
    message: PageText
    """The title of the field for a message."""
    seen: PageText
    """The title of the box that must be ticked below a long text."""
    submit: PageText
    """The button of a page for several calls, and the one that rejects all:"""
    reject_all: PageText


def read_labels(labels: Labels | None) -> Labels:
    """Raises TypeError for an unknown one."""
    refuse_unknown(labels or {}, Labels.__annotations__)
    return labels or {}


def titled(title: PageText, actions: list[Action]) -> PageOptions:
    """Return a page with this title, in the languages of the title. What nobody could see in it is written out."""
    if isinstance(title, str):
        return {"title": _title(title), "actions": actions}
    shown = {language: _title(text) for language, text in title.items()}
    return {"title": shown, "language": [*title], "actions": actions}


def _title(text: str) -> str:
    return one_line(text, LONGEST_TITLE).strip() or "?"


def approve(label: PageText, needs: int, id_: str = "approve") -> Action:
    action: Action = {"id": id_, "label": label, "style": "primary"}
    if needs != 1:
        action["needs"] = needs
    return action


def reject(label: PageText) -> Action:
    return {"id": "reject", "label": label, "style": "danger", "needsFields": False}


def message_field(title: PageText, longest: int = LONGEST_MESSAGE, *, is_line: bool = False) -> dict[str, Any]:
    return {"type": "string", **({} if is_line else {"format": "textarea"}), "title": title, "maxLength": longest}


def seen_box(words: Labels) -> dict[str, Any]:
    return {"type": "boolean", "const": True, "title": words.get("seen", "I have read all of the above")}


def introduction(text: str) -> list[str]:
    """Return the paragraphs of what the program says above the arguments."""
    shown = visible(text).strip()
    return [shown if weight(shown) <= INTRODUCTION_ROOM else cut(shown, text, INTRODUCTION_ROOM)] if shown else []


def is_cut_in_slack(text: str) -> bool:
    return len(escape(text, quote=False)) > SLACK_ROOM


def text_room(page: PageOptions, fields: int, above: list[str]) -> int:
    """Return how much arguments may weigh on a page with fields of this weight, and below these paragraphs."""
    rest: Mapping[str, Any] = page
    return min(TEXT_ROOM, ROOM - weight(write_json(rest)) - fields) - sum(weight(part) + 4 for part in [*above, CUT]) - 60
