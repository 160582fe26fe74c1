"""Mails as SES gets them, read with Python's own parser, and what SES's errors mean.

SES: docs.aws.amazon.com/ses/latest/dg/header-fields.html (each of these headers at most once), and botocore's service model
sesv2 (SendEmail's errors; RawMessage: 7-bit, lines of at most 1,000 characters).
"""

import re
from dataclasses import replace
from email.header import decode_header, make_header
from email.message import EmailMessage
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import mails
from tests.support.in_process.html_page import HtmlPage
from tests.unit.api.notices.test_mail_html import GMAIL_CLIPS, largest_pages
from waitpoints import json_text
from waitpoints.api.notices import mail as module
from waitpoints.api.notices.mail import MailChannel
from waitpoints.api.notices.notice_words import WORDS
from waitpoints.api.notices.plan import NoticeKind
from waitpoints.api.notices.summary import line
from waitpoints.api.page import words
from waitpoints.errors import NotSent
from waitpoints.token import Answer

REF = "0100017c9add7f0f-9e3cc339-71e1-431a-97cd-bb5038eaeaba-000000"
HEADERS = [
    *("From", "To", "Subject", "References", "Thread-Topic", "Auto-Submitted", "X-Auto-Response-Suppress", "Content-Language"),
    *("MIME-Version", "Content-Type"),
]
KINDS = (NoticeKind.FIRST, NoticeKind.REMINDER, NoticeKind.LAST, NoticeKind.OUTCOME)


class Ses:
    """A client of SES that keeps what it is called with, or raises."""

    def __init__(self, error: Exception | None = None, region: str = "us-east-1") -> None:
        self.meta = SimpleNamespace(region_name=region)
        self.calls: list[dict[str, Any]] = []
        self._error = error

    def send_email(self, **call: Any) -> dict[str, str]:
        self.calls.append(call)
        if self._error:
            raise self._error
        return {"MessageId": REF}


def sender(ses: Ses) -> MailChannel:
    return MailChannel(lambda: ses, mails.FROM, mails.BRAND)


def test_a_mail_goes_to_one_address_and_its_id_comes_back() -> None:
    ses = Ses()
    assert sender(ses).send(mails.notice()) == REF
    [call] = ses.calls
    assert (call["FromEmailAddress"], call["Destination"]) == (mails.FROM, {"ToAddresses": ["ann@example.com"]})
    assert call["Content"].keys() == {"Raw"}


