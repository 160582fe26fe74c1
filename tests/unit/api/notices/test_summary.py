"""The sentences about a token. How they are put together is in the documents of `golden/`."""

import pytest

from tests.support.slack import DECISION, answer, notice
from waitpoints.api.notices import summary
from waitpoints.api.notices.summary import Person, Summary


@pytest.mark.parametrize(
    ("given", "line", "block"),
    [
        ("a\r\nb\tc", "a b c", "a\nb\tc"),
        (" \u202ea\u2066b\u2069 ", r"\u202ea\u2066b\u2069", r"\u202ea\u2066b\u2069"),
        ("a" + "\u0301" * 100, "a" + "\u0301" * 5, "a" + "\u0301" * 5),
        ("a\u2028b\x85c", "a b\ufffdc", "a\nb\ufffdc"),
        ("\ud800", "\ufffd", "\ufffd"),
    ],
)
def test_a_callers_text_is_shown_without_what_breaks_or_reorders_it(given: str, line: str, block: str) -> None:
    assert (summary.line(given), summary.block(given)) == (line, block)


def test_an_answer_of_an_action_that_the_page_does_not_have_shows_its_id() -> None:
    assert Summary.of(notice(DECISION, answers=(answer("ann", "other"),))).people()[0] == Person("Ann Lee", "other")


@pytest.mark.parametrize(("given", "language"), [("de", "de"), (None, "en")])
def test_a_language_that_is_not_known_is_english(given: str | None, language: str) -> None:
    people = [{"id": "ann", "slack": "U01ANN", **({"language": given} if given is not None else {})}]
    for person in ("ann", None):
        assert Summary.of(notice({"title": "Go?", "approvers": people}, person=person)).language == language
