"""The objects of a `page` have known members."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api
from waitpoints.api.page import submitted

PAGE = {
    "title": "?",
    "links": [{"url": "https://example.com", "label": "A"}],
    "actions": [{"id": "a", "label": "A", "style": "primary"}],
    "fields": {
        "type": "object",
        "properties": {
            "note": {"type": "string", "minLength": 1},
            "amount": {"type": "integer", "minimum": 1},
            "region": {"oneOf": [{"const": "eu", "title": "EU"}]},
            "regions": {"type": "array", "items": {"enum": ["eu"]}},
        },
        "required": [],
    },
    "confirm": False,
}


def misspelt(name: str) -> str:
    return name + name[-1]


def members(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """The place of every object in a page, and the name of each of its members. The names of fields are the caller's."""
    if isinstance(value, dict) and place[-1:] != ("properties",):
        yield from ((place, name) for name in value)
    for name, member in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from members(member, (*place, name))


@pytest.mark.parametrize(("place", "name"), list(members(PAGE)), ids=str)
def test_a_misspelt_member_of_a_page_is_refused_with_the_nearest(api: Api, place: tuple[Any, ...], name: str) -> None:
    page = copy.deepcopy(PAGE)
    target: Any = page
    for step in place:
        target = target[step]
    target[misspelt(name)] = 1
    answer = api.post(TOKENS, {"page": page})
    assert answer.status == 422
    assert answer.error.endswith(f'"{misspelt(name)}": did you mean "{name}"?')


def test_the_page_itself_is_accepted(api: Api) -> None:
    assert api.post(TOKENS, {"page": PAGE}).status == 200


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
    assert submitted.visible(written) == read
    assert submitted.visible(read) == read


def test_a_text_is_cut_with_a_sign() -> None:
    assert [submitted.cut("x" * length, 10) for length in (10, 11)] == ["x" * 10, "x" * 9 + "…"]
