"""Task tokens and activities: SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat and GetActivityTask."""

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from weakref import ref

from waitpoints_local.clocks import HEARTBEAT, TIMEOUT, Pause
from waitpoints_local.interpreter.bare import part, state
from waitpoints_local.interpreter.runs import run_here, runs
from waitpoints_local.interpreter.strands import (
    FOREVER,
    Event,
    clock_here,
    frame_here,
    is_stopped,
    items_here,
    pause_here,
    state_here,
)

_tokens: dict[str, Any] = {}
"""A weak reference to the endpoint of each token. It leads to nothing once the execution has ended."""
_machines: dict[str, str] = {}
"""The state machine of each token."""
_GONE = "Task Timed Out: 'Provided task does not exist anymore'"
_UNKNOWN = "Invalid Token: 'Invalid token'"
_answering = threading.RLock()
POLL_SECONDS = 0.5


def machine_of(token: str) -> str:
    """Return the ARN of the state machine that has issued a task token, or an empty text."""
    return _machines.get(token, "")


def answer_tokens(stepfunctions: Any) -> None:
    """Let a token be answered once: the first answer wins.

    One that comes after it, or after what waited for it has ended, is TaskTimedOut, and an output that is no JSON is
    InvalidOutput (API reference, "SendTaskSuccess"). moto, which keeps the tokens of each execution in a pool, takes both.
    """
    callback = part("asl.eval.callback.callback")
    _keep_tokens(callback)
    api = _Api(stepfunctions, callback)
    stepfunctions._send_task_success, stepfunctions._send_task_failure = api.send_success, api.send_failure
    stepfunctions._send_task_heartbeat, stepfunctions._get_activity_task = api.send_heartbeat, api.get_task
    _wait_for_tokens(callback)


class _Api:
    def __init__(self, stepfunctions: Any, callback: Any) -> None:
        self._of, self._callback, self._get_activity_task = stepfunctions, callback, stepfunctions._get_activity_task

    def send_success(self, data: dict[str, Any]) -> Any:
        token, output = data.get("taskToken", ""), data.get("output", "{}")
        if token in _tokens and not _is_json(output):
            return self._refuse("InvalidOutput", "Invalid Output: the output is no valid JSON")
        return self._send(data, self._callback.CallbackOutcomeSuccess(token, output))

    def send_failure(self, data: dict[str, Any]) -> Any:
        failed = self._callback.CallbackOutcomeFailure(data.get("taskToken"), data.get("error"), data.get("cause"))
        return self._send(data, failed)

    def send_heartbeat(self, data: dict[str, Any]) -> Any:
        endpoint, refused = self._find_waiting(data)
        if refused:
            return refused
        if endpoint._notify_event._clock:
            endpoint._notify_event._clock.note_heartbeat(endpoint._notify_event)
        return self._of.json_response({})

    async def get_task(self, data: dict[str, Any]) -> Any:
        status, headers, body = await self._get_activity_task(data)
        token = json.loads(body or b"{}").get("taskToken") if status == HTTPStatus.OK else None
        if token and (endpoint := _tokens[token]()):
            endpoint.notify_activity_task_start(data.get("workerName"))
        return status, headers, body

    def _send(self, data: dict[str, Any], outcome: Any) -> Any:
        with _answering:
            endpoint, refused = self._find_waiting(data)
            if refused:
                return refused
            endpoint.is_closed = True
            endpoint.notify(outcome)
        return self._of.json_response({})

    def _find_waiting(self, data: dict[str, Any]) -> tuple[Any, Any]:
        """Return the endpoint that waits for this token, or an answer that refuses it."""
        reference = _tokens.get(data.get("taskToken", ""))
        if reference is None:
            return None, self._refuse("InvalidToken", _UNKNOWN)
        endpoint = reference()
        if endpoint is None or endpoint.is_closed or is_stopped(endpoint.frame):
            return None, self._refuse("TaskTimedOut", _GONE)
        return endpoint, None

    def _refuse(self, code: str, message: str) -> Any:
        return self._of.error_response_json(code, message, 400)


def _keep_tokens(callback: Any) -> None:
    endpoint, pool = callback.CallbackEndpoint, callback.CallbackPoolManager
    callback.Event = Event
    callback.ActivityTaskStartEndpoint._outcome = None
    endpoint.is_closed, endpoint.frame = False, None
    for name in ("add", "add_activity_task"):
        setattr(pool, name, _noting(getattr(pool, name)))

    def close(self: Any) -> bool:
        """Take no more answers. Returns whether there is one."""
        with _answering:
            self.is_closed = True
            return self._outcome is not None

    endpoint.close = close


