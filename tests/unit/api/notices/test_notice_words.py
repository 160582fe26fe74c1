"""The words of notices, in every language."""

from string import Formatter

import pytest

from waitpoints.api.notices.notice_words import WORDS, sentence
from waitpoints.api.page import words


def targets(sentence: str) -> set[str | None]:
    return {it[1] for it in Formatter().parse(sentence) if it[1]}


def test_there_are_the_languages_of_pages() -> None:
    assert list(WORDS) == list(words.WORDS)


@pytest.mark.parametrize("language", WORDS)
def test_every_language_has_every_sentence_with_the_same_fields(language: str) -> None:
    own, english = WORDS[language], WORDS["en"]
    assert own.keys() == english.keys()
    for name, written in own.items():
        assert targets(written) == targets(english[name]), name
        assert written.strip() == written != ""


def test_no_word_is_one_of_pages_too() -> None:
    assert WORDS["en"].keys() & words.WORDS["en"].keys() == set()


@pytest.mark.parametrize("language", [language for language in WORDS if language != "en"])
def test_nothing_is_left_in_english(language: str) -> None:
    assert set(WORDS[language].values()) & set(WORDS["en"].values()) == set()


def test_a_sentence_is_one_of_notices_or_of_pages() -> None:
    assert (sentence("de", "reminder"), sentence("de", "open_until")) == ("Erinnerung: {title}", "Offen bis {time}")
