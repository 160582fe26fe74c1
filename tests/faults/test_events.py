"""With an event bus: nothing that has an event is left without one, and no waiter without its result, whatever call fails."""

import json
import os
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import boto3
import pytest

from tests.faults.conftest import Figures
from tests.support.faults.aws import unique
from tests.support.faults.flows import HOUR, LARGE, METADATA, NO, SMALL, Flow
from tests.support.faults.wire import FAULTS, Fault
from tests.support.faults.world import Ending, Timeout, World
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import Template
from waitpoints.wiring import services

KILLS = [fault for fault in FAULTS if fault.name.startswith("killed")]


class Bus:
    """A bus on moto with a rule that puts every event of the stack on a queue."""

    def __init__(self) -> None:
        self.name = unique("bus")
        events, self._sqs = boto3.client("events"), boto3.client("sqs")
        events.create_event_bus(Name=self.name)
        self._url = self._sqs.create_queue(QueueName=self.name)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]
        rule: dict[str, Any] = {"Name": "all", "EventBusName": self.name}
        events.put_rule(**rule, EventPattern=json.dumps({"source": ["waitpoints"]}))
        events.put_targets(Rule="all", EventBusName=self.name, Targets=[{"Id": "queue", "Arn": attributes["QueueArn"]}])

    def events(self) -> list[Any]:
        """Every event since the last call."""
        found: list[Any] = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return found


def settle_in_every_way(world: World) -> None:
    """Settle tokens with and without waiters; what the stream's consumers then do may fail."""
    completed, large, late = world.create(), world.create(), world.create(timeout="10m", **METADATA)
    failed = world.create(**METADATA)
    executions = [world.wait(completed), world.wait(late)]
    kept, claimed = unique("order"), unique("order")
    with world.without_fast_path():
        world.callback(completed, SMALL)
    world.callback(large, LARGE)
    world.fail(failed, NO)
    for key in (kept, claimed):
        world.complete_by_key(key, SMALL)
    world.create(idempotencyKey=claimed)
    with world.faulty():
        world.come_to_rest()
    world.pass_time(world.clock() + 600_000)
    outcomes: list[Ending] = [SMALL, Timeout()]
    for execution, token, outcome in zip(executions, (completed, late), outcomes, strict=True):
        world.expect(execution, token, outcome)


ASKING = {
    "title": "Deploy?",
    "approvers": ["ann", "bo"],
    "actions": [{"id": "go", "label": "Go", "needs": 2}],
    "remind": ["2h"],
    "escalate": {"after": "2h", "to": ["lead"]},
}


def ask_in_every_way(world: World) -> None:
    """Answer, remind and escalate; what the stream's consumers then do may fail."""
    token = world.create(page=ASKING)
    world.clock.advance(2 * HOUR)
    url = next(link["url"] for link in token["links"] if link["approver"] == "ann")
    world.http("POST", url, b'{"action": "go", "fields": {}}', {"content-type": "application/json"})
    services.timers.fire(token["id"])
    with world.faulty():
        world.come_to_rest()
    world.come_to_rest()


def run(stack: MotoStack, flow: Flow, fault: Fault | None = None, number: int = -1) -> tuple[list[str], list[str]]:
    """Run a flow with a fault in one call. Returns its calls, and what was lost."""
    bus = Bus()
    world = World(MotoStack(Template.load({"EventBusName": bus.name}), stack.resources))
    world.plan = lambda place, _: fault if place == number else None

    def written_at() -> datetime:
        return datetime.fromtimestamp(world.clock() / 1000, UTC).replace(tzinfo=None)

    with ExitStack() as until_the_end:
        until_the_end.enter_context(mock.patch.dict(os.environ, {"EVENT_BUS_NAME": bus.name}))
        until_the_end.enter_context(mock.patch("moto.dynamodb.models.table.utcnow", written_at))
        until_the_end.enter_context(world.alive())
        flow(world)
        events = bus.events()
        told = {event["detail"].get("eventId", event["detail"]["id"]) for event in events}
        tokens = [world.token(token_id) for token_id in world.token_ids()]
        expected = {token.id for token in tokens if token.early_until is None and token.outcome}
        if flow is ask_in_every_way:
            expected = {f"{tokens[0].id}/{what}" for what in ("answered/1", "reminder/1", "escalated/1")}
        lost = [f"{name} has no event" for name in expected - told]
        lost += [f"{name} has an event" for name in told - expected]
        described = {token.id for token in tokens if token.has_metadata and token.outcome}
        lost += [
            f"{it['id']} lacks its metadata, or has some"
            for it in (event["detail"] for event in events)
            if (it.get("metadata") == METADATA["metadata"]) is not (it["id"] in described)
        ]
        assert len(expected) in (3, 5)
        return world.wire.calls, world.lost() + lost


@pytest.mark.parametrize("flow", [settle_in_every_way, ask_in_every_way])
def test_nothing_is_lost_with_an_event_bus(stack: MotoStack, figures: Figures, flow: Flow) -> None:
    calls, lost = run(stack, flow)
    assert lost == []
    assert calls.count("events.PutEvents") >= 1
    figures.flows[f"{flow.__name__.replace('_', ' ')}, with an event bus"] = calls
    problems = {}
    for number, call in enumerate(calls):
        for fault in FAULTS if call in ("events.PutEvents", "dynamodb.GetItem") else KILLS:
            if fault.can_happen_to(call):
                figures.tried[fault.name] += 1
                _, lost = run(stack, flow, fault, number)
                if lost:
                    problems[f"{fault.name}, call {number}, {call}"] = lost
    figures.lost += len(problems)
    assert problems == {}
