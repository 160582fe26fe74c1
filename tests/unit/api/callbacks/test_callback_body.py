"""A callback accepts any body and keeps all of it."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitpoints.api.callbacks.callback_body import output


@pytest.mark.parametrize(
    "body",
    [
        '{"a": 1}',
        "[]",
        "null",
        "0",
        "false",
        '""',
        '"text"',
        ' {"a" :\n1.50} ',
        '{"a":1,"a":2}',
        "12345678901234567890",
        '{"ü":"😀"}',
    ],
)
def test_json_is_kept_exactly_as_sent(body: str) -> None:
    assert output(body.encode()) == body


def test_a_byte_order_mark_is_dropped() -> None:
    assert output(b'\xef\xbb\xbf{"a":1}') == '{"a":1}'


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t"])
def test_an_empty_body_becomes_an_empty_object(body: bytes) -> None:
    assert output(body) == "{}"


@pytest.mark.parametrize(
    "body",
    ["payload=%7B%22a%22%3A1%7D&x=1", "<xml/>", '{"truncated": ', "NaN", "hello\nworld", "é", "[" * 5000, "{}{}", "'quoted'"],
)
def test_other_text_is_kept_as_a_string(body: str) -> None:
    assert json.loads(output(body.encode())) == body


def test_binary_bodies_are_kept_as_base64() -> None:
    body = b"\x1f\x8b\x08\x00\xff\xfe"
    assert json.loads(output(body)) == {"base64": base64.b64encode(body).decode()}


@given(st.binary() | st.text(min_size=1).map(str.encode))
def test_any_body_becomes_json_without_loss(body: bytes) -> None:
    text = output(body)
    value = json.loads(text)
    as_json = text.encode() == body
    as_text = isinstance(value, str) and value.encode() == body
    as_bytes = isinstance(value, dict) and base64.b64decode(value.get("base64", "")) == body
    nothing = text == "{}" and not body.decode().strip()
    assert as_json or as_text or as_bytes or nothing or body.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("text", ["\u3000", "\u00a0", "\u2028\x1c", "\x0b"])
def test_white_space_that_is_not_of_json_is_kept(text: str) -> None:
    assert json.loads(output(text.encode())) == text
