"""What MiniStack writes into a history without the mend of history_mends.py, and with it. `mends.py` runs these."""

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from ministack.services import stepfunctions

from waitpoints_local import history_mends

INVOKE = {"FunctionName": "f", "Payload": {"n.$": "$"}}
ASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": INVOKE, "Next": "Done"}
EACH: dict[str, Any] = {"Type": "Map", "MaxConcurrency": 1, "Next": "Both"}
EACH |= {"ItemProcessor": {"StartAt": "Ask", "States": {"Ask": ASK, "Done": {"Type": "Succeed"}}}}
PAUSE = {"Type": "Pass", "End": True}
BRANCH = {"StartAt": "Pause", "States": {"Pause": PAUSE}}
MACHINE = {"StartAt": "Each", "States": {"Each": EACH, "Both": {"Type": "Parallel", "Branches": [BRANCH], "End": True}}}
CHILD = {"StartAt": "Within", "States": {"Within": PAUSE}}


def history(machine: Any, given: Any) -> list[dict[str, Any]]:
    """Run a machine on functions that return what they are given."""
    execution: dict[str, Any] = {"executionArn": "arn", "name": "e", "status": "RUNNING", "startDate": ""}
    execution |= {"input": json.dumps(given), "stateMachineArn": "m", "events": [{"id": 1, "type": "ExecutionStarted"}]}
    with (
        patch.dict(stepfunctions._executions._data, clear=True),
        patch.dict(stepfunctions._state_machines._data, clear=True),
        patch.object(stepfunctions, "_call_lambda", lambda _, event: event),
        patch.object(stepfunctions, "_resolve_lambda_function_ref", lambda name, **_: name),
        patch.object(stepfunctions, "_emit_execution_status_event", lambda _: None),
        patch.object(stepfunctions.time, "sleep", lambda _: None),
    ):
        stepfunctions._executions["arn"] = execution
        stepfunctions._state_machines["m"] = {"name": "m", "definition": json.dumps(machine)}
        stepfunctions._state_machines["child"] = {"name": "child", "roleArn": "r", "definition": json.dumps(CHILD)}
        stepfunctions._run_execution("arn")
    assert execution["status"] == "SUCCEEDED", execution
    events: list[dict[str, Any]] = execution["events"]
    return events


def branches_and_items_are_written() -> bool:
    item = ["MapIterationStarted", "TaskStateEntered Ask", "TaskScheduled", "TaskSucceeded", "TaskStateExited Ask"]
    item += ["SucceedStateEntered Done", "SucceedStateExited Done", "MapIterationSucceeded"]
    written = [name(event) for event in history(MACHINE, [7, 8])]
    return written == [
        "ExecutionStarted",
        "MapStateEntered Each",
        *item,
        *item,
        "MapStateExited Each",
        "ParallelStateEntered Both",
        "PassStateEntered Pause",
        "PassStateExited Pause",
        "ParallelStateExited Both",
        "ExecutionSucceeded",
    ]


def a_task_has_its_parameters_and_its_predecessor() -> bool:
    events = history(MACHINE, [7, 8])
    scheduled = [event for event in events if event["type"] == "TaskScheduled"]
    before = [events[event.get("previousEventId", 0) - 1] for event in scheduled]
    started = [events[event.get("previousEventId", 0) - 1] for event in before]
    return (
        [json.loads(event["taskScheduledEventDetails"].get("parameters", "{}")).get("Payload") for event in scheduled],
        [name(event) for event in before],
        [event.get("mapIterationStartedEventDetails") for event in started],
    ) == (
        [{"n": 7}, {"n": 8}],
        ["TaskStateEntered Ask"] * 2,
        [{"name": "Each", "index": 0}, {"name": "Each", "index": 1}],
    )


def an_item_goes_on_after_a_child_execution() -> bool:
    start = {"Resource": "arn:aws:states:::states:startExecution.sync:2", "Parameters": {"StateMachineArn": "child"}}
    each = {**EACH, "End": True, "ItemProcessor": {"StartAt": "Ask", "States": {"Ask": {**ASK, **start}, "Done": PAUSE}}}
    del each["Next"]
    events = history({"StartAt": "Each", "States": {"Each": each}}, [7])
    item = ["MapIterationStarted", "TaskStateEntered Ask", "TaskScheduled", "TaskSucceeded", "TaskStateExited Ask"]
    item += ["PassStateEntered Done", "PassStateExited Done", "MapIterationSucceeded"]
    follows = [event.get("previousEventId") for event in events[1:]] == list(range(1, len(events)))
    return follows and [name(event) for event in events[2:-2]] == item


def name(event: dict[str, Any]) -> str:
    details = event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails") or {"name": ""}
    return f"{event['type']} {details['name']}".rstrip()


PROBES: dict[str, tuple[list[Callable[[], bool]], Callable[[], Any]]] = {
    "write_whole_history": (
        [
            branches_and_items_are_written,
            a_task_has_its_parameters_and_its_predecessor,
            an_item_goes_on_after_a_child_execution,
        ],
        lambda: history_mends.write_whole_history(stepfunctions),
    )
}
