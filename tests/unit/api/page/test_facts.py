"""A page's facts, and how amounts are written: in the digits that were given, as ICU writes them.

`facts/amounts`, `facts/values`, `facts/fact_checks`, `facts/amount_checks`
"""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tools.stack import ROOT
from waitpoints.api.page import page_checks, words
from waitpoints.api.page.facts import amounts, values
from waitpoints.approvers import LANGUAGES
from waitpoints.errors import InvalidPage

USD, LINK = {"currency": "USD"}, "https://example.com/i/1.pdf"


NO_NUMBERS: list[Any] = ["9" * 1_000, "1e400", "NaN", "١٢٣", "1,500", " 1", "", {}, float("inf")]
NO_TEXTS: list[Any] = [True, None, [], 0.1234567890123456]


def page_of(*given: Any) -> Any:
    return page_checks.parse({"title": "Refund?", "facts": [*given]})[0]


def fact(value: Any, format_: Any = None, **more: Any) -> dict[str, Any]:
    return {"label": "Amount", "value": value, **({} if format_ is None else {"format": format_}), **more}


@pytest.mark.parametrize(
    ("value", "format_", "expected"),
    [
        ("1500.00", USD, ["$1,500.00", "1.500,00 $", "1 500,00 $US", "1500,00 US$", "$1,500.00", "US$1,500.00"]),
        ("-0.5", {"currency": "JPY"}, ["-¥0.5", "-0,5 ¥", "-0,5 JPY", "-0,5 JPY", "-￥0.5", "-JP¥0.5"]),
        (12345, {"currency": "KWD"}, ["KWD 12,345.000", "12.345,000 KWD"]),
        ("1500.0050", USD, ["$1,500.005"]),
        ("0.10", "number", ["0.10", "0,10"]),
        (0.1, None, ["0.1", "0,1"]),
        (1e-7, "number", ["0.0000001"]),
        (123456789012345, "number", ["123,456,789,012,345"]),
        ("19.5", "percent", ["19.5%", "19,5 %", "19,5 %", "19,5 %", "19.5%", "19.5%"]),
        ("999999999999999999.999999999999999999", USD, ["$999,999,999,999,999,999.999999999999999999"]),
        ("2027-01-31", "date", ["31 January 2027", "31. Januar 2027"]),
        ("2027-01-31T09:30:00+05:30", "instant", ["31 January 2027, 04:00 UTC"]),
        ("A\nline", None, ["A\nline"]),
        ("https://EXAMPLE.com:8443/i/1.pdf?key=1", "link", ["example.com:8443/i/1.pdf"]),
        (f"https://xn--mnchen-3ya.de/{'a' * 100}", "link", [f"xn--mnchen-3ya.de/{'a' * 78}…"]),
    ],
)
def test_a_value_is_written_in_each_language_with_all_its_digits(value: Any, format_: Any, expected: list[str]) -> None:
    [group] = page_of(fact(value, format_)).facts
    written = [values.written(language, group.facts[0]).replace("\u00a0", " ").replace("\u202f", " ") for language in LANGUAGES]
    assert written[: len(expected)] == expected


DIGITS = 'expected a decimal text such as "1500.00", of at most 18 digits before and after the point'
FORMATS = 'format: expected number, percent, date, instant, link, or {"currency": "USD"}'
NO_CURRENCY = 'format.currency: expected a currency of ISO 4217, such as "USD"'
URL = "value: expected an absolute URL of the scheme https or http, in ASCII"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *((fact(value), "value: expected a text, or a number of at most 15 digits") for value in NO_TEXTS),
        *((fact(value, USD), f"value: {DIGITS}") for value in NO_NUMBERS),
        (fact(1234567890123456789, "number"), f"value: {DIGITS}"),
        *((fact("1", {"currency": code}), NO_CURRENCY) for code in ("ZZZ", "usd", "DEM", 840, ["USD"], None)),
        (fact("1", {}), NO_CURRENCY),
        (fact("1", {**USD, "digits": 2}), 'format: unknown field "digits": expected one of currency'),
        *((fact("1", format_), FORMATS) for format_ in ("money", "", 1, ["date"], True)),
        *((fact(value, "date"), "value: expected a date") for value in ("2027-02-30", "20270131", "2027-W05-1", 5)),
        *(
            (fact(value, "instant"), "value: expected an instant with its offset")
            for value in ("2027-01-31T09:30:00", "0001-01-01T00:00:00+14:00", "2027-01-31", "9999-12-31T23:59:59-14:00", 1)
        ),
        *(
            (fact(value, "link"), URL)
            for value in (
                "javascript:alert(1)",
                "data:text/html,x",
                "mailto:ann@example.com",
                "https://bank.example@evil.example/",
                "https://m\u00fcnchen.de/",
                "https://example.com\u202e/",
                "https://ex%61mple.com/",
                "https://example.com/\u0000",
                "https://example.com\\@evil.example",
                "//example.com",
                f"https://{'a' * 254}/",
                f"{LINK}?{'x' * 2_048}",
                7,
            )
        ),
        (fact(LINK, "link", kind=""), "kind: expected a text"),
        (fact("x", kind="PDF"), 'unknown member of a fact "kind": expected one of label, value, format'),
        (fact("x" * 501), "value: expected a text of 1 to 500 characters"),
        ({"label": "\u200b", "value": "1"}, ": expected more than characters that cannot be seen"),
        ({"label": "x" * 101, "value": "1"}, "label: expected a text of 1 to 100 characters"),
        ({"label": "x"}, "value: expected a text, or"),
        ("x", ": expected an object"),
    ],
)
def test_a_fact_that_cannot_be_shown_is_refused_with_what_is_accepted(given: Any, expected: str) -> None:
    with pytest.raises(InvalidPage) as refused:
        page_of(given)
    assert refused.value.message.startswith("Invalid page.facts")
    assert expected in refused.value.message


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "page.facts: expected a list of 1 to 30 items"),
        ([fact("1")] * 31, "page.facts: expected a list of 1 to 30 items"),
        ([{"title": "G", "facts": [fact("1")] * 16}] * 2, "page.facts: expected at most 30 facts, in all groups"),
        ([{"title": "G", "facts": []}], "page.facts[0].facts: expected a list of 1 to 30 items"),
        ([{"facts": [fact("1")]}], "page.facts[0].title: expected a text of 1 to 100 characters"),
        ([{"title": "G", "facts": [fact("1")]}, fact("1")], 'page.facts[1]: unknown member of a group "label"'),
        ({"label": "x", "value": "y"}, "page.facts: expected a list of 1 to 30 items"),
    ],
)
def test_thirty_facts_are_accepted_in_one_list_or_in_groups(given: Any, expected: str) -> None:
    with pytest.raises(InvalidPage, match=re.escape(expected)):
        page_checks.parse({"title": "T", "facts": given})
    two = page_checks.parse({"title": "T", "facts": [{"title": "G", "facts": [fact("1")] * 15}] * 2})[0]
    assert [len(group.facts) for group in two.facts] == [15, 15]


