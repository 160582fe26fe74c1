"""The index of what is due, and its cursors."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.stores import Index
from waitpoints import ids
from waitpoints.aws.doctor_store import DoctorStore, ScanPage
from waitpoints.aws.due_index import INDEX, DueIndex
from waitpoints.aws.items import CURSORS, LIST_SHARDS, TOKEN, primary_key
from waitpoints.aws.store import Store
from waitpoints.errors import TimersNotStarted
from waitpoints.ports import Cursor, Timer
from waitpoints.token import ALL_CHECKED, Completed, Output, Token

START = FakeClock().now
HOUR = 3_600_000


@pytest.fixture
def index(stack: MotoStack) -> DueIndex:
    return Index()


def make(store: Any, due_at: int | None) -> Token:
    token = Token(id=ids.new_id(START), created_at=START, timeout_at=due_at, due_at=due_at)
    store.create(token, None, START)
    return token


def read_all(index: Any, until: int, limit: int = 1000, start: Cursor = Cursor()) -> list[Timer]:
    """Every entry of every shard, read on from where each read ended."""
    found: list[Timer] = []
    for shard in range(index.shards):
        cursor = start
        while cursor.due_at <= until:
            timers, cursor = index.read(shard, cursor, until, limit)
            assert len(timers) <= limit
            found += timers
    return found


def test_keeps_a_token_that_has_settled_and_says_that_it_no_longer_waits(store: Store, index: DueIndex) -> None:
    settled, waiting, gone = make(store, START + 5), make(store, START + 6), ids.new_id(START)
    store.complete(settled.id, Completed(START, Output("1")), ALL_CHECKED)
    assert {timer.token_id for timer in read_all(index, START + HOUR)} == {settled.id, waiting.id}
    assert index.find_waiting([settled.id, waiting.id, gone]) == {waiting.id}


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_reads_on_within_one_instant(store: Store, index: DueIndex, limit: int) -> None:
    """Everybody's deadline is midnight: more tokens may be due at one instant than one read returns."""
    tokens = [make(store, START) for _ in range(15)] + [make(store, START + 1)]
    found = read_all(index, START + 1, limit)
    assert index.shards == LIST_SHARDS
    assert sorted(timer.token_id for timer in found) == sorted(token.id for token in tokens)


def test_moves_a_cursor_only_from_where_it_was_read(index: DueIndex) -> None:
    first, second = Cursor(START, "waitpoint_x"), Cursor(START + 1)
    assert index.move_cursor(0, Cursor(), first)
    assert index.cursors() == [first, *[Cursor()] * (index.shards - 1)]
    assert index.move_cursor(0, first, second)
    assert not index.move_cursor(0, first, Cursor(START + 9))
    assert not index.move_cursor(0, Cursor(), Cursor(START + 9))
    assert not index.move_cursor(0, Cursor(START + 1, "waitpoint_x"), Cursor(START + 9))
    assert index.cursors()[0] == second


class TestOnDynamoDb:
    def test_a_move_whose_answer_was_lost_counts_as_done(self, index: DueIndex) -> None:
        """botocore sends the request again, and the condition no longer holds."""
        assert index.move_cursor(0, Cursor(), Cursor(START, "waitpoint_x"))
        assert index.move_cursor(0, Cursor(), Cursor(START, "waitpoint_x"))

    def test_a_copy_of_an_item_in_the_index_has_only_keys(self, stack: MotoStack, store: Store) -> None:
        make(store, START)
        table = stack.table
        [copy] = client_of("dynamodb").scan(TableName=table, IndexName=INDEX)["Items"]
        assert set(copy) == {"id", "item", "listShard", "dueAt"}

    def test_a_cursor_is_in_no_index_and_looks_like_no_other_item(self, stack: MotoStack, index: DueIndex) -> None:
        """The doctor scans it, and takes an item with a `tokenId` and without an expiry for an orphan."""
        index.move_cursor(2, Cursor(), Cursor(START))
        found = client_of("dynamodb").get_item(TableName=stack.table, Key=primary_key(CURSORS, "2"))
        assert set(found["Item"]) == {"id", "item", "dueAt", "after"}
        assert read_all(index, START) == []
        doctor_store = DoctorStore(client_of("dynamodb"), stack.table)
        [page] = doctor_store.read_segment(0, 1, None, START)
        assert page == ScanPage(1, [], [], [], [], None)

    def test_an_item_without_a_status_keeps_back_no_other(self, stack: MotoStack, store: Store, index: DueIndex) -> None:
        """Its shard's cursor would stop at it, and no timer of the shard be started any more."""
        poison, other = make(store, HOUR), make(store, HOUR)
        client_of("dynamodb").update_item(
            TableName=stack.table,
            Key=primary_key(poison.id, TOKEN),
            UpdateExpression="REMOVE #status",
            ExpressionAttributeNames={"#status": "status"},
        )
        assert index.find_waiting([poison.id, other.id]) == {other.id}

    def test_asks_again_for_keys_that_dynamodb_left(
        self, store: Store, index: DueIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It answers with at most 16 MB (BatchGetItem, API reference), and a token may have 300 KB."""
        tokens = [make(store, START).id for _ in range(7)]
        asked = answer_at_most(index, monkeypatch, 3)
        assert index.find_waiting(tokens) == set(tokens)
        assert asked == [7, 4, 1]

    def test_does_not_guess_about_keys_that_dynamodb_never_reads(
        self, store: Store, index: DueIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tokens = [make(store, START).id for _ in range(2)]
        answer_at_most(index, monkeypatch, 0)
        with pytest.raises(TimersNotStarted):
            index.find_waiting(tokens)

    def test_a_failure_is_not_taken_for_another_round(self, index: DueIndex, monkeypatch: pytest.MonkeyPatch) -> None:

        def fail(**_: Any) -> None:
            raise ReadTimeoutError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com/")

        monkeypatch.setattr(index._table.client, "update_item", fail)
        with pytest.raises(ReadTimeoutError):
            index.move_cursor(0, Cursor(), Cursor(START))


def answer_at_most(index: DueIndex, monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Have DynamoDB read at most that many keys of a request. Returns how many each request asks for."""
    asked: list[int] = []
    ask: Callable[..., Any] = index._table.client.batch_get_item

    def answer(RequestItems: dict[str, Any]) -> Any:
        [(table, wanted)] = RequestItems.items()
        keys = wanted["Keys"]
        asked.append(len(keys))
        left = {table: {**wanted, "Keys": keys[most:]}} if keys[most:] else {}
        if not most:
            return {"Responses": {}, "UnprocessedKeys": left}
        return {**ask(RequestItems={table: {**wanted, "Keys": keys[:most]}}), "UnprocessedKeys": left}

    monkeypatch.setattr(index._table.client, "batch_get_item", answer)
    return asked
