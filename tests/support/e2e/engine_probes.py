"""What must hold of the engine, beyond what states come to: task tokens, time, ends, data that is no code, limits, threads.

tests/e2e/test_time.py has what a skip does to waits and retries.

Run by the emulator's own Python: python -m tests.support.e2e.engine_probes [NAME …]. Prints `{probe: what is wrong, or ""}`.
"""

import gc
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.support.e2e.engine import FunctionError, Run, call, functions, make, send, start, stepfunctions
from tests.support.patience import PATIENCE

HOUR = 3600
INVOKE = "arn:aws:states:::lambda:invoke"
ASKS: dict[str, Any] = {
    "Type": "Task",
    "Resource": f"{INVOKE}.waitForTaskToken",
    "Parameters": {"FunctionName": "note", "Payload": {"taskToken.$": "$$.Task.Token"}},
    "End": True,
}
DONE = {"Type": "Pass", "End": True}
handles: list[str] = []
"""The task tokens that states have sent."""


def note(event: Any) -> Any:
    handles.append(event["taskToken"])
    return {}


ten = threading.Barrier(10)


def meet_nine_others(event: Any) -> Any:
    ten.wait(PATIENCE)
    return event


def waiting(**fields: Any) -> tuple[Run, str]:
    """An execution that waits for a task token, and the token."""
    run = Run(machine(Ask={**ASKS, **fields}))
    return run, token_after(0)


def token_after(known: int) -> str:
    until = time.monotonic() + PATIENCE
    while len(handles) <= known and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(0.05)
    return handles[known]


def machine(**states: Any) -> dict[str, Any]:
    """Return a machine of these states, one after the other."""
    following = dict(pairwise(states))
    ends = {name: {"Next": following[name]} if name in following else {"End": True} for name in states}
    own = {name: {field: it for field, it in state.items() if field != "End"} for name, state in states.items()}
    return {"StartAt": next(iter(states)), "States": {name: own[name] | ends[name] for name in states}}


def wait(hours: float) -> dict[str, Any]:
    return {"Type": "Wait", "Seconds": int(hours * HOUR)}


