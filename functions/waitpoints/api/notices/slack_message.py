"""What a message in Slack says, as Block Kit, and what its buttons choose. It never has more than Slack accepts.

What callers wrote is in text objects of the type `plain_text`, but for links, which are `mrkdwn`. In all of them "&", "<" and
">" are escaped, as Slack's documentation asks. So only this module mentions people and links pages.
Sources: docs.slack.dev, reference/block-kit and messaging/formatting-message-text.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from waitpoints import json_text
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.api.notices.summary import FactLine, Summary, block, fitting, line
from waitpoints.api.page import form
from waitpoints.api.page.definition import Page
from waitpoints.api.page.form import Submission
from waitpoints.api.page.markup import cut
from waitpoints.approvers import Approver

PRESSED = "waitpoints:"  # begins the `action_id` of a button that answers; the id of the page's action follows
OPENED = "waitpoints-open"  # the `action_id` of a button that opens the page
MAX_HEADER, MAX_TEXT, MAX_BUTTON, MAX_FALLBACK, MAX_NAME = 150, 3_000, 75, 500, 100  # characters
MAX_LINKS, MAX_PEOPLE = 2_000, 1_500  # characters of all of them: Slack refuses about 12,000 in a message (msg_blocks_too_long)
MAX_SHORT_TEXT, MAX_FIELD = 1_500, 2_000  # characters of the text of a page with facts, and of a field of a section
MAX_FIELDS = 10  # of a section
MAX_ABOVE = 5_000  # characters of what is above the buttons if the page has facts, as JSON

type Block = dict[str, Any]


def message(notice: Notice, name: str, has_buttons: Callable[[], bool]) -> dict[str, Any]:
    """The message of a target as it has to be now. `name` is the stack's; `has_buttons` says whether clicks can be verified."""
    page, summary = notice.page, Summary.of(notice)
    header: Block = {"type": "header", "text": _plain(line(page.title), MAX_HEADER)}
    if summary.progress.is_removed and notice.kind is not NoticeKind.OUTCOME:
        said = f"{summary['removed_heading']}. {summary['removed_text']}"
        return {
            "text": _cut(f"{_title(page)}{summary.colon}{said}", MAX_FALLBACK),
            "blocks": [header, _section(_plain(said, MAX_TEXT))],
        }
    text = [_section(_plain(text, _most_text(page)))] if (text := block(page.text)) else []
    below, said = [*_links(summary), *_state(summary)], summary["asked"]
    facts, are_all = _facts(summary, MAX_ABOVE - len(json_text.dumps([header, *text, *below]))) if page.facts else ([], True)
    blocks = [header, *text, *facts, *below]
    if notice.token.outcome is not None:
        said = "\n".join(summary.ending())
    elif summary.progress.own_answer:
        said = summary["recorded_heading"]
    else:
        has_more = not are_all or len(_escaped(block(page.text))) > _most_text(page)
        blocks += _ways(notice, summary, has_buttons, has_more=has_more)
    if brand := line(name):
        blocks.append(_context(_plain(brand, MAX_NAME)))
    return {"text": _cut(f"{_title(page)}{summary.colon}{said}", MAX_FALLBACK), "blocks": blocks}


def reply(notice: Notice) -> dict[str, Any]:
    """What follows the message, in its thread. Its buttons are in that message."""
    summary, person = Summary.of(notice), notice.target.person
    mentions = _mentions([person] if person else summary.progress.pending())
    if notice.kind is NoticeKind.OUTCOME:
        said = "\n".join(summary.ending())
        blocks = [_section(_mrkdwn(mentions)), *_state(summary)]
        return {"text": _cut(f"{_title(notice.page)}{summary.colon}{said}", MAX_FALLBACK), "blocks": blocks}
    said = summary["last_text" if notice.kind is NoticeKind.LAST else "reminder_text"]
    opened = f"<{_url(notice.link)}|{summary['open']}>" if notice.link else ""
    text = " ".join(filter(None, [mentions, said, opened]))
    return {"text": _cut(f"{said} {_title(notice.page)}", MAX_FALLBACK), "blocks": [_section(_mrkdwn(text))]}


def private(said: str) -> dict[str, Any]:
    """What only the person who clicked gets to see. The message itself stays as it is."""
    text = _cut(said, MAX_TEXT)
    return {"response_type": "ephemeral", "replace_original": False, "text": text, "blocks": [_section(_plain(said, MAX_TEXT))]}


def choice_of(page: Page, action_id: str) -> Submission | None:
    """Return what a button chooses: an action, without fields.

    None if the page has no such action, or asks people to sign in. Also None if the action needs fields, and one of them is
    required, or is filled in, which a person should see first, or must be the same as that of others.
    """
    action = page.action(action_id)
    if action is None or page.sign_in:
        return None
    if action.needs_fields and (page.same_fields or any(field.default_texts() for field in page.fields)):
        return None
    choice = form.of_json(page, json_text.dumps({"action": action_id}))
    return choice if isinstance(choice, Submission) else None


def _title(page: Page) -> str:
    return cut(line(page.title), MAX_HEADER)


def _most_text(page: Page) -> int:
    return MAX_SHORT_TEXT if page.facts else MAX_TEXT


