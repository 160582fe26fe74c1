"""How MiniStack lets time pass without each mend of time_mends.py, and with it. `mends.py` runs these."""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from itertools import pairwise
from typing import Any
from unittest.mock import patch

from ministack.services import stepfunctions

from waitpoints_local import time_mends

HOUR = 3600
INVOKE = "arn:aws:states:::lambda:invoke"
ASKS: dict[str, Any] = {
    "Type": "Task",
    "Resource": f"{INVOKE}.waitForTaskToken",
    "Parameters": {"FunctionName": "f", "Payload": {"taskToken.$": "$$.Task.Token"}},
    "End": True,
}
DONE = {"Type": "Pass", "End": True}
handles: list[str] = []
"""The task tokens that states have sent."""


def probing(probe: Callable[[], bool], function: Callable[[Any], Any] | None = None) -> Callable[[], bool]:
    """Let a probe's states invoke a function that notes the task token that it is given, or this one."""

    def note(event: Any) -> Any:
        handles.append(event["taskToken"])

    @wraps(probe)
    def probe_alone() -> bool:
        handles.clear()
        with (
            patch.object(stepfunctions, "_call_lambda", lambda _, event: (function or note)(event)),
            patch.object(stepfunctions, "_resolve_lambda_function_ref", lambda name, **_: name),
            patch.object(stepfunctions, "_emit_execution_status_event", lambda _: None),
            patch.object(stepfunctions.time, "sleep", lambda _: None),  # what no clock can skip
        ):
            return probe()

    return probe_alone


class Run:
    """An execution in this process."""

    def __init__(self, machine: Any, given: Any = None) -> None:
        name = f"arn:aws:states:us-east-1:000000000000:stateMachine:{uuid.uuid4().hex}"
        definition = {"name": name[-32:], "stateMachineArn": name, "roleArn": "r", "definition": json.dumps(machine)}
        stepfunctions._state_machines[name] = definition
        started = stepfunctions._start_execution({"stateMachineArn": name, "input": json.dumps(given or {})})
        self.arn = json.loads(started[2])["executionArn"]
        self.execution = stepfunctions._executions[self.arn]

    def ask(self, **asked: Any) -> Any:
        body = json.dumps({"execution": self.arn, **asked}).encode()
        status, seen = asyncio.run(time_mends._answer({"method": "POST", "client": ("127.0.0.1", 1)}, body, stepfunctions))
        assert status == 200, seen
        return seen

    def skip(self, seconds: float) -> list[tuple[str, str, int]]:
        """Do as the client does. Nothing without a clock."""
        skipped: list[Any] = []
        left = seconds
        if stepfunctions.threading is threading:
            return []
        while self.ask()["status"] == "RUNNING" and left > 0.001:
            moved = self.ask(move=left)
            skipped, left = skipped + moved["skipped"], left - moved["moved"]
        skipped += self.ask(release=True)["skipped"]
        return [(it["state"], it["what"], round(it["seconds"] / HOUR)) for it in skipped]

    @property
    def output(self) -> Any:
        return json.loads(self.execution["output"] or "null")

    @property
    def hours(self) -> int:
        stamps = [datetime.fromisoformat(event["timestamp"]).timestamp() for event in self.execution["events"]]
        assert stamps == sorted(stamps)
        return round((stamps[-1] - stamps[0]) / HOUR)


def machine(**states: Any) -> dict[str, Any]:
    """Return a machine of these states, one after the other."""
    names = list(states)
    following = dict(pairwise(names))
    linked = {name: {**state, **({"Next": following[name]} if name in following else {})} for name, state in states.items()}
    for name, state in linked.items():
        if name in following:
            state.pop("End", None)
        else:
            state["End"] = True
    return {"StartAt": names[0], "States": linked}


def wait(hours: float) -> dict[str, Any]:
    return {"Type": "Wait", "Seconds": int(hours * HOUR)}


