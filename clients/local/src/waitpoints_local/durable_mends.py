"""What MiniStack 1.5.33 does otherwise than AWS about Lambda durable functions, one function for each mend.

`emulator.py` applies them. What AWS does is in Lambda's API reference and its guide "Durable functions".
"""

import contextvars
import re
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

_CALLBACK = re.compile(r"/2025-12-01/durable-execution-callbacks/([^/]+)/(succeed|fail|heartbeat)")
_VERBS = {"succeed": "Success", "fail": "Failure", "heartbeat": "Heartbeat"}
LARGEST_OF_MINISTACK, LARGEST_RESULT = 262_144, 1_048_576  # bytes
CLOSED = "The callback has expired or is closed."


class AtWork:
    """Which executions have an invocation that runs or begins."""

    def __init__(self) -> None:
        self._marks: dict[object, str] = {}

    def begin(self, execution: str) -> object:
        mark = object()
        self._marks[mark] = execution
        return mark

    def end(self, mark: object) -> None:
        del self._marks[mark]

    def has(self, execution: str) -> bool:
        return execution in list(self._marks.values())


at_work = AtWork()


def make_durable_functions(lambda_svc: Any, provisioners: Any) -> None:
    """Make a function durable that is created with a `DurableConfig`, from a template or by the API. AWS asks for no more.

    MiniStack 1.5.33 drops the property from a template, and asks for a member `Enabled`, which AWS does not have.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    create, invoke = handlers["create"], lambda_svc._invoke

    def create_with_config(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        name, attributes = create(logical_id, properties, stack_name)
        if config := properties.get("DurableConfig"):
            lambda_svc._functions[name]["config"]["DurableConfig"] = {
                **config
            }  # MiniStack compares the template's at an update
        return name, attributes

    async def invoke_enabled(name: str, *rest: Any, **named: Any) -> Any:
        if config := lambda_svc._functions.get(name, {}).get("config", {}).get("DurableConfig"):
            config["Enabled"] = True
        return await invoke(name, *rest, **named)

    handlers["create"], lambda_svc._invoke = create_with_config, invoke_enabled


def name_started_executions(lambda_svc: Any) -> None:
    """Answer an asynchronous invocation with the ARN of the durable execution that it started, as AWS does.

    MiniStack 1.5.33 does so only for synchronous ones.
    """
    invoke = lambda_svc._invoke

    async def invoke_and_name(name: str, *rest: Any, **named: Any) -> Any:
        lambda_svc._durable_ctx.set(None)
        status, headers, body = await invoke(name, *rest, **named)
        started = lambda_svc._durable_ctx.get() if status == HTTPStatus.ACCEPTED else None
        return status, {**headers, "X-Amz-Durable-Execution-Arn": started["arn"]} if started else headers, body

    lambda_svc._invoke = invoke_and_name


def take_zero_for_no_timeout(lambda_durable: Any) -> None:
    """Give a callback no deadline for a timeout of 0 seconds, which is AWS's default, and which the SDK sends.

    MiniStack 1.5.33 ends such a callback at once.
    """
    apply_update = lambda_durable._apply_update

    def apply_with_real_timeouts(execution: Any, update: dict[str, Any]) -> None:
        options = update.get("CallbackOptions") or {}
        apply_update(execution, {**update, "CallbackOptions": {name: seconds for name, seconds in options.items() if seconds}})

    lambda_durable._apply_update = apply_with_real_timeouts


def count_attempts(lambda_durable: Any) -> None:
    """Count each attempt of a step, also one that is retried, so that the SDK's retries come to an end.

    MiniStack 1.5.33 counts only the last one: a step that always fails is retried for as long as its execution runs.
    """
    apply_update = lambda_durable._apply_update

    def apply_and_count(execution: Any, update: dict[str, Any]) -> None:
        apply_update(execution, update)
        if (update["Type"], update["Action"]) == ("STEP", "RETRY"):
            step = next(operation for operation in execution["Operations"] if operation["Id"] == update["Id"])
            step["StepDetails"]["Attempt"] += 1

    lambda_durable._apply_update = apply_and_count


def run_executions_side_by_side(lambda_svc: Any, lambda_durable: Any, at_once: int) -> None:
    """Run each execution in invocations that follow one another, and several executions at the same time.

    MiniStack 1.5.33 resumes the executions of all functions one by one. It ignores the answer of the first invocation if
    it is asynchronous, so an execution that ends in it keeps running. And it invokes an execution again while an
    invocation of it runs: that one then fails, because its checkpoint token has become invalid.
    """
    execute, invoke_later = lambda_svc._execute_function, lambda_svc.invoke_async_with_retry
    resume, invoke = lambda_durable._resume_execution, lambda_svc.invoke_durable_resume
    running, threads = set[str](), ThreadPoolExecutor(at_once)

    def invoke_at_work(mark: object, *given: Any) -> None:
        try:
            invoke(*given)
        finally:
            at_work.end(mark)

    def execute_alone(function: Any, event: Any, *rest: Any, **named: Any) -> Any:
        execution = event.get("DurableExecutionArn") if isinstance(event, dict) else None
        try:
            return execute(function, event, *rest, **named)
        finally:  # what has ended meanwhile is found when MiniStack schedules the next invocation, after this
            running.discard(execution)

    def invoke_beside(function: str, execution: str, event: Any) -> None:
        running.add(execution)
        threads.submit(contextvars.copy_context().run, invoke_at_work, at_work.begin(execution), function, execution, event)

    def invoke_first(function: dict[str, Any], event: Any) -> None:
        if isinstance(event, dict) and "DurableExecutionArn" in event:
            invoke_beside(function["config"]["FunctionName"], event["DurableExecutionArn"], {})
        else:
            invoke_later(function, event)

    def resume_between_invocations(execution: str, *scope: Any) -> None:
        mark = at_work.begin(execution)
        try:
            if execution not in running:
                resume(execution, *scope)
        finally:
            at_work.end(mark)

    lambda_svc._execute_function, lambda_svc.invoke_async_with_retry = execute_alone, invoke_first
    lambda_durable._resume_execution, lambda_svc.invoke_durable_resume = resume_between_invocations, invoke_beside


def tell_why_an_invocation_failed(lambda_durable: Any) -> None:
    """Write an invocation's error into the history as AWS does: `ErrorType` and `ErrorMessage`.

    MiniStack 1.5.33 writes what the function answered, whose members no SDK reads.
    """
    record = lambda_durable.record_invocation_completed

    def record_and_name(arn: str, *given: Any, error: Any = None, **named: Any) -> None:
        told = error if isinstance(error, dict) else {"errorMessage": str(error)}
        why = {"ErrorType": told.get("errorType"), "ErrorMessage": told.get("errorMessage")}
        record(arn, *given, error=error and {name: text for name, text in why.items() if text}, **named)

    lambda_durable.record_invocation_completed = record_and_name


class Accepted(bytes):
    """A result that MiniStack takes for a short one."""

    def __len__(self) -> int:
        return 1


def take_results_of_a_mebibyte(lambda_durable: Any) -> None:
    """Settle a callback with a result of up to 1,048,576 bytes, as Lambda's service model says. MiniStack takes 262,144."""
    settle = lambda_durable.handle_callback_success

    def settle_with_more(callback_id: str, body: bytes) -> Any:
        return settle(callback_id, Accepted(body) if LARGEST_OF_MINISTACK < len(body) <= LARGEST_RESULT else body)

    lambda_durable.handle_callback_success = settle_with_more