def _facts(summary: Summary, room: int) -> tuple[list[Block], bool]:
    """Return each label beside its value, as long as there is room, and whether that is all of them."""
    sections, are_all = list[Block](), True
    for fact in summary.facts():
        fields = [_plain(f"{fact.label}{summary.colon}".rstrip(), MAX_FIELD), _value(fact)]
        title = {"text": _plain(fact.title, MAX_TEXT)} if fact.title else {}
        begins = fact.title or not sections or len(sections[-1]["fields"]) == MAX_FIELDS
        new: list[Block] = [{"type": "section", **title, "fields": fields}] if begins else fields
        room -= len(json_text.dumps(new))
        if room < 0:
            are_all = False
            break
        are_all = are_all and not fact.is_long and (fact.url is None or fields[1]["type"] == "mrkdwn")
        (sections if begins else sections[-1]["fields"]).extend(new)
    return (sections if are_all else [*sections, _context(_plain(summary["more_facts"], MAX_TEXT))]), are_all


def _value(fact: FactLine) -> Block:
    shown = fact.shortened().value
    link = f"<{_url(fact.url)}|{_url(shown)}>" if fact.url else ""
    return _mrkdwn(link) if 0 < len(link) <= MAX_FIELD else _plain(shown, MAX_FIELD)


def _links(summary: Summary) -> Iterator[Block]:
    """Each link on a line of its own; those that have no room are on the page."""
    lines, room = list[str](), MAX_LINKS
    for link in summary.progress.page.links:
        # a grave accent would begin code, in which the links behind it are none
        written = f"<{_url(link.url)}|{_escaped(line(link.label).replace('`', 'ˋ').replace('|', '¦'))}>"  # noqa: RUF001
        if len(written) + 1 > room:
            lines.append(f"_{summary['more_links']}_")
            break
        lines.append(written)
        room -= len(written) + 1
    if lines:
        yield _section(_mrkdwn("\n".join(lines)))


def _state(summary: Summary) -> Iterator[Block]:
    progress, token = summary.progress, summary.progress.token
    if token.outcome is not None:
        yield _section(_plain("\n".join(summary.ending()), MAX_TEXT))
        yield _context(_mrkdwn(_date(summary, token.outcome.at)))
    elif progress.own_answer:
        chosen = summary.written(progress.own_choice())
        yield _section(_plain(f"{chosen} {summary['others_text']}", MAX_TEXT))
    people = "\n".join(summary.lines())
    if len(_escaped(people)) > MAX_PEOPLE:  # what they have entered would take the room of other people
        people = "\n".join(summary.lines(with_entered=False))
    if people:
        yield _section(_plain(people, MAX_PEOPLE))
    if token.outcome is not None:
        return
    if progress.person is None and (mentions := _mentions(progress.pending())):
        yield _section(_mrkdwn(f"{summary['not_answered']}{summary.colon}{mentions}"))
    if token.timeout_at is not None:
        yield _context(_mrkdwn(summary["open_until"].format(time=_date(summary, token.timeout_at))))


def _ways(notice: Notice, summary: Summary, has_buttons: Callable[[], bool], *, has_more: bool) -> Iterator[Block]:
    """How to answer: by buttons, by the page, or by a link that each person gets elsewhere."""
    page, link = notice.page, notice.link
    buttons = list(_buttons(summary))
    if not (buttons and has_buttons()):
        buttons = []
    if link and (not buttons or page.fields or has_more):
        buttons.append(_button(summary["open"], OPENED, url=link))
    if buttons:
        yield {"type": "actions", "elements": buttons}
    if page.approval and notice.target.person is None and not page.sign_in:
        yield _context(_plain(summary["only_asked" if len(buttons) == len(page.actions) else "own_link_text"], MAX_TEXT))


def _buttons(summary: Summary) -> Iterator[Block]:
    page = summary.progress.page
    for action in (one for one in page.actions if choice_of(page, one.id)):
        more: Block = {"value": summary.progress.token.id}
        if action.style:
            more["style"] = action.style
        if page.confirm:
            more["confirm"] = {
                "title": _plain(summary["confirm_heading"], 100),
                "text": _plain(summary["final"], 300),
                "confirm": _plain(summary.written(action), 30),
                "deny": _plain(summary["go_back"], 30),
            }
        yield _button(summary.written(action), PRESSED + action.id, **more)


def _button(label: str, action_id: str, **more: Any) -> Block:
    return {"type": "button", "text": _plain(label, MAX_BUTTON), "action_id": action_id, **more}


def _section(text: Block) -> Block:
    return {"type": "section", "text": text}


def _context(*elements: Block) -> Block:
    return {"type": "context", "elements": list(elements)}


def _plain(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": _cut(text, most), "emoji": False}


def _mrkdwn(text: str) -> Block:
    """`text` is of this module, or escaped. Slack must find no names and addresses of its own in it."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _cut(text: str, most: int) -> str:
    """Return a text escaped, at most `most` characters of it. No escape is cut in two."""
    return _escaped(fitting(text, most, lambda character: len(_escaped(character))))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _url(url: str) -> str:
    """A URL within `<url|label>`: what would end it, or begin code, is written as the URL means it."""
    return url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C").replace("`", "%60")


def _mentions(people: Iterable[Approver]) -> str:
    return " ".join(f"<@{person.slack}>" for person in people if person.slack)


def _date(summary: Summary, instant: int) -> str:
    """An instant in the reader's own time zone."""
    return f"<!date^{instant // 1000}^{{date_short}}, {{time}}|{summary.time(instant)}>"