def each(**states: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": machine(**states)}


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
    return (names, run.hours, run.status) == (["Short", "Middle", "Inner", "Long"], 3, "SUCCEEDED")


def items_of_a_distributed_map_wait() -> bool:
    state = each(Item=wait(2))
    state["ItemProcessor"]["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    run = Run(machine(Each=state), [1, 2])
    return (run.skip(3 * HOUR), run.hours) == ([("Item", "Wait", 2)] * 2, 2)


def a_state_times_out() -> bool:
    caught = {**ASKS, "TimeoutSeconds": 4 * HOUR, "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]}
    run = Run(machine(Ask=caught, Late=wait(1)))
    seen = run.skip(3 * HOUR), run.status, run.skip(2.01 * HOUR), run.status
    return seen == ([], "RUNNING", [("Ask", "TimeoutSeconds", 1), ("Late", "Wait", 1)], "SUCCEEDED")


def a_state_without_timeout_waits_for_days() -> bool:
    """Also with HeartbeatSeconds, which moto takes for a timeout of 60 seconds."""
    run = Run(machine(Ask={**ASKS, "HeartbeatSeconds": 100 * HOUR}))
    seen = run.skip(72 * HOUR), run.status
    send("success", taskToken=handles[-1], output='"yes"')
    run.skip(HOUR)
    return (*seen, run.output, run.hours) == ([], "RUNNING", "yes", 72)


def a_child_passes_with_its_parent() -> bool:
    child = make(machine(Inner=wait(4)))
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": child},
    }
    late = {**start, "TimeoutSeconds": 2 * HOUR, "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]}
    passes, fails = Run(machine(Start=start)), Run(machine(Start=late, Late=DONE))
    beside = Run(machine(Start={**start, "Resource": "arn:aws:states:::states:startExecution"}, Own=wait(6)))
    seen = passes.skip(5 * HOUR), fails.skip(3 * HOUR)[:1], beside.skip(7 * HOUR)
    return (seen, fails.status) == (
        ([("Inner", "Wait", 4)], [("Start", "TimeoutSeconds", 2)], [("Inner", "Wait", 4), ("Own", "Wait", 6)]),
        "SUCCEEDED",
    )


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
    started = time.monotonic()
    run = Run(machine(A={"Type": "Wait", "Seconds": 1})).ended()
    return (run.hours, run.status) == (0, "SUCCEEDED") and time.monotonic() - started > 0.9


def no_heartbeat_fails_a_state() -> bool:
    caught = {"Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Late"}]}
    run = Run(machine(Ask={**ASKS, "HeartbeatSeconds": HOUR, "TimeoutSeconds": 3 * HOUR, **caught}, Late=DONE))
    seen = run.skip(2 * HOUR), run.status, run.output and run.output["Error"]
    return seen == ([("Ask", "HeartbeatSeconds", 1)], "SUCCEEDED", "States.Timeout")


def a_heartbeat_begins_the_time_anew() -> bool:
    run = Run(machine(Ask={**ASKS, "HeartbeatSeconds": 2 * HOUR, "TimeoutSeconds": 4 * HOUR}))
    for _ in range(2):
        run.skip(1.5 * HOUR)
        send("heartbeat", taskToken=handles[-1])
    before = run.status
    seen = before, run.skip(1.1 * HOUR), run.execution.get("error")
    return seen == ("RUNNING", [("Ask", "TimeoutSeconds", 1)], "States.Timeout")


def a_test_answers_what_a_map_reads() -> bool:
    """Whatever bucket it names; and a failure to read is caught."""
    reader = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "${Bucket}"}}
    processor = {**machine(Item=DONE), "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    state = {"Type": "Map", "ItemReader": reader, "ItemProcessor": processor, "Catch": ANY}
    answers: list[Any] = [{"returns": [{"Key": "a"}]}, {"returns": {}}, {"error": "Denied", "message": "no"}]
    runs = [Run(machine(Each=state, Done=DONE), tested={"stand_ins": {"Each": [it]}}).ended() for it in answers]
    return [run.output if isinstance(run.output, list) else run.output["Error"] for run in runs] == [
        [{"Key": "a"}],
        "States.ItemReaderFailed",
        "Denied",
    ]


def one_token_is_answered_once() -> bool:
    run, token = waiting()
    first = send("success", taskToken=token, output='"first"')
    again = send("success", taskToken=token, output='"2"'), send("failure", taskToken=token), send("heartbeat", taskToken=token)
    return (first, again, run.ended().output) == ("", ("TaskTimedOut",) * 3, "first")


def the_first_of_many_answers_wins() -> bool:
    for _ in range(20):
        run, token = waiting()
        turn = threading.Barrier(8)

        def answer(number: int, token: str = token, turn: threading.Barrier = turn) -> str:
            turn.wait()
            return send("success", taskToken=token, output=str(number))

        with ThreadPoolExecutor(8) as pool:
            refused = list(pool.map(answer, range(8)))
        if [run.ended().output] != [number for number, code in enumerate(refused) if not code]:
            return False
        handles.clear()
    return True


def a_late_token_is_gone() -> bool:
    """After its timeout, in an execution that goes on; after the end; and a later attempt has a token of its own."""
    retry = {"Retry": [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1}]}
    run = Run(machine(Ask={**ASKS, "TimeoutSeconds": HOUR, **retry}))
    first = token_after(0)
    run.skip(1.5 * HOUR)
    second = token_after(1)
    seen = send("success", taskToken=first, output="1"), send("success", taskToken=second, output="2"), run.ended().output
    return (*seen, send("success", taskToken=second, output="2"), first != second) == (
        "TaskTimedOut",
        "",
        2,
        "TaskTimedOut",
        True,
    )


def an_unknown_token_is_invalid() -> bool:
    return [send(action, taskToken="nothing") for action in ("success", "failure", "heartbeat")] == ["InvalidToken"] * 3


def an_output_that_is_no_json_is_refused() -> bool:
    run, token = waiting()
    refused = [send("success", taskToken=token, output=text) for text in ("nothing", "NaN", "1e999", "{")]
    return (refused, send("success", taskToken=token, output="[]"), run.ended().output) == (["InvalidOutput"] * 4, "", [])