def test_texts_of_facts_have_the_languages_of_the_page() -> None:
    label, text = {"en": "Order", "de": "Bestellung"}, {"en": "late", "de": "zu spät"}
    definition = {"title": "T", "language": ["en", "de"], "facts": [{"label": label, "value": text}]}
    [group] = page_checks.parse(definition)[0].in_language("de").facts
    assert (group.facts[0].label, group.facts[0].value) == ("Bestellung", "zu spät")


def test_thirty_facts_of_the_greatest_length_are_shown_or_refused_by_size() -> None:
    few = page_of(*[fact("x" * 380, None, label="y" * 100)] * 30)
    page_checks.check_size(few)
    with pytest.raises(InvalidPage, match=re.escape("as HTML it has")):
        page_checks.check_size(page_of(*[fact("&" * 380, None, label="&" * 100)] * 30))


MONEY: dict[str, Any] = {"type": "number", "minimum": 0.01, "maximum": 1500, "format": USD}


@pytest.mark.parametrize(
    ("field", "limits", "entered"),
    [
        (MONEY, "Up to $1,500.00.", "$12.50"),
        ({**MONEY, "minimum": 5}, "Enter a value from $5.00 to $1,500.00.", "$12.50"),
        ({"type": "integer", "format": "percent", "maximum": 50}, "Up to 50%.", "12.5%"),
        ({"type": "number", "format": "number", "exclusiveMinimum": 1000}, "Enter more than 1,000.", "12.5"),
        ({"type": "number", "maximum": 1500}, "Enter 1500 or less.", "12.5"),
    ],
)
def test_a_number_field_is_written_as_its_format_says(field: dict[str, Any], limits: str, entered: str) -> None:
    [given] = page_checks.parse({"title": "T", "fields": {"properties": {"a": field}}})[0].fields
    assert (words.limits("en", given), words.value("en", given, 12.5)) == (limits, entered)


@pytest.mark.parametrize("format_", ["money", "date", {"currency": "ZZZ"}, 1, []])
def test_another_format_of_a_number_field_is_refused(format_: Any) -> None:
    field = {"type": "number", "format": format_}
    with pytest.raises(InvalidPage, match=r"page\.fields\.properties\.a\.format"):
        page_checks.parse({"title": "T", "fields": {"properties": {"a": field}}})


def test_a_number_that_is_too_long_is_written_plainly() -> None:
    assert amounts.written("en", "9" * 101, USD, ".") is None
    assert words.number("de", "9" * 5_000, USD) == "9" * 5_000


def test_an_older_version_does_not_settle_a_token_with_facts_or_formats_and_others_stay_as_they_were() -> None:
    field = {"properties": {"a": {"type": "number", "format": "number"}}}
    assert page_of(fact("1")).since_version == 5
    assert page_checks.parse({"title": "T", "fields": field})[0].since_version == 5
    plain: dict[str, Any] = {"title": "T", "fields": {"properties": {"a": {"type": "number"}}}}
    page, text = page_checks.parse(plain)
    assert (page.since_version, json.loads(text)) == (None, plain)


def test_a_page_without_facts_and_formats_imports_nothing_of_them() -> None:
    program = (
        "import sys; from waitpoints.api.page import page_checks, render, theme\n"
        "page, _ = page_checks.parse({'title': 'T', 'fields': {'properties': {'a': {'type': 'number', 'maximum': 5}}}})\n"
        "render.form(page, theme.Theme('en', 'x'))\n"
        "from waitpoints.api.notices import mail_content, plan, slack_message, teams\n"
        "from waitpoints.notices import Channel, NoticeRecord; from waitpoints.token import Token\n"
        "target, token = plan.Target('email', Channel.EMAIL, 'x@example.com', None), Token(id='t', created_at=0)\n"
        "notice = plan.Notice(plan.NoticeKind.FIRST, target, NoticeRecord(0), token, page, None, None)\n"
        "mail_content.write(notice, ''), slack_message.message(notice, '', bool), teams.card(notice, '')\n"
        "print([name for name in sys.modules if name.rpartition('.')[2] in ('amounts', 'values', 'fact_checks')])"
    )
    asked = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "functions", capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"
