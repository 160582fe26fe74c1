"""What a mail says."""

from dataclasses import replace

import pytest

from tests.support import mails
from waitpoints.api.notices import mail_content
from waitpoints.api.notices.notice_words import WORDS
from waitpoints.api.notices.plan import NoticeKind
from waitpoints.api.page import words
from waitpoints.token import Answer

TEXT = """Acme

Deploy 4.2 to production?

All 812 checks passed.

Ann & Bo <reviewed> it.

Release notes: https://example.com/releases?a=4.2&b=1

Requested by Kim
Open until 25 November 2026, 14:05 UTC

Open and answer:
{link}

You answer as Ann Lee. This link is personal: please do not pass it on.

Where it stands
- 2 of 3 must choose Approve. So far: 1.
- One person is enough for Reject.
- bo@example.com: Approve
- Ann Lee (you): Not answered yet
- dee: Not answered yet

Please answer on the page: a reply to this e-mail does not count as an answer.
"""
BO = Answer("bo@example.com", "approve", "{}", 1)


def test_the_whole_text_of_a_first_mail() -> None:
    content = mail_content.write(mails.notice(answers=(BO,)), "Acme")
    assert mail_content.plain_text(content) == TEXT.format(link=mails.LINK)


@pytest.mark.parametrize(
    ("kind", "subject", "note"),
    [
        (NoticeKind.FIRST, "Deploy 4.2 to production?", None),
        (NoticeKind.REMINDER, "Reminder: Deploy 4.2 to production?", "This request is still waiting for an answer."),
        (NoticeKind.LAST, "One more answer is needed: Deploy 4.2 to production?", "Others have already answered. One more"),
    ],
)
def test_its_subject_and_first_sentence_say_why_it_comes(kind: NoticeKind, subject: str, note: str | None) -> None:
    content = mail_content.write(mails.notice(kind=kind), "Acme")
    assert content.subject == subject
    assert content.note is None if note is None else str(content.note).startswith(note)
    assert (content.note or "") in mail_content.plain_text(content)


class TestTheLanguage:
    @pytest.mark.parametrize("language", words.WORDS)
    def test_is_the_readers(self, language: str) -> None:
        content = mail_content.write(mails.notice(kind=NoticeKind.REMINDER, language=language), "Acme")
        text = mail_content.plain_text(content)
        assert content.language == language
        assert WORDS[language]["no_reply"] in text
        assert words.WORDS[language]["standing_heading"] in text
        assert content.subject == WORDS[language]["reminder"].format(title=mails.PAGE["title"])

    @pytest.mark.parametrize(("given", "language"), [("de-AT", "de"), ("tlh", "en"), ("", "en"), (None, "en")])
    def test_is_else_english(self, given: str | None, language: str) -> None:
        assert mail_content.write(mails.notice(language=given), "").language == language

    def test_is_english_for_an_address_of_notify(self) -> None:
        assert mail_content.write(mails.notice(mails.PLAIN, person=None), "").language == "en"


class TestWhoElseIsAsked:
    def test_is_not_said_of_one_person(self) -> None:
        alone = mail_content.write(mails.notice({"title": "Pay?", "approvers": ["ann@example.com"]}), "")
        assert (alone.standing, alone.people) == ((), ())
        assert "Where it stands" not in mail_content.plain_text(alone)

    def test_is_said_in_one_sentence_if_the_first_answer_decides(self) -> None:
        content = mail_content.write(mails.notice({"title": "Pay?", "approvers": ["ann@example.com", "bo@example.com"]}), "")
        assert content.standing == ("The first answer decides.",)

    def test_an_answer_of_an_action_without_a_label_has_the_pages_word(self) -> None:
        page = {"title": "Pay?", "approvers": ["ann@example.com", "bo@example.com"]}
        answered = (Answer("bo@example.com", "submit", "{}", 1),)
        content = mail_content.write(mails.notice(page, answers=answered, language="de"), "")
        assert content.people[0] == ("bo@example.com", "Absenden")

    def test_is_hidden_from_whoever_cannot_answer(self) -> None:
        content = mail_content.write(mails.notice(person=None, link=None), "")
        text = mail_content.plain_text(content)
        assert content.warning == "Each person who is asked has a personal link. Please answer by yours."
        assert not any(name in text for name in ("Ann Lee", "bo@example.com", "Open and answer"))


def test_a_link_that_is_nobodys_own_says_so() -> None:
    content = mail_content.write(mails.notice(mails.PLAIN, person=None), "")
    assert content.warning == "Anyone who has this link can answer. Please pass it on only to people who may."
    assert mails.LINK in mail_content.plain_text(content)


def test_without_a_deadline_none_is_said() -> None:
    assert mail_content.write(mails.notice(timeout_at=None), "").until is None


class TestALetterThatIsTooLong:
    def test_is_shortened_as_little_as_it_must_be_and_says_so(self) -> None:
        content = replace(mail_content.write(mails.notice(), ""), text="x" * 10_000)
        assert mail_content.fitting(content, lambda _: True) == content
        short = mail_content.fitting(content, lambda one: len(one.text) < 9_000)
        assert (len(short.text), short.text[-1], len(short.links)) == (4_001, "…", 1)
        assert "Open the page to read all of it." in mail_content.plain_text(short)
        shorter = mail_content.fitting(content, lambda one: len(one.text) < 4_000)
        assert (len(shorter.text), shorter.links, shorter.is_shortened) == (1_001, (), True)

    def test_keeps_a_short_text_if_its_links_are_too_long(self) -> None:
        content = mail_content.write(mails.notice(), "")
        short = mail_content.fitting(content, lambda one: not one.links)
        assert (short.text, short.links, short.is_shortened) == (content.text, (), True)


@pytest.mark.parametrize(
    ("given", "line", "block"),
    [
        ("a\r\nb\tc", "a b c", "a\nb\tc"),
        (" \u202ea\u2066b\u2069 ", "ab", "ab"),
        ("a\u2028b\x85c", "a b\ufffdc", "a\nb\ufffdc"),
        ("\ud800", "\ufffd", "\ufffd"),
    ],
)
def test_a_callers_text_is_shown_without_what_breaks_or_reorders_it(given: str, line: str, block: str) -> None:
    assert (mail_content.line(given), mail_content.block(given)) == (line, block)