def close_callbacks_with_their_execution(lambda_durable: Any) -> None:
    """Refuse to settle a callback whose execution has ended, as AWS does with CallbackTimeoutException.

    MiniStack 1.5.33 answers with success, and nothing happens.
    """
    resolve = lambda_durable._resolve_callback

    def resolve_of_running(callback_id: str) -> Any:
        execution, operation, error = resolve(callback_id)
        if not error and execution["Status"] != "RUNNING":
            return None, None, lambda_durable.error_response_json("CallbackTimeoutException", CLOSED, 400)
        return execution, operation, error

    lambda_durable._resolve_callback = resolve_of_running


def authorize_callbacks(iam_actions: Any, lambda_durable: Any) -> None:
    """Ask a role's policies whether it may settle a callback of that durable execution.

    The resource is the execution's ARN, which has the function's version in it. MiniStack 1.5.33 knows no action of
    durable functions, and lets everybody in.
    """
    action_of, resource_of = iam_actions.extract_iam_action, iam_actions.extract_resource_arn

    def action(service: str, method: str, path: str, *rest: Any, **named: Any) -> Any:
        if service == "lambda" and (callback := _CALLBACK.fullmatch(path)):
            return f"lambda:SendDurableExecutionCallback{_VERBS[callback[2]]}"
        return action_of(service, method, path, *rest, **named)

    def resource(service: str, method: str, path: str, *rest: Any, **named: Any) -> Any:
        if service == "lambda" and (callback := _CALLBACK.fullmatch(path)):
            return lambda_durable._callback_index.get(callback[1], ["*"])[0]
        return resource_of(service, method, path, *rest, **named)

    iam_actions.extract_iam_action, iam_actions.extract_resource_arn = action, resource
