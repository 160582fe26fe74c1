"""With an event bus: nothing that has an event is left without one, and no waiter without its result, whatever call fails."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import boto3
import pytest

from tests.support.faults.aws import unique
from tests.support.faults.figures import Figures
from tests.support.faults.flows import HOUR, LARGE, METADATA, NO, SMALL
from tests.support.faults.matrix import Matrix
from tests.support.faults.wire import FAULTS
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


class EventWorld(World):
    """A stack with an event bus, which gets an event for each step of a token that has one, and no other."""

    def __init__(self, stack: MotoStack) -> None:
        self.bus = Bus()
        super().__init__(MotoStack(Template.load({"EventBusName": self.bus.name}), stack.resources))
        self.steps: tuple[str, ...] = ()
        """What happens to the first token, if that has events and not the ends of all."""

    @contextmanager
    def alive(self) -> Iterator[None]:
        with mock.patch.dict(os.environ, {"EVENT_BUS_NAME": self.bus.name}), self.written_by_the_clock(), super().alive():
            yield

    def lost(self) -> list[str]:
        events = self.bus.events()
        named = {event["detail"].get("eventId", event["detail"]["id"]) for event in events}
        tokens = [self.token(token_id) for token_id in self.token_ids()]
        expected = {f"{tokens[0].id}/{step}" for step in self.steps} or {
            token.id for token in tokens if token.early_until is None and token.outcome
        }
        assert len(expected) in (4, 5)
        described = {token.id for token in tokens if token.has_metadata and token.outcome}
        return [
            *super().lost(),
            *(f"{name} has no event" for name in expected - named),
            *(f"{name} has an event" for name in named - expected),
            *(
                f"{it['id']} lacks its metadata, or has some"
                for it in (event["detail"] for event in events)
                if (it.get("metadata") == METADATA["metadata"]) is not (it["id"] in described)
            ),
        ]


def settle_in_every_way(world: EventWorld) -> None:
    """Settle tokens with and without waiters; what the stream's consumers then do may fail."""
    completed, large, late = world.create(), world.create(), world.create(timeout="10m", **METADATA)
    failed = world.create(**METADATA)
    executions = [world.wait(completed), world.wait(late)]
    kept, claimed = unique("order"), unique("order")
    with world.without_fast_path():
        world.deliver(completed, SMALL)
    world.deliver(large, LARGE)
    world.fail(failed, NO)
    for key in (kept, claimed):
        world.complete_by_key(key, SMALL)
    world.create(idempotencyKey=claimed)
    with world.faulty():
        world.come_to_rest()
    world.advance(600_000)
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


def ask_in_every_way(world: EventWorld) -> None:
    """Hand over, answer, remind and escalate; what the stream's consumers then do may fail."""
    world.steps = ("handed_over/1", "answered/1", "reminder/1", "escalated/1")
    token = world.create(page=ASKING)
    world.clock.advance(2 * HOUR)
    world.hand_over(token, ["cy"], ["bo"], 200)
    world.answer(token, "ann", '{"action": "go", "fields": {}}')
    services.timers.fire(token["id"])
    with world.faulty():
        world.come_to_rest()
    world.come_to_rest()


FLOWS = {
    "settle in every way, with an event bus": settle_in_every_way,
    "ask in every way, with an event bus": ask_in_every_way,
}


@pytest.mark.parametrize("flow", FLOWS)
def test_nothing_is_lost_with_an_event_bus(stack: MotoStack, figures: Figures, flow: str) -> None:
    matrix = Matrix(FLOWS, lambda: EventWorld(stack), figures)
    assert matrix.lost_without_faults(flow) == []
    calls = matrix.clean(flow)[0]
    assert calls.count("events.PutEvents") >= 1
    tried = [FAULTS if call in ("events.PutEvents", "dynamodb.GetItem") else KILLS for call in calls]
    chosen = [(it, fault) for it, faults in enumerate(tried) for fault in faults if fault.can_happen_to(calls[it])]
    assert matrix.lost_in_calls(flow, chosen) == {}
