"""What a mail says, in its reader's language, before it is text or HTML.

Texts of callers come without line breaks where a line is meant, and without what reorders the text around them: a mail is
shown by clients that isolate nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from waitpoints.api.notices import notice_words
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.api.page import words
from waitpoints.api.page.progress import Part, Progress, written
from waitpoints.api.page.submitted import printable, without_bidi_controls

_SHORTER = ((4_000, 10), (1_000, 0))  # characters of the text, and links, of a content that is too long
_SUBJECTS = {NoticeKind.REMINDER: "reminder", NoticeKind.LAST: "last"}


@dataclass(frozen=True, slots=True)
class MailContent:
    """`note` says why it is sent, unless it is the first one. `standing` and `people` are empty if nobody else is asked.

    `link` is None for somebody who cannot answer by one. `warning` is about the link, or says why there is none.
    """

    language: str
    brand: str
    subject: str
    title: str
    note: str | None
    text: str
    links: tuple[tuple[str, str], ...]
    requested_by: str | None
    until: str | None
    standing: tuple[str, ...]
    people: tuple[tuple[str, str], ...]
    link: str | None
    warning: str
    is_shortened: bool = False

    def __getitem__(self, word: str) -> str:
        return notice_words.said(self.language, word)


def write(notice: Notice, brand: str) -> MailContent:
    """Return the content of a step: in the language of the person whose target it is, else in English."""
    page, token, person = notice.page, notice.token, notice.target.person
    language = words.language(person.language or "") if person else words.DEFAULT
    title, requester = line(page.title), page.approval.requested_by if page.approval else None
    word = _SUBJECTS.get(notice.kind)
    progress = Progress(page, token, person)
    rows = progress.rows() if person else []
    return MailContent(
        language=language,
        brand=line(brand),
        subject=notice_words.said(language, word, title=title) if word else title,
        title=title,
        note=notice_words.said(language, f"{word}_text") if word else None,
        text=block(page.text),
        links=tuple((line(link.label), link.url) for link in page.links),
        requested_by=notice_words.said(language, "requested_by", name=line(requester)) if requester else None,
        until=_until(language, token.timeout_at),
        standing=tuple(_said(language, sentence) for sentence in progress.needed()) if rows else (),
        people=tuple((_said(language, row.who), _said(language, row.said)) for row in rows),
        link=notice.link,
        warning=_warning(language, notice),
    )


def fitting(content: MailContent, fits: Callable[[MailContent], bool]) -> MailContent:
    """Return the content, shortened as far as it must be. Without links, it fits always: see the test of the largest page."""
    shorter = content
    for characters, links in _SHORTER:
        if fits(shorter):
            return shorter
        text = content.text if len(content.text) <= characters else f"{content.text[:characters].rstrip()}…"
        shorter = replace(content, text=text, links=content.links[:links], is_shortened=True)
    return shorter


def plain_text(content: MailContent) -> str:
    """The content as text."""
    listed = [*content.standing, *(f"{name}: {said}" for name, said in content.people)]
    parts = [
        content.brand,
        content.note,
        content.title,
        content.text,
        content["shortened"] if content.is_shortened else None,
        "\n".join(f"{label}: {url}" if label != url else url for label, url in content.links),
        "\n".join(filter(None, (content.requested_by, content.until))),
        f"{content['open']}:\n{content.link}" if content.link else None,
        content.warning,
        "\n".join([content["standing_heading"], *(f"- {one}" for one in listed)]) if listed else None,
        content["no_reply"],
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def line(text: str) -> str:
    """Return a caller's text as one line."""
    return " ".join(block(text).split())


def block(text: str) -> str:
    return "\n".join(without_bidi_controls(printable(text)).splitlines()).strip()


def _said(language: str, part: Part) -> str:
    return written(part, words.WORDS[language].__getitem__, line)


def _until(language: str, timeout_at: int | None) -> str | None:
    if timeout_at is None:
        return None
    at = datetime.fromtimestamp(timeout_at / 1000, UTC)
    return notice_words.said(language, "open_until", time=words.time(language, at))


def _warning(language: str, notice: Notice) -> str:
    person = notice.target.person
    if notice.link is None:
        return notice_words.said(language, "own_link_text")
    if person is None:
        return notice_words.said(language, "anyone")
    return notice_words.said(language, "answer_as", name=line(person.shown))
