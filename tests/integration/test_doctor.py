"""The doctor's function: its runs, and an operator's scan of the whole table, which may take several invocations."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from doctor import LAST_READ
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.waits import DENIED, FakeWaits
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import Context
from tools.before_traffic import TRY
from waitpoints.aws import doctor_store
from waitpoints.doctor import scan
from waitpoints.doctor.overdue import Overdue
from waitpoints.scan_state import DoctorState, ScanCursor
from waitpoints.token import ALL_CHECKED, Completed, NewToken, Waiter
from waitpoints.wiring import services

pytestmark = pytest.mark.slow  # each reads a whole table

MINUTE = 60_000
QUARTER = 15 * MINUTE
PARTS = 32
UNKNOWN = "waitpoint_" + "0" * 26
Undelivered = Callable[[], tuple[str, Waiter]]
Invoke = Callable[..., Any]


@pytest.fixture
def doctor(stack: MotoStack) -> Invoke:
    return stack.functions()["doctor"].call


@pytest.fixture
def in_segments(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """The table has so many segments, and an invocation has time to read so many of them."""

    def limit(segments: int) -> None:
        left: list[int] = []

        def remaining(_: Context) -> int:
            return LAST_READ + (left.pop() if left else 0)

        def read_marks(self: Any) -> list[str]:
            left[:] = [1] * segments  # it is asked before each page, and a segment is one
            return before(self)

        def read_index(self: Any, until: int, _: Any) -> Any:
            found = read_index_before(self, until, lambda: True)
            left[:] = [1] * segments
            return found

        before, read_index_before = doctor_store.DoctorStore.read_marks, Overdue.read
        monkeypatch.setattr(Overdue, "read", read_index)
        monkeypatch.setattr(doctor_store.DoctorStore, "read_marks", read_marks)
        monkeypatch.setattr(doctor_store.DoctorStore, "count_segments", lambda _: PARTS)
        monkeypatch.setattr(Context, "get_remaining_time_in_millis", remaining)

    monkeypatch.setattr(scan, "AT_ONCE", 1)
    return limit


def resumed(waits: FakeWaits, waiters: list[Waiter]) -> int:
    return sum(waits.result(waiter.handle) is not None for waiter in waiters)


def remembered() -> DoctorState:
    return services.doctor._store.read_state(lambda: DoctorState(ScanCursor(1, 0), None, 0))


class TestARun:
    def test_says_how_old_the_last_full_scan_is_once_it_has_ended_and_while_it_is_late(
        self, doctor: Invoke, in_segments: Callable[[int], None], clock: FakeClock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        in_segments(PARTS // 2)
        for apart in (QUARTER, 24 * 60 * MINUTE, QUARTER):
            doctor({})
            clock.advance(apart)
        in_segments(1)
        for apart in (24 * 60 * MINUTE, QUARTER, 0):
            doctor({})
            clock.advance(apart)
        lines = capsys.readouterr().out.splitlines()
        told = [line.split('"OldestScan":[')[1].split(".")[0] for line in lines if '"OldestScan":[' in line]
        assert told == ["87300", "174600", "175500"]  # the third of six runs ends it, and two are late
        assert sum('"Unrepaired":[0.0]' in line for line in lines) == 6, "DoctorMissingAlarm lives on it"

    def test_repairs_what_is_marked_even_if_no_segment_is_due(
        self, doctor: Invoke, undelivered: Undelivered, clock: FakeClock, waits: FakeWaits
    ) -> None:
        token_id, waiter = undelivered()
        clock.advance(2 * MINUTE)
        waits.fail_next(DENIED, times=100, handle=waiter.handle)
        assert doctor({})["undelivered"] == [token_id]
        clock.advance(QUARTER)
        again = doctor({})
        assert (again["items"], again["undelivered"]) == (0, [token_id])
        waits.fail_no_more()
        clock.advance(QUARTER)
        last = doctor({})
        assert (last["items"], last["repaired"], last["unrepaired"]) == (0, 1, 0)
        assert waits.result(waiter.handle) is not None

    @pytest.mark.parametrize("broken", ["mark", "time out"])
    def test_tries_what_remains_again_until_it_was_seen_repaired(
        self, doctor: Invoke, undelivered: Undelivered, clock: FakeClock, waits: FakeWaits, broken: str
    ) -> None:
        token_id, waiter = undelivered()
        overdue = services.tokens.create(NewToken(timeout_at=clock() + 1), clock()).token_id
        clock.advance(2 * MINUTE)
        with pytest.MonkeyPatch.context() as failing:
            if broken == "mark":
                waits.fail_next(DENIED, times=100, handle=waiter.handle)
                failing.setattr(services.store, "mark_unresumed", lambda *_: 1 / 0)
            else:
                failing.setattr(services.store, "time_out", lambda *_: 1 / 0)
            left = [token_id] if broken == "mark" else [overdue]
            for _ in range(3):
                answer = doctor({})
                assert answer["undelivered"] + answer["overdue"] == left
                clock.advance(QUARTER)
        waits.fail_no_more()
        assert (doctor({})["repaired"], doctor({})["unrepaired"]) == (1, 0)
        state = remembered()
        assert state.unrepaired == frozenset()

    def test_times_out_what_the_index_says_is_overdue_without_reading_the_table(
        self, doctor: Invoke, clock: FakeClock, waits: FakeWaits, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        doctor({})
        clock.advance(1000)
        waiter = Waiter(waits.start(), clock(), kind=waits.kind)
        overdue = services.tokens.create(NewToken(timeout_at=clock() + MINUTE, waiter=waiter), clock()).token_id
        clock.advance(QUARTER)
        with monkeypatch.context() as failing:
            failing.setattr(services.store, "time_out", lambda *_: 1 / 0)
            for _ in range(2):
                answer = doctor({})
                assert (answer["items"], answer["overdue"]) == (0, [overdue])
                clock.advance(QUARTER)
        answer = doctor({})
        assert (answer["items"], answer["repaired"], answer["unrepaired"]) == (0, 1, 0)
        assert waits.result(waiter.handle) is not None
        clock.advance(QUARTER)
        assert doctor({})["repaired"] == 0

    def test_that_leaves_more_than_it_can_remember_is_repeated(
        self, doctor: Invoke, undelivered: Undelivered, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scan, "MOST_REMEMBERED", 2)
        tokens = {undelivered()[0] for _ in range(3)}
        clock.advance(2 * MINUTE)
        with monkeypatch.context() as failing:
            failing.setattr(services.tokens, "resume_waiters", lambda _: 1 / 0)
            assert set(doctor({})["undelivered"]) == tokens
            clock.advance(QUARTER)
            again = doctor({})
            assert (set(again["undelivered"]), again["items"] > 0) == (tokens, True)
        clock.advance(QUARTER)
        answer = doctor({})
        assert (answer["repaired"], answer["unrepaired"]) == (3, 0)

    def test_that_cannot_read_a_segment_does_all_else_and_fails(
        self, doctor: Invoke, undelivered: Undelivered, clock: FakeClock, waits: FakeWaits, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token_id, waiter = undelivered()
        services.store.mark_unresumed(token_id, clock())
        clock.advance(2 * MINUTE)
        with monkeypatch.context() as failing:
            failing.setattr(services.doctor._store, "read_segment", lambda *_: (1 / 0 for _ in [1]))
            with pytest.raises(ZeroDivisionError):
                doctor({})
        assert waits.result(waiter.handle) is not None
        clock.advance(QUARTER)
        assert doctor({})["items"] > 0


class TestATrial:
    def test_before_it_gets_traffic_only_reads(
        self, doctor: Invoke, undelivered: Undelivered, waits: FakeWaits, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A run may take longer than the function that invokes it, twice at once."""
        doctor({})
        _, waiter = undelivered()
        capsys.readouterr()
        calls: list[str] = []
        events = services.dynamodb_client.meta.events
        events.register("before-call.dynamodb", note := lambda model, **_: calls.append(model.name))
        try:
            assert doctor(json.loads(TRY)) == {}
        finally:
            events.unregister("before-call.dynamodb", note)
        assert calls
        assert set(calls) <= {"GetItem", "Query", "BatchGetItem", "DescribeTable"}
        assert waits.result(waiter.handle) is None
        assert "Unrepaired" not in capsys.readouterr().out


