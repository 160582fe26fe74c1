"""A round of the doctor that has too little time for the whole table."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from doctor import LAST_READ, TableTooLarge
from in_process.fakes.clock import FakeClock
from in_process.fakes.waits import FakeWaits
from in_process.moto_stack import MotoStack
from in_process.template import Context
from waitpoints import unfinished
from waitpoints.token import (
    Completed,
    NewToken,
    Unchecked,
    Waiter,
)
from waitpoints.wiring import services

MINUTE = 60_000


@pytest.fixture
def undelivered(clock: FakeClock, waits: FakeWaits) -> Callable[[], tuple[str, Waiter]]:
    def make() -> tuple[str, Waiter]:
        """A settled token whose waiter was never resumed."""
        waiter = Waiter(waits.start(), clock(), kind=waits.kind)
        token_id = services.tokens.create(NewToken(waiter=waiter), clock()).token_id
        services.store.complete(token_id, Completed(clock(), services.outputs.store(token_id, "1")), Unchecked.NONE)
        return token_id, waiter

    return make


class TestATableThatIsTooLargeForOneRound:
    @pytest.fixture
    def round_of(self, stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Any]:
        """A round that has time for so many parts of the table."""

        def run(parts: int) -> Any:
            left = iter([1] * 3 * parts)  # it is asked before a part's page, its last token, and its end
            monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: LAST_READ + next(left, 0))
            return stack.functions()["doctor"].call({})

        monkeypatch.setattr(unfinished, "AT_ONCE", 1)
        return run

    @pytest.fixture
    def waiters(self, undelivered: Callable[[], tuple[str, Waiter]], clock: FakeClock) -> list[Waiter]:
        """What was not resumed, in all parts of the table."""
        made = [undelivered()[1] for _ in range(20)]
        clock.advance(2 * MINUTE)
        return made

    def test_what_was_found_is_finished_and_the_round_fails(
        self, round_of: Callable[[int], Any], waiters: list[Waiter], waits: FakeWaits
    ) -> None:
        with pytest.raises(TableTooLarge, match=r"no time to read \d+ of 32 parts of the table"):
            round_of(16)
        resumed = [waiter for waiter in waiters if waits.result(waiter.handle) is not None]
        assert 0 < len(resumed) < len(waiters)

    def test_each_part_is_read_by_one_of_the_next_rounds(
        self, round_of: Callable[[int], Any], waiters: list[Waiter], waits: FakeWaits
    ) -> None:
        for _ in range(60):
            with suppress(TableTooLarge):
                round_of(8)
            if all(waits.result(waiter.handle) is not None for waiter in waiters):
                return
        pytest.fail("a part is never read")
