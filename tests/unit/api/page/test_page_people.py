"""How a page speaks of its approvers: whatever they are called, and whatever has been answered."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.html_page import HtmlPage
from waitpoints.api.page import definition as page_definition
from waitpoints.api.page import people, render, words
from waitpoints.api.page.definition import Page
from waitpoints.api.page.people import People
from waitpoints.api.page.progress import Progress
from waitpoints.api.page.theme import Theme
from waitpoints.errors import InvalidPage
from waitpoints.token import Answer, Completed, Origin, Output, Source, Token

HOSTILE = ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "&lt;b&gt;", "{name}", "\u202egnihtyna", "x" * 100]
AT = 1_795_615_500_000
ACTIONS = [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}]


def page(approvers: Sequence[Any], actions: Any = ACTIONS, **members: Any) -> Page:
    return page_definition.load(
        page_definition.parse({"title": "T", "approvers": list(approvers), "actions": actions, **members})
    )


def progress(page: Page, *answers: tuple[str, str], viewer: str | None = None, is_late: bool = False, **token: Any) -> Progress:
    assert page.approval is not None
    given = tuple(Answer(person, action, "{}", AT) for person, action in answers)
    person = next((one for one in page.approval.everybody() if one.id == viewer), None)
    return Progress(page, Token(id="t", created_at=0, answers=given, **token), person, is_late)


def state(progress: Progress, language: str = "en") -> HtmlPage:
    return HtmlPage(f"<main>{People(Theme(language), progress).state() or ''}</main>")


def rows(shown: HtmlPage) -> list[str]:
    """The names in the list, each with what stands beside it."""
    inside = [text for around, text in _texts(shown.html) if "dl" in around and "small" not in around]
    return [text for text in inside if text not in (" (you)",)]


THREE = page([{"id": "a", "name": "Ann"}, {"id": "b", "name": "Bo"}, {"id": "c", "name": "Cy"}])


def test_says_how_many_of_how_many_must_choose_what() -> None:
    text = state(progress(THREE, ("b", "approve"), viewer="a")).text
    assert "2 of 3 must choose Approve. So far: 1." in text
    assert "One person is enough for Reject." in text


def test_says_that_the_first_answer_decides_if_one_is_enough_for_each() -> None:
    shown = state(progress(page(["a", "b"], [{"id": "go", "label": "Go"}, {"id": "no", "label": "No"}]), viewer="a"))
    assert "The first answer decides." in shown.texts
    assert "enough" not in shown.text


def test_lists_who_has_answered_what_and_then_who_has_not() -> None:
    shown = state(progress(THREE, ("c", "approve"), viewer="a"))
    assert rows(shown) == ["Cy", "Approve", "Ann", "Not answered yet", "Bo", "Not answered yet"]
    assert "Ann (you)" in shown.text
    assert "Cy (you)" not in shown.text
    assert shown.text.count("25 November 2026, 14:05 UTC") == 1


def test_lists_those_whom_it_was_escalated_to_from_then_on() -> None:
    escalated = page(["a", "b"], escalate={"after": "1d", "to": ["lead"]})
    assert "lead" not in state(progress(escalated, viewer="a")).texts
    later = state(progress(escalated, viewer="lead", escalated_at=AT))
    assert "lead" in later.texts
    assert "2 of 3 must choose Approve." in later.text


def test_of_one_person_says_nothing_before_they_have_answered() -> None:
    alone = progress(page(["a"], [{"id": "go", "label": "Go"}]), viewer="a")
    assert People(Theme(), alone).state() is None


def test_of_a_token_that_has_ended_lists_only_the_answers_that_came() -> None:
    ended = Completed(AT, Output("{}"), Origin(source=Source.CALLBACK, approver="b"))
    shown = state(progress(THREE, ("a", "approve"), ("b", "reject"), viewer="a", outcome=ended))
    assert rows(shown) == ["Ann", "Approve", "Bo", "Reject"]
    assert "must choose" not in shown.text
    assert People(Theme(), progress(THREE, viewer="a", outcome=ended)).state() is None


@pytest.mark.parametrize(
    ("by", "said"), [("b", "Decided by Bo."), (None, "It was completed in another way, not by the people who were asked.")]
)
def test_names_who_decided(by: str | None, said: str) -> None:
    source = Source.CALLBACK if by else Source.COMPLETE
    outcome = Completed(AT, Output("{}"), Origin(source=source, approver=by))
    assert HtmlPage(People(Theme(), progress(THREE, ("b", "reject"), viewer="a", outcome=outcome)).decided_by()).text == said


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=100).filter(str.strip)


@given(st.lists(names | st.sampled_from(HOSTILE), min_size=3, max_size=3, unique=True), st.sampled_from([*words.WORDS]))
def test_every_name_is_shown_as_text_that_changes_nothing_around_it(called: list[str], language: str) -> None:
    asked = page([{"id": str(at), "name": name} for at, name in enumerate(called)])
    decided = Completed(AT, Output('{"action":"reject"}'), Origin(source=Source.CALLBACK, approver="2"))
    for one in (
        progress(asked, ("1", "approve"), viewer="0"),
        progress(asked, ("0", "approve"), ("1", "approve"), ("2", "reject"), viewer="0", is_late=True, outcome=decided),
    ):
        shown = HtmlPage(_document(one, Theme(language)))
        assert set(called) <= set(shown.texts)
        isolated = [text for inside, text in _texts(shown.html) if inside[-1] == "bdi"]
        assert set(called) <= set(isolated)
        assert not {"script", "img"} & {tag for tag, _ in shown.tags}


def _document(one: Progress, theme: Theme) -> str:
    people = People(theme, one)
    if one.token.outcome is None:
        return render.form(one.page, theme, people=people)
    action = one.page.action("reject")
    return render.decided(one.page, action, datetime.fromtimestamp(AT / 1000, UTC), theme, people=people)


def _texts(document: str) -> list[tuple[list[str], str]]:
    """Each text of a document, with the elements around it."""
    found: list[tuple[list[str], str]] = []

    class Reader(HtmlPage):
        def handle_data(self, data: str) -> None:
            found.append(([tag for tag, _ in self.open] or [""], data))

    Reader(document)
    return found


CROWD = [{"id": f"{at:0128}", "name": f"{at:02}" + "'" * 98} for at in range(20)]


class TestTheSizeOfAPage:
    @pytest.mark.parametrize("language", words.WORDS)
    def test_counts_the_largest_form_that_any_approver_may_be_shown(self, language: str) -> None:
        asked = page(CROWD, [{"id": "approve", "label": "&" * 100, "needs": 20}, {"id": "reject", "label": "No"}])
        theme = Theme(language)
        counted = len(render.form(asked, theme, people=people.fullest(asked, theme)).encode())
        ids = [one["id"] for one in CROWD]
        for answered in ([], ids[:10], ids[1:], ids[:19]):
            given = progress(asked, *((it, "approve") for it in answered), viewer=next(it for it in ids if it not in answered))
            assert len(render.form(asked, theme, people=People(theme, given)).encode()) <= counted
        assert counted < render.MAX_BYTES

    def test_is_refused_for_its_people_too(self) -> None:
        choices = [f"{at:03}" + "<" * 40 for at in range(55)]
        fields = {"properties": {"a": {"enum": choices}, "b": {"enum": choices}}}
        render.check_size(page(["a", "b"], fields=fields))
        with pytest.raises(InvalidPage, match="60,000"):
            render.check_size(page(CROWD, fields=fields))
