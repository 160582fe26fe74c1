"""One value, one digest: also in TypeScript, whose client reads the same vectors."""

import hashlib
import json
from collections.abc import Callable
from enum import IntEnum
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from waitpoints_client.agents import ApprovalPage
from waitpoints_client.asking import request
from waitpoints_client.canonical_json import digest


class Level(IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": {"c": None, "d": True}}, {"b": {"d": True, "c": None}, "a": 1}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 0.0}, {"a": -0.0}),
        ({"a": (1, "é")}, {"a": [1, "\u00e9"]}),
        ({"a": 3}, {"a": Level.HIGH}),
        ({"a": 2**60, "b": {"c": 2**61}}, {"b": {"c": 2**61}, "a": 2**60}),
    ],
)
def test_is_that_of_the_same_value_written_otherwise(one: Any, other: Any) -> None:
    assert digest(one) == digest(other)


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 0.1, 1e300, "", "1", "null", "a", "\u00e9", "e\u0301", [], [None], [[]], {}, {"": None}),
    *(2**53 - 1, 2**53, 2**53 + 1, -(2**53), 10**17, 10**17 + 1, float(10**17), 2**64, -(2**64), 10**5000, 10**5000 + 1),
    *(f"{2**53:x}", str(2**53), [2**53], {"a": 2**53}, {"b": 2**53}, {"a": f"{2**53:x}"}, [f"{2**53:x}", 2**53]),
    *([2**53, f"{2**53:x}"], {"a": {"b": 2**53}}, {"a.b": 2**53}, {"a": [2**53]}, {"a[0]": 2**53}, {"a": {"0": 2**53}}),
]


def test_is_no_other_value_s() -> None:
    digests = {digest({"value": value}) for value in VALUES}

    assert len(digests) == len(VALUES)


def test_is_the_sha_256_of_canonical_json() -> None:
    value = {"b": [1, 2.5, "ü\n"], "a": {"\U0001f600": None, "\ufb33": False}}
    expected = '{"a":{"\U0001f600":null,"\ufb33":false},"b":[1,2.5,"ü\\n"]}'  # sorted by UTF-16

    assert digest(value) == hashlib.sha256(expected.encode()).hexdigest()


def test_does_not_depend_on_the_order_of_members() -> None:
    members = [(name, 2**60 + at) for at, name in enumerate("abcd")]
    digests = {digest({"outer": dict(some), **dict(some)}) for some in permutations(members)}

    assert len(digests) == 1


class Loop(dict[str, Any]):
    """A value that contains itself."""

    def __init__(self) -> None:
        super().__init__(again=self)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"ids": [1, {"of": {1, 2}}]}, r"^ids\[1\]\.of: set is no type of JSON"),
        ({"a": b"bytes"}, "^a: bytes is no type of JSON: give a text, number"),
        ({"a": object()}, "^a: object is no type of JSON"),
        ({"a": [float("nan")]}, r"^a\[0\]: nan is no number of JSON"),
        ({"a": float("inf")}, "^a: inf is no number of JSON"),
        ({"a": {1: 2}}, "^a: the name of a member must be a text, not int"),
        ({"a": "half \ud800"}, "^a: half of a surrogate pair is no text"),
        ({"a": {"\udfff": 1}}, "^a: half of a surrogate pair is no text"),
        (Loop(), "^It is nested too deeply for JSON"),
    ],
)
def test_what_is_no_json_is_refused_with_its_path(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        digest(value)
    assert "\ud800" not in str(raised.value)


@pytest.mark.parametrize("make", [lambda: "x" * 10_000_000, lambda: ["x"] * 100_000], ids=["text", "list"])
def test_large_values_have_one_too(make: Callable[[], Any]) -> None:
    assert len(digest({"value": make()})) == 64


VECTORS = json.loads(Path(__file__).with_name("digest_vectors.json").read_text())


def read(value: Any) -> Any:
    """Return a vector's value: `{"integer": "…"}` stands for an integer that JavaScript's numbers may not hold."""
    if isinstance(value, list):
        return [read(item) for item in value]
    if isinstance(value, dict):
        return int(value["integer"]) if [*value] == ["integer"] else {name: read(member) for name, member in value.items()}
    return value


@pytest.mark.parametrize("vector", VECTORS["digests"], ids=lambda it: it["digest"][:8])
def test_a_value_has_its_digest(vector: Any) -> None:
    assert digest(read(vector["value"])) == vector["digest"]


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda it: it["key"][4:12])
def test_a_request_has_its_key_and_metadata(vector: Any) -> None:
    options = {"sign_in" if name == "signIn" else name: value for name, value in vector["options"].items()}
    page = ApprovalPage(vector["tool"], read(vector["arguments"]), vector["page"]) if "tool" in vector else vector["page"]
    made = request(page, **options)
    assert (made["idempotency_key"], made["metadata"]) == (vector["key"], vector["metadata"])
