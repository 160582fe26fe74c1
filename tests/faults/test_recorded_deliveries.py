"""Whatever call fails, a recorded delivery is processed or pending, and the doctor ends that. It has one outcome."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from unittest import mock

import pytest

from tests.support.faults.aws import client
from tests.support.faults.figures import Figures
from tests.support.faults.flows import ENDPOINT_KEY, EVENT, LARGE, RESULT, an_endpoint
from tests.support.faults.matrix import Matrix
from tests.support.faults.wire import FAULTS, TOLD_APART, Fault, Killed
from tests.support.faults.world import Timeout, World
from tests.support.in_process.moto_stack import MotoStack
from tests.support.webhook_signer import sign
from tools.openapi.operations import ENDPOINTS
from waitpoints.aws.items import TOKEN, plain, token_from
from waitpoints.wiring import services

SECRET = "the secret of a provider"
OTHER_EVENT = EVENT.replace('"done": true', '"done": false')
LARGE_EVENT = f'{{"id": 1, "done": true, "result": {LARGE}}}'
SETTLED = {"completed", "kept"}


class RecordingWorld(World):
    """A stack with an endpoint that records what comes."""

    def __init__(self, stack: MotoStack) -> None:
        super().__init__(stack)
        self.deleted: set[str] = set()
        """The ids of the deliveries, and of tokens, that were deleted."""

    def receive(self, endpoint: dict[str, Any], event: str = EVENT, event_id: str = "event-1") -> None:
        """The provider sends an event until it is answered."""
        answer = self.http("POST", endpoint["url"], event.encode(), self.signed(endpoint, event, event_id))
        assert answer.status == 200, answer

    def signed(self, endpoint: dict[str, Any], event: str, event_id: str) -> dict[str, str]:
        signature = sign("stripe", event.encode(), endpoint["url"], time.time(), SECRET).headers
        return {"content-type": "application/json", "webhook-id": event_id, **signature}

    def leave_pending(self, endpoint: dict[str, Any], event: str = EVENT, event_id: str = "event-1") -> None:
        """The function dies before it processes the delivery, and the provider does not send it again."""
        with mock.patch("waitpoints.api.endpoints.endpoint_delivery.process", side_effect=Killed):
            assert self.http_once("POST", endpoint["url"], event.encode(), self.signed(endpoint, event, event_id)) is None

    def send_again(self, endpoint: dict[str, Any], **body: Any) -> str:
        """The operator sends the only delivery again, with one key until it is answered. Returns what became of it."""
        [delivery_id] = [row for row, found in self.rows().items() if "resendOf" not in found]
        url = f"{ENDPOINTS}/{endpoint['name']}/deliveries/{delivery_id}/resend"
        answer = self.http("POST", url, json.dumps({"idempotencyKey": "once", **body}).encode(), self.authorized())
        assert answer.status == 200, answer
        return str(answer.json["kind"])

    def resends(self) -> list[str]:
        """What became of each delivery that was sent again."""
        return [row["kind"] for row in self.rows().values() if "resendOf" in row]

    def doctor_comes(self) -> None:
        """It may fail or die."""
        self.clock.advance(seconds=900)
        with suppress(Exception, Killed):
            self.lambdas.invoke("doctor", {})

    def rows(self) -> dict[str, dict[str, Any]]:
        """The recorded deliveries by their ids, and the marks by their kind."""
        items = map(plain, client("dynamodb").scan(TableName=self.table)["Items"])
        return {f"delivery_{item['item']}": item for item in items if item["id"].startswith("deliveries#")}

    def left(self, endpoint: dict[str, Any]) -> list[str]:
        """What the table and the bucket still have of an endpoint's deliveries, but for the marks."""
        secret_id = endpoint["url"].rsplit("/", 1)[1][:24]
        items = map(plain, client("dynamodb").scan(TableName=self.table)["Items"])
        found = [it for it in items if it["id"].startswith(("deliveries#", "delivery event#", "resend#"))]
        ids = [it["id"] for it in found if secret_id in (it.get("secretId"), it["id"].split("#")[1])]
        objects = client("s3").list_objects_v2(Bucket=os.environ["OUTPUT_BUCKET"], Prefix=f"deliveries/{secret_id}")
        return ids + [it["Key"] for it in objects.get("Contents", ())]

    def left_of(self, token: dict[str, Any]) -> list[str]:
        """What the table and the bucket still have of a token."""
        items = [str(item) for item in client("dynamodb").scan(TableName=self.table)["Items"]]
        objects = client("s3").list_objects_v2(Bucket=os.environ["OUTPUT_BUCKET"]).get("Contents", ())
        return [it for it in (*items, *(it["Key"] for it in objects)) if token["id"] in it]

    def a_day_passes(self) -> None:
        self.clock.advance(seconds=86_400)
        self.doctor_comes()

    def delete(self, endpoint: dict[str, Any], delivery_id: str) -> None:
        """An operator deletes a delivery until there is none. A retry after a lost answer finds that it is deleted."""
        self.deleted |= {delivery_id, *(it for it, row in self.rows().items() if row.get("resendOf") == delivery_id)}
        path = f"{ENDPOINTS}/{endpoint['name']}/deliveries/{delivery_id}"
        answer = self.http("DELETE", path, b"", self.authorized())
        assert answer.status in (200, 404), answer

    def token_ids(self) -> list[str]:
        """Without those that went with their delivery."""
        return [it for it in super().token_ids() if not self.deleted or services.store.find(it) is not None]

    def _wrong_with_keys(self) -> Iterator[str]:
        """A key whose early completion was deleted is free before it expires."""
        return iter(()) if self.deleted else super()._wrong_with_keys()

    def lost(self) -> list[str]:
        with self.lambdas.unwatched():
            self.doctor_comes()
        self.come_to_rest()
        return [*super().lost(), *self._wrong_with_records()]

    def _wrong_with_records(self) -> Iterator[str]:
        """A finished row says what its delivery did, and each outcome of a recorded delivery has its row."""
        rows, by_token, alive = self.rows(), dict[str, str](), self.token_ids()
        images = {image["id"]["S"]: token_from(plain(image)) for image in self._images(TOKEN) if image["id"]["S"] in alive}
        for token_id, token in images.items():
            if (by := getattr(token.outcome, "completed_by", None)) and by.record:
                by_token[token_id] = by.record
        for record in by_token.values():
            if record not in rows and record not in self.deleted:
                yield f"{record} settled a token and has no row"
        if repeated := [record for record, times in Counter(by_token.values()).items() if times > 1]:
            yield f"{repeated} settled more than one token"
        for delivery_id, row in rows.items():
            if (row.get("kind") in SETTLED) is not (by_token.get(row.get("tokenId", "")) == delivery_id):
                yield f"{delivery_id} is {row.get('kind')} and did something else"
        yield from (f"{delivery_id} is pending" for delivery_id, row in rows.items() if "kind" not in row)
        yield from (f"{mark} has a mark" for mark in services.deliveries.pending(self.clock()))


