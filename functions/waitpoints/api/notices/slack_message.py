"""What a message in Slack says, as Block Kit, and what its buttons choose. It never has more than Slack accepts.

What callers wrote is in text objects of the type `plain_text`, but for links, which are `mrkdwn`. In all of them "&", "<" and
">" are escaped, as Slack's documentation wants it, and so without a meaning: nobody is mentioned, and nothing is linked, but by
this module. Sources: docs.slack.dev, reference/block-kit and messaging/formatting-message-text.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from waitpoints import json_text
from waitpoints.api.notices import summary
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.api.page import form
from waitpoints.api.page.definition import Page
from waitpoints.api.page.form import Submission
from waitpoints.api.page.progress import Progress

PRESSED = "waitpoints:"  # begins the `action_id` of a button that answers; the id of the page's action follows
OPENED = "waitpoints-open"  # the `action_id` of a button that opens the page
MAX_HEADER, MAX_TEXT, MAX_BUTTON, MAX_FALLBACK = 150, 3_000, 75, 500  # characters
MAX_LINKS, MAX_PEOPLE = 2_000, 1_500  # characters of all of them: Slack refuses about 12,000 in a message (msg_blocks_too_long)

type Block = dict[str, Any]


def message(notice: Notice, name: str, has_buttons: Callable[[], bool]) -> dict[str, Any]:
    """The message of a target as it has to be now. `name` is the stack's; `has_buttons` says whether clicks can be verified."""
    page, token = notice.page, notice.token
    blocks, said = [_header(page.title), *_text(page), *_links(page), *_state(notice)], "An answer is needed."
    if token.outcome is not None:
        said = summary.outcome(token, page)
    elif _own_choice(notice):
        said = "Your answer is recorded."
    else:
        blocks += _ways(notice, has_buttons)
    if name.strip():
        blocks.append(_context(_plain(summary.one_line(name, 100), MAX_TEXT)))
    return {"text": _fallback(f"{summary.one_line(page.title, MAX_HEADER)}: {said}"), "blocks": blocks}


def reply(notice: Notice) -> dict[str, Any]:
    """A reminder, or that one more answer is missing, in the thread of the message. Its buttons are in that message."""
    person, title = notice.target.person, summary.one_line(notice.page.title, MAX_HEADER)
    if notice.kind is NoticeKind.LAST:
        said = "Others have answered. One more answer decides."
    elif person:
        said = "Reminder: your answer is still needed."
    else:
        said = "Reminder: an answer is still needed."
    people = [person.slack] if person else [one.slack for one in _missing(notice)]
    mentions = " ".join(_mention(one) for one in people if one)
    opened = f"<{_url(notice.link)}|Open the page>" if notice.link else ""
    text = " ".join(filter(None, [mentions, said, opened]))
    return {"text": _fallback(f"{said} {title}"), "blocks": [_section(_mrkdwn(text))]}


def private(said: str) -> dict[str, Any]:
    """What only the person who clicked gets to see. The message itself stays as it is."""
    text = _cut(said, MAX_TEXT)
    return {"response_type": "ephemeral", "replace_original": False, "text": text, "blocks": [_section(_plain(said, MAX_TEXT))]}


def choice_of(page: Page, action_id: str) -> Submission | None:
    """Return what a button chooses: an action, without fields.

    None if the page has no such action, needs a field, or has one that is filled in, which a person should see first.
    """
    if any(field.default_texts() for field in page.fields):
        return None
    choice = form.of_json(page, json_text.dumps({"action": action_id}))
    return choice if isinstance(choice, Submission) else None


def _header(title: str) -> Block:
    return {"type": "header", "text": _plain(summary.one_line(title, MAX_HEADER), MAX_HEADER)}


def _text(page: Page) -> Iterator[Block]:
    if text := page.text.strip():
        yield _section(_plain(text, MAX_TEXT))


def _links(page: Page) -> Iterator[Block]:
    """Each link on a line of its own; those that have no room are on the page."""
    lines, room = list[str](), MAX_LINKS
    for link in page.links:
        # a grave accent would begin code, in which the links behind it are none
        line = f"<{_url(link.url)}|{_escaped(summary.one_line(link.label, 200).replace('`', 'ˋ').replace('|', '¦'))}>"  # noqa: RUF001
        if len(line) + 1 > room:
            lines.append("_More links are on the page._")
            break
        lines.append(line)
        room -= len(line) + 1
    if lines:
        yield _section(_mrkdwn("\n".join(lines)))


