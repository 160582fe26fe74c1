"""The sample events in events/ have the real shape, and their functions accept them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from waitpoints_client.ops.stream_filter import passes

from tests.support.in_process.invoke import filled_in
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.template import ROOT, Template
from waitpoints.token import ALL_CHECKED, Completed, NewToken, Output, Waiter
from waitpoints.wiring import services

EVENTS = {path.stem: path for path in sorted((ROOT / "events").glob("*.json")) if not path.stem.startswith("github_")}
FUNCTIONS = Template.load().functions()


def function_of(event: str) -> str:
    return event.split(".", maxsplit=1)[0]


def test_every_function_has_a_sample_event_and_every_sample_event_a_function() -> None:
    assert {function_of(event) for event in EVENTS} == set(FUNCTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVENTS)
def test_every_function_accepts_its_sample_event(stack: MotoStack, name: str) -> None:
    event = json.loads(filled_in(EVENTS[name].read_text(), stack))
    answer = FUNCTIONS[function_of(name)].call(event)
    if "requestContext" in event:
        assert answer["statusCode"] == 200
    elif "Records" in event:
        assert answer == {"batchItemFailures": []}
    else:
        assert function_of(name) == "wait_for_token" or answer


@pytest.mark.parametrize("name", [name for name, path in EVENTS.items() if '"requestContext"' in path.read_text()])
def test_every_sample_request_is_routed_to_its_function(stack: MotoStack, name: str) -> None:
    event = json.loads(filled_in(EVENTS[name].read_text(), stack))
    sent = event["requestContext"]["http"]
    assert (sent["path"], event["version"]) == (event["rawPath"], "2.0")
    route = stack.template.route(sent["method"], sent["path"])
    assert route is not None
    assert (route.function.name, route.route_key) == (function_of(name), event["routeKey"])
    assert {key: value.replace("%2F", "/") for key, value in route.path_parameters.items()} == event.get("pathParameters", {})


def test_the_slack_form_is_an_object_of_its_fields(stack: MotoStack) -> None:
    event = json.loads(filled_in(EVENTS["accept_callback"].read_text(), stack))
    FUNCTIONS["accept_callback"].call(event)
    settled = services.tokens.retrieve(event["pathParameters"]["waitpointId"]).outcome
    assert isinstance(settled, Completed)
    assert settled.output.json is not None
    assert json.loads(settled.output.json)["payload"].startswith('{"type":"block_actions"')


def image_of(name: str) -> dict[str, Any]:
    [record] = json.loads(EVENTS[name].read_text())["Records"]
    return record["dynamodb"]["NewImage"]


def types(image: dict[str, Any]) -> dict[str, str]:
    return {name: next(iter(value)) for name, value in image.items()}


@pytest.mark.parametrize(("name", "settled"), [("schedule_timeouts", False), ("resume_waiters", True)])
def test_a_stream_record_holds_the_item_of_the_table(stack: MotoStack, name: str, settled: bool) -> None:
    now = services.now()
    waiter = Waiter("task token", now)
    created = services.tokens.create(NewToken(timeout_at=now + 60_000, waiter=waiter if settled else None), now)
    if settled:
        services.store.complete(created.token_id, Completed(now, Output('{"approved":true}')), ALL_CHECKED)
    item: Any = client_of("dynamodb").get_item(
        TableName=stack.table, Key={"id": {"S": created.token_id}, "item": {"S": "token"}}
    )["Item"]
    assert types(image_of(name)) == types(item)
    waiters = [list(shown["waiters"]["M"].values()) for shown in (image_of(name), item)]
    assert [types(one["M"]) for one in waiters[0]] == [types(one["M"]) for one in waiters[1]]


def test_the_record_of_a_new_token_starts_its_timer(stack: MotoStack) -> None:
    stack.empty_queues()
    [record] = json.loads(filled_in(EVENTS["schedule_timeouts"].read_text(), stack))["Records"]
    image = record["dynamodb"]["NewImage"]
    image["dueAt"]["N"] = str(services.now())
    assert FUNCTIONS["schedule_timeouts"].call({"Records": [record]}) == {"batchItemFailures": []}
    [message] = client_of("sqs").receive_message(QueueUrl=stack.resources["TimerQueue"]["Ref"])["Messages"]
    assert json.loads(message["Body"]) == {"waitpointId": image["id"]["S"]}


def test_the_record_of_a_new_token_passes_its_functions_filter() -> None:
    [record] = json.loads(EVENTS["schedule_timeouts"].read_text())["Records"]
    assert passes(Template.load().stream_filter("schedule_timeouts"), record)


def test_the_sample_webhook_is_real_and_names_its_source() -> None:
    webhook = json.loads((ROOT / "events" / "github_workflow_run_completed.json").read_text())
    assert (webhook["action"], webhook["workflow_run"]["status"]) == ("completed", "completed")
    readme = Path(ROOT / "events" / "README.md").read_text()
    assert "@octokit/webhooks-examples" in readme
    [licence] = re.findall(r"\[MIT License\]\((.+?)\)", readme)
    assert "Permission is hereby granted" in (ROOT / "events" / licence).read_text()
