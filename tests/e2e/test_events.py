"""The examples in examples/events_…, by the stream, a function's role, a bus and rules: no settled token is without its event.

The emulator refuses only the content of an event. `test_event_publisher.py` has what else can fail, and
`test_settled_event.py` what an event says.
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle
from typing import Any

import pytest

from tests.support import figures
from tests.support.e2e.api import Api
from tests.support.e2e.examples import deployed_example
from tests.support.e2e.parameters import given
from tests.support.patience import PATIENCE
from waitpoints_local.stack import Stack

CLIENTS = 8

Settle = Callable[[Api], str]
"""Settles a token of its own, in time. Returns the token's id."""


def complete(api: Api) -> str:
    token = api.create(tags=["no waiter"])
    assert api.deliver(token, {"approved": True}).status == 200
    return str(token["id"])


def complete_what_is_waited_for(api: Api) -> str:
    token, _ = api.awaited()
    assert api.deliver(token, {"approved": True}).status == 200
    return str(token["id"])


def fail(api: Api) -> str:
    token = api.create()
    api.complete(token, error={"message": "It is out of stock", "name": "OutOfStock"})
    return str(token["id"])


def let_time_out(api: Api) -> str:
    return str(api.create(timeout="1s")["id"])


def adopt_a_completion(api: Api) -> str:
    key = f"events:{time.monotonic_ns()}"
    kept = api.request("POST", "/api/v1/waitpoints/complete", {"idempotencyKey": key, "data": 1})
    assert api.create(idempotencyKey=key)["id"] == kept.json["id"]
    return str(kept.json["id"])


def complete_with_what_events_refuse(api: Api) -> str:
    token = api.create()
    assert api.send(token["url"], b"9223372036854775808", {"content-type": "application/json"}).status == 200
    return str(token["id"])


WAYS: list[Settle] = [
    complete,
    complete_what_is_waited_for,
    fail,
    let_time_out,
    adopt_a_completion,
    complete_with_what_events_refuse,
]


@pytest.fixture(scope="module")
def bus(stack: Stack) -> Iterator[str]:
    """A bus that the running stack is given, and that it has no more afterwards."""
    name = f"settled-{time.time_ns()}"
    stack.client("events").create_event_bus(Name=name)
    with given(stack, "EventBusName", name):
        yield name
    stack.client("events").delete_event_bus(Name=name)


def until_all(ids: set[str], read: Callable[[], list[Any]]) -> list[Any]:
    """Read events until each of these tokens, or of their events' ids, has one. Returns all that were read."""
    found: list[Any] = []
    until = time.monotonic() + PATIENCE
    while missing := ids - {_id_of(event) for event in found}:
        assert time.monotonic() < until, f"{len(missing)} of {len(ids)} are without an event"
        found += read()
    return found


def _id_of(event: Any) -> str:
    detail = event["detail"]
    return str(detail.get("eventId", detail["id"]))


def started_by(stack: Stack, state_machine_arn: str) -> Callable[[], list[Any]]:
    """Returns a function that returns the inputs of executions that it has not returned before."""
    step_functions = stack.client("stepfunctions")
    seen: set[str] = set()

    def read() -> list[Any]:
        pages = step_functions.get_paginator("list_executions").paginate(stateMachineArn=state_machine_arn)
        new = {it["executionArn"] for page in pages for it in page["executions"]} - seen
        seen.update(new)
        time.sleep(0 if new else 0.2)
        return [json.loads(step_functions.describe_execution(executionArn=arn)["input"]) for arn in new]

    return read


def queued(stack: Stack, url: str) -> list[Any]:
    answer = stack.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.fixture(scope="module", params=[pytest.param(24, marks=pytest.mark.few), pytest.param(100, marks=pytest.mark.thorough)])
def count(request: pytest.FixtureRequest) -> int:
    """How many tokens are settled."""
    return int(request.param)


