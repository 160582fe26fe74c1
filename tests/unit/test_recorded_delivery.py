"""Ids of recorded deliveries, and texts that are cut for their rows."""

import pytest

from waitpoints.errors import DeliveryNotFound
from waitpoints.recorded_delivery import MAX_TEXT, DeliveryFilter, cut, new_delivery_id, parse_id

NOW = 1_800_000_000_000


def test_ids_are_in_the_order_of_their_times() -> None:
    first, second = new_delivery_id(NOW), new_delivery_id(NOW + 1)
    assert first < second
    assert [parse_id(first), parse_id(first.removeprefix("delivery_"))] == [first, first]


@pytest.mark.parametrize("text", ["", "delivery_", "waitpoint_" + "0" * 26, "delivery_" + "0" * 25, "delivery_" + "é" * 26])
def test_what_is_no_id_is_not_found(text: str) -> None:
    with pytest.raises(DeliveryNotFound):
        parse_id(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        ("short", "short"),
        ("x" * 1000, "x" * MAX_TEXT),
        ("x" + "é" * 1000, "x" + "é" * ((MAX_TEXT - 1) // 2)),
        ("\ud800", "?"),
    ],
)
def test_a_text_is_cut_to_whole_characters(text: str | None, expected: str | None) -> None:
    assert cut(text) == expected


def test_only_a_filter_with_a_condition_may_skip() -> None:
    assert [it.may_skip for it in (DeliveryFilter(), DeliveryFilter(key="k"), DeliveryFilter(frozenset({"kept"})))] == [
        False,
        True,
        True,
    ]
