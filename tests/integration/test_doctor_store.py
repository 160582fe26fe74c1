"""What the doctor reads of the table, on moto."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from waitpoints import ids
from waitpoints.aws.doctor_store import PART_BYTES, DoctorStore
from waitpoints.aws.items import DOCTOR, PLACE, REPLIES, TOKEN, plain, primary_key
from waitpoints.aws.store import Store
from waitpoints.ports import Page
from waitpoints.scan_state import MOST_OLDEST, Key, Place, Progress, Waiting, oldest
from waitpoints.token import Completed, IdempotencyKey, Output, Reply, ReplyKind, Token, Unchecked, Waiter
from waitpoints.wiring import services

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
    return str(stack.resources["Table"]["Ref"])


@pytest.fixture
def store(client: Any, table: str) -> Store:
    return Store(client, table, RETENTION)


@pytest.fixture
def doctor_store(client: Any, table: str, store: Store) -> DoctorStore:
    return DoctorStore(client, table, store.count_replies)


@pytest.fixture
def settled(store: Store) -> Callable[..., Token]:
    def make(waiters: int = 2, at: int = START, output: Output = OUTPUT) -> Token:
        kept = [Waiter(FakeStepFunctions().start_task(2048), START) for _ in range(waiters)]
        token = Token(id=ids.new_id(START), created_at=START, waiters={one.key: one for one in kept})
        store.create(token, None, START)
        store.complete(token.id, Completed(at, output), Unchecked.NONE)
        return token

    return make


def reply_as_before(client: Any, table: str, token_id: str, waiter: str) -> None:
    """Record a reply as a version does that knows no `replied`."""
    client.update_item(
        TableName=table,
        Key=primary_key(token_id, REPLIES),
        UpdateExpression="SET expiresAt = :expiresAt, #0 = :0",
        ExpressionAttributeNames={"#0": waiter},
        ExpressionAttributeValues={":expiresAt": {"N": "1"}, ":0": {"M": {"answer": {"S": "RESUMED"}, "at": {"N": "1"}}}},
    )


def read(doctor_store: DoctorStore, until: int = START) -> list[Page]:
    return [page for part in range(PARTS) for page in doctor_store.read_part(part, PARTS, None, until)]


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

    def test_is_counted_whole_if_an_older_version_recorded_all_replies(
        self, doctor_store: DoctorStore, client: Any, table: str, settled: Callable[..., Token]
    ) -> None:
        some, all_of_them = settled(), settled()
        reply_as_before(client, table, some.id, next(iter(some.waiters)))
        for waiter in all_of_them.waiters:
            reply_as_before(client, table, all_of_them.id, waiter)
        assert unresumed(doctor_store) == {some.id}

    def test_of_more_than_a_hundred_tokens_of_an_older_version(
        self, doctor_store: DoctorStore, client: Any, table: str, settled: Callable[..., Token]
    ) -> None:
        tokens = [settled(waiters=1, output=Output("1")) for _ in range(110)]
        for token in tokens[1:]:
            reply_as_before(client, table, token.id, next(iter(token.waiters)))
        [page] = doctor_store.read_part(0, 1, None, START)
        assert page.unresumed == [tokens[0].id]

    @pytest.mark.parametrize("newer_first", [True, False])
    def test_is_suspected_if_both_versions_recorded_replies_until_told_is_completed(
        self,
        doctor_store: DoctorStore,
        store: Store,
        client: Any,
        table: str,
        settled: Callable[..., Token],
        newer_first: bool,
    ) -> None:
        token = settled()
        one, other = token.waiters
        turns: list[Callable[[], None]] = [
            lambda: store.record_replies(token.id, {one: RESUMED}, START),
            lambda: reply_as_before(client, table, token.id, other),
        ]
        for record in turns if newer_first else turns[::-1]:
            record()
        assert store.get(token.id).unresumed() == []
        assert store.count_replies([token.id]) == {token.id: 2}
        assert unresumed(doctor_store) == {token.id}
        doctor_store.complete_replied(token.id, token.waiters)
        assert unresumed(doctor_store) == set()
        assert store.get(token.id).unresumed() == []


def test_told_is_not_completed_for_replies_that_are_gone(
    doctor_store: DoctorStore, settled: Callable[..., Token], client: Any, table: str
) -> None:
    token = settled()
    doctor_store.complete_replied(token.id, token.waiters)
    assert "Item" not in client.get_item(TableName=table, Key=primary_key(token.id, REPLIES))


def test_a_suspect_that_was_no_case_is_not_counted_and_suspected_no_more(
    doctor_store: DoctorStore, store: Store, client: Any, table: str, settled: Callable[..., Token], stack: MotoStack
) -> None:
    token = settled(at=services.now() - 120_000)
    one, other = token.waiters
    store.record_replies(token.id, {one: RESUMED}, START)
    reply_as_before(client, table, token.id, other)
    until = services.now() - 60_000
    assert unresumed(doctor_store, until) == {token.id}
    answer = stack.functions()["doctor"].call({"whole": True})
    assert (answer["finished"], answer["undone"]) == (0, 0)
    assert unresumed(doctor_store, until) == set()


def test_reads_tokens_that_are_due_or_not_in_the_due_index(doctor_store: DoctorStore, store: Store) -> None:
    due, later, old, endless = (
        Token(id=ids.new_id(START), created_at=START, timeout_at=timeout, due_at=wake)
        for timeout, wake in ((TIMEOUT, TIMEOUT), (TIMEOUT + 1, TIMEOUT + 1), (TIMEOUT + 1, None), (None, None))
    )
    for token in (due, later, old, endless):
        store.create(token, None, START)
    pages = read(doctor_store, TIMEOUT)
    assert [token_id for page in pages for token_id in page.overdue] == [due.id]
    assert [token_id for page in pages for token_id in page.without_due_at] == [old.id]
    assert [one for page in pages for one in page.oldest] == [(START, endless.id)]
    assert sum(page.items for page in pages) == 4


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
        pages = list(doctor_store.read_part(0, 1, None, START + 100))
        assert oldest(*(page.oldest for page in pages)) == tuple(made[:MOST_OLDEST])
        assert sum(len(page.oldest) for page in pages) < len(made)
        again = doctor_store.read_part(0, 1, None, START + 100, tuple(made[:MOST_OLDEST]))
        assert sorted(one for page in again for one in page.oldest) == made[:MOST_OLDEST]

    def test_still_waits_until_it_has_ended_has_a_timeout_or_is_gone(
        self, doctor_store: DoctorStore, store: Store, client: Any, table: str, waiting: Callable[[int], Waiting]
    ) -> None:
        first, ended, timed, gone, last = (waiting(START + number) for number in range(5))
        assert store.complete(ended[1], Completed(START, OUTPUT), Unchecked.NONE)[0]
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
    """A part that could not be read would never be read on, and no pass would end."""
    poison, others = settled(), [settled() for _ in range(5)]
    key = primary_key(poison.id, TOKEN)
    client.update_item(
        TableName=table, Key=key, UpdateExpression="SET waiterCount = :two", ExpressionAttributeValues={":two": {"N": "2.5"}}
    )
    assert unresumed(doctor_store) >= {poison.id, *(token.id for token in others)}
    client.delete_item(TableName=table, Key=key)


def test_a_token_without_a_wake_gets_one_from_the_doctor(stack: MotoStack, store: Store) -> None:
    timeout = services.now() + 3_600_000
    token = Token(id=ids.new_id(services.now()), created_at=services.now(), timeout_at=timeout)
    store.create(token, None, services.now())
    answer = stack.functions()["doctor"].call({})
    assert (answer["finished"], answer["undone"]) == (0, 0)
    assert store.get(token.id).due_at == timeout


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


def test_goes_on_after_a_key_of_its_part(doctor_store: DoctorStore, client: Any, settled: Callable[..., Token]) -> None:
    tokens = {settled(waiters=1).id for _ in range(10)}
    client.meta.events.register("provide-client-params.dynamodb.Scan", lambda params, **_: {**params, "Limit": 2})
    found: set[str] = set()
    for part in range(PARTS):
        after: Key | None = None
        while True:
            page = next(doctor_store.read_part(part, PARTS, after, START))
            assert not found & set(page.unresumed)
            found |= set(page.unresumed)
            if (after := page.stopped_at) is None:
                break
    assert found == tokens


@pytest.mark.parametrize(
    ("size", "parts"), [(0, 1), (PART_BYTES - 1, 1), (PART_BYTES, 2), (3 * 10**11, 3001), (10**18, 1_000_000)]
)
def test_a_part_has_a_hundred_megabytes(
    doctor_store: DoctorStore, client: Any, monkeypatch: pytest.MonkeyPatch, size: int, parts: int
) -> None:
    monkeypatch.setattr(client, "describe_table", lambda **_: {"Table": {"TableSizeBytes": size}})
    assert doctor_store.count_parts() == parts


def test_progress_comes_back_as_it_was_saved(doctor_store: DoctorStore) -> None:
    assert doctor_store.read_progress() is None
    saved = Progress(Place(40, START, 12, {3: ("waitpoint_x", "token"), 7: None}), START + 1, START - 5)
    doctor_store.save_progress(saved)
    assert doctor_store.read_progress() == saved
    doctor_store.remember_undone(["a", "b"])
    doctor_store.remember_undone(["c"])
    doctor_store.forget_undone(["b"])
    waiting = ((START, "waitpoint_x"), (START + 1, "waitpoint_y"))
    again = Progress(Place(2, START), START + 2, START, frozenset({"a", "c"}), waiting)
    doctor_store.save_progress(again)
    assert doctor_store.read_progress() == again
    doctor_store.forget_undone(["a", "c"])
    assert doctor_store.read_progress() == Progress(Place(2, START), START + 2, START, oldest=waiting)


def test_the_place_of_an_older_version_is_read_and_an_older_version_reads_the_place(
    doctor_store: DoctorStore, client: Any, table: str
) -> None:
    """An older version reads and sets attributes by their names, and leaves `oldest` as it was."""
    doctor_store.save_progress(Progress(Place(3, START, 2), START, START, oldest=((START, "waitpoint_x"),)))
    stored = plain(client.get_item(TableName=table, Key=primary_key(DOCTOR, PLACE))["Item"])
    assert stored.pop("oldest") == [{"since": START, "id": "waitpoint_x"}]
    times = {"begun": START, "lastRound": START, "lastPass": START}
    assert stored == {"id": "doctor", "item": "place", "parts": 3, "next": 2, "open": [], **times}
    client.update_item(TableName=table, Key=primary_key(DOCTOR, PLACE), UpdateExpression="REMOVE oldest")
    assert doctor_store.read_progress() == Progress(Place(3, START, 2), START, START)


def test_marks_are_read(doctor_store: DoctorStore, store: Store) -> None:
    made = [ids.new_id(START + number) for number in range(3)]
    for token_id in made:
        store.mark_unresumed(token_id, START)
    assert doctor_store.read_marks() == made
