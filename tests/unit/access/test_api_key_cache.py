"""Named keys are read once a minute, and seldom for a key that is unknown."""

from collections.abc import Sequence

import pytest

from tests.support.in_process.fakes.clock import FakeClock
from waitpoints.access.api_key_cache import CACHED_FOR, LOOK_AGAIN_AFTER, USED_EVERY, ApiKeyCache
from waitpoints.access.api_keys import SHOWN_DIGITS, NamedKey, Scope, digest
from waitpoints.errors import TryAgain

READ = (Scope("read"),)


class Unreadable(Exception):
    """What DynamoDB raises."""


class Table:
    def __init__(self) -> None:
        self.keys: list[NamedKey] = []
        self.reads = 0
        self.is_down = False
        self.notes: list[tuple[str, int]] = []

    def read(self) -> Sequence[NamedKey]:
        self.reads += 1
        if self.is_down:
            raise Unreadable
        return list(self.keys)

    def note_used(self, key: NamedKey, now: int) -> None:
        self.notes.append((key.name, now))

    def make(self, name: str, expires_at: int | None = None) -> NamedKey:
        self.keys.append(key := NamedKey(name, digest(f"the key {name}"), READ, 0, expires_at))
        return key


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def cache(table: Table, clock: FakeClock) -> ApiKeyCache:
    return ApiKeyCache(table.read, table.note_used, clock)


@pytest.fixture
def ci(table: Table) -> NamedKey:
    return table.make("ci")


UNKNOWN = [digest(f"made up {number}") for number in range(9)]


class TestAKey:
    def test_is_found_by_its_digest_and_by_the_digits_that_public_access_tokens_carry(
        self, cache: ApiKeyCache, ci: NamedKey
    ) -> None:
        assert cache.find(ci.digest) == cache.find(ci.digest[:SHOWN_DIGITS]) == ci

    @pytest.mark.parametrize("digits", [SHOWN_DIGITS, 63, 64])
    def test_is_not_found_by_others(self, cache: ApiKeyCache, ci: NamedKey, digits: int) -> None:
        changed = "0" if ci.digest[digits - 1] != "0" else "1"
        assert cache.find(ci.digest[: digits - 1] + changed) is None

    def test_is_read_once_a_minute_however_many_are_shown(self, cache: ApiKeyCache, table: Table, clock: FakeClock) -> None:
        keys = [table.make(name) for name in ("ci", "nightly", "shop")]
        assert CACHED_FOR == 60_000
        for _ in range(3):
            for key in keys:
                assert cache.find(key.digest) == key
                clock.advance(CACHED_FOR // 3 - 1)
            clock.advance(3)
        assert table.reads == 3

    def test_expires_at_its_millisecond_without_a_read(self, cache: ApiKeyCache, table: Table, clock: FakeClock) -> None:
        short = table.make("short", clock() + 1000)
        clock.advance(999)
        assert cache.find(short.digest) == short
        clock.advance(1)
        assert cache.find(short.digest) is None
        assert table.reads == 1

    def test_is_read_again_after_the_clock_was_set_back(
        self, cache: ApiKeyCache, table: Table, clock: FakeClock, ci: NamedKey
    ) -> None:
        cache.find(ci.digest)
        table.keys.clear()
        clock.advance(-1)
        assert cache.find(ci.digest) is None
        assert table.reads == 2


class TestAnUnknownKey:
    def test_that_is_new_is_found_at_once(self, cache: ApiKeyCache, table: Table, clock: FakeClock, ci: NamedKey) -> None:
        cache.find(ci.digest)
        clock.advance(LOOK_AGAIN_AFTER)
        new = table.make("new")
        assert cache.find(new.digest) == new
        assert table.reads == 2

    def test_causes_one_read_in_five_seconds(self, cache: ApiKeyCache, table: Table, clock: FakeClock, ci: NamedKey) -> None:
        assert LOOK_AGAIN_AFTER == 5000
        for reads in (1, 2, 3):
            assert [cache.find(unknown) for unknown in UNKNOWN] == [None] * len(UNKNOWN)
            clock.advance(LOOK_AGAIN_AFTER - 1)
            assert cache.find(UNKNOWN[0]) is None
            assert cache.find(ci.digest) == ci
            assert table.reads == reads
            clock.advance(1)

    def test_causes_no_more_reads_while_they_fail_and_may_be_a_new_one(
        self, cache: ApiKeyCache, table: Table, clock: FakeClock, ci: NamedKey
    ) -> None:
        cache.find(ci.digest)
        table.is_down = True
        for reads in (2, 3, 4):
            clock.advance(LOOK_AGAIN_AFTER)
            with pytest.raises(Unreadable):
                cache.find(UNKNOWN[0])
            for unknown in UNKNOWN:
                with pytest.raises(TryAgain, match="cannot be read now"):
                    cache.find(unknown)
            assert cache.find(ci.digest) == ci
            assert table.reads == reads
        table.is_down = False
        clock.advance(LOOK_AGAIN_AFTER)
        assert cache.find(UNKNOWN[0]) is None


class TestKeysThatCannotBeRead:
    def test_are_valid_for_the_rest_of_the_minute_and_then_read_for_each_request(
        self, cache: ApiKeyCache, table: Table, clock: FakeClock, ci: NamedKey
    ) -> None:
        cache.find(ci.digest)
        table.is_down = True
        clock.advance(CACHED_FOR - 1)
        assert cache.find(ci.digest) == ci
        clock.advance(1)
        for _ in range(3):
            with pytest.raises(Unreadable):
                cache.find(ci.digest)
        assert table.reads == 4
        table.is_down = False
        assert cache.find(ci.digest) == ci


class TestLastUsed:
    def test_is_noted_once_an_hour_for_each_key(self, cache: ApiKeyCache, table: Table, clock: FakeClock) -> None:
        assert USED_EVERY == 3_600_000
        one, other = table.make("one"), table.make("other")
        started = clock()
        for _ in range(3):
            cache.find(one.digest)
        cache.find(other.digest)
        clock.advance(USED_EVERY - 1)
        cache.find(one.digest)
        clock.advance(1)
        cache.find(one.digest)
        assert table.notes == [("one", started), ("other", started), ("one", started + USED_EVERY)]

    def test_is_noted_after_the_clock_goes_back(self, cache: ApiKeyCache, table: Table, clock: FakeClock, ci: NamedKey) -> None:
        cache.find(ci.digest)
        clock.advance(-10 * USED_EVERY)
        cache.find(ci.digest)
        assert len(table.notes) == 2

    def test_is_not_noted_of_a_key_that_is_refused(self, cache: ApiKeyCache, table: Table, clock: FakeClock) -> None:
        table.make("old", clock())
        cache.find(table.keys[0].digest)
        cache.find(UNKNOWN[0])
        assert table.notes == []
