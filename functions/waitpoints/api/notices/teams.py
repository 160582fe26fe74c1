"""Send a card to a Teams channel, by the URL of a workflow that posts what it is sent. It is never edited.

What callers wrote is in rich text blocks, which know no Markdown, so only this module writes links and emphasis.
Sources: learn.microsoft.com, "Create incoming webhooks with Workflows for Microsoft Teams" and "Format cards in Microsoft
Teams"; adaptivecards.io/explorer. A message has at most 28 KB.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from waitpoints import json_text
from waitpoints.api.notices import posting
from waitpoints.api.notices.credential import call_with
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.api.notices.summary import Summary, fitting, line
from waitpoints.ports import Secret
from waitpoints.token import iso

OTHER_URL = frozenset({"HTTP 401", "HTTP 403", "HTTP 404", "HTTP 410"})
TEXT_ROOM, FACTS_ROOM, LINKS_ROOM, PEOPLE_ROOM = 8_000, 6_000, 3_000, 4_000  # bytes of JSON, with what is around each line
_AROUND = 90  # bytes

type Element = dict[str, Any]


class TeamsChannel:
    """`secret_of` returns the secret of this name, which holds the URL."""

    def __init__(self, secret_of: Callable[[str], Secret], brand: tuple[str, str]) -> None:
        self._secret_of = secret_of
        self._name, _ = brand

    def send(self, notice: Notice) -> None:
        """Teams does not say how it names the message."""
        attachment = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": card(notice, self._name),
        }
        message, secret = {"type": "message", "attachments": [attachment]}, self._secret_of(notice.target.to)
        call_with(secret, lambda url: posting.post(url, message, {}).check(), OTHER_URL)


def card(notice: Notice, name: str) -> Element:
    """The card about a token. Its button opens the page, unless each person has a link of their own."""
    page, token, summary = notice.page, notice.token, Summary.of(notice)
    reminder = summary["reminder_text"] if notice.kind is NoticeKind.REMINDER else ""
    body: list[Element] = [
        *_lines([name, reminder], PEOPLE_ROOM, isSubtle=True),
        *_lines([page.title], PEOPLE_ROOM, size="Large", weight="Bolder"),
        *_lines(page.text.splitlines(), TEXT_ROOM),
        *_facts(summary),
        *_links(notice),
        *_lines(summary.lines(), PEOPLE_ROOM),
    ]
    if token.timeout_at is not None:
        at = f"{iso(token.timeout_at)[:19]}Z"
        time = f"{{{{DATE({at}, SHORT)}}}}, {{{{TIME({at})}}}}"  # Teams writes the reader's own time
        until = summary["open_until"].format(time=time)
        body.append({"type": "TextBlock", "text": until, "wrap": True, "isSubtle": True})
    if page.approval and not page.sign_in:
        body += _lines([summary["own_link_text"]], PEOPLE_ROOM)
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [_open(notice.link, title=summary["open"])] if notice.link else [],
    }


def _facts(summary: Summary) -> Iterator[Element]:
    room, are_all = FACTS_ROOM, True
    for fact in summary.facts():
        heading = [_rich(_run(fact.title, weight="Bolder"))] if fact.title else []
        link = {"selectAction": _open(fact.url)} if fact.url else {}
        value = _run(fact.shortened().value, **link)
        shown = [*heading, _rich(_run(f"{fact.label}{summary.colon}", isSubtle=True), value)]
        room -= len(json_text.dumps(shown).encode())
        if room < 0:
            are_all = False
            break
        are_all = are_all and not fact.is_long
        yield from shown
    if not are_all:
        yield _rich(_run(summary["more_facts"], isSubtle=True))


def _links(notice: Notice) -> Iterator[Element]:
    room = LINKS_ROOM
    for link in notice.page.links:
        run = _run(line(link.label), selectAction=_open(link.url))
        room -= len(json_text.dumps(run).encode())
        if room < 0:
            return
        yield _rich(run)


def _lines(lines: Iterable[str], room: int, **style: Any) -> Iterator[Element]:
    """A block for each line that is not empty, as long as there is room. What follows is on the page."""
    for text in filter(None, map(line, lines)):
        shown = fitting(text, room - _AROUND - 2, lambda it: len(json_text.dumps(it).encode()) - 2)  # quotes
        if shown:
            yield _rich(_run(shown, **style))
        room -= len(json_text.dumps(text).encode()) + _AROUND


def _rich(*runs: Element) -> Element:
    return {"type": "RichTextBlock", "inlines": [*runs]}


def _run(text: str, **more: Any) -> Element:
    return {"type": "TextRun", "text": text, **more}


def _open(url: str, **more: Any) -> Element:
    """The schema wants a URI, so what a page's link has besides is escaped, as a browser does."""
    return {"type": "Action.OpenUrl", "url": quote(url, safe="!#$%&'()*+,/:;=?@[]~"), **more}
