"""Recorded deliveries in the table and the bucket: what no request shows, and functions that race."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.stores import Deliveries
from tests.support.races import race
from waitpoints.aws.delivery_store import SHARDS, DeliveryStore
from waitpoints.endpoint import DeliveryKind
from waitpoints.recorded_delivery import (
    MAX_DETAIL,
    MAX_TEXT,
    Contents,
    RecordedDelivery,
    cut,
    new_delivery_id,
)

NOW = 1_800_000_000_000
SECRET_ID = "0123456789abcdef01234567"
OTHER_SECRET_ID = "f" * 24
CONTENTS = Contents({"content-type": "application/json"}, "a=1&b=%C3%BC", b'{"id": "4711"}\n\x00\xff')


def delivery(at: int = NOW, **other: Any) -> RecordedDelivery:
    return RecordedDelivery(id=new_delivery_id(at), at=at, size=len(CONTENTS.body), expires_at=at // 1000 + 60, **other)


@pytest.fixture
def store(stack: MotoStack) -> DeliveryStore:
    return Deliveries()


def begin(store: DeliveryStore, one: RecordedDelivery, once: str | None = None) -> RecordedDelivery:
    return store.begin(SECRET_ID, "github", one, CONTENTS, once)


def pending(store: DeliveryStore, until: int = NOW) -> list[tuple[str, str, str]]:
    return sorted(store.pending(until))


def test_is_pending_with_its_mark_until_it_is_finished(store: DeliveryStore) -> None:
    one = begin(store, delivery(delivery_id="event-1"))
    assert (store.get(SECRET_ID, one.id), pending(store)) == (one, [(SECRET_ID, "github", one.id)])
    assert (store.get(OTHER_SECRET_ID, one.id), pending(store, NOW - 1)) == (None, [])

    done = replace(one, kind=DeliveryKind.COMPLETED, key="github:4711", token_id="waitpoint_1")
    assert store.finish(SECRET_ID, done)
    assert (store.get(SECRET_ID, one.id), pending(store)) == (done, [])
    assert not store.finish(SECRET_ID, replace(done, kind=DeliveryKind.REPEATED))
    assert store.get(SECRET_ID, one.id) == done


def test_keeps_the_contents_byte_for_byte(store: DeliveryStore) -> None:
    one = begin(store, delivery())
    assert store.contents(SECRET_ID, one.id) == CONTENTS
    assert store.contents(OTHER_SECRET_ID, one.id) is None


def test_of_one_event_the_first_is_named(store: DeliveryStore) -> None:
    first = begin(store, delivery(delivery_id="event-1"))
    again = begin(store, delivery(delivery_id="event-1"))
    other = begin(store, delivery(delivery_id="event-2"))
    assert (first.repeat_of, again.repeat_of, other.repeat_of) == (None, first.id, None)
    assert store.get(SECRET_ID, again.id) == again
    assert len(pending(store)) == 3
    later = begin(store, delivery(NOW + 60_000, delivery_id="event-1"))
    assert later.repeat_of is None, "the first one has expired"


@pytest.mark.parametrize("once", [None, "k"])
def test_that_was_stored_by_an_attempt_whose_answer_was_lost_is_no_repeat(
    store: DeliveryStore, monkeypatch: pytest.MonkeyPatch, once: str | None
) -> None:
    """The next attempt conflicts with the first, and the one after that finds its own item."""
    write = store._table.client.transact_write_items

    def write_twice(**request: Any) -> Any:
        write(**request)
        return write(**request)

    with monkeypatch.context() as patched:
        patched.setattr(store._table.client, "transact_write_items", write_twice)
        one = begin(store, delivery(delivery_id="event-1", resend_of=once and "delivery_1"), once)
    assert one.repeat_of is None
    assert store.contents(SECRET_ID, one.id) == CONTENTS
    assert store.get(SECRET_ID, one.id) == one


def test_a_resend_is_found_by_its_key_until_it_expires(store: DeliveryStore) -> None:
    first = begin(store, delivery())
    resent = begin(store, delivery(resend_of=first.id), once="k")
    end = resent.expires_at * 1000
    assert store.find_resend(SECRET_ID, first.id, "k", end - 1) == resent
    assert store.find_resend(SECRET_ID, first.id, "k", end) is None


def test_the_resends_of_a_delivery_are_found_until_they_are_forgotten(store: DeliveryStore) -> None:
    first, other = begin(store, delivery()), begin(store, delivery())
    resent = [begin(store, delivery(resend_of=first.id), once) for once in ("k", "l", None, None)]
    begin(store, delivery(resend_of=other.id))
    assert {it.id for it in store.resends(SECRET_ID, first.id)} == {it.id for it in resent}
    store.delete(SECRET_ID, resent[0].id)
    assert {it.id for it in store.resends(SECRET_ID, first.id)} == {it.id for it in resent[1:]}
    store.forget_resends(first.id)
    assert (store.resends(SECRET_ID, first.id), len(store.resends(SECRET_ID, other.id))) == ([], 1)


def test_a_resend_that_is_beaten_leaves_no_contents(store: DeliveryStore) -> None:
    first = begin(store, delivery())
    begin(store, delivery(resend_of=first.id), once="k")
    beaten = delivery(resend_of=first.id)
    begin(store, beaten, once="k")
    assert (store.contents(SECRET_ID, beaten.id), store.get(SECRET_ID, beaten.id)) == (None, None)


def test_deleted_while_it_is_finished_one_of_both_sees_the_other(store: DeliveryStore) -> None:
    for _ in range(20):
        one = begin(store, delivery())
        kept = replace(one, kind=DeliveryKind.KEPT, token_id="waitpoint_1")
        racers: list[Callable[[], object]] = [partial(store.finish, SECRET_ID, kept), partial(store.delete, SECRET_ID, one.id)]
        is_finished, deleted = race(racers)
        assert deleted == (kept if is_finished else one)
        assert (store.get(SECRET_ID, one.id), pending(store)) == (None, [])


def test_dropped_it_is_gone_with_its_mark(store: DeliveryStore) -> None:
    one = begin(store, delivery())
    store.drop(SECRET_ID, one.id)
    assert (store.get(SECRET_ID, one.id), store.contents(SECRET_ID, one.id), pending(store)) == (None, None, [])
    store.drop(SECRET_ID, one.id)


def test_of_a_shard_no_more_are_read_than_asked_for(store: DeliveryStore) -> None:
    for _ in range(SHARDS + 1):
        begin(store, delivery())
    assert max(len(store.first_of_shard(SECRET_ID, shard, 1)) for shard in range(SHARDS)) == 1


def test_one_of_many_finishes_it(store: DeliveryStore) -> None:
    one = begin(store, delivery())
    kinds = [DeliveryKind.COMPLETED, DeliveryKind.REPEATED, DeliveryKind.NO_KEY]
    results = race([partial(store.finish, SECRET_ID, replace(one, kind=kind)) for kind in kinds])
    found = store.get(SECRET_ID, one.id)
    assert found is not None
    assert [kind for kind, won in zip(kinds, results, strict=True) if won] == [found.kind]


def test_a_row_has_at_most_a_kilobyte(stack: MotoStack, store: DeliveryStore) -> None:
    text, detail = cut("é" * 1000), cut("é" * 1000, MAX_DETAIL)
    assert text is not None
    assert detail is not None
    assert (len(text.encode()), len(detail.encode())) == (MAX_TEXT, MAX_DETAIL)
    texts: dict[str, Any] = {"key": text, "delivery_id": text, "user_agent": text, "ip": "ffff:" * 8, "by": "n" * 64}
    ids: dict[str, Any] = {
        "token_id": f"waitpoint_{'0' * 26}",
        "repeat_of": new_delivery_id(NOW),
        "resend_of": new_delivery_id(NOW),
    }
    one = replace(delivery(), kind=DeliveryKind.NOT_MATCHING, detail=detail, **texts, **ids)
    store.begin(SECRET_ID, "github", one, CONTENTS)
    [row] = [item for item in stack.every_item() if item["id"]["S"].startswith("deliveries#")]
    assert sum(len(name) + len(next(iter(value.values())).encode()) for name, value in row.items()) <= 1024
    assert int(row["expiresAt"]["N"]) - one.expires_at == 3 * 86_400, "TTL is later than the doctor's scan"


def test_shows_a_kind_that_only_a_later_version_knows(store: DeliveryStore) -> None:
    one = begin(store, delivery())
    assert store.finish(SECRET_ID, replace(one, kind="forwarded"))
    found = store.get(SECRET_ID, one.id)
    assert found is not None
    assert found.kind == "forwarded"