def data_of_more_than_256_kib_is_refused() -> bool:
    """In bytes of UTF-8: API reference, "StartExecution" and "SendTaskSuccess"."""
    run, token = waiting()
    fits = json.dumps("ä" * 131_071, ensure_ascii=False)
    texts, of = (f" {fits}", fits), make(machine(A=DONE))
    seen = [call("start_execution", stateMachineArn=of, input=text) for text in texts]
    seen += [send("success", taskToken=token, output=text) for text in texts]
    seen += [call("start_sync_execution", stateMachineArn=of, input=text) for text in texts]
    refused = "ValidationException"
    return (seen, run.ended().status) == ([refused, "", refused, "", refused, "StateMachineTypeNotSupported"], "SUCCEEDED")


def strands() -> int:
    return sum(type(thread).__name__ == "Strand" for thread in threading.enumerate())


def _none_left() -> bool:
    until = time.monotonic() + PATIENCE
    while strands() and time.monotonic() < until:
        time.sleep(0.01)
    return strands() == 0


def a_stop_ends_every_wait() -> bool:
    """A wait, a token, a retry, a child, items and branches: StopExecution ends them at once, and their tokens are gone."""
    busy: dict[str, Any] = {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "fails"}}
    busy["Retry"] = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": HOUR}]
    child: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2"}
    child["Parameters"] = {"StateMachineArn": make(machine(Inner=wait(4)))}
    branches = [machine(A=wait(1)), machine(B=ASKS), machine(C=busy), machine(D=each(E=ASKS)), machine(F=child)]
    run = Run(machine(All={"Type": "Parallel", "Branches": branches}, Later=wait(1)), [1, 2])
    token = token_after(2)
    before = list(run.kinds)
    run.stop()
    events = [it for it in run.execution["events"] if it["type"] == "ExecutionAborted"]
    seen = run.status, run.execution["error"], run.kinds[-1], len(run.kinds) - len(before), events[0]["previousEventId"]
    for other in list(stepfunctions._executions.all_values()):
        stepfunctions._stop_execution({"executionArn": other["executionArn"]})
    gone = send("success", taskToken=token, output="1")
    return (seen, gone, _none_left()) == (("ABORTED", "E", "ExecutionAborted", 1, 0), "TaskTimedOut", True)


def a_failed_branch_ends_the_others() -> bool:
    fails = machine(B={"Type": "Wait", "Seconds": 1}, C={"Type": "Fail", "Error": "Mine"})
    branches = [machine(A=ASKS), fails, machine(D=wait(9))]
    run = Run(machine(All={"Type": "Parallel", "Branches": branches}))
    token = token_after(0)
    run.ended()
    seen = run.status, run.execution["error"], send("success", taskToken=token, output="1"), _none_left()
    return seen == ("FAILED", "Mine", "TaskTimedOut", True)


def a_machine_times_out() -> bool:
    run = Run({**machine(Ask=ASKS), "TimeoutSeconds": 1})
    token = token_after(0)
    run.ended()
    seen = run.status, run.kinds[-1], send("success", taskToken=token, output="1"), _none_left()
    return seen == ("TIMED_OUT", "ExecutionTimedOut", "TaskTimedOut", True)


NASTY = 'a "quoted" \\ back\nline \u2028 {% 1 %} \') $eval("1") \t'


def texts_are_no_code() -> bool:
    """A variable's value and a state's data stay what they are, in JSONata and in paths."""
    jsonata = {"Type": "Pass", "QueryLanguage": "JSONata"}
    keeps = {**jsonata, "Assign": {"v": "{% $states.input.text %}", "w": "{% $states.input %}"}}
    reads = {**jsonata, "Output": {"v": "{% $v %}", "w": "{% $w.text & $states.input.text %}"}}
    by_path = {"Type": "Pass", "Parameters": {"v.$": "$v", "f.$": "States.Format('{}', $v)", "o.$": "$.w"}}
    run = Run(machine(Keep=keeps, Read=reads, Path=by_path), {"text": NASTY}).ended()
    return bool(run.output == {"v": NASTY, "f": NASTY, "o": NASTY + NASTY})


ENDLESS = (
    "$match($states.input.x, /(a+)+$/)",
    "$count($sum([1..9999999]) & $pad('x', 999999999))",
    "$range(1, 999999999, 1)",
    "($loop := function($n) { $loop($n + 1) }; $loop(1))",
    "$reduce([1..40], function($text, $n) { $text & $text }, 'aaaaaaaa')",
)


def evaluates(expression: str) -> dict[str, Any]:
    return {"Type": "Pass", "QueryLanguage": "JSONata", "Output": f"{{% {expression} %}}"}