def _state(notice: Notice) -> Iterator[Block]:
    token, page = notice.token, notice.page
    if token.outcome is not None:
        yield _section(_plain(summary.outcome(token, page), MAX_TEXT))
        yield _context(_mrkdwn(_date(token.outcome.at)))
    elif choice := _own_choice(notice):
        yield _section(_plain(f"You chose “{choice}”. Answers from others are still needed.", MAX_TEXT))
    if parts := ["\n".join(lines) for lines in (summary.needed(token, page), summary.people(token, page)) if lines]:
        yield _section(_plain("\n\n".join(parts), MAX_PEOPLE))
    if token.outcome is not None:
        return
    if notice.target.person is None and (asked := [one.slack for one in _missing(notice) if one.slack]):
        yield _section(_mrkdwn(f"Asked: {' '.join(map(_mention, asked))}"))
    if token.timeout_at is not None:
        yield _context(_mrkdwn(f"Open until {_date(token.timeout_at)}"))


def _ways(notice: Notice, has_buttons: Callable[[], bool]) -> Iterator[Block]:
    """How to answer: by buttons, by the page, or by a link that each person gets elsewhere."""
    page, link = notice.page, notice.link
    buttons = list(_buttons(notice)) if choice_of(page, page.actions[0].id) and has_buttons() else []
    if link and (not buttons or page.fields or len(_escaped(page.text)) > MAX_TEXT):
        buttons.append(_button("Open the page", OPENED, url=link))
    if buttons:
        yield {"type": "actions", "elements": buttons}
    if page.approval and notice.target.person is None:
        said = "Only the people who are asked can answer." if buttons else summary.PERSONAL
        yield _context(_plain(said, MAX_TEXT))


def _buttons(notice: Notice) -> Iterator[Block]:
    for action in notice.page.actions:
        more: Block = {"value": notice.token.id}
        if action.style:
            more["style"] = action.style
        if notice.page.confirm:
            more["confirm"] = _confirm(summary.label(action))
        yield _button(summary.label(action), PRESSED + action.id, **more)


def _button(label: str, action_id: str, **more: Any) -> Block:
    return {"type": "button", "text": _plain(label, MAX_BUTTON), "action_id": action_id, **more}


def _confirm(choice: str) -> Block:
    return {
        "title": _plain("Please confirm", 100),
        "text": _plain("You cannot change it afterwards.", 300),
        "confirm": _plain(choice, 30),
        "deny": _plain("Go back", 30),
    }


def _own_choice(notice: Notice) -> str | None:
    """What the person whose direct message it is has chosen."""
    person = notice.target.person
    answer = notice.token.answer_of(person.id) if person else None
    return summary.label_of(notice.page, answer) if answer else None


def _missing(notice: Notice) -> list[Any]:
    return Progress(notice.page, notice.token).pending()


def _section(text: Block) -> Block:
    return {"type": "section", "text": text}


def _context(*elements: Block) -> Block:
    return {"type": "context", "elements": list(elements)}


def _plain(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": _cut(text, most), "emoji": False}


def _mrkdwn(text: str) -> Block:
    """`text` is of this module, or escaped. Slack must find no names and addresses of its own in it."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _fallback(text: str) -> str:
    return _cut(text, MAX_FALLBACK)


def _cut(text: str, most: int) -> str:
    """Return a text escaped, at most `most` characters of it. No escape is cut in two."""
    escaped = _escaped(text)
    if len(escaped) <= most:
        return escaped
    return f"{''.join(_fitting(map(_escaped, text), most - 1))}…"


def _fitting(pieces: Iterable[str], room: int) -> Iterator[str]:
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            return
        yield piece


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _url(url: str) -> str:
    """A URL within `<url|label>`: what would end it, or begin code, is written as the URL means it."""
    return url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C").replace("`", "%60")


def _mention(member: str) -> str:
    return f"<@{member}>"


def _date(instant: int) -> str:
    """An instant in the reader's own time zone."""
    return f"<!date^{instant // 1000}^{{date_short_pretty}} at {{time}}|{summary.time(instant)}>"