def each(**states: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": machine(**states)}


def waits_pass_that_begin_later() -> bool:
    run = Run(machine(A=wait(2), B=wait(3)))
    return (run.skip(6 * HOUR), run.execution["status"], run.hours) == ([("A", "Wait", 2), ("B", "Wait", 3)], "SUCCEEDED", 5)


def a_part_of_a_wait_passes() -> bool:
    run = Run(machine(A=wait(2), B=wait(3)))
    first, status = run.skip(4 * HOUR), run.execution["status"]
    second = run.skip(1.01 * HOUR)
    seen = first, status, second, run.execution["status"]
    return seen == ([("A", "Wait", 2), ("B", "Wait", 2)], "RUNNING", [("B", "Wait", 1)], "SUCCEEDED")


def items_wait_beside_one_another() -> bool:
    """Two at a time: 5 and 1 begin; 4 follows 1, and 2 follows both of them after 5 hours; then 3."""
    paths = {"Type": "Wait", "SecondsPath": "$"}
    run = Run(
        machine(Each={"Type": "Map", "MaxConcurrency": 2, "ItemProcessor": machine(Item=paths)}),
        [n * HOUR for n in (5, 1, 4, 2, 3)],
    )
    skipped = [(state, hours) for state, _, hours in run.skip(9 * HOUR)]
    return (sorted(skipped), run.hours, len(run.output or [])) == ([("Item", n) for n in (1, 2, 3, 4, 5)], 8, 5)


def branches_wait_in_order() -> bool:
    branches = [machine(Long=wait(3)), machine(Short=wait(1), Middle=wait(1)), machine(Each=each(Inner=wait(2.5)))]
    run = Run(machine(Both={"Type": "Parallel", "Branches": branches}), [1])
    names = [state for state, _, _ in run.skip(4 * HOUR)]
    return (names, run.hours, run.execution["status"]) == (["Short", "Middle", "Inner", "Long"], 3, "SUCCEEDED")


def items_of_a_distributed_map_wait() -> bool:
    state = each(Item=wait(2))
    state["ItemProcessor"]["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    run = Run(machine(Each=state), [1, 2])
    return (run.skip(3 * HOUR), run.hours) == ([("Item", "Wait", 2)] * 2, 2)


def a_state_times_out() -> bool:
    caught = {**ASKS, "TimeoutSeconds": 4 * HOUR, "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]}
    run = Run(machine(Ask=caught, Late=wait(1)))
    seen = run.skip(3 * HOUR), run.execution["status"], run.skip(2.01 * HOUR), run.execution["status"]
    return seen == ([], "RUNNING", [("Ask", "TimeoutSeconds", 1), ("Late", "Wait", 1)], "SUCCEEDED")


def a_state_without_timeout_waits_for_days() -> bool:
    """MiniStack's own default is 99,999 seconds."""
    run = Run(machine(Ask=ASKS))
    seen = run.skip(72 * HOUR), run.execution["status"]
    stepfunctions._send_task_success({"taskToken": next(iter(handles), ""), "output": '"yes"'})
    run.skip(HOUR)
    return (*seen, run.output, run.hours) == ([], "RUNNING", "yes", 72)


def a_child_passes_with_its_parent() -> bool:
    stepfunctions._state_machines["child"] = {
        "name": "child",
        "roleArn": "r",
        "stateMachineArn": "child",
        "definition": json.dumps(machine(Inner=wait(4))),
    }
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "child"},
    }
    late = {**start, "TimeoutSeconds": 2 * HOUR, "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]}
    passes, fails = Run(machine(Start=start)), Run(machine(Start=late, Late=DONE))
    beside = Run(machine(Start={**start, "Resource": "arn:aws:states:::states:startExecution"}, Own=wait(6)))
    seen = passes.skip(5 * HOUR), fails.skip(3 * HOUR)[:1], beside.skip(7 * HOUR)
    return (seen, fails.execution["status"]) == (
        ([("Inner", "Wait", 4)], [("Start", "TimeoutSeconds", 2)], [("Inner", "Wait", 4), ("Own", "Wait", 6)]),
        "SUCCEEDED",
    )


def only_the_named_execution_goes_on() -> bool:
    one, other = (Run(machine(A=wait(4))) for _ in range(2))
    one.skip(5 * HOUR)
    return (one.execution["status"], other.execution["status"], other.skip(1)) == ("SUCCEEDED", "RUNNING", [("A", "Wait", 0)])


def all_times_are_by_the_clock() -> bool:
    """Also those which a Wait is told by the context object, and $now."""
    late = "{% $fromMillis($toMillis($states.context.State.EnteredTime) + 3600000) %}"
    until = {"Type": "Wait", "QueryLanguage": "JSONata", "Timestamp": late}
    now = "{% $round(($toMillis($now()) - $toMillis($states.context.Execution.StartTime)) / 3600000) %}"
    tells = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"hours": now}}
    run = Run(machine(A=wait(4), B=until, C=tells))
    passed = run.skip(6 * HOUR)
    return (passed, run.output, run.hours) == ([("A", "Wait", 4), ("B", "Wait", 1)], {"hours": 5}, 5)