Flow = Callable[[RecordingWorld], None]
FLOWS: dict[str, Flow] = {}


def flow(function: Flow) -> Flow:
    FLOWS[function.__name__.replace("_", " ")] = function
    return function


def recording(world: RecordingWorld) -> dict[str, Any]:
    return an_endpoint(world, recordDeliveries="7d")


@flow
def make_an_endpoint_that_records(world: RecordingWorld) -> None:
    """From its first put on, the doctor looks for what is pending."""
    with world.faulty():
        endpoint = recording(world)
    world.leave_pending(endpoint)


@flow
def recorded_delivery_that_completes_a_token(world: RecordingWorld) -> None:
    endpoint, token = recording(world), world.create(idempotencyKey=ENDPOINT_KEY)
    execution = world.wait(token)
    with world.faulty():
        world.receive(endpoint)
    world.come_to_rest()
    world.expect(execution, token, RESULT)


@flow
def recorded_delivery_that_is_sent_twice_with_a_large_payload(world: RecordingWorld) -> None:
    endpoint, token = recording(world), world.create(idempotencyKey=ENDPOINT_KEY)
    execution = world.wait(token)
    world.clock.advance(seconds=1)
    with world.faulty():
        for _ in range(2):
            world.receive(endpoint, LARGE_EVENT)
    world.come_to_rest()
    world.expect(execution, token, LARGE)


