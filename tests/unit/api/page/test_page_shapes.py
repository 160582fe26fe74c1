"""The objects of a `page` have known members."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api

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