def an_expression_without_end_stops_its_execution_alone() -> bool:
    text = {"x": "a" * 40 + "!"}
    endless = [Run(machine(A=evaluates(expression)), text) for expression in ENDLESS]
    others = [Run(machine(A=evaluates("$uppercase($states.input.x)")), text) for _ in range(5)]
    seen = {run.ended().output for run in others}, {run.ended().execution["error"] for run in endless}
    causes = [run.execution["cause"] for run in endless]
    assert all("D1012: It took more than 1 s" in it or "needs too much memory" in it for it in causes), causes
    return seen == ({"A" * 40 + "!"}, {"States.QueryEvaluationError"})


def what_evaluates_expressions_is_started_again() -> bool:
    seen = []
    for _ in range(2):
        seen.append(Run(machine(A=evaluates("1 + 1"))).ended().output)
        for child in Path("/proc/self/task").glob("*/children"):
            for pid in child.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
    return seen == [2, 2]


def a_pattern_with_many_stars_is_matched_at_once() -> bool:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.x", "StringMatches": "*a" * 40 + "b", "Next": "B"}], "Default": "C"}
    states = {"A": choice, "B": {"Type": "Fail", "Error": "Mine"}, "C": DONE}
    return Run({"StartAt": "A", "States": states}, {"x": "a" * 1000}).ended().status == "SUCCEEDED"


def a_timestamp_has_its_zone() -> bool:
    """Elsewhere than in UTC, and with an offset: TZ is one of an hour's difference in this process."""
    later = time.time() + 2 * HOUR
    utc = time.strftime("%Y-%m-%dT%H:%M:%S.5Z", time.gmtime(later))
    other = time.strftime("%Y-%m-%dT%H:%M:%S+02:00", time.gmtime(later + 2 * HOUR))
    skipped = []
    for text in (utc, other):
        run = Run(machine(A={"Type": "Wait", "Timestamp": text}))
        skipped.append(run.skip(3 * HOUR))
    return skipped == [[("A", "Wait", 2)]] * 2


def a_history_ends_at_its_limit() -> bool:
    loop = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}}
    run = Run(loop)
    until = time.monotonic() + PATIENCE
    while run.status == "RUNNING" and time.monotonic() < until:
        time.sleep(0.05)
    seen = run.status, run.execution["error"], len(run.kinds), run.kinds[-1]
    return seen == ("FAILED", "States.Runtime", 25_000, "ExecutionFailed")


def a_thousand_runs_leave_nothing() -> bool:
    definition = machine(Both={"Type": "Parallel", "Branches": [machine(A=DONE), machine(B=each(C=DONE))]})
    memory = []
    for _ in range(2):
        for _ in range(10):
            runs = [Run(definition, [1, 2]) for _ in range(50)]
            for run in runs:
                run.ended()
                stepfunctions._executions.pop(run.arn, None)
                stepfunctions._state_machines.pop(run.machine, None)
        gc.collect()
        memory.append(_resident())
    print(f"after 500 runs {memory[0]} MB, after 1,000 {memory[1]} MB, {strands()} strands", file=sys.stderr)
    return _none_left() and memory[1] - memory[0] < 15


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 2**20


def ten_run_at_once() -> bool:
    runs = [Run(machine(Meet={"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "meets"}})) for _ in range(10)]
    return all(run.ended().status == "SUCCEEDED" for run in runs)


CALLS: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:textract:analyzeDocument"}
BUSY = {"error": "Busy", "message": "later"}
RETRIES = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 3}]
ANY = [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]
QUEUE: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"QueueUrl": "http://127.0.0.1:4566/000000000000/none", "MessageBody.$": "$$.Task.Token"},
}


def a_test_answers_a_task_call_by_call_within_its_fields() -> bool:
    state = {**CALLS, "Retry": RETRIES, "ResultSelector": {"n.$": "$.Pages"}, "ResultPath": "$.seen"}
    run = Run(machine(A=state, B=CALLS), {"a": 1}, tested={"stand_ins": {"A": [BUSY, {"returns": {"Pages": 3}}], "B": [BUSY]}})
    run.ended()
    kinds = [kind for kind in run.kinds if kind.startswith("Task") and not kind.startswith("TaskState")]
    called = ["TaskScheduled", "TaskStarted"]
    told = next(event for event in run.execution["events"] if event["type"] == "TaskStateExited")["stateExitedEventDetails"]
    seen = (json.loads(told["output"]), run.execution["error"], kinds)
    return seen == (
        {"a": 1, "seen": {"n": 3}},
        "Busy",
        [*called, "TaskFailed", *called, "TaskSucceeded", *called, "TaskFailed"],
    )


