"""Text becomes HTML in one place, which escapes it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitpoints.api.page.markup import Element, Fragment, Markup, cut, visible


@given(st.text(max_size=30))
def test_markup_escapes_what_it_did_not_make(text: str) -> None:
    made = Element("p", text, [text, None], title=text)
    assert re.fullmatch(r'<p title="[^<>"]*">[^<>"]*</p>', made, re.DOTALL)
    assert Fragment(made, Markup("<br>")) == f"{made}<br>"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("pay \u202e0001 EUR", r"pay \u202e0001 EUR"),
        ("\u202a\u202b\u202c\u202d\u2066\u2067\u2068\u2069", r"\u202a\u202b\u202c\u202d\u2066\u2067\u2068\u2069"),
        *(
            (kept, kept)
            for kept in (
                "\u05e9\u05dc\u05d5\u05dd 12\u200f!\u200e",
                "\u2014" * 20,
                "a\u0301" * 20,
                "\u1004\u103b\u103d\u103e\u1031\u102c\u1037\u103a",
            )
        ),
        ("a" + "\u0301" * 100 + "b", "a" + "\u0301" * 5 + "b"),
        ("a" + "\u0301\u200d" * 100, "a" + "\u0301\u200d" * 5 + "\u200d" * 95),
        ("\u0488" * 9 + "\u2014" + "\U000e0100" * 9, "\u0488" * 5 + "\u2014" + "\U000e0100" * 5),
        ("\x1b\ud800\x80", "\ufffd" * 3),
    ],
    ids=ascii,
)
def test_nothing_reorders_a_text_or_draws_over_other_lines(written: str, read: str) -> None:
    assert visible(written) == read
    assert visible(read) == read


def test_a_text_is_cut_with_a_sign() -> None:
    assert [cut("x" * length, 10) for length in (10, 11)] == ["x" * 10, "x" * 9 + "…"]
