"""What MiniStack does without each mend of durable_mends.py, and with it. `mends.py` runs these.

A script stands in for the code of the durable function: it answers each invocation of an execution.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ministack.core import iam_actions
from ministack.services import lambda_durable, lambda_svc
from ministack.services.cloudformation import provisioners

from tests.support.patience import PATIENCE

ACCOUNT, REGION, FUNCTION = "000000000000", "us-east-1", "durable"
PENDING = {"body": {"Status": "PENDING"}}
SUCCEEDED = {"body": {"Status": "SUCCEEDED", "Result": "1"}}

Execution = dict[str, Any]
Answer = dict[str, Any]
Script = Callable[[Execution, int], Answer]
"""Takes an execution and the number of its invocation, from 1."""


class Probe:
    """The code of the durable function, which follows the script of the probe that runs."""

    def __init__(self) -> None:
        self.script: Script = lambda *_: SUCCEEDED
        self._invocations = Counter[str]()

    def __call__(self, _: Any, event: dict[str, Any]) -> Answer:
        if "DurableExecutionArn" not in event:
            return SUCCEEDED
        execution = event["DurableExecutionArn"]
        self._invocations[execution] += 1
        return self.script(lambda_durable._executions[execution], self._invocations[execution])


code = Probe()


def started(script: Script) -> Execution:
    """Start an execution asynchronously."""
    code.script = script
    before = set(lambda_durable._executions)
    asyncio.run(lambda_svc._invoke(FUNCTION, {}, {"x-amz-invocation-type": "Event"}))
    [arn] = set(lambda_durable._executions) - before
    return lambda_durable._executions[arn]


def in_time(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def ends(execution: Execution) -> bool:
    return in_time(lambda: execution["Status"] == "SUCCEEDED")


def new_execution() -> Execution:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}"
    return lambda_durable.create_execution_for_invoke(arn, "1", "{}")


def open_callback(execution: Execution) -> dict[str, Any]:
    update = {"Id": "1", "Type": "CALLBACK", "Action": "START", "CallbackOptions": {"HeartbeatTimeoutSeconds": 0}}
    lambda_durable._apply_update(execution, update)
    return execution["Operations"][-1]


def settle(callback: dict[str, Any], result: bytes = b"1") -> tuple[int, bytes]:
    status, _, body = lambda_durable.handle_callback_success(callback["CallbackDetails"]["CallbackId"], result)
    return status, body


def waits_once(execution: Execution, number: int) -> Answer:
    if number > 1:
        return SUCCEEDED
    open_callback(execution)
    return PENDING


def is_open(execution: Execution) -> bool:
    return any(operation["Type"] == "CALLBACK" for operation in execution["Operations"])


def a_template_makes_a_function_durable() -> bool:
    lambda_svc._execute_function = code
    durable = {"ExecutionTimeout": 60}
    properties = {"FunctionName": FUNCTION, "Role": f"arn:aws:iam::{ACCOUNT}:role/r", "DurableConfig": durable}
    provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]["create"]("Function", properties, "stack")
    return is_durable() and durable == {"ExecutionTimeout": 60}  # else an update of the stack would replace the function


def the_api_makes_a_function_durable() -> bool:
    lambda_svc._functions[FUNCTION]["config"]["DurableConfig"] = {"ExecutionTimeout": 60}
    return is_durable()


def is_durable() -> bool:
    before = len(lambda_durable._executions)
    asyncio.run(lambda_svc._invoke(FUNCTION, {}, {"x-amz-invocation-type": "Event"}))
    return len(lambda_durable._executions) > before


def an_asynchronous_invocation_says_what_it_started() -> bool:
    before = set(lambda_durable._executions)
    _, headers, _ = asyncio.run(lambda_svc._invoke(FUNCTION, {}, {"x-amz-invocation-type": "Event"}))
    return {headers.get("X-Amz-Durable-Execution-Arn")} == set(lambda_durable._executions) - before


def a_timeout_of_zero_is_none() -> bool:
    execution = new_execution()
    callback = open_callback(execution)
    lambda_durable._resume_execution(execution["DurableExecutionArn"])
    return bool(callback["Status"] == "STARTED")


def each_attempt_of_a_step_counts() -> bool:
    execution = new_execution()
    for action in ("START", "RETRY", "START", "RETRY"):
        lambda_durable._apply_update(execution, {"Id": "1", "Type": "STEP", "Action": action})
    return bool(execution["Operations"][-1]["StepDetails"]["Attempt"] == 2)


def the_first_invocation_may_end_the_execution() -> bool:
    return ends(started(lambda *_: SUCCEEDED))


def invocations_of_an_execution_follow_one_another() -> bool:
    ended = threading.Event()
    in_order = []

    def settled_while_it_runs(execution: Execution, number: int) -> Answer:
        in_order.append(number == 1 or ended.is_set())
        if number > 1:
            return SUCCEEDED
        settle(open_callback(execution))
        time.sleep(0.3)
        ended.set()
        return PENDING

    execution = started(settled_while_it_runs)
    return in_time(lambda: len(in_order) == 2) and all(in_order) and ends(execution)


def executions_do_not_wait_for_one_another() -> bool:
    both = threading.Barrier(2)

    def meets_the_other(execution: Execution, number: int) -> Answer:
        if number == 1:
            return waits_once(execution, number)
        with suppress(threading.BrokenBarrierError):
            both.wait(PATIENCE)
            return SUCCEEDED
        return PENDING

    executions = [started(meets_the_other), started(meets_the_other)]
    in_time(lambda: all(map(is_open, executions)))
    for execution in executions:
        settle(execution["Operations"][-1])
    return all(map(ends, executions))


def a_failed_invocation_says_why() -> bool:
    execution = new_execution()
    failed = {"errorType": "Runtime.ImportModuleError", "errorMessage": "No module named 'x'", "stackTrace": []}
    lambda_durable.record_invocation_completed(execution["DurableExecutionArn"], 0.0, "request", error=failed)
    told = execution["History"][-1]["InvocationCompletedDetails"]["Error"]["Payload"]
    return bool(told == {"ErrorType": "Runtime.ImportModuleError", "ErrorMessage": "No module named 'x'"})


def a_result_may_have_a_mebibyte() -> bool:
    callback, largest = open_callback(new_execution()), "é" * 524_288
    (refused, _), (status, _) = settle(callback, f"{largest}x".encode()), settle(callback, largest.encode())
    return (refused, status) == (400, 200) and callback["CallbackDetails"]["Result"] == largest


def a_stopped_execution_has_no_open_callback() -> bool:
    execution = new_execution()
    callback = open_callback(execution)
    lambda_durable.handle_stop(execution["DurableExecutionArn"], b"")
    status, body = settle(callback)
    return status == 400 and b"CallbackTimeoutException" in body


def a_callback_needs_permission_for_its_execution() -> bool:
    execution = new_execution()
    path = f"/2025-12-01/durable-execution-callbacks/{open_callback(execution)['CallbackDetails']['CallbackId']}/succeed"
    request: tuple[Any, ...] = ("lambda", "POST", path, {}, b"", {})
    action, resource = iam_actions.extract_iam_action(*request), iam_actions.extract_resource_arn(*request, REGION, ACCOUNT)
    return (action, resource) == ("lambda:SendDurableExecutionCallbackSuccess", execution["DurableExecutionArn"])


PROBES: dict[str, list[Callable[[], bool]]] = {
    "make_durable_functions": [a_template_makes_a_function_durable, the_api_makes_a_function_durable],
    "name_started_executions": [an_asynchronous_invocation_says_what_it_started],
    "take_zero_for_no_timeout": [a_timeout_of_zero_is_none],
    "count_attempts": [each_attempt_of_a_step_counts],
    "run_executions_side_by_side": [
        the_first_invocation_may_end_the_execution,
        invocations_of_an_execution_follow_one_another,
        executions_do_not_wait_for_one_another,
    ],
    "tell_why_an_invocation_failed": [a_failed_invocation_says_why],
    "take_results_of_a_mebibyte": [a_result_may_have_a_mebibyte],
    "close_callbacks_with_their_execution": [a_stopped_execution_has_no_open_callback],
    "authorize_callbacks": [a_callback_needs_permission_for_its_execution],
}