def a_clock_that_nobody_moves_is_real() -> bool:
    run = Run(machine(A={"Type": "Wait", "Seconds": 1}))
    if stepfunctions.threading is threading:
        return False
    started = time.monotonic()
    while run.execution["status"] == "RUNNING" and time.monotonic() - started < 20:
        time.sleep(0.01)
    return run.hours == 0 and run.execution["status"] == "SUCCEEDED" and time.monotonic() - started > 0.9


def a_retry_waits_for_hours() -> bool:
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2 * HOUR, "BackoffRate": 3, "MaxDelaySeconds": 5 * HOUR}]
    state = {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "f", "Payload": {}}, "Retry": retry}
    run = Run(machine(Try=state))
    return (run.skip(8 * HOUR), run.hours) == ([("Try", "Retry", 2), ("Try", "Retry", 5)], 7)


def fail_twice(_: Any) -> Any:
    handles.append("")
    if len(handles) <= 2:
        raise stepfunctions._ExecutionError("Busy", "not now")
    return {}


def a_map_is_retried_after_hours() -> bool:
    failing = {
        **each(Fails={"Type": "Fail", "Error": "Mine"}),
        "Retry": [{"ErrorEquals": ["Mine"], "IntervalSeconds": 2 * HOUR, "MaxAttempts": 1}],
    }
    run = Run(machine(Each=failing), [1])
    return (run.skip(3 * HOUR), run.execution["status"]) == ([("Each", "Retry", 2)], "FAILED")


def no_heartbeat_fails_a_state() -> bool:
    caught = {"Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Late"}]}
    run = Run(machine(Ask={**ASKS, "HeartbeatSeconds": HOUR, "TimeoutSeconds": 3 * HOUR, **caught}, Late=DONE))
    seen = run.skip(2 * HOUR), run.execution["status"], run.output and run.output["Error"]
    return seen == ([("Ask", "HeartbeatSeconds", 1)], "SUCCEEDED", "States.Timeout")


def a_heartbeat_begins_the_time_anew() -> bool:
    run = Run(machine(Ask={**ASKS, "HeartbeatSeconds": 2 * HOUR, "TimeoutSeconds": 4 * HOUR}))
    for _ in range(2):
        run.skip(1.5 * HOUR)
        stepfunctions._send_task_heartbeat({"taskToken": next(iter(handles), "")})
    before = run.execution["status"]
    seen = before, run.skip(1.1 * HOUR), run.execution.get("error")
    return seen == ("RUNNING", [("Ask", "TimeoutSeconds", 1)], "States.Timeout")


PROBES: dict[str, tuple[list[Callable[[], bool]], Callable[[], Any]]] = {
    "give_executions_a_clock": (
        [
            probing(waits_pass_that_begin_later),
            probing(a_part_of_a_wait_passes),
            probing(items_wait_beside_one_another),
            probing(branches_wait_in_order),
            probing(items_of_a_distributed_map_wait),
            probing(a_state_times_out),
            probing(a_state_without_timeout_waits_for_days),
            probing(a_child_passes_with_its_parent),
            probing(only_the_named_execution_goes_on),
            probing(all_times_are_by_the_clock),
            probing(a_clock_that_nobody_moves_is_real),
        ],
        lambda: time_mends.give_executions_a_clock(stepfunctions),
    ),
    "wait_as_long_as_a_retry_says": (
        [probing(a_retry_waits_for_hours, fail_twice), probing(a_map_is_retried_after_hours)],
        lambda: time_mends.wait_as_long_as_a_retry_says(stepfunctions),
    ),
    "note_heartbeats": (
        [probing(no_heartbeat_fails_a_state), probing(a_heartbeat_begins_the_time_anew)],
        lambda: time_mends.note_heartbeats(stepfunctions),
    ),
}
