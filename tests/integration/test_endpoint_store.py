"""Endpoints in the table.

`waitpoints/endpoint`
"""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.stores import Endpoints
from tests.support.races import race
from waitpoints.aws.endpoint_store import STATISTICS_KEPT, EndpointStore
from waitpoints.aws.items import DOCTOR, OVERDUE
from waitpoints.endpoint import DeliveryKind, Endpoint, EndpointStatistics, LastDelivery
from waitpoints.token import Verification

NOW = 1_800_000_000_000
SECRET_ID = "0123456789abcdef01234567"
OTHER_SECRET_ID = "f" * 24
PLAIN = Endpoint(name="github", secret_id=SECRET_ID, key="body.id", verify=None, created_at=NOW, updated_at=NOW)
FULL = replace(
    PLAIN,
    verify=Verification("token", "shared", "x-token"),
    complete_when="body.action == 'completed'",
    output="body.workflow_run",
    key_ttl="7d",
    tag="team-a",
)


DESCRIBED = replace(PLAIN, verify=Verification("hmac", "own", signing='{"header":"X-S","signed":"{body}"}'))


@pytest.fixture
def store(stack: MotoStack) -> EndpointStore:
    return Endpoints()


def of_shard(shard: str) -> EndpointStore:
    """The store of a function environment that counts in this shard."""
    store = Endpoints()
    store._shard = shard
    return store


class TestPut:
    @pytest.mark.parametrize("endpoint", [PLAIN, FULL, DESCRIBED], ids=["with defaults", "with every setting", "described"])
    def test_comes_back_as_it_was_written(self, store: EndpointStore, endpoint: Endpoint) -> None:
        assert store.put(endpoint) == endpoint
        assert store.get("github") == endpoint

    def test_simultaneous_first_puts_agree_on_one_secret_id(self, store: EndpointStore) -> None:
        def put(number: int) -> Endpoint:
            at = NOW + number
            first = replace(PLAIN, secret_id=f"{number:024x}", created_at=at, updated_at=at)
            return Endpoints().put(first)

        answered = race([partial(put, number) for number in range(8)])
        assert len({(endpoint.secret_id, endpoint.created_at) for endpoint in answered}) == 1
        stored = Endpoints().get("github")
        assert stored is not None
        assert stored in answered


class TestSetDisabled:
    def test_that_enables_leaves_no_trace_for_a_version_that_does_not_know_it(
        self, stack: MotoStack, store: EndpointStore
    ) -> None:
        store.put(FULL)
        before = stack.every_item()
        store.set_disabled("github", True, NOW)
        assert stack.every_item() != before
        store.set_disabled("github", False, NOW)
        assert stack.every_item() == before

    @pytest.mark.parametrize("_", range(10))
    def test_and_a_simultaneous_put_or_delete_both_hold(self, store: EndpointStore, _: int) -> None:
        store.put(FULL)
        race([lambda: Endpoints().put(PLAIN), lambda: Endpoints().set_disabled("github", True, NOW)])
        assert store.get("github") == replace(PLAIN, disabled=True)
        race([lambda: Endpoints().delete("github"), lambda: Endpoints().set_disabled("github", True, NOW)])
        assert store.get("github") is None


class TestDelete:
    def test_then_put_makes_a_new_url(self, store: EndpointStore) -> None:
        store.put(PLAIN)
        store.delete("github")
        assert store.put(replace(PLAIN, secret_id=OTHER_SECRET_ID)).secret_id == OTHER_SECRET_ID

    @pytest.mark.parametrize("_", range(10))
    def test_and_a_simultaneous_put_leave_the_put_endpoint_whole_or_none(self, store: EndpointStore, _: int) -> None:
        store.put(PLAIN)
        again = replace(FULL, secret_id=OTHER_SECRET_ID, created_at=NOW + 5, updated_at=NOW + 5)
        put, deleted = race([lambda: Endpoints().put(again), lambda: Endpoints().delete("github")])
        assert deleted is True
        if put == again:  # the delete came first, so this is a new endpoint
            assert store.get("github") == again
        else:
            assert put == replace(again, secret_id=SECRET_ID, created_at=NOW)
            assert store.get("github") is None


def deliveries(kind: DeliveryKind, number: int, last: LastDelivery) -> EndpointStatistics:
    return EndpointStatistics({kind: number}, {kind: last})


EARLY = LastDelivery(at=NOW, ip="192.0.2.1", user_agent="GitHub", delivery_id="d-1", key="github:7", detail="half a sentence")
LATE = LastDelivery(at=NOW + 1000)


