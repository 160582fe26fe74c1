"""What is said about a decision: in a page as HTML, and as text for mails and chats."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.in_process.html_page import HtmlPage
from waitpoints.api.page import page_checks, render, words
from waitpoints.api.page.definition import Page
from waitpoints.api.page.markup import visible
from waitpoints.api.page.progress import Progress, written
from waitpoints.api.page.theme import Theme
from waitpoints.approvers import Approval, Approver
from waitpoints.errors import InvalidPage
from waitpoints.token import Answer, Completed, CompletedBy, Output, Source, TimedOut, Token

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "{name}",
    "\u202egnihtyna",
    "x" * 100,
    "a" + "\u0301" * 60,
]
AT = 1_795_615_500_000
ACTIONS = [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}]
PEOPLE = [{"id": "a", "name": "Ann"}, {"id": "b", "name": "Bo", "slack": "UBO"}, {"id": "c", "name": "Cy"}]


def page(approvers: Sequence[Any] = PEOPLE, actions: Any = ACTIONS, **members: Any) -> Page:
    return page_checks.parse({"title": "T", "approvers": list(approvers), "actions": actions, **members})[0]


def progress(page: Page, *answers: tuple[str, str], reader: str | None = None, is_late: bool = False, **token: Any) -> Progress:
    assert page.approval is not None
    given = tuple(Answer(person, action, "{}", AT) for person, action in answers)
    person = next((one for one in page.approval.everybody() if one.id == reader), None)
    return Progress(page, Token(id="t", created_at=0, answers=given, **token), person, is_late)


THREE = page()
ESCALATED = page(["a", "b"], escalate={"after": "1d", "to": ["lead"]})
CASES: dict[str, tuple[Progress, list[str], list[str]]] = {  # what no document of a page or notice shows
    "before the escalation": (
        progress(ESCALATED, reader="a"),
        ["2 of 2 people must choose Approve. So far: 0.", "One person is enough for Reject."],
        ["a (you): Not answered yet", "b: Not answered yet"],
    ),
    "once it is escalated": (
        progress(ESCALATED, reader="lead", escalated_at=AT),
        ["2 of 3 people must choose Approve. So far: 0.", "One person is enough for Reject."],
        ["a: Not answered yet", "b: Not answered yet", "lead (you): Not answered yet"],
    ),
    "after an end without answers": (progress(THREE, reader="a", outcome=TimedOut(AT)), [], []),
}


def said(part: Any) -> str:
    return written(part, words.WORDS["en"].__getitem__, str)


def test_who_may_answer_later_is_named_only_before_the_escalation() -> None:
    for escalated_at, is_named in ((None, True), (AT, False)):
        asked = progress(ESCALATED, reader="a", escalated_at=escalated_at)
        shown = HtmlPage(render.form(ESCALATED, Theme(), token=asked.token, progress=asked)).text
        assert ("From 2 January 1970, 00:00 UTC, these people can also answer: lead" in shown) is is_named


@pytest.mark.parametrize("case", CASES)
def test_says_what_is_needed_and_who_has_answered_what(case: str) -> None:
    progress, needed, rows = CASES[case]
    assert [said(sentence) for sentence in progress.needed()] == needed
    assert [f"{said(row.who)}: {said(row.said)}" for row in progress.rows()] == rows
    shown = HtmlPage(render.form(progress.page, Theme(), progress=progress)).text
    assert all(sentence in shown for sentence in needed)


FIELDS = {
    "sum": {"type": "number", "title": "Sum"},
    "urgent": {"type": "boolean"},
    "risk": {"oneOf": [{"const": 1, "title": "Low"}, {"const": 2}]},
    "regions": {"type": "array", "items": {"enum": ["eu", "us"]}},
    "until": {"type": "string", "format": "date"},
    "note": {"type": "string", "format": "textarea"},
}
ENTERED = '{"sum":1200.50,"urgent":false,"risk":1.0,"regions":["us","eu"],"until":"2026-12-01","note":"Line\\nby line"}'
SHOWN = {
    "Sum": "1200,50",
    "urgent": "Nein",
    "risk": "Low",
    "regions": "us\neu",
    "until": "1. Dezember 2026",
    "note": "Line\nby line",
}


class TestWhatOthersEntered:
    def seen(self, reader: str | None, entered: str = ENTERED, **members: Any) -> dict[str, dict[str, str]]:
        """What the reader sees of each person, in German."""
        answers = tuple(Answer(person, "approve", entered, AT) for person in "ab")
        found = progress(page(fields={"properties": FIELDS}, **members), reader=reader)
        rows = replace(found, token=replace(found.token, answers=answers)).rows()
        return {said(row.who): dict(row.values("de")) for row in rows}

    def test_is_seen_by_each_who_may_answer_as_it_was_understood(self) -> None:
        assert self.seen("c") == {"Ann": SHOWN, "Bo": SHOWN, "Cy (you)": {}}
        assert self.seen("b") == {"Ann": SHOWN, "Bo (you)": {}, "Cy": {}}

    def test_has_only_what_was_filled_in_and_is_cut(self) -> None:
        assert self.seen("c", '{"urgent":true}')["Ann"] == {"urgent": "Ja"}
        assert self.seen("c", json.dumps({"note": "x" * 201}))["Ann"] == {"note": "x" * 199 + "…"}

    @pytest.mark.parametrize(
        ("sent", "shown"),
        [
            ("12345678901234567890", "12345678901234567890"),
            ("12345678901234567890.12", "12345678901234567890,12"),
            ("0.1234567890123456789", "0,1234567890123456789"),
            ("1.5e3", "1500"),
            ("-1E-2", "-0,01"),
            ("0e9", "0"),
            ("1e-999999999", "1E-999999999"),
            ("1e-99999999999999999999", "1e-99999999999999999999"),
        ],
    )
    def test_has_every_digit_of_a_number(self, sent: str, shown: str) -> None:
        assert self.seen("c", f'{{"sum":{sent}}}')["Ann"] == {"Sum": shown}

    @pytest.mark.parametrize(("reader", "members"), [(None, {}), ("c", {"showAnswers": False})])
    def test_is_seen_by_nobody_else_or_by_nobody(self, reader: str | None, members: dict[str, Any]) -> None:
        assert list(self.seen(reader, **members).values()) == [{}, {}, {}]

    def test_has_the_readers_own_colon_after_each_title(self) -> None:
        answers = (Answer("a", "approve", ENTERED, AT),)
        found = progress(page(fields={"properties": FIELDS}, language="fr"), reader="c")
        found = replace(found, token=replace(found.token, answers=answers))
        shown = render.form(found.page, Theme("fr"), progress=found)
        assert "<bdi>until</bdi>\u00a0: <bdi>1er décembre 2026</bdi>" in shown

    def test_stands_above_the_buttons(self) -> None:
        found = progress(page(fields={"properties": FIELDS}), ("a", "approve"), reader="c")
        shown = render.form(found.page, Theme(), progress=found)
        assert shown.index("Answers") < shown.index("Ann") < shown.index("<form") < shown.index("Progress")
        assert shown.count("<bdi>Ann</bdi>") == 1


def test_the_language_is_the_readers_or_that_of_the_first_approver() -> None:
    people = [{"id": "a", "language": "de"}, {"id": "b", "language": "fr"}, "c"]
    asked = page(people)
    readers = (*asked.approval.approvers, None) if asked.approval else ()
    languages = [asked.for_reader(reader).language for reader in readers]
    assert [*languages, page(["a", people[1]]).for_reader(None).language] == ["de", "fr", "en", "de", "en"]


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=100).filter(str.strip)


@given(st.lists(names | st.sampled_from(HOSTILE), min_size=3, max_size=3, unique=True), st.sampled_from([*words.WORDS]))
def test_every_name_is_shown_as_text_that_changes_nothing_around_it(called: list[str], language: str) -> None:
    asked = replace(THREE, approval=Approval(tuple(Approver(str(at), name) for at, name in enumerate(called))))
    theme = Theme(language)
    open_to = progress(asked, ("1", "approve"), reader="0")
    over = Completed(AT, Output('{"action":"reject"}'), CompletedBy(source=Source.CALLBACK, approver="2"))
    late = progress(asked, ("0", "approve"), ("1", "approve"), ("2", "reject"), reader="0", is_late=True, outcome=over)
    for document in (render.form(asked, theme, progress=open_to), render.ended(over, theme, page=asked, progress=late)):
        shown = HtmlPage(document)
        read = set(map(visible, called))
        assert read <= set(shown.texts)
        assert read <= {unescape(text) for text in re.findall("<bdi>(.*?)</bdi>", document, re.DOTALL)}
        assert [tag for tag, _ in shown.tags if tag in ("script", "img")] == ["script"]


LINKED = {"title": "T", "links": [{"url": "https://example.com", "label": "'" * 200}] * 5}
CROWD = [{"id": f"{at:0128}", "name": f"{at:02}" + "'" * 98} for at in range(20)]

WORDIEST = [  # with the most words
    {"type": "integer", "minimum": 3, "maximum": 9, "multipleOf": 3},
    {"type": "string", "minLength": 2, "maxLength": 3},
    {"type": "string", "format": "textarea", "maxLength": 5},
    {"type": "array", "items": {"enum": [1, 2]}, "minItems": 1, "maxItems": 2},
]


class TestTheSizeOfAPage:
    @pytest.mark.parametrize("language", words.WORDS)
    def test_counts_the_largest_form_that_any_approver_may_be_shown(self, language: str) -> None:
        asked = page(CROWD, [{"id": "approve", "label": "&" * 100, "needs": 20}, {"id": "reject", "label": "No"}])
        theme, ids = Theme(language), [one["id"] for one in CROWD]
        full = page_checks.fullest(asked, theme)
        counted = len(render.form(asked, theme, token=full.token, progress=full).encode())
        for answered in ([], ids[:10], ids[1:], ids[:19]):
            given = progress(asked, *((it, "approve") for it in answered), reader=next(it for it in ids if it not in answered))
            assert len(render.form(asked, theme, token=given.token, progress=given).encode()) <= counted
        assert counted < page_checks.MAX_HTML

    def test_counts_the_longest_of_its_languages(self) -> None:
        texts = {"en": "x", "de": "'" * 9_999}
        page_checks.check_size(page_checks.parse({**LINKED, "text": texts["en"], "language": "en"})[0])
        with pytest.raises(InvalidPage, match="60,000"):
            page_checks.check_size(page_checks.parse({**LINKED, "text": texts, "language": ["en", "de"]})[0])

    def test_is_refused_for_its_people_too(self) -> None:
        choices = [f"{at:03}" + "<" * 40 for at in range(55)]
        fields = {"properties": {"a": {"enum": choices}, "b": {"enum": choices}}}
        page_checks.check_size(page(["a", "b"], fields=fields))
        with pytest.raises(InvalidPage, match="60,000"):
            page_checks.check_size(page(CROWD, fields=fields))

    def test_counts_the_longest_of_the_words_around_texts_without_a_language(self) -> None:
        around = _bytes({**LINKED, "text": "x"}, "en")
        fits = {**LINKED, "text": "'" * ((page_checks.MAX_HTML - around) // len("&#39;"))}
        longest = max(_bytes(fits, language) for language in words.WORDS)
        assert _bytes(fits, "en") < page_checks.MAX_HTML < longest
        with pytest.raises(InvalidPage, match=f"{longest:,} bytes"):
            page_checks.check_size(page_checks.parse(fits)[0])

    @pytest.mark.parametrize("field", WORDIEST, ids=str)
    def test_is_much_less_than_twice_as_large_in_another_language(self, field: dict[str, Any]) -> None:
        """So one small form stands for all."""
        many = {"properties": {str(at): field for at in range(30)}}
        given = {"title": "T", "approvers": [*map(str, range(20))], "fields": many}
        sizes = [_bytes(given, language) for language in words.WORDS]
        assert min(sizes) < max(sizes) < 1.2 * min(sizes)


def _bytes(given: dict[str, Any], language: str) -> int:
    asked, theme = page_checks.parse(given)[0].in_language(language), Theme(language, "x" * 100)
    state = page_checks.fullest(asked, theme)
    return len(render.form(state.page, theme, token=state.token, progress=state).encode())