class TestHeaders:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("language", words.WORDS)
    def test_a_mail_says_who_sends_it_to_whom_and_why(self, kind: NoticeKind, language: str) -> None:
        message = mails.mail(mails.notice(kind=kind, language=language))
        assert message.keys() == HEADERS
        title, heading = mails.PAGE["title"], words.WORDS[language]["ended_heading"]
        said = {**WORDS[language], "first": "{title}", "outcome": f"{heading}{words.colon(language)}{{title}}"}
        subject = said[kind].format(title=title)
        assert message["Subject"] == subject
        assert str(message["From"]) == "Acme <waitpoints@example.com>"
        assert [(it.display_name, it.addr_spec) for it in message["To"].addresses] == [("Ann Lee", "ann@example.com")]
        assert (message["Auto-Submitted"], message["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
        assert (message["Content-Language"], message["Thread-Topic"]) == (language, title)
        assert [defect for part in message.walk() for defect in part.defects] == []

    @pytest.mark.parametrize(
        ("region", "domain"), [("us-east-1", "email.amazonses.com"), ("eu-central-1", "eu-central-1.amazonses.com")]
    )
    @pytest.mark.parametrize("kind", KINDS[1:])
    def test_a_later_mail_is_an_answer_to_the_first_one(self, kind: NoticeKind, region: str, domain: str) -> None:
        """AWS promises no domain: these are in the mails that SES has sent, as archives of public mailing lists show."""
        ses = Ses(region=region)
        sender(ses).send(mails.notice())
        sender(ses).send(mails.notice(kind=kind, ref=REF))
        first, later = (mails.parsed(call["Content"]["Raw"]["Data"]) for call in ses.calls)
        assert "In-Reply-To" not in first
        assert later["In-Reply-To"] == f"<{REF}@{domain}>"
        assert str(later["References"]).split() == [str(first["References"]), f"<{REF}@{domain}>"]

    def test_all_mails_to_one_target_name_one_id(self) -> None:
        [common] = str(mails.mail(mails.notice())["References"]).split()
        assert common == f"<{mails.ID}.email.0@example.com>"

    def test_without_a_brand_and_a_name_there_are_only_the_addresses(self) -> None:
        message = mails.mail(mails.notice(person=1), ("", "#2457d6"))
        assert (str(message["From"]), str(message["To"])) == (mails.FROM, "bo@example.com")


class TestTheBody:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("language", words.WORDS)
    def test_is_text_and_html_that_say_the_same(self, kind: NoticeKind, language: str) -> None:
        message = mails.mail(mails.notice(kind=kind, language=language, answers=(Answer("dee", "approve", "{}", 1),)))
        assert message.get_content_type() == "multipart/alternative"
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
        found = HtmlPage(mails.body(message, "html"))
        html = " ".join([*found.text.split(), *found.links])
        for paragraph in mails.body(message, "plain").split("\n"):
            for said in re.split(": |\uff1a", paragraph.removeprefix("- "), maxsplit=1):
                assert " ".join(said.rstrip(":\uff1a").split()) in html

    @pytest.mark.parametrize("language", words.WORDS)
    def test_is_in_seven_bits_and_short_lines(self, language: str) -> None:
        raw = mails.written(mails.notice({**mails.PAGE, "text": "長い" * 2_000}, language=language))
        assert raw.isascii()
        assert raw.count(b"\n") == raw.count(b"\r\n")
        assert max(map(len, raw.split(b"\r\n"))) <= 998

    def test_short_lines_that_are_not_ascii_are_in_seven_bits_too(self) -> None:
        assert mails.written(mails.notice({"title": "é"}, person=None, link=None, timeout_at=None)).isascii()

    @pytest.mark.parametrize("page", largest_pages())
    def test_stays_below_what_gmail_shows_also_in_its_encoding(self, page: dict[str, Any]) -> None:
        message = mails.mail(mails.notice(page, person=0 if "approvers" in page else None))
        part = message.get_body(("html",))
        assert part is not None
        assert len(part.as_bytes()) < GMAIL_CLIPS
        is_shortened = WORDS["en"]["shortened"] in mails.body(message, "plain")
        assert is_shortened == (WORDS["en"]["shortened"] in mails.body(message, "html")) == (page["title"] == "'" * 200)


class TestAddresses:
    @pytest.mark.parametrize(
        "address", ["o'brien+x@example.com", "!#$%&'*/=?^_`{|}~-@mail.example.co", "a@xn--bcher-kva.example"]
    )
    def test_an_odd_but_valid_one_is_kept(self, address: str) -> None:
        ses = Ses()
        page = {"title": "Pay?", "approvers": [{"id": "ann", "name": 'Ann "A", <Lee>', "email": address}]}
        sender(ses).send(mails.notice(page))
        [call] = ses.calls
        [to] = mails.parsed(call["Content"]["Raw"]["Data"])["To"].addresses
        assert (to.display_name, to.addr_spec) == ('Ann "A", <Lee>', address)
        assert call["Destination"]["ToAddresses"] == [address]

    @pytest.mark.parametrize("address", ["jörg@example.com", "ann@bücher.example"])
    def test_one_that_is_not_ascii_is_refused_without_a_call(self, address: str) -> None:
        """SES API v2, `Destination`. Its reason names no address."""
        ses = Ses()
        with pytest.raises(NotSent, match="AddressRefused") as refused:
            sender(ses).send(mails.notice(to=address, person=None))
        assert ses.calls == []
        assert address not in str(refused.value)

    def test_one_that_the_stack_no_longer_sends_to_is_refused_without_a_call(self) -> None:
        """`MailDomains` may have changed since the create."""
        ses = Ses()
        with pytest.raises(NotSent, match="AddressRefused: its domain is not among"):
            MailChannel(lambda: ses, mails.FROM, mails.BRAND, (".example.com", "example.org")).send(mails.notice())
        assert ses.calls == []
        assert MailChannel(lambda: ses, mails.FROM, mails.BRAND, ("example.com",)).send(mails.notice()) == REF


SAMPLES = [
    "x\r\nBcc: evil@example.com",
    "x\n\n<script>alert(1)</script>",
    "=?utf-8?q?x=0D=0ABcc:_evil@example.com?=",
    "=?utf-8?b?PGEgaHJlZj0i?=",
    '"><a href="https://evil.example">',
    "</title></style><img src=https://evil.example>",
    "<!--[if mso]><a href='https://evil.example'>",
    '", "Evil" <evil@example.com>, "',
    "evil@example.com>, <",
    "\u202egnp.exe\u2066",
    "a" + "\u0301" * 100,
    "\ud800\udfff",
    "\\",
    '\\"',
    "(comment)",
    "{name} {title} {0}",
    "x" * 200,
    "ü" * 100,
    "\U0001f600" * 50,
    "--===============",
]
CONTROLS = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)} - {0x09, 0x0A}
TEXT = st.text(min_size=1, max_size=60)