@flow
def recorded_delivery_that_comes_first(world: RecordingWorld) -> None:
    endpoint = recording(world)
    with world.faulty():
        world.receive(endpoint)
        world.clock.advance(seconds=1)
        token = world.create(idempotencyKey=ENDPOINT_KEY)
    world.expect(world.wait(token), token, RESULT)


@flow
def recorded_delivery_that_matches_nothing(world: RecordingWorld) -> None:
    endpoint, token = recording(world), world.create(idempotencyKey=ENDPOINT_KEY)
    with world.faulty():
        world.receive(endpoint, OTHER_EVENT)
    assert world.token(token["id"]).outcome is None


@flow
def recorded_delivery_that_comes_late(world: RecordingWorld) -> None:
    endpoint, token = recording(world), world.create(idempotencyKey=ENDPOINT_KEY, timeout="10m")
    execution = world.wait(token)
    world.clock.advance(seconds=600)
    with world.faulty():
        world.receive(endpoint)
    world.come_to_rest()
    world.expect(execution, token, Timeout())


@flow
def repair_of_what_is_pending(world: RecordingWorld) -> None:
    """A token waits for the first one, the next comes first, and others match nothing or repeat."""
    endpoint, token = recording(world), world.create(idempotencyKey=ENDPOINT_KEY)
    execution = world.wait(token)
    for number, event in enumerate((EVENT, EVENT.replace("1", "2", 1), OTHER_EVENT, EVENT)):
        world.clock.advance(seconds=1)
        world.leave_pending(endpoint, event, f"event-{number}")
    with world.faulty():
        world.doctor_comes()
    world.doctor_comes()
    world.come_to_rest()
    world.expect(execution, token, RESULT)
    assert Counter(row["kind"] for row in world.rows().values()) == {"completed": 1, "kept": 1, "notMatching": 1, "repeated": 1}


@flow
def repair_of_a_deleted_endpoints_delivery(world: RecordingWorld) -> None:
    endpoint, token = recording(world), world.create(idempotencyKey=ENDPOINT_KEY)
    world.leave_pending(endpoint)
    world.delete_endpoint(endpoint)
    with world.faulty():
        world.doctor_comes()
    world.doctor_comes()
    assert (world.rows(), world.token(token["id"]).outcome) == ({}, None)


@flow
def deletion_of_what_was_kept(world: RecordingWorld) -> None:
    """The next create waits for the next delivery. What a create has claimed stays."""
    endpoint, claimed = recording(world), world.create(idempotencyKey=f"{ENDPOINT_KEY}0")
    world.receive(endpoint, LARGE_EVENT)
    world.receive(endpoint, EVENT.replace("1", "10", 1), "event-10")
    world.clock.advance(seconds=1)
    with world.faulty():
        for delivery_id in world.rows():
            world.delete(endpoint, delivery_id)
    token = world.create(idempotencyKey=ENDPOINT_KEY)
    execution = world.wait(token)
    assert (world.rows(), world.token(token["id"]).outcome) == ({}, None)
    world.receive(endpoint, EVENT, "event-2")
    world.come_to_rest()
    world.expect(execution, token, RESULT)
    world.expect(world.wait(claimed), claimed, RESULT)


@flow
def deletion_of_a_token(world: RecordingWorld) -> None:
    """With the delivery that settled it. It was sent again, and that was left pending. The key is free."""
    endpoint, token = recording(world), world.create(idempotencyKey=ENDPOINT_KEY, metadata={"order": 1}, timeout="1h")
    execution = world.wait(token)
    world.clock.advance(seconds=1)
    world.receive(endpoint, LARGE_EVENT)
    world.come_to_rest()
    with mock.patch("waitpoints.aws.delivery_store.DeliveryStore.finish", return_value=False):
        assert world.send_again(endpoint) == "pending"
    world.deleted |= world.rows().keys()
    with world.faulty():
        world.delete_token(token)
    assert {it.partition("#")[0] for it in world.left(endpoint)} <= {"delivery event", "resend"}
    world.advance(3_600_000)
    world.doctor_comes()
    assert world.left_of(token) == []
    assert execution.waits.result(execution.handles[0])
    again = world.create(idempotencyKey=ENDPOINT_KEY)
    assert not again["isCached"]
    other = world.wait(again)
    world.receive(endpoint, EVENT, "event-2")
    world.expect(other, again, RESULT)


