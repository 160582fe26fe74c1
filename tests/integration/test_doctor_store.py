"""What the doctor reads of the table, on moto."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from waitpoints import ids
from waitpoints.aws.doctor_store import SEGMENT_BYTES, STATE_KEY, DoctorStore, ScanPage
from waitpoints.aws.items import RECORDS_DELIVERIES, TOKEN, primary_key
from waitpoints.aws.store import Store
from waitpoints.scan_state import MOST_OLDEST, DoctorState, Key, ScanCursor, Waiting, oldest
from waitpoints.token import ALL_CHECKED, VERSION, Completed, IdempotencyKey, Output, Reply, ReplyKind, Token, Waiter

START = FakeClock().now
TIMEOUT = START + 60_000
RETENTION = 30 * 86_400
OUTPUT = Output('{"text": "' + "x" * 10_000 + '"}')
RESUMED = Reply(ReplyKind.RESUMED, START)
PARTS = 3


@pytest.fixture
def client(stack: MotoStack) -> Any:
    return boto3.client("dynamodb")


@pytest.fixture
def table(stack: MotoStack) -> str:
    return str(stack.table)


@pytest.fixture
def store(client: Any, table: str) -> Store:
    return Store(client, table, RETENTION)


@pytest.fixture
def doctor_store(client: Any, table: str) -> DoctorStore:
    return DoctorStore(client, table)


@pytest.fixture
def settled(store: Store) -> Callable[..., Token]:
    def make(waiters: int = 2, at: int = START, output: Output = OUTPUT) -> Token:
        kept = [Waiter(FakeStepFunctions().start_task(2048), START) for _ in range(waiters)]
        token = Token(id=ids.new_id(START), created_at=START, waiters={one.key: one for one in kept})
        store.create(token, None, START)
        store.complete(token.id, Completed(at, output), ALL_CHECKED)
        return token

    return make


def read(doctor_store: DoctorStore, until: int = START) -> list[ScanPage]:
    return [page for segment in range(PARTS) for page in doctor_store.read_segment(segment, PARTS, None, until)]


def unresumed(doctor_store: DoctorStore, until: int = START) -> set[str]:
    return {token_id for page in read(doctor_store, until) for token_id in page.unresumed}


class TestAWaiterWithoutAReply:
    def test_is_seen_among_those_with_one(self, doctor_store: DoctorStore, store: Store, settled: Callable[..., Token]) -> None:
        none, some, all_of_them, without = settled(), settled(), settled(), settled(waiters=0)
        store.record_replies(some.id, dict.fromkeys(list(some.waiters)[:1], RESUMED), START)
        store.record_replies(all_of_them.id, dict.fromkeys(all_of_them.waiters, RESUMED), START)
        assert unresumed(doctor_store) == {none.id, some.id}
        assert without.id not in unresumed(doctor_store)

    def test_is_not_looked_for_before_its_token_has_been_settled_for_long_enough(
        self, doctor_store: DoctorStore, settled: Callable[..., Token]
    ) -> None:
        token = settled(at=START + 5)
        assert unresumed(doctor_store, START + 4) == set()
        assert unresumed(doctor_store, START + 5) == {token.id}

    def test_is_found_if_its_token_and_the_replies_lie_in_two_reads(
        self, doctor_store: DoctorStore, store: Store, client: Any, settled: Callable[..., Token]
    ) -> None:
        """Then those with all replies are suspected, too."""
        tokens = [settled(waiters=1) for _ in range(5)]
        for token in tokens[:4]:
            store.record_replies(token.id, dict.fromkeys(token.waiters, RESUMED), START)
        client.meta.events.register("provide-client-params.dynamodb.Scan", lambda params, **_: {**params, "Limit": 1})
        assert {tokens[4].id} <= unresumed(doctor_store) <= {token.id for token in tokens}


def test_reads_tokens_that_are_due(doctor_store: DoctorStore, store: Store) -> None:
    due, later, endless = (
        Token(id=ids.new_id(START), created_at=START, timeout_at=timeout, due_at=timeout)
        for timeout in (TIMEOUT, TIMEOUT + 1, None)
    )
    for token in (due, later, endless):
        store.create(token, None, START)
    pages = read(doctor_store, TIMEOUT)
    assert [token_id for page in pages for token_id in page.overdue] == [due.id]
    assert [one for page in pages for one in page.oldest] == [(START, endless.id)]
    assert sum(page.items for page in pages) == 3


class TestATokenWithoutATimeout:
    @pytest.fixture
    def waiting(self, store: Store) -> Callable[[int], Waiting]:
        def make(created_at: int) -> Waiting:
            token = Token(id=ids.new_id(created_at), created_at=created_at)
            store.create(token, None, created_at)
            return created_at, token.id

        return make

    def test_is_found_unless_it_is_younger_than_what_was_asked_for(
        self, doctor_store: DoctorStore, waiting: Callable[[int], Waiting]
    ) -> None:
        old, _young = waiting(START), waiting(START + 1)
        assert [one for page in read(doctor_store, START) for one in page.oldest] == [old]

    def test_is_read_only_if_it_may_be_one_of_the_oldest(
        self, doctor_store: DoctorStore, client: Any, waiting: Callable[[int], Waiting]
    ) -> None:
        """So a table of tokens without a timeout costs no more to read than one of others."""
        made = [waiting(START + number) for number in range(3 * MOST_OLDEST)]
        client.meta.events.register("provide-client-params.dynamodb.Scan", lambda params, **_: {**params, "Limit": 1})
        pages = list(doctor_store.read_segment(0, 1, None, START + 100))
        assert oldest(*(page.oldest for page in pages)) == tuple(made[:MOST_OLDEST])
        assert sum(len(page.oldest) for page in pages) < len(made)
        again = doctor_store.read_segment(0, 1, None, START + 100, tuple(made[:MOST_OLDEST]))
        assert sorted(one for page in again for one in page.oldest) == made[:MOST_OLDEST]

    def test_still_waits_until_it_has_ended_has_a_timeout_or_is_gone(
        self, doctor_store: DoctorStore, store: Store, client: Any, table: str, waiting: Callable[[int], Waiting]
    ) -> None:
        first, ended, timed, gone, last = (waiting(START + number) for number in range(5))
        assert store.complete(ended[1], Completed(START, OUTPUT), ALL_CHECKED)[0]
        assert store.move_deadline(store.get(timed[1]), TIMEOUT, TIMEOUT, START)
        client.delete_item(TableName=table, Key=primary_key(gone[1], TOKEN))
        assert doctor_store.still_waiting((first, ended, timed, gone, last)) == (first, last)

    def test_still_waits_if_it_could_not_be_read(
        self, doctor_store: DoctorStore, client: Any, table: str, waiting: Callable[[int], Waiting]
    ) -> None:
        one, other = waiting(START), waiting(START + 1)

        def throttle(parsed: Any, **_: Any) -> None:
            [item] = [it for it in parsed["Responses"][table] if it["id"]["S"] == other[1]]
            parsed["Responses"][table].remove(item)
            parsed["UnprocessedKeys"] = {table: {"Keys": [primary_key(other[1], TOKEN)]}}

        client.meta.events.register("after-call.dynamodb.BatchGetItem", throttle)
        assert doctor_store.still_waiting((one, other)) == (one, other)

    def test_is_not_read_if_none_is_known(self, doctor_store: DoctorStore, client: Any) -> None:
        client.meta.events.register("before-call.dynamodb.BatchGetItem", lambda **_: 1 / 0)
        assert doctor_store.still_waiting(()) == ()


def test_an_item_that_cannot_be_read_is_suspected_and_keeps_back_no_other(
    doctor_store: DoctorStore, client: Any, table: str, settled: Callable[..., Token]
) -> None:
    """A segment that could not be read would never be read on, and no scan would end."""
    poison, others = settled(), [settled() for _ in range(5)]
    key = primary_key(poison.id, TOKEN)
    client.update_item(
        TableName=table, Key=key, UpdateExpression="SET waiterCount = :two", ExpressionAttributeValues={":two": {"N": "2.5"}}
    )
    assert unresumed(doctor_store) >= {poison.id, *(token.id for token in others)}
    client.delete_item(TableName=table, Key=key)


def test_reads_keys_whose_end_is_not_known(doctor_store: DoctorStore, store: Store) -> None:
    endless, waiting, ending = (Token(id=ids.new_id(START), created_at=START, timeout_at=at) for at in (None, None, TIMEOUT))
    store.create(endless, IdempotencyKey(endless.id), START)
    store.create(waiting, IdempotencyKey(waiting.id, TIMEOUT), START)
    store.create(ending, IdempotencyKey(ending.id, TIMEOUT), START)
    found = {one.token_id: one.since for page in read(doctor_store) for one in page.attachments}
    assert found == {endless.id: START, waiting.id: START}


def test_reads_no_outputs_and_no_task_tokens(doctor_store: DoctorStore, client: Any, settled: Callable[..., Token]) -> None:
    settled()
    answers: list[Any] = []
    client.meta.events.register("after-call.dynamodb.Scan", lambda parsed, **_: answers.append(parsed["Items"]))
    assert len(unresumed(doctor_store)) == 1
    assert len(str(answers)) < 400


def test_goes_on_after_a_key_of_its_segment(doctor_store: DoctorStore, client: Any, settled: Callable[..., Token]) -> None:
    tokens = {settled(waiters=1).id for _ in range(10)}
    client.meta.events.register("provide-client-params.dynamodb.Scan", lambda params, **_: {**params, "Limit": 2})
    found: set[str] = set()
    for segment in range(PARTS):
        after: Key | None = None
        while True:
            page = next(doctor_store.read_segment(segment, PARTS, after, START))
            assert not found & set(page.unresumed)
            found |= set(page.unresumed)
            if (after := page.last_key) is None:
                break
    assert found == tokens


@pytest.mark.parametrize(
    ("size", "segments"), [(0, 1), (SEGMENT_BYTES - 1, 1), (SEGMENT_BYTES, 2), (3 * 10**11, 3001), (10**18, 1_000_000)]
)
def test_a_segment_has_a_hundred_megabytes(
    doctor_store: DoctorStore, client: Any, monkeypatch: pytest.MonkeyPatch, size: int, segments: int
) -> None:
    monkeypatch.setattr(client, "describe_table", lambda **_: {"Table": {"TableSizeBytes": size}})
    assert doctor_store.count_segments() == segments


def test_the_state_comes_back_as_it_was_saved(doctor_store: DoctorStore) -> None:
    first = DoctorState(ScanCursor(1, START), None, START)

    def read() -> DoctorState:
        return doctor_store.read_state(lambda: first)

    assert read() == first
    saved = DoctorState(ScanCursor(40, START, 12, {3: ("waitpoint_x", "token"), 7: None}), START + 1, START - 5)
    doctor_store.save_state(saved)
    assert read() == saved
    doctor_store.remember(["a", "b"])
    doctor_store.remember(["c"])
    doctor_store.forget(["b"])
    waiting = ((START, "waitpoint_x"), (START + 1, "waitpoint_y"))
    again = DoctorState(ScanCursor(2, START), START + 2, START, frozenset({"a", "c"}), waiting)
    doctor_store.save_state(again)
    assert read() == again
    doctor_store.forget(["a", "c"])
    assert read() == DoctorState(ScanCursor(2, START), START + 2, START, oldest=waiting)


def test_the_state_says_whether_another_version_ran_last(doctor_store: DoctorStore) -> None:
    state = DoctorState(ScanCursor(1, START), START, START)

    def is_of_other_version() -> bool:
        return doctor_store.read_state(lambda: state).is_of_other_version

    seen = [is_of_other_version()]
    doctor_store.save_state(state)
    seen.append(is_of_other_version())
    doctor_store._table.update(STATE_KEY, {"lastRun": START + 1})  # as one does that does not know `ranAs`
    seen.append(is_of_other_version())
    doctor_store._table.update(STATE_KEY, {"ranAs": {"version": VERSION + 1, "at": START + 1}})
    assert [*seen, is_of_other_version()] == [False, False, True, True]


def test_the_state_says_that_deliveries_are_recorded_before_the_first_run_and_after_it(doctor_store: DoctorStore) -> None:
    first = DoctorState(ScanCursor(1, START), None, START)
    doctor_store._table.update(STATE_KEY, {RECORDS_DELIVERIES: True})
    assert doctor_store.read_state(lambda: first) == replace(first, records_deliveries=True)
    doctor_store.save_state(first)
    assert doctor_store.read_state(lambda: replace(first, last_scan=0)) == replace(first, records_deliveries=True)


def test_marks_are_read(doctor_store: DoctorStore, store: Store) -> None:
    made = [ids.new_id(START + number) for number in range(3)]
    for token_id in made:
        store.mark_unresumed(token_id, START)
    assert doctor_store.read_marks() == made
