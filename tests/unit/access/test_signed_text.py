"""What a browser keeps for the stack."""

import pytest

from waitpoints.access import signed_text

VALUE = {"name": "Änn\ud800", "n": 1, "none": None}


def test_is_read_with_one_of_the_keys_for_the_same_purpose() -> None:
    text = signed_text.sign("key", "purpose", VALUE)
    assert signed_text.read(["next", "key"], "purpose", text) == VALUE
    assert signed_text.read(["next"], "purpose", text) is None
    assert signed_text.read(["key"], "another", text) is None


def test_fits_into_a_cookie_and_a_form() -> None:
    text = signed_text.sign("key", "purpose", {"n": '😀;," \\'})
    assert set(text) <= {*"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."}


@pytest.mark.parametrize("part", range(2))
def test_counts_for_nothing_once_a_letter_was_changed(part: int) -> None:
    parts = signed_text.sign("key", "purpose", VALUE).split(".")
    parts[part] = ("A" if parts[part][0] != "A" else "B") + parts[part][1:]
    assert signed_text.read(["key"], "purpose", ".".join(parts)) is None


def test_a_signed_text_has_no_line_break_so_its_parts_cannot_be_moved_into_the_purpose() -> None:
    assert signed_text.digest("key", "a", "b\nc") == signed_text.digest("key", "a\nb", "c")
    assert "\n" not in signed_text.sign("key", "a", "b\nc")
