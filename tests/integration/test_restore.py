"""A new stack with the table, the bucket and the two secrets of an old one: waits go on behind their old URLs."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from waitpoints_client.operator.deployed import Deployed, Outputs
from waitpoints_client.operator.restore import copy

from in_process.api_gateway import TOKENS, Api
from in_process.event_sources import Stream
from in_process.fakes.clock import FakeClock
from in_process.fakes.waits import FakeWaits
from in_process.moto_stack import MotoStack
from waitpoints import wiring
from waitpoints.waiter_result import Success

pytestmark = pytest.mark.slow  # makes stacks of its own

HOUR = 3_600_000
JSON = {"content-type": "application/json"}
RESTORED = "restored"
Restore = Callable[..., str]


@pytest.fixture
def deployed(stack: MotoStack) -> Deployed:
    found = Deployed("new", boto3.Session())
    vars(found)["outputs"] = Outputs(TableName=stack.resources["Table"]["Ref"])
    return found


@pytest.fixture
def restore(stack: MotoStack, deployed: Deployed) -> Any:
    """Lose the stack, restore its table to now, make a new stack with new secrets, and carry over what the page says."""
    secrets, dynamodb = boto3.client("secretsmanager"), boto3.client("dynamodb")
    keys = {name: stack.secret(name) for name in ("ApiKey", "SigningKey")}
    table = stack.resources["Table"]["Ref"]

    def restore(carry_keys: bool = True) -> str:
        dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=RESTORED, UseLatestRestorableTime=True)
        stack.empty_table()
        for name, key in keys.items():
            for value in ("before the first rotation", "generated for the new stack", *([key] if carry_keys else [])):
                secrets.put_secret_value(SecretId=stack.resources[name]["Id"], SecretString=value)
        forget_secrets()
        return str(copy(deployed, RESTORED))

    yield restore
    dynamodb.delete_table(TableName=RESTORED)
    for name, key in keys.items():
        secrets.put_secret_value(SecretId=stack.resources[name]["Id"], SecretString=key)
    forget_secrets()


def forget_secrets() -> None:
    """Read the secrets again, as the functions of a new stack do."""
    for service in ("urls", "credentials"):
        vars(wiring.services).pop(service, None)


def test_an_old_url_resumes_what_waits(api: Api, waits: FakeWaits, restore: Restore) -> None:
    handle = waits.start()
    token = api.create(**{waits.member: handle}, idempotencyKey="order-1", timeout="1h")

    assert restore() == "2 items read, 2 copied"

    assert api.post(token["url"], {"paid": True}, JSON).status == 200
    result = waits.result(handle)
    assert isinstance(result, Success)
    assert json.loads(result.json) == {"ok": True, "output": {"paid": True}}
    assert api.create(idempotencyKey="order-1") == {**token, "isCached": True}
    assert [it["id"] for it in api.get(TOKENS).json["data"]] == [token["id"]]


def test_without_the_signing_key_no_old_url_is_valid(api: Api, restore: Restore) -> None:
    token = api.create()
    restore(carry_keys=False)
    assert api.post(token["url"], {"paid": True}, JSON).status == 401


def test_what_was_resumed_is_not_resumed_again(api: Api, stack: MotoStack, waits: FakeWaits, restore: Restore) -> None:
    handle = waits.start()
    token = api.create(**{waits.member: handle})
    api.post(token["url"], {"paid": True}, JSON)
    before, stream = api.retrieve(token["id"]), Stream(stack)

    restore()
    stack.functions()["resume_waiters"].call({"Records": stream.records("resume_waiters")})

    assert waits.calls[handle] == 1
    assert api.retrieve(token["id"]) == before


def test_timers_are_started_again(api: Api, stack: MotoStack, clock: FakeClock, restore: Restore) -> None:
    token = api.create(timeout="1h")

    restore()
    stack.empty_queues()
    clock.advance(HOUR)
    stack.functions()["start_timers"].call({})

    messages = boto3.client("sqs").receive_message(QueueUrl=stack.resources["TimerQueue"]["Ref"])["Messages"]
    assert json.loads(messages[0]["Body"]) == {"waitpointId": token["id"]}


def test_the_doctor_times_out_what_was_due_in_the_meantime(
    api: Api, stack: MotoStack, clock: FakeClock, waits: FakeWaits, restore: Restore
) -> None:
    handle = waits.start()
    token = api.create(**{waits.member: handle}, timeout="1h")
    clock.advance(2 * HOUR)

    restore()
    found = stack.functions()["doctor"].call({})

    assert (found["finished"], found["undone"]) == (1, 0)
    assert api.retrieve(token["id"])["status"] == "TIMED_OUT"
    assert waits.result(handle) is not None


def test_what_the_new_table_has_already_stays(api: Api, deployed: Deployed, restore: Restore) -> None:
    token = api.create()
    restore()
    api.post(token["url"], {"n": 1}, JSON)
    assert str(copy(deployed, RESTORED)) == "1 items read, 0 copied"
    assert json.loads(api.retrieve(token["id"])["output"]) == {"n": 1}
