"""What a message to Slack or Teams says of a token, in English: how it ended, who has answered, what is needed.

All of it is plain text, with names and labels in it that callers chose. Each name is on a line with nothing of others.
"""

import re
from datetime import UTC, datetime

from waitpoints.api.page import words
from waitpoints.api.page.definition import Action, Page
from waitpoints.api.page.progress import Progress
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
    if page.approval is None:
        return []
    standing = Progress(page, token)
    lines = [f"{one_line(person.shown, 100)}: {label_of(page, answer)}" for person, answer in standing.given()]
    missing = [] if token.outcome is not None else standing.missing()
    return lines + [f"{one_line(person.shown, 100)}: not answered yet" for person in missing]


def needed(token: Token, page: Page) -> list[str]:
    """A line for each action that more than one person must choose."""
    if token.outcome is not None or all(action.needs == 1 for action in page.actions):
        return []
    chosen = [answer.action for answer in token.answers]
    return [
        f"{action.needs} must choose “{label(action)}”. So far: {chosen.count(action.id)}."
        if action.needs > 1
        else f"One person is enough for “{label(action)}”."
        for action in page.actions
    ]


def _decided(token: Token, page: Page) -> str | None:
    """The label of the action that ended the token. None: it was completed in another way, or its output is not at hand."""
    assert isinstance(token.outcome, Completed)
    output = token.outcome.output.json
    action = page.decided(output) if output else None
    return label(action) if action else None


def _by(token: Token, page: Page) -> str | None:
    assert isinstance(token.outcome, Completed)
    if page.approval and (person := Progress(page, token).decided_by):
        return one_line(person.shown, 100)
    origin = token.outcome.origin
    return one_line(origin.slack_name, 100) if origin and origin.slack_name else None
