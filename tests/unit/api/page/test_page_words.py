"""The words of pages and of notices (`notices/notice_words`), in every language."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from waitpoints.api.notices import notice_words
from waitpoints.api.page import fields as page_fields
from waitpoints.api.page import form as page_form
from waitpoints.api.page import words as page_words
from waitpoints.api.page.fields import Problem

AT = datetime(2026, 11, 25, 14, 5, 59, tzinfo=UTC)


def fields_of(sentence: str) -> set[str | None]:
    return {it[1] for it in Formatter().parse(sentence) if it[1]}


class TestWords:
    @pytest.mark.parametrize("words", [page_words.WORDS, notice_words.WORDS], ids=["pages", "notices"])
    @pytest.mark.parametrize("language", page_words.WORDS)
    def test_every_language_has_every_sentence_with_the_same_fields(self, words: Any, language: str) -> None:
        own, english = words[language], words["en"]
        assert own.keys() == english.keys()
        for name, sentence in own.items():
            assert fields_of(sentence) == fields_of(english[name]), name
            assert sentence.strip() == sentence != ""
            assert ": " not in re.sub("\u00a0: ", "", sentence) or language != "fr", "French keeps a space before it"

    @pytest.mark.parametrize("language", [language for language in page_words.WORDS if language != "en"])
    def test_no_notice_is_left_in_english(self, language: str) -> None:
        words = notice_words.WORDS
        assert set(words[language].values()) & set(words["en"].values()) == set()

    def test_no_word_of_notices_is_one_of_pages_and_a_sentence_is_of_either(self) -> None:
        assert notice_words.WORDS["en"].keys() & page_words.WORDS["en"].keys() == set()
        assert [notice_words.sentence("de", it) for it in ("reminder", "open_until")] == [
            "Erinnerung: {title}",
            "Antwort erbeten bis {time}",
        ]

    def test_a_limit_has_the_languages_decimal_mark(self) -> None:
        assert page_words.problem("de", Problem("too_small", 2.5)) == "Geben Sie 2,5 oder mehr ein."
        assert page_words.problem("en", Problem("too_small", 2.5)) == "Enter 2.5 or more."
        for language in page_words.WORDS:
            written = page_words.problem(language, Problem("number"))
            assert ("3,5" in written) == (page_words.decimal(language) == ",")

    @pytest.mark.parametrize(
        ("language", "said"),
        [
            ("en", "Enter a value from 0.5 to 9."),
            ("de", "Geben Sie einen Wert von 0,5 bis 9 ein."),
            ("fr", "Saisissez une valeur de 0,5 à 9."),
            ("es", "Escriba un valor de 0,5 a 9."),
            ("ja", "0.5～9の値を入力してください。"),  # noqa: RUF001 - the Japanese sign
            ("zh", "请输入 0.5 到 9 之间的值。"),
        ],
    )
    def test_limits_are_said_in_every_language(self, language: str, said: str) -> None:
        [field] = page_fields.of_schema({"properties": {"it": {"type": "number", "minimum": 0.5, "maximum": 9}}})
        assert page_words.limits(language, field) == said

    def test_there_are_the_six_languages(self) -> None:
        assert list(page_words.WORDS) == list(notice_words.WORDS) == ["en", "de", "fr", "es", "ja", "zh"]

    def test_every_problem_has_a_sentence(self) -> None:
        sources = [Path(module.__file__ or "").read_text() for module in (page_fields, page_form)]
        named = re.findall(r'Problem\("(\w+)"', "".join(sources))
        words = {*named, *page_fields.PROBLEMS.values(), *(kind.value for kind in page_fields.NUMBERS)}
        assert {"date", "unreadable", "too_long", "integer"} <= words
        for word in words:
            for language in page_words.WORDS:
                assert "{" not in page_words.problem(language, Problem(word, 2.5))

    @pytest.mark.parametrize(
        ("header", "language"),
        [
            ("", "en"),
            ("de", "de"),
            ("DE-at", "de"),
            ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "fr"),
            ("it, es;q=0.5, en;q=0.4", "es"),
            ("zh-Hans-CN", "zh"),
            ("de;q=0, ja", "ja"),
            ("ja;q=abc", "en"),
            ("ja;q=nan, fr;q=2", "en"),
            ("x" * 10_000 + ",de", "de"),
            ("a," * 30 + "de", "en"),
            (";;;,,,=", "en"),
        ],
    )
    def test_the_browser_chooses_the_language(self, header: str, language: str) -> None:
        assert page_words.language(header) == language

    @pytest.mark.parametrize(
        ("language", "first", "second"),
        [
            ("en", "1 December 2026", "2 December 2026"),
            ("de", "1. Dezember 2026", "2. Dezember 2026"),
            ("fr", "1er décembre 2026", "2 décembre 2026"),
            ("es", "1 de diciembre de 2026", "2 de diciembre de 2026"),
            ("ja", "2026年12月1日", "2026年12月2日"),
            ("zh", "2026年12月1日", "2026年12月2日"),
        ],
    )
    def test_a_date_is_written_as_the_language_writes_it(self, language: str, first: str, second: str) -> None:
        [field] = page_fields.of_schema({"properties": {"it": {"type": "string", "format": "date"}}})
        for day, written in ((1, first), (2, second)):
            assert page_words.value(language, field, f"2026-12-0{day}") == written
            assert page_words.time(language, AT.replace(month=12, day=day)).startswith(written)

    def test_a_time_is_in_utc_and_in_the_readers_words(self) -> None:
        at = AT.astimezone(timezone(timedelta(hours=9)))
        assert page_words.time("en", at) == "25 November 2026, 14:05 UTC"
        assert page_words.time("de", at) == "25. November 2026, 14:05 UTC"
        assert page_words.time("ja", at) == "2026年11月25日 14:05 UTC"
