"""The token bucket by which the emulator throttles."""

import pytest

from waitpoints_local.throttle import TokenBucket


@pytest.mark.parametrize("interval", [0.0001, 0.001, 0.01])
def test_a_bucket_gives_its_capacity_and_then_its_rate(interval: float) -> None:
    bucket, seconds = TokenBucket(rate=50, capacity=20), 10
    taken = sum(bucket.take(number * interval) for number in range(int(seconds / interval)))
    assert taken == pytest.approx(20 + 50 * seconds, abs=1)


def test_it_holds_no_more_than_its_capacity() -> None:
    bucket = TokenBucket(rate=50, capacity=20)
    assert [bucket.take(1000, 20), bucket.take(1000)] == [True, False]


def test_it_gives_all_or_nothing() -> None:
    bucket = TokenBucket(rate=1, capacity=3)
    assert [bucket.take(0, 4), bucket.take(0, 3)] == [False, True]
