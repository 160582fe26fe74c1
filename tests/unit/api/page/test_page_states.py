"""Each state of a page says what `pages.html` says. See `tests.support.golden` to write that file."""

from pathlib import Path

import pytest

from tests.support import golden, page_states
from tests.support.in_process.html_page import HtmlPage
from waitpoints.api.page import words
from waitpoints.api.page.theme import Theme


def test_each_state_of_a_page_is_as_it_was_reviewed() -> None:
    golden.check(Path(__file__).with_name("pages.html"), page_states.document())


@pytest.mark.parametrize("language", words.WORDS)
def test_each_state_is_shown_in_each_language(language: str) -> None:
    theme = Theme(language, "Acme")
    for html in (page_states.states(theme) | page_states.approver_states(theme)).values():
        shown = HtmlPage(html)
        assert (shown.language, shown.texts[0]) == (language, "Acme")
        ids = [one["id"] for _, one in shown.tags if "id" in one]
        assert len(ids) == len(set(ids))