class TestStatistics:
    def test_without_a_delivery_are_empty(self, store: EndpointStore) -> None:
        assert store.read_statistics(SECRET_ID) == EndpointStatistics()

    def test_come_back_as_they_were_counted(self, store: EndpointStore) -> None:
        every = {kind: number for number, kind in enumerate(DeliveryKind, start=1)}
        added = EndpointStatistics(every, dict.fromkeys(DeliveryKind, EARLY))
        store.count(SECRET_ID, added)
        assert store.read_statistics(SECRET_ID) == added

    @pytest.mark.parametrize("shards", [("00", "00"), ("00", "15"), ("15", "00")], ids=["one shard", "two shards", "reverse"])
    def test_add_up_and_have_the_later_last_delivery(self, store: EndpointStore, shards: tuple[str, str]) -> None:
        for shard, last in zip(shards, (EARLY, LATE), strict=True):
            of_shard(shard).count(SECRET_ID, deliveries(DeliveryKind.KEPT, 2, last))
        of_shard("07").count(SECRET_ID, deliveries(DeliveryKind.REFUSED, 1, EARLY))
        assert Endpoints().read_statistics(SECRET_ID) == EndpointStatistics(
            {DeliveryKind.KEPT: 4, DeliveryKind.REFUSED: 1}, {DeliveryKind.KEPT: LATE, DeliveryKind.REFUSED: EARLY}
        )

    def test_of_simultaneous_environments_lose_nothing(self, store: EndpointStore) -> None:
        added = deliveries(DeliveryKind.COMPLETED, 3, EARLY)
        race([lambda: of_shard("00").count(SECRET_ID, added) for _ in range(8)])
        assert Endpoints().read_statistics(SECRET_ID).counts == {DeliveryKind.COMPLETED: 24}

    def test_belong_to_one_secret_id(self, store: EndpointStore) -> None:
        store.count(SECRET_ID, deliveries(DeliveryKind.KEPT, 1, EARLY))
        assert store.read_statistics(OTHER_SECRET_ID) == EndpointStatistics()

    def test_are_stored_by_names_that_every_version_reads(self, stack: MotoStack, store: EndpointStore) -> None:
        store.count(SECRET_ID, deliveries(DeliveryKind.KEPT, 1, EARLY))
        [item] = stack.every_item()
        assert set(item) == {"id", "item", "keptCount", "keptLast", "expiresAt"}
        assert set(item["keptLast"]["M"]) == {"at", "ip", "userAgent", "deliveryId", "key", "detail"}

    def test_expire_400_days_after_the_last_delivery(self, stack: MotoStack, store: EndpointStore) -> None:
        for last in (EARLY, LATE):
            store.count(SECRET_ID, deliveries(DeliveryKind.KEPT, 1, last))
        [item] = stack.every_item()
        assert int(item["expiresAt"]["N"]) == LATE.at // 1000 + STATISTICS_KEPT == LATE.at // 1000 + 400 * 86_400


@pytest.mark.parametrize("name", ["github", "token", "replies", "others", "schema", "key"])
def test_the_doctor_passes_over_endpoints_and_their_statistics(stack: MotoStack, store: EndpointStore, name: str) -> None:
    """Also over an endpoint that is named as a part of a token."""
    store.put(replace(FULL, name=name))
    store.count(SECRET_ID, deliveries(DeliveryKind.KEPT, 1, EARLY))
    before = stack.every_item()
    answer = stack.call("doctor", {})
    assert (answer["repaired"], answer["unrepaired"]) == (0, 0)
    assert [item for item in stack.every_item() if item["id"]["S"] not in (DOCTOR, OVERDUE)] == before


@pytest.mark.parametrize(
    "item",
    [
        {"retryAfter": {"N": "5"}},
        {"verify": {"M": {"scheme": {"S": "github"}, "secret": {"S": "github"}, "oldSecret": {"S": "x"}}}},
        {"verify": {"S": "mutual TLS"}},
    ],
)
def test_an_unknown_setting_is_of_a_later_version(stack: MotoStack, store: EndpointStore, item: dict[str, Any]) -> None:
    assert not store.put(FULL).is_later
    [stored] = stack.every_item()
    stack.put({**stored, **item})
    found = store.get(FULL.name)
    assert found
    assert (found.is_later, found.key) == (True, FULL.key)
    assert store.list_endpoints(None, 10)[0] == [found]