@flow
def deletion_of_a_token_by_force(world: RecordingWorld) -> None:
    """Each run that waits is failed."""
    token = world.create(idempotencyKey=ENDPOINT_KEY, timeout="1h", metadata={"order": 1})
    executions = [world.wait(token, unwrap=unwrap, context=not unwrap) for unwrap in (True, False)]
    world.deleted.add(token["id"])
    with world.faulty():
        world.delete_token(token, "?force=true")
    world.advance(3_600_000)
    world.doctor_comes()
    assert world.left_of(token) == []
    for execution in executions:
        [result] = [execution.waits.result(handle) for handle in execution.handles]
        assert "WaitpointDeletedError" in str(result)


@flow
def deletion_of_what_was_sent_again(world: RecordingWorld) -> None:
    """What its resends have kept goes with it, and no run goes on by it."""
    endpoint = recording(world)
    world.receive(endpoint, OTHER_EVENT)
    world.put_endpoint_again(endpoint["name"], key="body.id", verify=endpoint["verify"], output="body.result")
    assert world.send_again(endpoint) == "kept"
    assert world.send_again(endpoint, idempotencyKey="twice") == "repeated"
    [delivery_id] = [it for it, row in world.rows().items() if "resendOf" not in row]
    world.clock.advance(seconds=1)
    with world.faulty():
        world.delete(endpoint, delivery_id)
    token = world.create(idempotencyKey=ENDPOINT_KEY)
    assert (world.rows(), world.token(token["id"]).outcome) == ({}, None)
    assert [it for it in world.left(endpoint) if not it.startswith(("delivery event#", "resend#"))] == []


@flow
def end_of_what_was_recorded(world: RecordingWorld) -> None:
    """A scan deletes it, and the next one what the first one could not. What was kept stays until its key expires."""
    endpoint, token = an_endpoint(world, recordDeliveries="6d", keyTTL="20d"), world.create(idempotencyKey=ENDPOINT_KEY)
    execution = world.wait(token)
    world.receive(endpoint)
    world.receive(endpoint, EVENT.replace("1", "10", 1), "event-10")
    world.leave_pending(endpoint, OTHER_EVENT, "event-11")
    world.come_to_rest()
    world.deleted |= world.rows().keys()
    world.clock.advance(seconds=6 * 86_400)
    with world.faulty():
        world.doctor_comes()
    world.a_day_passes()
    assert (world.rows(), {it.partition("#")[0] for it in world.left(endpoint)}) == ({}, {"delivery event"})
    world.expect(execution, token, RESULT)
    kept = world.create(idempotencyKey=f"{ENDPOINT_KEY}0")
    world.expect(world.wait(kept), kept, RESULT)


@flow
def deletion_of_an_endpoint_that_records(world: RecordingWorld) -> None:
    """All that it recorded goes without another call. What was kept stays until its key expires."""
    endpoint = an_endpoint(world, recordDeliveries="7d", keyTTL="20d")
    world.receive(endpoint)
    assert world.send_again(endpoint) == "repeated"
    world.leave_pending(endpoint, OTHER_EVENT, "event-11")
    world.clock.advance(seconds=61)
    world.deleted |= world.rows().keys()
    with world.faulty():
        world.delete_endpoint(endpoint)
        world.a_day_passes()
    world.a_day_passes()
    assert world.left(endpoint) == []
    token = world.create(idempotencyKey=ENDPOINT_KEY)
    world.expect(world.wait(token), token, RESULT)