@pytest.fixture(scope="module")
def settled(api: Api, bus: str, count: int) -> Iterator[tuple[dict[str, Settle], dict[str, str]]]:
    """Settled tokens, each with how it settled, and the outputs of the examples that were told of them."""
    with (
        deployed_example(api.stack, "events_to_state_machine") as machine,
        deployed_example(api.stack, "events_to_queue") as queue,
    ):
        ways = [way for _, way in zip(range(count), cycle(WAYS), strict=False)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            ids = list(pool.map(lambda way: way(api), ways))
        yield dict(zip(ids, ways, strict=True)), {**machine, **queue}


def test_a_rule_starts_a_state_machine_for_each_settled_token(
    api: Api, count: int, settled: tuple[dict[str, Settle], dict[str, str]]
) -> None:
    ways, outputs = settled
    assert len(ways) == count
    started = time.monotonic()
    events = until_all(set(ways), started_by(api.stack, outputs["StateMachineArn"]))
    lag = time.monotonic() - started
    told = sum(event["detail"]["id"] in ways for event in events)
    figures.show(f"events: {told} executions for {count} settled tokens, the last {lag:.1f} s after the last request")
    said = {event["detail"]["id"]: event for event in events}
    assert said.keys() >= ways.keys()
    for token_id, way in ways.items():
        event = said[token_id]
        assert event["source"] == "waitpoints"
        assert event["detail-type"] == ("waitpoint.timed_out" if way is let_time_out else "waitpoint.completed")
        assert event["detail"].get("outputRefused", False) is (way is complete_with_what_events_refuse)


def test_a_queue_gets_each_token_that_failed_or_timed_out_and_no_other(
    api: Api, settled: tuple[dict[str, Settle], dict[str, str]]
) -> None:
    ways, outputs = settled
    failed = {token_id for token_id, way in ways.items() if way in (fail, let_time_out)}
    events = until_all(failed, partial(queued, api.stack, outputs["QueueUrl"]))
    assert not {event["detail"]["id"] for event in events} & (ways.keys() - failed)
    assert {event["detail"]["error"]["name"] for event in events} >= {"OutOfStock", "WaitpointTimeoutError"}


def test_what_happens_to_a_waiting_token_is_on_the_bus_and_its_escalation_opens_a_link(
    stack: Stack, api: Api, bus: str
) -> None:
    """An answer that does not decide, and the escalation: the stream's filter passes both."""
    events, sqs, name = stack.client("events"), stack.client("sqs"), f"asked-{time.time_ns()}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["waitpoints"]}))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    page = {
        "title": "Deploy?",
        "approvers": ["ann", "bo"],
        "actions": [{"id": "go", "label": "Go", "needs": 2}],
        "escalate": {"after": "5s", "to": ["lead"]},
    }
    token = api.create(page=page)
    links = {it["approver"]: it["url"] for it in token["links"]}

    def answer(approver: str) -> int:
        return api.send(links[approver], b'{"action": "go", "fields": {}}', {"content-type": "application/json"}).status

    assert (answer("lead"), answer("ann")) == (403, 200)
    wanted = {f"{token['id']}/answered/1", f"{token['id']}/escalated/1"}
    found = until_all(wanted, lambda: queued(stack, url))
    [escalated] = [it["detail"] for it in found if it["detail-type"] == "waitpoint.escalated"]
    assert escalated["unanswered"] == ["bo", "lead"]
    assert answer("lead") == 200
    assert api.retrieve(token)["completedBy"]["approver"] == "lead"
    found += until_all({token["id"]}, lambda: queued(stack, url))
    assert {it["detail"]["page"]["title"] for it in found if it["detail"]["id"] == token["id"]} == {"Deploy?"}
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=url)


def test_an_archive_gets_a_record_of_each_answer_and_settled_token(stack: Stack, api: Api, bus: str) -> None:
    """A queue stands in for Firehose: MiniStack's rules put nothing to it. Firehose, bucket and table are the example's."""
    events, sqs, name = stack.client("events"), stack.client("sqs"), f"archived-{time.time_ns()}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    with deployed_example(stack, "events_to_audit") as archive:
        for rule in [it["Name"] for it in events.list_rules(EventBusName=bus, NamePrefix="events-to-audit")["Rules"]]:
            [target] = events.list_targets_by_rule(EventBusName=bus, Rule=rule)["Targets"]
            made = {"Id": "queue", "Arn": arn, "InputTransformer": target["InputTransformer"]}
            events.put_targets(EventBusName=bus, Rule=rule, Targets=[made])
        page = {"title": "Pay?", "approvers": ["ann", "bo"], "actions": [{"id": "pay", "label": "Pay", "needs": 2}]}
        token, other = api.create(page=page), api.create()
        for link in token["links"]:
            assert api.send(link["url"], b'{"action": "pay", "fields": {}}', {"content-type": "application/json"}).status == 200
        api.deliver(other, {"secret": 4711})
        wanted, records = {f"{token['id']}/answered/1", token["id"], other["id"]}, dict[str, Any]()
        until = time.monotonic() + PATIENCE
        while wanted - records.keys():
            assert time.monotonic() < until
            records |= {it["event"]: it for it in queued(stack, url)}
        said = [records[it] for it in (f"{token['id']}/answered/1", token["id"])]
        assert [(it["action"], it["approver"], it["title"]) for it in said] == [("pay", "ann", "Pay?"), ("pay", "bo", "Pay?")]
        assert "4711" not in json.dumps(records[other["id"]])
        [stream] = stack.client("firehose").list_delivery_streams()["DeliveryStreamNames"]
        stack.client("firehose").put_record(DeliveryStreamName=stream, Record={"Data": json.dumps(said[0]).encode()})
        s3, bucket = stack.client("s3"), archive["BucketName"]
        while not (found := s3.list_objects_v2(Bucket=bucket, Prefix="records/day=").get("Contents", [])):
            assert time.monotonic() < until
        assert json.loads(s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read()) == said[0]
        table = stack.client("glue").get_table(DatabaseName=archive["DatabaseName"], Name="records")["Table"]
        assert {it["Name"] for it in table["StorageDescriptor"]["Columns"]} >= said[0].keys()
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
    sqs.delete_queue(QueueUrl=url)
