"""What a request for a named key may say."""

import json
from typing import Any

import pytest

from waitpoints.access.api_keys import MAX_BYTES, MOST, NamedKey, Scope
from waitpoints.api import api_key_request
from waitpoints.aws.api_key_store import KEYS, KEYS_ITEM, _map
from waitpoints.aws.items import plain
from waitpoints.errors import InvalidApiKey, InvalidRequest

NOW, DAY = 1_700_000_000_000, 86_400_000
LONGEST_TAG = "x" * 128


def parse(**fields: Any) -> NamedKey:
    return api_key_request.parse({"name": "job", "scopes": ["read"], **fields}, "d" * 64, NOW)


@pytest.mark.parametrize("name", ["a", "7", "Nightly-Job_2.1", "a..b", "x" * 64])
def test_a_name_has_letters_digits_and_marks(name: str) -> None:
    assert parse(name=name).name == name


@pytest.mark.parametrize(
    ("texts", "scopes"),
    [
        (["read"], [Scope("read")]),
        (["endpoints", "create"], [Scope("endpoints"), Scope("create")]),
        (["create:team-a", "complete:team-b", "read"], [Scope("create", "team-a"), Scope("complete", "team-b"), Scope("read")]),
        (["read:order:7, eu"], [Scope("read", "order:7, eu")]),
        ([f"read:{LONGEST_TAG}"], [Scope("read", LONGEST_TAG)]),
        (["create:größe 🎈"], [Scope("create", "größe 🎈")]),
        (["create", "notify"], [Scope("create"), Scope("notify")]),
        (["notify:team-a"], [Scope("notify", "team-a")]),
        (["deliveries"], [Scope("deliveries")]),
        (["deliveries:team-a"], [Scope("deliveries", "team-a")]),
    ],
)
def test_scopes_are_kept_as_they_were_sent(texts: list[str], scopes: list[Scope]) -> None:
    made = parse(scopes=texts)
    assert made.scopes == tuple(scopes)
    assert [str(scope) for scope in made.scopes] == texts


def test_scopes_have_a_limit_in_all() -> None:
    tags = "é" * 82, "é" * 81, "é" * 82  # of two bytes each
    texts = [f"{action}:{tag}" for action, tag in zip(("create", "complete", "read"), tags, strict=True)]
    assert len("".join(texts).encode()) == MAX_BYTES - 1
    assert len(parse(scopes=texts).scopes) == 3
    assert parse(scopes=[f"{texts[0]}x", *texts[1:]])
    with pytest.raises(InvalidApiKey, match="more than 512 bytes in all"):
        parse(scopes=[f"{texts[0]}xx", *texts[1:]])


@pytest.mark.parametrize(("text", "milliseconds"), [("1s", 1_000), ("12h", DAY // 2), ("1w1d", 8 * DAY), ("3650d", 3650 * DAY)])
def test_a_key_expires_after_a_duration(text: str, milliseconds: int) -> None:
    assert parse(expiresIn=text).expires_at == NOW + milliseconds


JOB: dict[str, Any] = {"name": "job", "scopes": ["read"]}
NAME = "Invalid name: expected 1 to 64 letters"
DURATION = 'Invalid expiresIn: expected a duration such as "12h"', "of at most 3650d"
REFUSED: list[tuple[Any, type[InvalidApiKey | InvalidRequest], tuple[str, ...]]] = [
    *(
        ({**JOB, "name": name}, InvalidApiKey, (NAME,))
        for name in ("", " ", "x" * 65, ".", "..", "-a", "_a", "a b", "a/b", "a:b", "größe", "a\n", "\u0661", "#")
    ),
    *(
        (
            {**JOB, "scopes": texts},
            InvalidApiKey,
            (f'Invalid scopes: {reason}; expected "create", "complete", "read", "notify", "delete", "deliveries" or',),
        )
        for texts, reason in (
            ([], "none is given"),
            *(([text], f'"{text}" is not a scope') for text in ("", "write", "Read", "read ", "admin:x")),
            *((texts, '"read" comes twice') for texts in (["read"] * 2, ["read:a", "read:b"], ["read", "create", "read:a"])),
            (["notify", "notify:a"], '"notify" comes twice'),
            *(([f"{action}:"], f'the tag of "{action}" has 0 characters') for action in ("notify", "create")),
            ([f"read:{LONGEST_TAG}x"], 'the tag of "read" has 129 characters'),
            ([f"read:{'🎈' * 65}"], 'the tag of "read" has 130 characters'),
            *(([text], '"endpoints" takes no tag') for text in ("endpoints:a", "endpoints:")),
            (["x" * 5_000], f'"{"x" * 60}…" is not a scope'),
        )
    ),
    *(
        ({**JOB, "expiresIn": text}, InvalidApiKey, DURATION)
        for text in ("", "0s", "soon", "90", "-1d", "2030-01-31", "3651d", "9" * 50 + "d", "1.5d")
    ),
    ([], InvalidRequest, ('expected an object with "name" and "scopes"',)),
    ({"scopes": ["read"]}, InvalidRequest, ('"name" is required, such as "nightly-job"',)),
    ({"name": "job"}, InvalidRequest, ('"scopes" is required, such as ["create:team-a","read"]',)),
    ({**JOB, "scopes": "read"}, InvalidRequest, ('expected a list at "scopes"',)),
    ({**JOB, "scopes": [7]}, InvalidRequest, ('expected a text at "scopes[0]"',)),
    *(({**JOB, name: 7}, InvalidRequest, (f'expected a text at "{name}"',)) for name in ("name", "expiresIn")),
    ({**JOB, "expiresAt": "2030-01-01"}, InvalidRequest, ('did you mean "expiresIn"?',)),
]


@pytest.mark.parametrize(("body", "error", "says"), REFUSED)
def test_anything_else_is_refused_with_what_is_accepted(
    body: Any, error: type[InvalidApiKey | InvalidRequest], says: tuple[str, ...]
) -> None:
    with pytest.raises(error) as refusal:
        api_key_request.parse(body, "d" * 64, NOW)
    assert [it for it in says if it not in refusal.value.message] == []
    assert len(refusal.value.message) < 500


def test_as_many_keys_as_a_stack_holds_fit_into_an_item() -> None:
    """It has at most 400 KB, with the names of its attributes (docs.aws.amazon.com/amazondynamodb, "Constraints").

    As JSON it is larger: an item needs a byte for each member, and half a byte for a digit.
    """
    texts = [f"create:{LONGEST_TAG}", f"complete:{LONGEST_TAG}", f"read:{LONGEST_TAG}", "notify", "endpoints"]
    room = MAX_BYTES - len("".join(texts))
    texts[0] = texts[0][:-room] + "é" * room  # as many bytes as all may have
    assert len("".join(texts).encode()) == MAX_BYTES
    largest = parse(name="x" * 64, scopes=texts, expiresIn="3650d")
    keys = {f"{number:03}{largest.name[3:]}": _map(largest) for number in range(MOST)}
    assert len(json.dumps({**plain(KEYS_ITEM), KEYS: keys}, ensure_ascii=False).encode()) < 400 * 1024