@flow
def deletion_of_what_is_pending(world: RecordingWorld) -> None:
    """One has been processed, and kept, by a function that died."""
    endpoint = recording(world)
    world.leave_pending(endpoint)
    with mock.patch("waitpoints.api.endpoints.recording.finish", side_effect=Killed):
        world.http_once("POST", endpoint["url"], EVENT.encode(), world.signed(endpoint, EVENT, "event-2"))
    with world.faulty():
        for delivery_id in world.rows():
            world.delete(endpoint, delivery_id)
    world.doctor_comes()
    token = world.create(idempotencyKey=ENDPOINT_KEY)
    assert (world.rows(), world.token(token["id"]).outcome) == ({}, None)


@flow
def resend_that_completes_the_token_of_its_key(world: RecordingWorld) -> None:
    """The operator gets one answer, however often a call fails, and the provider's own event changes nothing then."""
    endpoint, token = recording(world), world.create(idempotencyKey=ENDPOINT_KEY)
    execution = world.wait(token)
    world.clock.advance(seconds=1)
    world.receive(endpoint, OTHER_EVENT)
    world.put_endpoint_again(endpoint["name"], key="body.id", verify=endpoint["verify"], output="body.result")
    with world.faulty():
        assert world.send_again(endpoint) == "completed"
        assert world.send_again(endpoint) == "completed"
    world.come_to_rest()
    world.expect(execution, token, RESULT)
    assert world.resends() == ["completed"]


@flow
def resend_of_a_large_payload_to_a_token_that_it_names(world: RecordingWorld) -> None:
    endpoint, token = recording(world), world.create(completeWhen="body.id", payloadSchema={"type": "string"})
    execution = world.wait(token)
    world.clock.advance(seconds=1)
    world.receive(endpoint, LARGE_EVENT.replace("true", "false"))
    with world.faulty():
        assert world.send_again(endpoint, tokenId=token["id"]) == "completed"
    world.come_to_rest()
    world.expect(execution, token, LARGE)
    assert world.resends() == ["completed"]


@flow
def resend_that_comes_first(world: RecordingWorld) -> None:
    endpoint = recording(world)
    world.receive(endpoint, OTHER_EVENT)
    world.put_endpoint_again(endpoint["name"], key="body.id", verify=endpoint["verify"], output="body.result")
    with world.faulty():
        assert world.send_again(endpoint) == "kept"
        world.clock.advance(seconds=1)
        token = world.create(idempotencyKey=ENDPOINT_KEY)
    world.expect(world.wait(token), token, RESULT)
    assert world.resends() == ["kept"]


@pytest.fixture(scope="module")
def matrix(stack: MotoStack, figures: Figures) -> Matrix[RecordingWorld]:
    return Matrix(FLOWS, lambda: RecordingWorld(stack), figures)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_recorded_delivery_is_processed_once(matrix: Matrix[RecordingWorld], flow: str) -> None:
    assert matrix.lost_without_faults(flow) == []


@pytest.mark.parametrize("flow", FLOWS)
def test_a_recorded_delivery_is_processed_once_when_a_call_fails(matrix: Matrix[RecordingWorld], flow: str) -> None:
    assert matrix.lost_in_choice(flow, FLOWS) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("fault", TOLD_APART, ids=lambda fault: fault.name)
@pytest.mark.parametrize("flow", FLOWS)
def test_a_recorded_delivery_is_processed_once_when_any_call_fails(
    matrix: Matrix[RecordingWorld], flow: str, fault: Fault
) -> None:
    assert matrix.lost_in_any(flow, fault, but=matrix.choice(FLOWS)) == {}


@pytest.mark.parametrize(
    "flow",
    [
        "recorded delivery that completes a token",
        "recorded delivery that comes first",
        "resend that completes the token of its key",
        "resend of a large payload to a token that it names",
        "resend that comes first",
        "deletion of a token",
        "deletion of a token by force",
        "deletion of what was sent again",
        "end of what was recorded",
        "deletion of an endpoint that records",
    ],
)
def test_a_function_that_dies_at_any_call_loses_no_recorded_delivery(matrix: Matrix[RecordingWorld], flow: str) -> None:
    calls = range(len(matrix.clean(flow)[0]))
    deaths = [fault for fault in FAULTS if fault.name.startswith("killed")]
    assert matrix.lost_in_calls(flow, [(number, fault) for number in calls for fault in deaths]) == {}
