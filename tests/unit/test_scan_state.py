"""How much of the table a run reads, and where the next one goes on."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from waitpoints.scan_state import DAY, MOST_OLDEST, DoctorState, ScanCursor, SegmentRead, oldest

MINUTE = 60_000
HOUR = 60 * MINUTE
QUARTER = 15 * MINUTE
KEY = ("waitpoint_x", "token")


def runs(every: int, segments: int, number: int) -> Iterator[tuple[int, list[int]]]:
    """The time of each run, and the segments that it reads. Each one is read whole."""
    state = DoctorState(ScanCursor(segments, 0), None, 0)
    for now in range(0, number * every, every):
        if state.needs_new_scan(now):
            state = replace(state, cursor=ScanCursor(segments, now))
        chosen = state.choose(now)
        state = state.after(state.cursor.after({segment: SegmentRead(is_whole=True) for segment in chosen}), now, ())
        yield now, chosen


@pytest.mark.parametrize("segments", [1, 7, 32, 96, 3000])
@pytest.mark.parametrize("every", [QUARTER, HOUR, 5 * HOUR, DAY])
def test_each_segment_is_read_once_a_day_and_never_later(every: int, segments: int) -> None:
    read: list[list[int]] = [[] for _ in range(segments)]
    for now, chosen in runs(every, segments, 4 * DAY // every):
        for segment in chosen:
            read[segment].append(now)
    gaps = [later - earlier for times in read for earlier, later in pairwise(times[1:])]  # the first run reads all
    assert max(gaps) <= DAY
    assert {len(times) for times in read} <= {4, 5, 6}


def test_runs_that_do_not_begin_to_the_second_read_each_segment_once_a_day() -> None:
    """One that comes a little earlier than the last one must not leave out a day."""
    state, now, read = DoctorState(ScanCursor(1, 0), None, 0), 0, []
    for delay in (0, 30_000, -30_000, 10_000, -40_000, 0):
        if state.needs_new_scan(now):
            state = replace(state, cursor=ScanCursor(1, now))
        read += [now] * len(state.choose(now))
        state = state.after(state.cursor.after({segment: SegmentRead(is_whole=True) for segment in state.choose(now)}), now, ())
        now += DAY + delay
    assert len(read) == 6


def test_a_days_runs_read_about_the_same_each() -> None:
    later = [len(chosen) for now, chosen in runs(QUARTER, 3000, 3 * 96) if now]
    assert max(later) <= 33
    assert sum(later) >= 2 * 3000


def test_a_pass_that_is_behind_takes_all_the_time_there_is() -> None:
    late = ScanCursor(segments=100, begun=0, next=3, partial={1: KEY})
    assert late.choose(DAY, HOUR) == [1, *range(3, 100)]


def test_a_pass_that_is_ahead_reads_nothing() -> None:
    assert ScanCursor(segments=100, begun=0, next=60).choose(DAY // 2, HOUR) == []


@pytest.mark.parametrize(
    ("read", "following", "partial"),
    [
        ({0: SegmentRead(True), 1: SegmentRead(True)}, 2, {}),
        ({0: SegmentRead(True), 1: SegmentRead(False, KEY)}, 2, {1: KEY}),
        ({0: SegmentRead(True), 1: SegmentRead(False), 2: SegmentRead(False)}, 1, {}),
        ({0: SegmentRead(False), 1: SegmentRead(True), 2: SegmentRead(False)}, 2, {0: None}),
        ({0: SegmentRead(False), 1: SegmentRead(False, KEY)}, 2, {0: None, 1: KEY}),
    ],
)
def test_no_segment_is_passed_over(
    read: dict[int, SegmentRead], following: int, partial: dict[int, tuple[str, str] | None]
) -> None:
    cursor = ScanCursor(4, 0).after(read)
    assert (cursor.next, cursor.partial) == (following, partial)
    whole = {segment for segment, it in read.items() if it.is_whole}
    assert set(cursor.remaining) == {0, 1, 2, 3} - whole


def test_a_partial_segment_that_was_not_read_stays_partial() -> None:
    cursor = ScanCursor(4, 0, 2, {0: KEY, 1: KEY}).after({0: SegmentRead(True)})
    assert (cursor.next, cursor.partial) == (2, {1: KEY})


def test_a_run_after_another_versions_begins_a_scan_and_reads_all() -> None:
    state = DoctorState(ScanCursor(3000, 0, 40), QUARTER, 0, is_of_other_version=True)
    assert state.needs_new_scan(2 * QUARTER)
    begun = replace(state, cursor=ScanCursor(3000, 2 * QUARTER))
    assert begun.choose(2 * QUARTER) == [*range(3000)]
    after = begun.after(begun.cursor, 2 * QUARTER, ())
    assert (after.needs_new_scan(3 * QUARTER), len(after.choose(3 * QUARTER))) == (False, 63)


def test_the_last_full_scan_is_as_old_as_its_begin() -> None:
    state = DoctorState(ScanCursor(2, 1000, 1), 900, 0)
    assert state.after(state.cursor.after({1: SegmentRead(False, KEY)}), 2000, ()).last_scan == 0
    ended = state.after(state.cursor.after({1: SegmentRead(True)}), 2000, ())
    assert (ended.last_scan, ended.last_run) == (1000, 2000)


def test_the_oldest_tokens_are_told_apart_by_their_age_and_once_each() -> None:
    assert oldest([(3, "c"), (1, "a")], (), [(2, "b"), (1, "a")]) == ((1, "a"), (2, "b"), (3, "c"))
    many = [(number, f"waitpoint_{number}") for number in range(MOST_OLDEST + 5)]
    assert oldest(many[::2], many[1::2]) == tuple(many[:MOST_OLDEST])
