"""What is said of a state's output beside its input."""

from typing import Any

import pytest

from waitpoints_local.machine.changes import LONGEST, MOST, changes, shown

ORDER = {"order": {"id": 7, "items": [1, 2]}, "status": "NEW", "token": {"id": "t"}}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (ORDER, ORDER, ["gave the same"]),
        (ORDER, {**ORDER, "paid": True}, ["added paid = true"]),
        (ORDER, {**ORDER, "status": "PAID"}, ['changed status = "PAID", was "NEW"']),
        (ORDER, {"status": "NEW"}, ["dropped order", "dropped token"]),
        (
            ORDER,
            {**ORDER, "order": {"id": 7, "items": [1, 2, 3], "n.o": 1}},
            ["added order.items[2] = 3", 'added order."n.o" = 1'],
        ),
        (ORDER, {**ORDER, "order": {"total": 1}}, ['changed order = {"total": 1}, was {"id": 7, "items": [1, 2]}']),
        (ORDER, {"total": 1}, ['gave {"total": 1}']),
        ({"a": 1}, [1], ["gave [1]"]),
        ([1], [1, {"b": 2}], ['added [1] = {"b": 2}']),
        ([1, 2], [2, 1], ["gave [2, 1]"]),
        ({}, {"a": 1}, ['gave {"a": 1}']),
        (None, "text", ['gave "text"']),
    ],
)
def test_only_what_is_new_is_said(before: Any, after: Any, said: list[str]) -> None:
    assert changes(before, after) == said


def test_many_changes_are_counted() -> None:
    after = {**ORDER, **{f"n{number}": number for number in range(MOST + 3)}}
    assert changes(ORDER, after)[-2:] == [f"added n{MOST - 1} = {MOST - 1}", "and 3 more changes"]


def test_a_url_loses_its_middle_and_a_long_value_its_end() -> None:
    url = f"http://127.0.0.1:8787/api/v1/waitpoints/tokens/waitpoint_{'a' * 26}/callback/{'b' * 56}12345678"
    assert (
        shown({"url": url, "short": "http://127.0.0.1/a"})
        == '{"url": "http://127.0.0.1:8787/…12345678", "short": "http://127.0.0.1/a"}'
    )
    assert shown("c" * 400) == f'"{"c" * (LONGEST - 1)}… (402 characters)'
