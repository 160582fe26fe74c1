"""What a message to Slack or Teams says of a token, in English: how it ended, who has answered, what is needed.

All of it is plain text, with names and labels in it that callers chose. Each name is on a line with nothing of others.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from waitpoints.api.page import words
from waitpoints.api.page.definition import Action, Page
from waitpoints.api.page.progress import Part, Progress, written
from waitpoints.approvers import Approver
from waitpoints.token import Answer, Completed, Failed, TimedOut, Token

PERSONAL = "Each person who is asked has a personal link, in a direct message or by mail."
ENGLISH = words.WORDS["en"]
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(text: str, most: int) -> str:
    """Return a text on one line, without controls, also those of the direction of writing. It is cut to `most` characters."""
    return cut(" ".join(_UNSEEN.sub("", text).split()), most)


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def label(action: Action) -> str:
    return ENGLISH["submit"] if action.label is None else one_line(action.label, 100)


def label_of(page: Page, answer: Answer) -> str:
    action = page.action(answer.action)
    return answer.action if action is None else label(action)


def time(instant: int) -> str:
    return words.time("en", datetime.fromtimestamp(instant / 1000, UTC))


def outcome(token: Token, page: Page) -> str:
    """How a token ended, and by whom."""
    match token.outcome:
        case TimedOut():
            return "Timed out. It can no longer be answered."
        case Failed():
            return "Cancelled. No answer is needed any more."
        case Completed():
            choice, by = _decided(token, page), _by(token, page)
            said = f"“{choice}” was chosen" if choice else "Completed"
            return f"{said} by {by}." if by else f"{said}."
    return "Waiting for an answer."


def people(token: Token, page: Page) -> list[str]:
    """A line for each approver: what they have answered, or that they have not, while they can."""
    rows = Progress(page, token).rows()
    return [f"{_said(row.who, _line)}: {_said(row.said, _line)}" for row in rows]


def needed(token: Token, page: Page) -> list[str]:
    """A line for each action, or one for all of them, that says how many people must choose it."""
    return [_said(sentence, lambda text: f"“{_line(text)}”") for sentence in Progress(page, token).needed()]


def _said(part: Part, show: Callable[[str], str]) -> str:
    return written(part, ENGLISH.__getitem__, show)


def _line(text: str) -> str:
    return one_line(text, 100)


def _decided(token: Token, page: Page) -> str | None:
    """The label of the action that ended the token. None: it was completed in another way, or its output is not at hand."""
    assert isinstance(token.outcome, Completed)
    output = token.outcome.output.json
    action = page.decided(output) if output else None
    return label(action) if action else None


def _by(token: Token, page: Page) -> str | None:
    assert isinstance(token.outcome, Completed)
    by = Progress(page, token).decided_by
    return one_line(by.shown if isinstance(by, Approver) else by, 100) if by else None