class TestTheOldestTokenWithoutATimeout:
    HOUR = 60 * MINUTE
    DAY = 24 * HOUR

    @pytest.fixture(autouse=True)
    def three_segments(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor_store.DoctorStore, "count_segments", lambda _: 3)

    def create(self, clock: FakeClock, **options: Any) -> str:
        return services.tokens.create(NewToken(**options), clock()).token_id

    def end(self, token_id: str, clock: FakeClock) -> None:
        services.store.complete(token_id, Completed(clock(), services.outputs.store(token_id, "1")), ALL_CHECKED)

    @pytest.fixture
    def measured(
        self, doctor: Invoke, log: io.StringIO, capsys: pytest.CaptureFixture[str]
    ) -> Callable[[], tuple[float, list[str]]]:
        def run() -> tuple[float, list[str]]:
            """Return the metric, which is in days, and the tokens in the log line."""
            capsys.readouterr()
            doctor({})
            [metrics] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "OldestWaiting" in line]
            line = json.loads(log.getvalue().splitlines()[-1])
            assert line["message"] == "doctor"
            return metrics["OldestWaiting"][0], line.get("oldestWaiting", [])

        return run

    def test_is_reported_from_the_first_run_on_until_it_has_ended(
        self, measured: Callable[[], tuple[float, list[str]]], clock: FakeClock
    ) -> None:
        assert measured() == (0, [])
        clock.advance(self.HOUR)
        oldest = self.create(clock)
        others = []
        for _ in range(6):
            clock.advance(self.HOUR)
            others.append(self.create(clock))
        self.create(clock, timeout_at=clock() + 30 * self.DAY)
        clock.advance(2 * self.DAY)
        for _ in range(30):
            days, told = measured()
            clock.advance(self.HOUR)
        waited = (2 * self.DAY + 6 * self.HOUR + 29 * self.HOUR) / self.DAY
        assert (days, told) == (round(waited, 3), [oldest, *others])
        self.end(oldest, clock)
        assert measured() == (round(waited, 3), others)  # one was an hour younger, and an hour has passed
        for token_id in others:
            self.end(token_id, clock)
        assert measured() == (0, [])

    def test_whose_timeout_came_later_is_reported_no_more(
        self, measured: Callable[[], tuple[float, list[str]]], clock: FakeClock
    ) -> None:
        token_id = self.create(clock)
        clock.advance(2 * MINUTE)
        assert measured()[1] == [token_id]
        tomorrow = clock() + self.DAY
        services.store.move_deadline(services.store.get(token_id), tomorrow, tomorrow, clock())
        assert measured() == (0, [])