def a_test_answers_every_kind_of_task() -> bool:
    arns = ["http:invoke", "bedrock:invokeModel", "ecs:runTask.sync", "athena:startQueryExecution.sync", "apigateway:invoke"]
    arns += ["dynamodb:getItem", "lambda:invoke.waitForTaskToken", "states:startExecution.sync:2", "aws-sdk:nosuch:thing"]
    tasks: dict[str, Any] = {arn: {"Type": "Task", "Resource": f"arn:aws:states:::{arn}"} for arn in arns}
    tasks["worker"] = {"Type": "Task", "Resource": "arn:aws:states:us-east-1:000000000000:activity:none", "HeartbeatSeconds": 5}
    tasks["dynamodb:getItem"]["Parameters"] = {"TableName": "none", "Key": {"id": {"S": "1"}}}
    answers = {name: [{"returns": {"by": name}}] for name in tasks}
    fails = {
        name: Run(machine(A={**it, "Catch": ANY}, Done=DONE), tested={"stand_ins": {"A": [BUSY]}}) for name, it in tasks.items()
    }
    told = {name: run.ended().output for name, run in fails.items()}
    run = Run(machine(**tasks), tested={"stand_ins": answers}).ended()
    return run.output == {"by": "worker"} and all(it == {"Error": "Busy", "Cause": "later"} for it in told.values())


def a_test_answers_a_function_as_it_would() -> bool:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:none"
    tasks: list[dict[str, Any]] = [
        {"Type": "Task", "Resource": arn},
        {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "none"}},
    ]
    error, answer = {**BUSY, "of_function": True}, {"returns": {"Payload": 7, "StatusCode": 200}}
    runs = [Run(machine(A={**task, "Retry": RETRIES}), tested={"stand_ins": {"A": [error, answer]}}).ended() for task in tasks]
    caught = [Run(machine(A={**task, "Catch": ANY}, Done=DONE), tested={"stand_ins": {"A": [error]}}).ended() for task in tasks]
    cause = json.dumps({"errorMessage": "later", "errorType": "Busy"})
    return [run.output for run in runs] == [7, answer["returns"]] and all(
        run.output == {"Error": "Busy", "Cause": cause} for run in caught
    )


def a_test_answers_functions_by_their_names() -> bool:
    """Two states share a function's calls; one that echoes returns its input, too; a token is waited for all the same."""
    arn = "arn:aws:lambda:us-east-1:000000000000:function:try"
    by_arn: dict[str, Any] = {"Type": "Task", "Resource": arn, "Retry": RETRIES}
    by_name: dict[str, Any] = {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "try", "Payload.$": "$"}}
    turns = [BUSY, {"returns": 1}, {"returns": 2}]
    one = Run(machine(A=by_arn, B={**by_name, "OutputPath": "$.Payload"}), tested={"stand_ins": {"try": turns}})
    told = {"stand_ins": {"try": [{"returns": {"id": 7, "a": 0}}]}, "echoing": ["try"]}
    echo, plain = (Run(machine(A=by_arn), given, tested=told).ended().output for given in ({"a": 1}, [2]))
    asks = Run(machine(A={**ASKS, "Parameters": {"FunctionName": "try"}}), tested=told)
    [token] = asks.waits().values()
    send("success", taskToken=token, output="3")
    seen = one.ended().output, [kind for kind in one.kinds if kind.endswith("Failed")], echo, plain, asks.ended().output
    return seen == (2, ["LambdaFunctionFailed"], {"id": 7, "a": 1}, {"id": 7, "a": 0}, 3)


