"""The words of notices, in every language."""

import pytest

from waitpoints.api.notices.notice_words import WORDS, sentence
from waitpoints.api.page import words


def test_there_are_the_languages_of_pages() -> None:
    assert list(WORDS) == list(words.WORDS)


def test_no_word_is_one_of_pages_too() -> None:
    assert WORDS["en"].keys() & words.WORDS["en"].keys() == set()


@pytest.mark.parametrize("language", [language for language in WORDS if language != "en"])
def test_nothing_is_left_in_english(language: str) -> None:
    assert set(WORDS[language].values()) & set(WORDS["en"].values()) == set()


def test_a_sentence_is_one_of_notices_or_of_pages() -> None:
    assert (sentence("de", "reminder"), sentence("de", "open_until")) == ("Erinnerung: {title}", "Offen bis {time}")
