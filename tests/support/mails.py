"""Requests for mails, and mails as a reader's client parses them."""

from collections.abc import Mapping
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import SimpleNamespace
from typing import Any

from waitpoints.api.notices.mail import MailChannel
from waitpoints.api.notices.plan import Notice, NoticeKind, Target
from waitpoints.api.page import page_checks
from waitpoints.notices import Channel, NoticeRecord
from waitpoints.token import Answer, Outcome, TimedOut, Token

FROM = "waitpoints@example.com"
BRAND = ("Acme", "#2457d6")
ID = "waitpoint_01jd3rj5v0000000000000000a"
LINK = f"https://api.example.com/api/v1/waitpoints/tokens/{ID}/callback/{'0' * 64}?approver=ann"
DEADLINE = 1_795_615_559_000  # 25 November 2026, 14:05:59 UTC
PAGE: dict[str, Any] = {
    "title": "Deploy 4.2 to production?",
    "text": "All 812 checks passed.\n\nAnn & Bo <reviewed> it.",
    "links": [{"label": "Release notes", "url": "https://example.com/releases?a=4.2&b=1"}],
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject", "style": "danger"}],
    "approvers": [{"id": "ann", "name": "Ann Lee", "email": "ann@example.com"}, "bo@example.com", {"id": "dee"}],
    "requestedBy": "Kim",
    "fields": {"properties": {"note": {"type": "string", "title": "Note"}}},
}
ANSWERS = (Answer("bo@example.com", "approve", '{"note": "fine"}', 1),)
PLAIN = {name: PAGE[name] for name in ("title", "text", "links")}


def notice(
    page: Mapping[str, Any] = PAGE,
    kind: NoticeKind = NoticeKind.FIRST,
    person: int | None = 0,
    *,
    to: str | None = None,
    language: str | None = None,
    link: str | None = LINK,
    answers: tuple[Answer, ...] = (),
    ref: str | None = None,
    timeout_at: int | None = DEADLINE,
    outcome: Outcome | None = None,
) -> Notice:
    """A step about a token with this page, for its `person` or, with None, for an address of `notify.email`."""
    loaded = page_checks.parse(dict(page))[0]
    found = None
    if person is not None and loaded.approval:
        found = replace(loaded.approval.everybody()[person], language=language)
        everybody = tuple(found if it.id == found.id else it for it in loaded.approval.approvers)
        loaded = replace(loaded, approval=replace(loaded.approval, approvers=everybody))
    target = Target("email.0", Channel.EMAIL, to or (found and found.email) or "team@example.com", found)
    if kind is NoticeKind.OUTCOME:
        link, outcome = None, outcome or TimedOut(DEADLINE)
    token = Token(id=ID, created_at=0, timeout_at=timeout_at, answers=answers, outcome=outcome)
    return Notice(kind, target, NoticeRecord(0), token, loaded.for_reader(found), ref, link)


def written(notice: Notice, brand: tuple[str, str] = BRAND, region: str = "us-east-1") -> bytes:
    return MailChannel(SimpleNamespace, FROM, brand).message(notice, region)


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def mail(asked: Notice, brand: tuple[str, str] = BRAND) -> EmailMessage:
    return parsed(written(asked, brand))


def body(message: EmailMessage, kind: str) -> str:
    """The text of a part, `plain` or `html`."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")
