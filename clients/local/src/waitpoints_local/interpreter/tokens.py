"""Task tokens and activities: SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat and GetActivityTask."""

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ref

from waitpoints_local.clocks import HEARTBEAT, TIMEOUT, Pause
from waitpoints_local.interpreter.bare import part, state
from waitpoints_local.interpreter.runs import run_here, runs
from waitpoints_local.interpreter.strands import FOREVER, Event, clock_here, frame_here, is_stopped, pause_here, state_here

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

    def refuse(code: str, message: str) -> Any:
        return stepfunctions.error_response_json(code, message, 400)

    def waiting(data: dict[str, Any]) -> tuple[Any, Any]:
        """Return the endpoint that waits for this token, or an answer that refuses it."""
        reference = _tokens.get(data.get("taskToken", ""))
        if reference is None:
            return None, refuse("InvalidToken", _UNKNOWN)
        endpoint = reference()
        if endpoint is None or endpoint.is_closed or is_stopped(endpoint.frame):
            return None, refuse("TaskTimedOut", _GONE)
        return endpoint, None

    def send(data: dict[str, Any], outcome: Any) -> Any:
        with _answering:
            endpoint, refused = waiting(data)
            if refused:
                return refused
            endpoint.is_closed = True
            endpoint.notify(outcome)
        return stepfunctions.json_response({})

    def send_success(data: dict[str, Any]) -> Any:
        if data.get("taskToken", "") in _tokens and not _is_json(data.get("output", "{}")):
            return refuse("InvalidOutput", "Invalid Output: the output is no valid JSON")
        return send(data, callback.CallbackOutcomeSuccess(data.get("taskToken"), data.get("output", "{}")))

    def send_failure(data: dict[str, Any]) -> Any:
        return send(data, callback.CallbackOutcomeFailure(data.get("taskToken"), data.get("error"), data.get("cause")))

    def send_heartbeat(data: dict[str, Any]) -> Any:
        endpoint, refused = waiting(data)
        if refused:
            return refused
        if endpoint._notify_event._clock:
            endpoint._notify_event._clock.note_heartbeat(endpoint._notify_event)
        return stepfunctions.json_response({})

    get_activity_task = stepfunctions._get_activity_task

    async def get_task(data: dict[str, Any]) -> Any:
        status, headers, body = await get_activity_task(data)
        token = json.loads(body or b"{}").get("taskToken") if status == 200 else None
        if token and (endpoint := _tokens[token]()):
            endpoint.notify_activity_task_start(data.get("workerName"))
        return status, headers, body

    stepfunctions._send_task_success, stepfunctions._send_task_failure = send_success, send_failure
    stepfunctions._send_task_heartbeat, stepfunctions._get_activity_task = send_heartbeat, get_task
    _wait_for_tokens(callback)


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
        heartbeat = heartbeat_endpoint._heartbeat_seconds if heartbeat_endpoint else None
        with _noted(env, callback_endpoint.callback_id):
            outcome, missed = wait(callback_endpoint, seconds_of(self, timeout_seconds), heartbeat)
        if outcome is not None:
            return outcome
        return callback.HeartbeatTimedOut() if missed else callback.CallbackOutcomeTimedOut(callback_endpoint.callback_id)

    def seconds_of(task: Any, seconds: float) -> float:
        """A timeout of the state's own ends the whole attempt, of which this is a part."""
        return seconds if task.timeout.is_default_value() else FOREVER

    def wait(endpoint: Any, seconds: float, heartbeat: float | None) -> tuple[Any, bool]:
        clock = clock_here.get()
        assert clock
        until = clock.now() + seconds
        pause = Pause(state_here.get(), TIMEOUT, until, endpoint._notify_event, heartbeat, endpoint.callback_id)
        pause_here(pause)
        if endpoint._outcome is None and pause.ran_out_of:
            endpoint.close()
        return endpoint._outcome, pause.ran_out_of == HEARTBEAT

    def evaluate_sync(
        self: Any, env: Any, sync_resolver: Any, timeout_seconds: Any, callback_endpoint: Any, heartbeat_endpoint: Any
    ) -> Any:
        """Wait for the end of a job, or for an answer to its token. The end of an execution is told."""
        child = runs.get(getattr(sync_resolver, "execution", ""))
        if child:
            child.when_done(callback_endpoint._notify_event)
        heartbeat = heartbeat_endpoint._heartbeat_seconds if heartbeat_endpoint else None
        while True:
            if result := callback_endpoint.get_outcome() or sync_resolver():
                return result
            if child is None:
                time.sleep(POLL_SECONDS)
                continue
            outcome, missed = wait(callback_endpoint, seconds_of(self, timeout_seconds), heartbeat)
            if outcome is None and not callback_endpoint._notify_event.is_set():
                return callback.HeartbeatTimedOut() if missed else callback.CallbackOutcomeTimedOut("")

    def naming(build: Any) -> Any:
        def build_and_name(self: Any, env: Any, *given: Any, **named: Any) -> Any:
            arn = env.stack[-1]["ExecutionArn"]
            resolver = build(self, env, *given, **named)
            resolver.execution = arn
            return resolver

        return build_and_name

    task._eval_wait_for_task_token, task._eval_sync = wait_for_task_token, evaluate_sync
    nested._build_sync_resolver, nested._build_sync2_resolver = map(
        naming, (nested._build_sync_resolver, nested._build_sync2_resolver)
    )


@contextmanager
def _noted(env: Any, token: str) -> Iterator[None]:
    """Note which token is waited for, by the event with which its task began, unless the history has none."""
    run, number, events = run_here.get(), env.event_history_context.source_event_id, env.event_manager._history_event_list
    if run is None or env.event_manager is not run.env.event_manager:  # of a child of a distributed Map
        yield
        return
    while events[number - 1]["type"] != "TaskScheduled":
        number = events[number - 1]["previousEventId"]
    run.waits[number] = token
    try:
        yield
    finally:
        del run.waits[number]


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
