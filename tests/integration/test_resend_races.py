"""A recorded delivery is sent again at the same moment as something else happens to it, its token or its key.

One outcome and one record come of it, on moto's DynamoDB and a fake Step Functions that accepts one answer per task.
"""

import threading
from collections.abc import Callable
from functools import partial, partialmethod
from typing import Any

import pytest

from tests.support.example_requests import EXAMPLE_ENDPOINT, EXAMPLE_SECRET_ID, put_example_endpoint, record_delivery
from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tests.support.races import race
from waitpoints.api.endpoints import deletion
from waitpoints.aws.delivery_store import SHARDS, DeliveryStore, row_partition
from waitpoints.endpoint import Endpoint
from waitpoints.recorded_delivery import RecordedDelivery
from waitpoints.waiter_result import Success
from waitpoints.wiring import services

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_metrics", "clock")]

TIMES = 6


@pytest.fixture
def endpoint(stack: MotoStack) -> Endpoint:
    return put_example_endpoint()


@pytest.fixture
def objects_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto closes an object that is deleted while another thread reads it."""
    turn = threading.Lock()

    def in_turn(method: Callable[..., Any], *arguments: Any) -> Any:
        with turn:
            return method(*arguments)

    for name in ("contents", "_delete_contents"):
        monkeypatch.setattr(DeliveryStore, name, partialmethod(partial(in_turn, getattr(DeliveryStore, name))))


def resend(api: Api, delivery: RecordedDelivery, **body: Any) -> Callable[[], HttpAnswer]:
    path = f"/api/v1/endpoints/{EXAMPLE_ENDPOINT}/deliveries/{delivery.id}/resend"
    return lambda: api.post(path, body)


def delete(endpoint: Endpoint, delivery: RecordedDelivery) -> HttpAnswer:
    deletion.delete(endpoint, delivery)
    return HttpAnswer(200, {}, "")


def lost(number: int) -> tuple[RecordedDelivery, str]:
    """A delivery that is recorded, and the key that it names."""
    return record_delivery(
        EXAMPLE_SECRET_ID, f'{{"workflow_run": {{"id": {number}}}}}'.encode()
    ), f"{EXAMPLE_ENDPOINT}:{number}"


def resends_of(stack: MotoStack, delivery: RecordedDelivery) -> list[str]:
    """The ids of what was recorded as sent again, none of it pending."""
    rows = [row for shard in range(SHARDS) for row in stack.items(row_partition(EXAMPLE_SECRET_ID, shard))]
    found = [row for row in rows if row.get("resendOf", {}).get("S") == delivery.id]
    assert all("kind" in row for row in found)
    return [f"delivery_{row['item']['S']}" for row in found]


@pytest.mark.usefixtures("endpoint")
def test_with_one_key_against_a_create_there_is_one_record_and_the_run_goes_on_once(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions
) -> None:
    for number in range(TIMES):
        delivery, key = lost(number)
        again = resend(api, delivery, idempotencyKey="once")
        create: Callable[[], HttpAnswer] = partial(api.post, "/api/v1/waitpoints/tokens", {"idempotencyKey": key})
        *sent, created = race([again, again, again, create])
        task = api.wait(created.json, step_functions, unwrap=True)
        assert {answer.status for answer in sent} == {200}
        assert len({answer.text for answer in sent}) == 1
        row = sent[0].json
        assert (row["kind"] in ("completed", "kept"), row["tokenId"]) == (True, created.json["id"])
        assert resends_of(stack, delivery) == [row["id"]]
        assert step_functions.result(task) == Success(f'{{"workflow_run": {{"id": {number}}}}}')
        assert step_functions.calls[task] == 1
        assert "otherDeliveries" not in api.retrieve(row["tokenId"])


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize("to_token", [False, True])
def test_many_times_one_of_them_completes_the_token(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions, to_token: bool
) -> None:
    for number in range(TIMES):
        delivery, key = lost(number)
        token = api.create(**({} if to_token else {"idempotencyKey": key}))
        task = api.wait(token, step_functions)
        sent = race([resend(api, delivery, **({"tokenId": token["id"]} if to_token else {}))] * 4)
        assert sorted(answer.json["kind"] for answer in sent) == ["completed", "repeated", "repeated", "repeated"]
        assert sorted(resends_of(stack, delivery)) == sorted(answer.json["id"] for answer in sent)
        assert step_functions.calls[task] == 1
        assert api.retrieve(token["id"])["otherDeliveries"]["count"] == 3


@pytest.mark.usefixtures("objects_in_turn")
def test_against_its_deletion_it_is_sent_or_was_never_there(api: Api, stack: MotoStack, endpoint: Endpoint) -> None:
    statuses = set()
    for number in range(TIMES):
        delivery, key = lost(number)
        token = api.create(idempotencyKey=key)
        deletion: Callable[[], HttpAnswer] = partial(delete, endpoint, delivery)
        _, answer = race([deletion, resend(api, delivery)])
        statuses.add(answer.status)
        is_sent = answer.status == 200
        assert is_sent or answer.json["code"] == "DeliveryNotFound"
        assert resends_of(stack, delivery) == [], "they go with it, whichever was first"
        assert stack.items(f"resend#{delivery.id}") == [] or not is_sent
        assert api.retrieve(token["id"])["status"] == "COMPLETED" or not is_sent
        assert services.deliveries.get(EXAMPLE_SECRET_ID, delivery.id) is None
    assert statuses <= {200, 404}


@pytest.mark.usefixtures("endpoint")
def test_against_the_timeout_it_completes_the_token_or_is_late(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions, clock: FakeClock
) -> None:
    for number in range(TIMES):
        delivery, key = lost(number)
        token = api.create(idempotencyKey=key, timeout="60s")
        clock.advance(1)  # what ends in its first millisecond looks like an early completion
        task = api.wait(token, step_functions)

        def time_out(token_id: str = token["id"]) -> HttpAnswer:
            clock.advance(seconds=60)
            services.tokens.expire(token_id)
            return HttpAnswer(200, {}, "")

        _, *sent = race([time_out, *[resend(api, delivery, idempotencyKey="once")] * 2])
        row = sent[0].json
        assert {answer.text for answer in sent} == {sent[0].text}
        status = api.retrieve(token["id"])["status"]
        assert (row["kind"], status) in (("completed", "COMPLETED"), ("late", "TIMED_OUT"))
        assert resends_of(stack, delivery) == [row["id"]]
        assert step_functions.calls[task] == 1
