"""What only some mails say, and how a long one is shortened. What each says is in the documents of `golden/`."""

from dataclasses import replace

import pytest

from tests.support import mails
from waitpoints.api.notices import mail_content, mail_html
from waitpoints.api.notices.plan import NoticeKind
from waitpoints.api.notices.summary import Person
from waitpoints.token import Answer


def test_who_else_is_asked_is_hidden_from_a_reader_who_cannot_answer() -> None:
    content = mail_content.write(mails.notice(person=None, link=None), "")
    text = mail_content.plain_text(content)
    assert content.warning == "Everyone who was asked has a personal link. Please use yours to answer."
    assert not any(name in text for name in ("Ann Lee", "bo@example.com", "Open and answer"))


def test_an_answer_of_an_action_without_a_label_has_the_pages_word() -> None:
    page = {"title": "Pay?", "approvers": ["ann@example.com", "bo@example.com"]}
    answered = (Answer("bo@example.com", "submit", "{}", 1),)
    content = mail_content.write(mails.notice(page, answers=answered, language="de"), "")
    assert content.people[0] == Person("bo@example.com", "Absenden")


@pytest.mark.parametrize(("language", "colon"), [("fr", "\u00a0: "), ("ja", "\uff1a"), ("zh", "\uff1a"), ("es", ": ")])
def test_a_colon_is_the_languages_own(language: str, colon: str) -> None:
    content = mail_content.write(mails.notice(answers=mails.ANSWERS, language=language), "")
    text, html = mail_content.plain_text(content), mail_html.document(content, "#2457d6")
    assert f"- bo@example.com{colon}Approve\n  • Note{colon}fine\n" in text
    assert f"<bdi>Note</bdi>{colon}<bdi>fine</bdi>" in html


def test_without_a_deadline_none_is_said() -> None:
    assert mail_content.write(mails.notice(timeout_at=None), "").until is None


def test_an_outcome_asks_for_nothing() -> None:
    text = mail_content.plain_text(mail_content.write(mails.notice(kind=NoticeKind.OUTCOME), "Acme"))
    assert not any(word in text for word in ("Open and answer", "Answer due by", "Please answer", "personal link", "Where it"))


class TestAContentThatIsTooLong:
    def test_is_shortened_as_little_as_it_must_be_and_says_so(self) -> None:
        content = replace(mail_content.write(mails.notice(answers=mails.ANSWERS), ""), text="x" * 10_000)
        assert mail_content.fitting(content, lambda _: True) == content
        without = mail_content.fitting(content, lambda one: not any(person.entered for person in one.people))
        assert (without, without.text) == (replace(content, people=without.people, is_shortened=True), content.text)
        assert [person.entered for person in content.people] == [(("Note", "fine"),), (), ()]
        short = mail_content.fitting(content, lambda one: len(one.text) < 9_000)
        assert (len(short.text), short.text[-1], len(short.links)) == (4_001, "…", 1)
        assert "Open the page to read all of it." in mail_content.plain_text(short)
        shorter = mail_content.fitting(content, lambda one: len(one.text) < 4_000)
        assert (len(shorter.text), shorter.links, shorter.is_shortened) == (1_001, (), True)

    def test_keeps_a_short_text_if_its_links_are_too_long(self) -> None:
        content = mail_content.write(mails.notice(), "")
        short = mail_content.fitting(content, lambda one: not one.links)
        assert (short.text, short.links, short.is_shortened) == (content.text, (), True)
