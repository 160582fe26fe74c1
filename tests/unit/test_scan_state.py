"""How much of the table a round reads, and where the next one goes on."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from waitpoints.scan_state import DAY, MOST_OLDEST, Place, Progress, Read, oldest

MINUTE = 60_000
HOUR = 60 * MINUTE
QUARTER = 15 * MINUTE
KEY = ("waitpoint_x", "token")


def rounds(every: int, parts: int, number: int) -> Iterator[tuple[int, list[int]]]:
    """The time of each round, and the parts that it reads. Each one is read whole."""
    progress = Progress(Place(parts, 0), None, 0)
    for now in range(0, number * every, every):
        if progress.needs_new_pass(now):
            progress = progress.at_new(Place(parts, now))
        chosen = progress.choose(now)
        progress = progress.at(progress.place.after({part: Read(is_whole=True) for part in chosen}), now, ())
        yield now, chosen


@pytest.mark.parametrize("parts", [1, 7, 32, 96, 3000])
@pytest.mark.parametrize("every", [QUARTER, HOUR, 5 * HOUR, DAY])
def test_each_part_is_read_once_a_day_and_never_later(every: int, parts: int) -> None:
    read: list[list[int]] = [[] for _ in range(parts)]
    for now, chosen in rounds(every, parts, 4 * DAY // every):
        for part in chosen:
            read[part].append(now)
    gaps = [later - earlier for times in read for earlier, later in pairwise(times[1:])]  # the first round reads all
    assert max(gaps) <= DAY
    assert {len(times) for times in read} <= {4, 5, 6}


def test_rounds_that_do_not_begin_to_the_second_read_each_part_once_a_day() -> None:
    """One that comes a little earlier than the last one must not leave out a day."""
    progress, now, read = Progress(Place(1, 0), None, 0), 0, []
    for delay in (0, 30_000, -30_000, 10_000, -40_000, 0):
        if progress.needs_new_pass(now):
            progress = progress.at_new(Place(1, now))
        read += [now] * len(progress.choose(now))
        progress = progress.at(progress.place.after({part: Read(is_whole=True) for part in progress.choose(now)}), now, ())
        now += DAY + delay
    assert len(read) == 6


def test_a_days_rounds_read_about_the_same_each() -> None:
    later = [len(chosen) for now, chosen in rounds(QUARTER, 3000, 3 * 96) if now]
    assert max(later) <= 33
    assert sum(later) >= 2 * 3000


def test_the_first_round_reads_all_that_it_has_time_for() -> None:
    """So a new version of the doctor begins with a whole look, and one round a day is enough."""
    assert next(iter(rounds(QUARTER, 5, 1)))[1] == [0, 1, 2, 3, 4]


def test_a_pass_that_is_behind_takes_all_the_time_there_is() -> None:
    late = Place(parts=100, begun=0, next=3, open={1: KEY})
    assert late.choose(DAY, HOUR) == [1, *range(3, 100)]


def test_a_pass_that_is_ahead_reads_nothing() -> None:
    assert Place(parts=100, begun=0, next=60).choose(DAY // 2, HOUR) == []


@pytest.mark.parametrize(
    ("read", "next_part", "still_open"),
    [
        ({0: Read(True), 1: Read(True)}, 2, {}),
        ({0: Read(True), 1: Read(False, KEY)}, 2, {1: KEY}),
        ({0: Read(True), 1: Read(False), 2: Read(False)}, 1, {}),
        ({0: Read(False), 1: Read(True), 2: Read(False)}, 2, {0: None}),
        ({0: Read(False), 1: Read(False, KEY)}, 2, {0: None, 1: KEY}),
    ],
)
def test_no_part_is_passed_over(read: dict[int, Read], next_part: int, still_open: dict[int, tuple[str, str] | None]) -> None:
    place = Place(4, 0).after(read)
    assert (place.next, place.open) == (next_part, still_open)
    whole = {part for part, it in read.items() if it.is_whole}
    assert set(place.rest) == {0, 1, 2, 3} - whole


def test_an_open_part_that_was_not_read_stays_open() -> None:
    place = Place(4, 0, 2, {0: KEY, 1: KEY}).after({0: Read(True)})
    assert (place.next, place.open) == (2, {1: KEY})


def test_the_last_full_pass_is_as_old_as_its_begin() -> None:
    progress = Progress(Place(2, 1000, 1), 900, 0)
    assert progress.at(progress.place.after({1: Read(False, KEY)}), 2000, ()).last_pass == 0
    ended = progress.at(progress.place.after({1: Read(True)}), 2000, ())
    assert (ended.last_pass, ended.last_round) == (1000, 2000)


def test_the_oldest_tokens_are_told_apart_by_their_age_and_once_each() -> None:
    assert oldest([(3, "c"), (1, "a")], (), [(2, "b"), (1, "a")]) == ((1, "a"), (2, "b"), (3, "c"))
    many = [(number, f"waitpoint_{number}") for number in range(MOST_OLDEST + 5)]
    assert oldest(many[::2], many[1::2]) == tuple(many[:MOST_OLDEST])


def test_what_a_round_knows_of_the_oldest_outlasts_the_pass() -> None:
    known = ((1, "a"),)
    assert Progress(Place(1, 0), None, 0).at(Place(1, 0, 1), 5, known).at_new(Place(2, 9)).oldest == known
