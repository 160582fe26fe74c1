"""The English sentences about a token in Slack and Teams. How they are put together is in the tests of these two."""

from dataclasses import replace

import pytest

from tests.support.slack import DECISION, answer, notice
from waitpoints.api.notices import summary
from waitpoints.api.page.definition import Action
from waitpoints.token import TimedOut


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\tc\r\n d", "a b c d"),
        ("Ann\u202e\u2066\u200f\u0000\x9f", "Ann"),
        ("\u0645\u0631\u062d\u0628\u0627", "\u0645\u0631\u062d\u0628\u0627"),
        ("x" * 11, "x" * 9 + "…"),
        ("x" * 10, "x" * 10),
        ("  ", ""),
    ],
)
def test_a_line_has_no_breaks_and_no_controls(text: str, line: str) -> None:
    assert summary.one_line(text, 10) == line


def test_an_answer_of_an_action_that_the_page_no_longer_has_shows_its_id() -> None:
    asked = notice(DECISION)
    assert summary.label_of(asked.page, answer("ann", "other")) == "other"
    assert summary.label(Action("submit", None)) == "Submit"


def test_nothing_is_needed_and_nobody_missing_after_the_end() -> None:
    asked = notice(DECISION, answers=(answer("ann"),))
    ended = replace(asked.token, outcome=TimedOut(asked.token.created_at))
    assert (len(summary.needed(asked.token, asked.page)), len(summary.people(asked.token, asked.page))) == (2, 3)
    assert (summary.needed(ended, asked.page), summary.people(ended, asked.page)) == ([], ["Ann Lee: Approve it"])


def test_a_token_that_waits_has_not_ended() -> None:
    asked = notice()
    assert summary.outcome(asked.token, asked.page) == "Waiting for an answer."
    assert summary.people(asked.token, asked.page) == []
