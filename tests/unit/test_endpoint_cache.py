"""Looked up endpoints are kept for a minute."""

from dataclasses import replace

import pytest

from tests.support.in_process.fakes.clock import FakeClock
from waitpoints.endpoint import Endpoint
from waitpoints.endpoint_cache import CACHED_FOR, EndpointCache
from waitpoints.token import Verification

OLD, NEW = "a" * 24, "b" * 24
SIGNED = Verification("github", "GITHUB")
GITHUB = Endpoint(name="github", secret_id=OLD, key="body.id", verify=SIGNED, created_at=1, updated_at=1)


class Table:
    def __init__(self) -> None:
        self.endpoints: dict[str, Endpoint | None] = {"github": GITHUB}
        self.reads = 0

    def get(self, name: str) -> Endpoint | None:
        self.reads += 1
        return self.endpoints.get(name)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def cache(table: Table, clock: FakeClock) -> EndpointCache:
    return EndpointCache(table.get, clock)


def test_an_endpoint_is_read_once_a_minute(cache: EndpointCache, table: Table, clock: FakeClock) -> None:
    assert CACHED_FOR == 60_000
    for _ in range(3):
        assert cache.find("github", OLD) == GITHUB
        clock.advance(CACHED_FOR // 2 - 1)
        assert cache.find("github", OLD) == GITHUB
        clock.advance(CACHED_FOR // 2 + 1)
    assert table.reads == 3


@pytest.mark.parametrize("changed", [replace(GITHUB, key="body.other"), None], ids=["changed", "deleted"])
def test_a_changed_endpoint_takes_effect_within_a_minute(
    cache: EndpointCache, table: Table, clock: FakeClock, changed: Endpoint | None
) -> None:
    cache.find("github", OLD)
    table.endpoints["github"] = changed
    assert cache.find("github", OLD) == GITHUB
    clock.advance(CACHED_FOR)
    assert cache.find("github", OLD) == changed


def test_a_read_of_the_new_endpoint_ends_the_old_url_at_once(cache: EndpointCache, table: Table) -> None:
    stripe = table.endpoints["stripe"] = replace(GITHUB, name="stripe")
    cache.find("stripe", OLD)
    cache.find("github", OLD)
    table.endpoints["github"] = replace(GITHUB, secret_id=NEW)
    assert cache.find("github", OLD) == GITHUB  # the new one has not been read yet
    cache.find("github", NEW)
    assert cache.find("github", OLD) is None
    assert cache.find("github", NEW) == replace(GITHUB, secret_id=NEW)
    assert cache.find("stripe", OLD) == stripe
    assert table.reads == 3


def test_an_absent_endpoint_is_read_once_a_minute_too(cache: EndpointCache, table: Table, clock: FakeClock) -> None:
    for name, secret_id in (("github", NEW), ("stripe", OLD)):
        for _ in range(5):
            assert cache.find(name, secret_id) is None
    assert table.reads == 2
    clock.advance(CACHED_FOR)
    cache.find("stripe", OLD)
    assert table.reads == 3


class TestWithoutVerify:
    @pytest.fixture(autouse=True)
    def table(self, table: Table) -> Table:
        table.endpoints["github"] = replace(GITHUB, verify=None)
        return table

    def test_the_signature_that_it_is_given_counts_at_once(self, cache: EndpointCache, table: Table) -> None:
        cache.find("github", OLD)
        table.endpoints["github"] = GITHUB
        for _ in range(3):
            assert cache.find("github", OLD) == GITHUB
        assert table.reads == 2

    @pytest.mark.parametrize(
        "now",
        [None, replace(GITHUB, verify=None, secret_id=NEW), replace(GITHUB, secret_id=NEW)],
        ids=["deleted", "another one", "another one, which verifies"],
    )
    def test_its_old_url_ends_at_once(self, cache: EndpointCache, table: Table, now: Endpoint | None) -> None:
        cache.find("github", OLD)
        table.endpoints["github"] = now
        assert cache.find("github", OLD) is None
        assert cache.find("github", NEW) == now