def what_nothing_answers_fails_at_once_with_the_line_that_helps() -> bool:
    arns = ["http:invoke", "bedrock:invokeModel", "athena:startQueryExecution.sync", "apigateway:invoke", "aws-sdk:sqs:nope"]
    arns += ["aws-sdk:textract:analyzeDocument", "aws-sdk:nosuch:thing", "ecs:runTask.sync", "states:startExecution.sync:2"]
    told = {}
    for arn in arns:
        retries = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60}]
        state = {"Type": "Task", "Resource": f"arn:aws:states:::{arn}", "Retry": retries, "Catch": ANY}
        run = Run({"StartAt": "Read it", "States": {"Read it": {**state, "End": True}, "Done": DONE}}, tested={}).ended()
        said = (
            f'answers {arn} of the state "Read it": add --stand-in \'Read it={{…}}\', or stand_ins={{"Read it": …}} in a test'
        )
        told[arn] = run.execution["error"] == "States.Runtime" and said in run.execution["cause"]
    return told == dict.fromkeys(arns, True)


def a_queue_that_is_not_here_fails_only_outside_a_test() -> bool:
    run, plain = Run(machine(A=QUEUE), {"a": 1}, tested={}), Run(machine(A=QUEUE)).ended()
    [(number, token)] = run.waits().items()
    kind = run.kinds[number - 1]
    done = send("success", taskToken=token, output="7"), run.ended().output, run.submitted, plain.execution["error"]
    return (kind, done) == ("TaskScheduled", ("", 7, ["{}"], "SQS.SdkClientException"))


def a_test_can_say_that_a_token_is_not_sent() -> bool:
    known = len(handles)
    run = Run(machine(A=ASKS), {"a": 1}, tested={"unsent": ["A"]})
    [token] = run.waits().values()
    seen = send("failure", taskToken=token, error="No"), run.ended().execution["error"], len(handles), run.submitted
    return seen == ("", "No", known, ["{}"])


def children_of_a_map_say_in_which_items_they_wait() -> bool:
    state = each(Inner=each(Ask=QUEUE))
    state["ItemProcessor"]["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    run = Run(machine(Each=state), [["a"], ["b", "c"]], tested={})
    found = run.children(3)
    for token, _, items in found:
        send("success", taskToken=token, output=json.dumps(items))
    seen = sorted((name, items) for _, name, items in found), run.ended().output, run.children(0)
    return seen == ([("Ask", (0, 0)), ("Ask", (1, 0)), ("Ask", (1, 1))], [[[0, 0]], [[1, 0], [1, 1]]], [])


def a_test_lets_a_task_token_time_out() -> bool:
    errors = []
    for limits in (
        {"TimeoutSeconds": HOUR},
        {"HeartbeatSeconds": HOUR},
        {"TimeoutSeconds": 2 * HOUR, "HeartbeatSeconds": HOUR},
    ):
        run = Run(machine(A={**QUEUE, **limits}), tested={})
        [token] = run.waits().values()
        assert run.ask(time_out="another") == {"timed_out": False}
        assert run.ask(time_out=token) == {"timed_out": True}
        errors.append((run.ended().execution["error"], run.kinds[-2], send("success", taskToken=token, output="1")))
    return errors == [("States.Timeout", "TaskTimedOut", "TaskTimedOut")] * 3


def a_machine_that_is_gone_has_no_answers() -> bool:
    run = Run(machine(A=CALLS), tested={"stand_ins": {"A": [{"returns": 1}]}}).ended()
    stepfunctions._delete_state_machine({"stateMachineArn": run.machine})
    again = Run(machine(A=CALLS), name=run.machine.rpartition(":")[2]).ended()
    return (run.output, again.status) == (1, "FAILED")


def _fail(_: Any) -> Any:
    raise FunctionError("Mine", "because")


def _outcome(probe: Callable[[], bool]) -> str:
    handles.clear()
    try:
        return "" if probe() else "False"
    except Exception as error:  # to tell of it
        return f"{type(error).__name__}: {error}"


def main() -> None:
    os.environ["TZ"] = "America/St_Johns"
    time.tzset()
    start()
    functions.update(note=note, meets=meet_nine_others, fails=_fail)
    found = [it for it in globals().values() if getattr(it, "__annotations__", None) == {"return": bool}]
    probes = [probe for probe in found if not probe.__name__.startswith("_")]
    chosen = [probe for probe in probes if probe.__name__ in sys.argv[1:]] or probes
    seen = {probe.__name__: _outcome(probe) for probe in chosen}
    print(json.dumps(seen), flush=True)
    os._exit(0)  # without waiting for functions that are slow on purpose


if __name__ == "__main__":
    main()