def _noting(add: Any) -> Any:
    def add_and_note(self: Any, callback_id: str, *given: Any, **named: Any) -> Any:
        made = add(self, callback_id, *given, **named)
        made.frame = frame_here.get()
        _tokens[callback_id] = ref(made)
        if run := run_here.get():
            _machines[callback_id] = run.execution["stateMachineArn"]
        return made

    return add_and_note


def _wait_for_tokens(callback: Any) -> None:
    """Wait for an answer in one pause, which heartbeats prolong."""
    task = state("exec.state_task.service.state_task_service_callback").StateTaskServiceCallback
    nested = state("exec.state_task.service.state_task_service_sfn").StateTaskServiceSfn

    def wait_for_task_token(self: Any, env: Any, timeout_seconds: Any, callback_endpoint: Any, heartbeat_endpoint: Any) -> Any:
        with _noted(env, callback_endpoint.callback_id):
            outcome, missed = _wait(self, timeout_seconds, callback_endpoint, heartbeat_endpoint)
        if outcome is not None:
            return outcome
        return callback.HeartbeatTimedOut() if missed else callback.CallbackOutcomeTimedOut(callback_endpoint.callback_id)

    def evaluate_sync(
        self: Any, env: Any, sync_resolver: Any, timeout_seconds: Any, callback_endpoint: Any, heartbeat_endpoint: Any
    ) -> Any:
        """Wait for the end of a job, or for an answer to its token. The end of an execution is told."""
        child = runs.get(getattr(sync_resolver, "execution", ""))
        if child:
            child.when_done(callback_endpoint._notify_event)
        while True:
            if result := callback_endpoint.get_outcome() or sync_resolver():
                return result
            if child is None:
                time.sleep(POLL_SECONDS)
                continue
            outcome, missed = _wait(self, timeout_seconds, callback_endpoint, heartbeat_endpoint)
            if outcome is None and not callback_endpoint._notify_event.is_set():
                return callback.HeartbeatTimedOut() if missed else callback.CallbackOutcomeTimedOut("")

    task._eval_wait_for_task_token, task._eval_sync = wait_for_task_token, evaluate_sync
    nested._build_sync_resolver, nested._build_sync2_resolver = map(
        _naming, (nested._build_sync_resolver, nested._build_sync2_resolver)
    )


def _wait(task: Any, seconds: float, endpoint: Any, heartbeat_endpoint: Any) -> tuple[Any, bool]:
    """Return what a token was answered, if it was, and whether a heartbeat was missed.

    A timeout of the state's own ends the whole attempt, of which this is a part.
    """
    clock = clock_here.get()
    assert clock
    until = clock.now() + (seconds if task.timeout.is_default_value() else FOREVER)
    heartbeat = heartbeat_endpoint._heartbeat_seconds if heartbeat_endpoint else None
    pause = Pause(state_here.get(), TIMEOUT, until, endpoint._notify_event, heartbeat, endpoint.callback_id)
    pause_here(pause)
    if endpoint._outcome is None and pause.ran_out_of:
        endpoint.close()
    return endpoint._outcome, pause.ran_out_of == HEARTBEAT


def _naming(build: Any) -> Any:
    def build_and_name(self: Any, env: Any, *given: Any, **named: Any) -> Any:
        arn = env.stack[-1]["ExecutionArn"]
        resolver = build(self, env, *given, **named)
        resolver.execution = arn
        return resolver

    return build_and_name


@contextmanager
def _noted(env: Any, token: str) -> Iterator[None]:
    """Note which token is waited for, by the event with which its task began, and in which item, in a distributed Map."""
    run, number, events = run_here.get(), env.event_history_context.source_event_id, env.event_manager._history_event_list
    if run is None:
        yield
        return
    waits: dict[Any, Any] = run.waits_of_children
    key: Any = token
    noted: Any = (state_here.get(), items_here.get())
    if env.event_manager is run.env.event_manager:
        while events[number - 1]["type"] != "TaskScheduled":
            number = events[number - 1]["previousEventId"]
        waits, key, noted = run.waits, number, token
    waits[key] = noted
    try:
        yield
    finally:
        del waits[key]


def _is_json(text: str) -> bool:
    """Whether a text is JSON whose numbers Python can hold: what AWS does with others is not documented."""

    def finite(number: str) -> float:
        if math.isfinite(found := float(number)):
            return found
        raise ValueError(number)

    try:
        json.loads(text, parse_float=finite, parse_constant=finite)
    except (ValueError, RecursionError):
        return False
    return True
