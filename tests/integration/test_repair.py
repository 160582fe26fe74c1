"""What was left unrepaired is found and finished."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.waits import DENIED, FakeWaits
from tests.support.in_process.moto_stack import MotoStack
from tests.support.settling import complete
from waitpoints.aws.items import NOTICES, primary_key, wire
from waitpoints.doctor.repair import Defect
from waitpoints.token import ALL_CHECKED, Attachment, Completed, NewToken, Waiter
from waitpoints.waiter_result import Success
from waitpoints.wiring import services

MINUTE = 60_000


@pytest.fixture
def doctor(stack: MotoStack) -> Callable[[], Any]:
    return lambda: stack.functions()["doctor"].call({"command": "scanAll"})


@pytest.fixture
def undelivered(clock: FakeClock, waits: FakeWaits) -> Callable[[], tuple[str, Waiter]]:
    def make() -> tuple[str, Waiter]:
        """A settled token whose waiter was never resumed."""
        waiter = Waiter(waits.start(), clock(), kind=waits.kind)
        token_id = services.tokens.create(NewToken(waiter=waiter), clock()).token_id
        services.store.complete(token_id, Completed(clock(), services.outputs.store(token_id, "1")), ALL_CHECKED)
        return token_id, waiter

    return make


def test_finishes_undelivered_and_overdue_tokens(
    doctor: Callable[[], Any],
    undelivered: Callable[[], tuple[str, Waiter]],
    clock: FakeClock,
    waits: FakeWaits,
) -> None:
    _, waiter = undelivered()
    late = Waiter(waits.start(), clock(), kind=waits.kind)
    overdue = services.tokens.create(NewToken(timeout_at=clock() + MINUTE, waiter=late), clock()).token_id
    clock.advance(3 * MINUTE)
    answer = doctor()
    assert (answer["repaired"], answer["unrepaired"]) == (2, 0)
    assert waits.result(waiter.handle) == Success('{"ok":true,"output":1}')
    assert waits.result(late.handle) is not None
    assert services.store.get(overdue).outcome is not None
    assert doctor()["repaired"] == 0


def test_leaves_recent_tokens_to_the_stream_and_the_timers(
    doctor: Callable[[], Any], undelivered: Callable[[], tuple[str, Waiter]], clock: FakeClock
) -> None:
    undelivered()
    services.tokens.create(NewToken(timeout_at=clock() + 1), clock())
    clock.advance(MINUTE)
    assert (doctor()["repaired"], doctor()["unrepaired"]) == (0, 0)


def test_reports_tokens_it_could_not_finish_and_finishes_the_rest(
    doctor: Callable[[], Any],
    undelivered: Callable[[], tuple[str, Waiter]],
    clock: FakeClock,
    waits: FakeWaits,
) -> None:
    tokens = [undelivered() for _ in range(3)]
    waits.fail_next(DENIED, times=100, handle=tokens[1][1].handle)
    clock.advance(2 * MINUTE)
    answer = doctor()
    assert (answer["repaired"], answer["undelivered"]) == (2, [tokens[1][0]])
    waits.fail_no_more()
    assert doctor()["unrepaired"] == 0


def test_starts_nothing_when_little_time_remains(undelivered: Callable[[], tuple[str, Waiter]], clock: FakeClock) -> None:
    token_id, _ = undelivered()
    clock.advance(2 * MINUTE)
    report = services.doctor.run(lambda: True, lambda: False)
    assert (report.repairs.remaining, report.repairs.repaired) == ({token_id: Defect.UNDELIVERED}, set())


def test_removes_a_key_without_expiry_once_its_token_is_gone(
    stack: MotoStack, api: Api, clock: FakeClock, doctor: Callable[[], Any]
) -> None:
    retention = services.store.retention * 1000
    gone, waiting = api.create(idempotencyKey="gone"), api.create(idempotencyKey="waiting")
    complete(services.tokens, gone["id"], "1")
    clock.advance(retention - 1)
    doctor()
    assert keys() == {gone["id"], waiting["id"]}
    clock.advance(1)
    doctor()
    assert keys() == {waiting["id"]}
    assert api.create(idempotencyKey="waiting") == {**waiting, "isCached": True}
    assert not api.create(idempotencyKey="gone")["isCached"]


def test_removes_a_schema_and_a_count_once_their_token_is_gone(api: Api, clock: FakeClock, doctor: Callable[[], Any]) -> None:
    wanted = {"payloadSchema": {"type": "object"}, "completeWhen": "body.done"}
    gone, waiting = api.create(**wanted), api.create(**wanted)
    for token in (gone, waiting):
        assert api.post(token["url"], {"done": False}).status == 200
    complete(services.tokens, gone["id"], "{}")
    before = {(token["id"], item) for token in (gone, waiting) for item in ("schema", "others")}
    clock.advance(services.store.retention * 1000 - 1)
    doctor()
    assert attachments() == before
    clock.advance(1)
    doctor()
    assert attachments() == {(waiting["id"], "schema"), (waiting["id"], "others")}
    assert api.post(waiting["url"], {"done": True}).status == 200
    assert api.retrieve(waiting["id"])["otherDeliveries"]["count"] == 1


def test_removes_the_notices_of_a_token_that_is_gone(
    stack: MotoStack, api: Api, clock: FakeClock, doctor: Callable[[], Any]
) -> None:
    """It has no expiry, as the token's timeout may be moved."""
    gone, waiting = api.create(), api.create()
    for token in (gone, waiting):
        told = {"tokenId": token["id"], "createdAt": clock(), "claimedUntil": clock(), "slack": {"at": 1, "ref": "C1/1.2"}}
        item = {**primary_key(token["id"], NOTICES), **wire(told)["M"]}
        boto3.client("dynamodb").put_item(TableName=stack.resources["Table"]["Ref"], Item=item)
    complete(services.tokens, gone["id"], "{}")
    clock.advance(services.store.retention * 1000 - 1)
    doctor()
    assert attachments() == {(gone["id"], "notices"), (waiting["id"], "notices")}
    clock.advance(1)
    doctor()
    assert attachments() == {(waiting["id"], "notices")}
    assert services.tokens.find(waiting["id"]).notices["slack"].ref == "C1/1.2"


def attachments() -> set[tuple[str, str]]:
    return {(one.token_id, one.item) for one in endless()}


def keys() -> set[str]:
    return {one.token_id for one in endless()}


def endless() -> list[Attachment]:
    return [one for page in services.doctor._store.read_segment(0, 1, None, 0) for one in page.attachments]
