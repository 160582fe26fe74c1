"""What a mail says, in its reader's language, before it is text or HTML.

Texts of callers come without line breaks where a line is meant, and without what reorders the text around them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from waitpoints.api.notices import notice_words
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.api.notices.summary import FactLine, Person, Summary, block, line
from waitpoints.api.page import words

_SHORTER = ((10_000, 10, None), (4_000, 10, None), (1_000, 0, 10))
"""Characters of the text, links, and facts, of a content that is too long. None: all of them, with their whole values."""

_SUBJECTS = {NoticeKind.REMINDER: "reminder", NoticeKind.LAST: "last"}


@dataclass(frozen=True, slots=True)
class MailContent:
    """`note` says why it is sent, unless it is the first one. `needed` and `people` are empty without other approvers.

    `link` is None for a reader who cannot answer by one. `warning` is about the link, or says why there is none; empty if the
    mail asks for no answer.
    """

    language: str
    brand: str
    subject: str
    title: str
    note: str | None
    text: str
    facts: tuple[FactLine, ...]
    links: tuple[tuple[str, str], ...]
    requested_by: str | None
    until: str | None
    needed: tuple[str, ...]
    people: tuple[Person, ...]
    link: str | None
    warning: str
    is_shortened: bool = False

    @property
    def people_heading(self) -> str:
        return self["progress_heading" if self.warning else "answers_heading"]

    @property
    def colon(self) -> str:
        return words.colon(self.language)

    def __getitem__(self, word: str) -> str:
        return notice_words.sentence(self.language, word)


def write(notice: Notice, brand: str) -> MailContent:
    """Return the content of a notice. Only approvers, and who asked, read who has answered what."""
    page, outcome, summary = notice.page, notice.token.outcome, Summary.of(notice)
    timeout_at = None if outcome else notice.token.timeout_at
    requester = page.approval.requested_by if page.approval else None
    people = summary.people() if notice.target.person else []
    subject, note = _occasion(notice, summary)
    return MailContent(
        language=summary.language,
        brand=line(brand),
        subject=subject,
        title=line(page.title),
        note=note,
        text=block(page.text),
        facts=tuple(summary.facts()),
        links=tuple((line(link.label), link.url) for link in page.links),
        requested_by=summary.said("requested_by", name=requester) if requester else None if brand else summary["requested"],
        until=None if timeout_at is None else summary.said("open_until", time=summary.time(timeout_at)),
        needed=tuple(summary.needed() if people else ()),
        people=tuple(people),
        link=notice.link,
        warning="" if outcome else _warning(summary, notice.link),
    )


def _occasion(notice: Notice, summary: Summary) -> tuple[str, str | None]:
    """Return the subject of a mail, and why it is sent."""
    title, outcome = notice.page.title, notice.token.outcome
    if outcome:
        heading, *lines = summary.ending()
        return f"{heading}{summary.colon}{line(title)}", "\n".join([heading, *lines, summary.time(outcome.at)])
    if word := _SUBJECTS.get(notice.kind):
        return summary.said(word, title=title), summary[f"{word}_text"]
    return line(title), None


def fitting(content: MailContent, fits: Callable[[MailContent], bool]) -> MailContent:
    """Return the content, shortened as far as it must be: first, what others have entered is left out.

    Without links, it fits always: see the test of the largest page.
    """
    shorter = content
    people = tuple(replace(person, entered=()) for person in content.people)
    for characters, links, most in _SHORTER:
        if fits(shorter):
            return shorter
        text = content.text if len(content.text) <= characters else f"{content.text[:characters].rstrip()}…"
        facts = content.facts if most is None else tuple(fact.shortened() for fact in content.facts[:most])
        shorter = replace(content, text=text, facts=facts, links=content.links[:links], people=people, is_shortened=True)
    return shorter


def plain_text(content: MailContent) -> str:
    """The content as text."""
    listed = [*content.needed, *("\n".join(person.lines(keeps_breaks=True)) for person in content.people)]
    parts = [
        content.brand,
        content.note,
        content.title,
        content.text,
        content["shortened"] if content.is_shortened else None,
        "\n".join(_facts(content)).lstrip(),
        "\n".join(f"{label}: {url}" if label != url else url for label, url in content.links),
        "\n".join(filter(None, (content.requested_by, content.until))),
        f"{content['open']}{content.colon.rstrip()}\n{content.link}" if content.link else None,
        content.warning,
        "\n".join([content.people_heading, *(f"- {one}" for one in listed)]) if listed else None,
        content["no_reply"] if content.warning else None,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(content: MailContent) -> Iterator[str]:
    for fact in content.facts:
        if fact.title:
            yield f"\n{fact.title}"
        yield f"{fact.label}{content.colon}{fact.url or fact.value.replace('\n', '\n    ')}"


def _warning(summary: Summary, link: str | None) -> str:
    person = summary.progress.person
    if summary.progress.page.sign_in:
        return summary["sign_in_text"]
    if link is None:
        return summary["own_link_text"]
    return summary.said("answer_as", name=person) if person else summary["anyone"]
