"""Token ids: they sort by creation time, can be parsed, and any other text is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitpoints import ids
from waitpoints.errors import TokenNotFound

NOW = 1_800_000_000_000
INSTANTS = st.integers(1, 253_402_300_799_000)


@given(INSTANTS, INSTANTS)
def test_ids_sort_by_creation_time(one: int, other: int) -> None:
    if one != other:
        assert (ids.new_id(one) < ids.new_id(other)) is (one < other)


@given(INSTANTS)
def test_every_id_of_an_instant_lies_between_the_first_and_last_id_of_that_instant(instant: int) -> None:
    assert ids.last_of(instant - 1) < ids.first_of(instant) <= ids.new_id(instant) <= ids.last_of(instant)
    assert ids.FIRST <= ids.first_of(instant) <= ids.last_of(instant) <= ids.LAST


def test_ids_are_unique() -> None:
    assert len({ids.new_id(NOW) for _ in range(10_000)}) == 10_000


@given(INSTANTS)
def test_an_id_is_accepted_with_and_without_its_prefix(instant: int) -> None:
    full = ids.new_id(instant)
    bare = full.removeprefix("waitpoint_")
    assert ids.parse(full) == ids.parse(bare) == full
    assert ids.is_cursor(bare)
    assert not ids.is_cursor(full)


@pytest.mark.parametrize(
    "written",
    [
        *("", "waitpoint_", "x", "waitpoint_a_b", "waitpoint_waitpoint_" + "0" * 26, "WAITPOINT_" + "0" * 26),
        *("0" * 25, "0" * 27, "8" + "0" * 25, "0" * 25 + "i", "0" * 25 + "l", "0" * 25 + "o", "0" * 25 + "u"),
        *("0" * 25 + "A", "0" * 25 + "\n", "0" * 26 + "\n", " " + "0" * 26, "\u0660" * 26, "idempotency#x", "../" * 9),
    ],
)
def test_an_invalid_id_is_not_found(written: str) -> None:
    with pytest.raises(TokenNotFound):
        ids.parse(written)
    assert not ids.is_cursor(written)


@given(st.text() | st.text(alphabet="0123456789abcdefghjkmnpqrstvwxyz_", min_size=24, max_size=28))
def test_any_text_is_a_valid_id_or_not_found(written: str) -> None:
    try:
        found = ids.parse(written)
    except TokenNotFound:
        return
    assert found == "waitpoint_" + written.removeprefix("waitpoint_")
    assert ids.FIRST <= found <= ids.LAST


@given(INSTANTS, st.integers(-1000, 1000))
def test_stepping_forward_and_back_returns_to_the_start(instant: int, step: int) -> None:
    start = ids.new_id(instant + 1)
    neighbour = ids.next_to(start, step)
    assert ids.next_to(neighbour, -step) == start
    assert (neighbour < start, neighbour > start) == (step < 0, step > 0)


def test_stepping_beyond_the_first_or_last_id_stays_there() -> None:
    assert ids.next_to(ids.FIRST, -1) == ids.FIRST
    assert ids.next_to(ids.LAST, 1) == ids.LAST
    assert ids.first_of(1 << 60) == ids.last_of(1 << 60) == ids.LAST