@pytest.mark.parametrize("text", SAMPLES)
def test_no_hostile_text_adds_a_header_a_reader_a_link_or_markup(text: str) -> None:
    for kind in KINDS:
        check_hostile(text, text, text, text, text, kind)


@settings(max_examples=30)
@given(TEXT, TEXT, TEXT, TEXT, TEXT, st.sampled_from(KINDS))
def test_no_text_at_all_does(title: str, text: str, name: str, label: str, brand: str, kind: NoticeKind) -> None:
    check_hostile(title, text, name, label, brand, kind)


@cache
def usual_mail(kind: NoticeKind) -> EmailMessage:
    return mails.mail(mails.notice(kind=kind, ref=REF, answers=mails.ANSWERS))


def check_hostile(title: str, text: str, name: str, label: str, brand: str, kind: NoticeKind) -> None:
    """The page is not parsed as at create, which refuses some of these texts: older tokens and other versions may have them."""
    usual = mails.notice(kind=kind, ref=REF, answers=(replace(mails.ANSWERS[0], fields=json_text.dumps({"note": text})),))
    page, target = usual.page, usual.target
    assert page.approval is not None
    assert target.person is not None
    person = replace(target.person, name=name)
    approval = replace(page.approval, approvers=(person, *page.approval.approvers[1:]), requested_by=name)
    links = tuple(replace(link, label=label) for link in page.links)
    fields = (replace(page.fields[0], title=label),)
    hostile = replace(page, title=title, text=text, links=links, approval=approval, fields=fields)
    asked = replace(usual, page=hostile, target=replace(target, person=person))
    message, plain = mails.parsed(mails.written(asked, (brand, "#2457d6"))), usual_mail(kind)

    assert message.keys() == plain.keys()
    assert [it.addr_spec for name in ("From", "To") for it in message[name].addresses] == [mails.FROM, "ann@example.com"]
    assert str(message["Subject"]).endswith(line(title))
    for header, shown in (("From", brand), ("To", name)):  # between encoded words, the parser leaves spaces in
        assert message[header].addresses[0].display_name.replace(" ", "") == line(shown).replace(" ", "")
    assert message["Thread-Topic"] == line(title)
    assert [part.get_content_type() for part in message.walk()] == [part.get_content_type() for part in plain.walk()]
    found, expected = (HtmlPage(mails.body(one, "html")) for one in (message, plain))
    assert found.links == expected.links
    assert elements(found) == elements(expected)
    shown = found.text + mails.body(message, "plain") + str(message["Subject"]) + str(message["From"]) + str(message["To"])
    assert {ord(one) for one in shown} & CONTROLS == set()


def elements(page: HtmlPage) -> list[tuple[str, list[str]]]:
    """The elements with the names of their attributes. A text of several lines has paragraphs and line breaks of its own."""
    return [(tag, sorted(attributes)) for tag, attributes in page.tags if tag not in ("br", "p")]


@pytest.mark.parametrize("text", ["Ann\r\nBcc: eve@example.com", "Ann\x07", "=?utf-8?q?Ann?=", "Ännchen"])
def test_no_header_ends_within_a_text_or_is_read_as_another(text: str) -> None:
    """The content has taken line breaks and controls out before: this is the last guard."""
    for written in (module._mailbox(text, "ann@example.com").removesuffix(" <ann@example.com>"), module._encoded(text)):
        assert all(line.strip().startswith("=?utf-8?") for line in written.split("\r\n"))
        assert str(make_header(decode_header(written))).split() == text.split()