class TestAScanOfAll:
    def test_reads_everything_over_as_many_invocations_as_it_takes(
        self, doctor: Invoke, in_segments: Callable[[int], None], undelivered: Undelivered, clock: FakeClock, waits: FakeWaits
    ) -> None:
        doctor({})
        made = [undelivered() for _ in range(20)]
        waits.fail_next(DENIED, times=100, handle=made[3][1].handle)
        clock.advance(2 * MINUTE)
        in_segments(PARTS // 2 - 1)
        answers = [doctor({"command": "scanAll"})]
        while cursor := answers[-1].get("next"):
            answers.append(doctor({"command": "scanAll", "cursor": cursor}))
        assert len(answers) == 3
        assert sum(answer["repaired"] for answer in answers) == 19
        assert [token_id for answer in answers for token_id in answer["undelivered"]] == [made[3][0]]
        assert sum(answer["items"] for answer in answers) >= 20

    def test_counts_no_token_twice(
        self, doctor: Invoke, in_segments: Callable[[int], None], undelivered: Undelivered, clock: FakeClock, waits: FakeWaits
    ) -> None:
        """A marked one is tried first, and found again in its segment."""
        made = [undelivered() for _ in range(10)]
        waits.fail_next(DENIED, times=1000)
        clock.advance(2 * MINUTE)
        assert doctor({})["unrepaired"] == 10
        in_segments(PARTS // 2)
        first = doctor({"command": "scanAll"})
        second = doctor({"command": "scanAll", "cursor": first["next"]})
        assert sorted(first["undelivered"] + second["undelivered"]) == sorted(token_id for token_id, _ in made)
        assert (first["unrepaired"], second["unrepaired"]) == (10, 0)

    def test_does_not_move_the_cursor_of_the_runs(
        self, doctor: Invoke, in_segments: Callable[[int], None], clock: FakeClock
    ) -> None:
        in_segments(PARTS // 2)
        doctor({})
        before = remembered()
        clock.advance(MINUTE)
        doctor({"command": "scanAll"})
        assert remembered() == before

    def test_of_a_segment_that_no_invocation_can_read_whole_goes_on_within_it(
        self, doctor: Invoke, stack: MotoStack, clock: FakeClock, waits: FakeWaits, undelivered: Undelivered
    ) -> None:
        waiters = [undelivered()[1] for _ in range(5)]
        clock.advance(2 * MINUTE)
        scan = services.dynamodb_client.meta.events
        scan.register("provide-client-params.dynamodb.Scan", lambda params, **_: {**params, "Limit": 1}, unique_id="one")
        try:
            left: list[int] = []
            with pytest.MonkeyPatch.context() as little_time:
                little_time.setattr(Context, "get_remaining_time_in_millis", lambda _: LAST_READ + (left.pop() if left else 0))
                left[:] = [1]
                answer = doctor({"command": "scanAll"})
                number = 1
                while cursor := answer.get("next"):
                    left[:] = [1]
                    answer = doctor({"command": "scanAll", "cursor": cursor})
                    number += 1
        finally:
            scan.unregister("provide-client-params.dynamodb.Scan", unique_id="one")
        assert number >= 5
        assert resumed(waits, waiters) == 5
