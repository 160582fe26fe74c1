"""What was left unrepaired is found and finished."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.waits import DENIED, FakeWaits
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.settling import complete
from waitpoints.aws.items import NOTICES, primary_key, wire
from waitpoints.doctor.repair import Defect, DeliveryRepairs
from waitpoints.token import NewToken, Waiter
from waitpoints.waiter_result import Success
from waitpoints.wiring import services

MINUTE = 60_000


@pytest.fixture
def doctor(stack: MotoStack) -> Callable[[], Any]:
    return lambda: stack.call("doctor", {"command": "scanAll"})


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
    report = services.doctor.run(lambda: True, lambda: False, lambda _: DeliveryRepairs())
    assert (report.repairs.remaining, report.repairs.repaired) == ({token_id: Defect.UNDELIVERED}, set())


def test_removes_what_is_beside_a_token_once_that_is_gone(
    stack: MotoStack, api: Api, clock: FakeClock, doctor: Callable[[], Any]
) -> None:
    """None of it expires by itself, as the token's timeout may be moved: a key, a schema, a count and a record of notices."""
    wanted = {"payloadSchema": {"type": "object"}, "completeWhen": "body.done"}
    gone, waiting = (api.create(idempotencyKey=key, **wanted) for key in ("gone", "waiting"))
    for token in (gone, waiting):
        assert api.post(token["url"], {"done": False}).status == 200
        told = {"tokenId": token["id"], "createdAt": clock(), "claimedUntil": clock(), "slack": {"at": 1, "ref": "C1/1.2"}}
        item = {**primary_key(token["id"], NOTICES), **wire(told)["M"]}
        stack.put(item)
    complete(services.tokens, gone["id"], "{}")
    before = {(token["id"], item) for token in (gone, waiting) for item in ("key", "schema", "others", "notices")}
    clock.advance(services.store.retention * 1000 - 1)
    doctor()
    assert attachments() == before
    clock.advance(1)
    doctor()
    assert attachments() == {(token_id, item) for token_id, item in before if token_id == waiting["id"]}
    assert api.create(idempotencyKey="waiting") == {**waiting, "isCached": True}
    assert not api.create(idempotencyKey="gone")["isCached"]
    assert api.post(waiting["url"], {"done": True}).status == 200
    assert api.retrieve(waiting["id"])["otherDeliveries"]["count"] == 1
    assert services.tokens.find(waiting["id"]).notices["slack"].ref == "C1/1.2"


def attachments() -> set[tuple[str, str]]:
    pages = services.doctor._store.read_segment(0, 1, None, 0)
    return {(one.token_id, one.item) for page in pages for one in page.attachments}
