"""How a mail looks: what every client shows as it is meant."""

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.support import mails
from tests.support.in_process.html_page import HtmlPage
from waitpoints.api.notices import mail_content, mail_html
from waitpoints.api.notices.mail_content import MailContent
from waitpoints.api.notices.plan import NoticeKind
from waitpoints.api.page import page_checks, theme, words
from waitpoints.token import Answer

GMAIL_CLIPS = 102_000  # bytes
QUOTE = "'"  # has six characters in HTML


def content(**more: Any) -> MailContent:
    return mail_content.write(mails.notice(**more), "Acme")


def largest_pages() -> list[dict[str, Any]]:
    """Pages that become as much HTML as any that a create accepts, each by other texts: escaped, or of four bytes."""
    people = [{"id": f"{number}", "name": "x", "email": f"p{number}@example.com"} for number in range(20)]
    actions = [{"id": f"a{number}", "label": "x", "needs": 2} for number in range(8)]
    links = [{"label": "x", "url": f"https://example.com/{number}"} for number in range(10)]
    long = [{"label": "'" * 100, "url": f"https://example.com/{QUOTE * 720}"} for _ in range(10)]
    named = [{**person, "name": QUOTE * 97} for person in people]
    many = {"approvers": people, "actions": actions, "links": links}
    facts = [{"title": "x", "facts": [{"label": "x" * 50, "value": "x" + QUOTE * 170}]}] * 30
    return (
        [
            {"title": sign * 200, **many, "requestedBy": sign * 128, "text": sign * length}
            for sign, length in ((QUOTE, 8_600), ("\U0001f600", 3_300))
        ]
        + [{"title": "x", "links": long}, {"title": "x", **many, "approvers": named, "text": QUOTE * 3_000}]
        + [{"title": QUOTE * 200, **many, "facts": facts}]
    )


def test_it_is_a_document_of_tables_with_inline_styles() -> None:
    tags = [tag for tag, _ in HtmlPage(mail_html.document(content(), "#2457d6")).tags]
    assert tags[:2] == ["html", "head"]
    assert tags.count("style") == tags.count("h1") == tags.count("title") == 1
    assert set(tags) <= {
        *("html", "head", "meta", "title", "style", "body", "div", "table", "tr", "td", "p", "h1", "h2", "a", "br", "bdi")
    }
    assert tags.count("table") == 4  # around, card, button, people


def test_what_a_person_entered_keeps_its_line_breaks() -> None:
    page = {**mails.PAGE, "fields": {"properties": {"note": {"type": "string", "format": "textarea"}}}}
    note = Answer("bo@example.com", "approve", '{"note":"One\\r\\n\\ntwo <b>"}', 1)
    document = mail_html.document(content(page=page, answers=(note,)), "#2457d6")
    assert "<bdi>note</bdi>: <bdi>One<br><br>two &lt;b&gt;</bdi>" in document


def test_no_picture_font_or_script_is_loaded() -> None:
    document = mail_html.document(content(), "#2457d6")
    assert not re.search(r"url\(|@import|@font-face|<img|<script|<link", document)
    assert set(HtmlPage(document).links) == {mails.LINK, "https://example.com/releases?a=4.2&b=1"}


def test_every_text_has_its_colour_and_font_inline() -> None:
    document = mail_html.document(content(), "#2457d6")
    for tag in re.findall(r"<(?:p|h1|h2|td class=\"line)[^>]*>", document):
        assert "color:#" in tag
        assert "font-family:" in tag


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_no_line_is_empty(kind: NoticeKind) -> None:
    assert not re.search(r"<(p|h1|h2|a)\b[^>]*></\1>", mail_html.document(content(kind=kind), "#2457d6"))


def test_every_colour_that_is_set_for_light_is_set_for_dark() -> None:
    document = mail_html.document(content(kind=NoticeKind.LAST), "#2457d6")
    dark = document.partition("prefers-color-scheme:dark")[2].partition("</style>")[0]
    used = {name for names in re.findall(r'class="([^"]+)"', document) for name in names.split()}
    assert used - {"inside"} == set(re.findall(r"\.(\w+)[{,]", dark.partition("@media")[0]))


@pytest.mark.parametrize("color", ["#000000", "#ffffff", "#ffd500", "#2457d6", "#888888"])
def test_the_button_can_be_read_and_seen_in_any_colour(color: str) -> None:
    document = mail_html.document(content(), color)
    button = re.search(r'<td class="button"[^>]*><a [^>]*>', document)
    assert button is not None
    [cell, link] = re.findall(r"<[^>]+>", button[0])
    written = re.search(r"[^-]color:(#\w{6})", link)
    assert written is not None
    assert theme.contrast(written[1], color) >= 4.5
    assert f'bgcolor="{color}"' in cell
    assert mails.LINK.replace("&", "&amp;") in link


def test_the_link_is_also_there_to_be_copied() -> None:
    document = mail_html.document(content(), "#2457d6")
    assert f">{mails.LINK}</a>" in document
    assert "If the button does not work, open this link:<br>" in document


def test_lines_of_the_text_stay_lines() -> None:
    assert "All 812 checks passed.<br><br>Ann &amp; Bo &lt;reviewed&gt; it.</p>" in mail_html.document(content(), "#2457d6")


@pytest.mark.parametrize("page", largest_pages(), ids=["text", "text of four bytes", "links", "names", "facts"])
def test_the_largest_pages_fit_into_what_clients_show(page: dict[str, Any]) -> None:
    """As HTML alone. The mail is checked as it is sent in test_mail.py."""
    page_checks.check_size(page_checks.parse(page)[0])  # as at create
    person = 0 if "approvers" in page else None
    answers = tuple(Answer(it["id"], f"a{at % 8}", "{}", 1) for at, it in enumerate(page.get("approvers", [])[1:8]))
    for language in words.WORDS:
        asked = mails.notice(page, NoticeKind.LAST, person, language=language, answers=answers, link=f"https://x/{'%F0' * 512}")
        short = mail_content.fitting(mail_content.write(asked, QUOTE * 100), lambda one: mail_html.fits(one, "#2457d6"))
        assert len(mail_html.document(short, "#2457d6").encode()) <= mail_html.MAX_BYTES
        assert short.is_shortened == (page["title"] == QUOTE * 200)
        outcome = mail_content.write(mails.notice(page, NoticeKind.OUTCOME, person, language=language, answers=answers), "")
        short = mail_content.fitting(outcome, lambda one: mail_html.fits(one, "#2457d6"))
        assert len(mail_html.document(short, "#2457d6").encode()) <= mail_html.MAX_BYTES


def test_a_usual_page_is_not_shortened() -> None:
    usual = replace(content(), text="A sentence of a usual length. " * 333)
    assert mail_content.fitting(usual, lambda one: mail_html.fits(one, "#2457d6")) is usual
