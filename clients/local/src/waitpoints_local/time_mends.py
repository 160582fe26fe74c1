"""Give each execution of MiniStack 1.5.33 a clock that can be moved, and mend how long its states wait.

`clocks.py` has the clock. An execution shares it with those that its states start. Whatever it does is at a time by this
clock: the timestamps of its history, what its context object and JSONata's $now say, the end of a Wait until a timestamp.

The client moves it by POST /_waitpoints/clock, from this machine only:

    {"execution": ARN}                  hold the clock, wait until no state is at work, and say what would end next
    {"execution": ARN, "move": 60}      also move it, by at most so many seconds, to the next instant at which something ends
    {"execution": ARN, "release": true} let it go on by itself
"""

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary

from waitpoints_local.clocks import HEARTBEAT, RETRY, TIMEOUT, WAIT, Clock, Group, Pause, Skipped
from waitpoints_local.state_context import group as group_here

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

PATH = "/_waitpoints/clock"
LEASE = 60.0  # seconds: a client that dies holds no clock for longer
PATIENCE = 20.0  # seconds until the answer that a state is still at work
LONGEST = 99_999_999  # seconds: TimeoutSeconds of a state that has none (States Language, "Timeouts and heartbeats")
POLL_SECONDS = 0.01
_TOKEN = re.compile(r"waitpoint_[0-7][0-9a-hjkmnp-tv-z]{25}")


@dataclass(eq=False)
class _Limits:
    """How long the state may take that waits for a task token."""

    handle: str
    heartbeat: float | None
    is_missed: bool = False


class _Missed(str):
    """The name of the error of a state that has sent no heartbeat in time. States.HeartbeatTimeout names it, too."""

    __slots__ = ()


_clock: ContextVar[Clock | None] = ContextVar("clock", default=None)
_state: ContextVar[str] = ContextVar("state", default="")
_what: ContextVar[str] = ContextVar("what", default="")
_limits: ContextVar[_Limits | None] = ContextVar("limits", default=None)
_interval: ContextVar[float | None] = ContextVar("interval", default=None)
_clocks: WeakValueDictionary[str, Clock] = WeakValueDictionary()
"""By the executions' ARNs, while one that shares the clock runs."""


def give_executions_a_clock(stepfunctions: Any) -> None:
    """Let everything that an execution waits for pass by its own clock. MiniStack 1.5.33 only knows the machine's."""
    _keep_clocks(stepfunctions)
    _follow_strands(stepfunctions)
    _wait_by_the_clock(stepfunctions)
    _tell_the_time(stepfunctions)


def _keep_clocks(stepfunctions: Any) -> None:
    run, stop = stepfunctions._run_execution, stepfunctions._stop_execution

    def run_by_a_clock(arn: str) -> None:
        of_parent = _clock.get()
        clock = of_parent or Clock()
        if of_parent is None:
            clock.begin_strand()
        _clocks[arn] = clock
        before = _clock.set(clock), _limits.set(None)
        try:
            run(arn)
        finally:
            _clock.reset(before[0])
            _limits.reset(before[1])
            if of_parent is None:
                clock.end_strand()

    def stop_by_its_clock(data: Any) -> Any:
        before = _clock.set(_clocks.get(data.get("executionArn")))
        try:
            return stop(data)
        finally:
            _clock.reset(before)

    stepfunctions._run_execution, stepfunctions._stop_execution = run_by_a_clock, stop_by_its_clock


class _Strand(threading.Thread):
    """A thread that MiniStack starts, as a strand of the clock of whoever starts it."""

    group: Group | None = None

    def start(self) -> None:
        if clock := _clock.get():
            self.group = Group(clock, 1)
            self.group.add()
        super().start()

    def run(self) -> None:
        try:
            super().run()
        finally:
            if self.group:
                self.group.end_one()

    def join(self, timeout: float | None = None) -> None:
        if self.group and _clock.get() is self.group.clock:
            self.group.join()
        super().join(timeout)


class _Strands(ThreadPoolExecutor):
    """A pool of strands. Those beyond `max_workers` are not at work until their turn."""

    def __init__(self, max_workers: int) -> None:
        super().__init__(max_workers)
        clock = _clock.get()
        self.group = Group(clock, max_workers) if clock else None

    def submit(self, call: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        group = self.group
        if group is None:
            return super().submit(call, *given, **named)

        def run() -> Any:
            try:
                return call(*given, **named)
            finally:
                group.end_one()

        group.add()
        future = super().submit(run)
        future.group = group  # type: ignore[attr-defined]
        return future


class _Event(threading.Event):
    """What a state waits for that is answered from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.limits = _clock.get(), _limits.get()

    def set(self) -> None:
        super().set()
        if self.clock:
            self.clock.end_pause_for(self)

    def wait(self, timeout: float | None = None) -> bool:
        if self.clock is None or timeout is None:
            return super().wait(timeout)
        limits = self.limits or _Limits("", None)
        until = self.clock.now() + timeout
        pause = Pause(_state.get(), TIMEOUT, until, self, limits.heartbeat, limits.handle)
        self.clock.pause(pause)
        limits.is_missed = pause.ran_out_of == HEARTBEAT
        return self.is_set() and not pause.ran_out_of


def _follow_strands(stepfunctions: Any) -> None:
    wait = stepfunctions.futures_wait

    def wait_for(futures: list[Future[Any]]) -> Any:
        for group in {future.group for future in futures if hasattr(future, "group")}:
            group.join()
        return wait(futures)

    stepfunctions.threading = SimpleNamespace(**{**vars(threading), "Thread": _Strand, "Event": _Event})
    stepfunctions.ThreadPoolExecutor, stepfunctions.futures_wait = _Strands, wait_for


def _wait_by_the_clock(stepfunctions: Any) -> None:
    sleep, sleep_until = stepfunctions._scaled_sleep, stepfunctions._sleep_until
    invoke, invoke_in_time = stepfunctions._invoke_with_callback, stepfunctions._invoke_resource_with_timeout

    def sleep_by_the_clock(seconds: float) -> None:
        clock, what = _clock.get(), _what.get()
        if clock is None or not what:
            sleep(seconds)
        else:
            here = group_here.get()
            clock.pause(Pause(_state.get(), what, clock.now() + max(0, seconds), here and here.stopped))

    def sleep_until_by_the_clock(text: str) -> None:
        clock, instant = _clock.get(), stepfunctions._parse_ts(text)
        if clock is None or instant is None:
            sleep_until(text)
        else:
            stepfunctions._scaled_sleep(instant.timestamp() - clock.now())

    def invoke_and_wait(resource: str, given: Any, handle: str, state: Any) -> Any:
        limits = _Limits(handle, state.get("HeartbeatSeconds"))
        before = _limits.set(limits)
        try:
            return invoke(resource, given, handle, {"TimeoutSeconds": LONGEST, **state})
        except stepfunctions._ExecutionError as error:
            if limits.is_missed:
                about = f"No heartbeat for {limits.heartbeat} seconds"
                raise stepfunctions._ExecutionError(_Missed("States.Timeout"), about) from error
            raise
        finally:
            _limits.reset(before)

    def invoke_in_time_by_the_clock(resource: str, given: Any, timeout: float) -> Any:
        if _clock.get() is None:
            return invoke_in_time(resource, given, timeout)
        done, answer = _Event(), Future[Any]()

        def run() -> None:
            try:
                answer.set_result(stepfunctions._invoke_resource(resource, given))
            except BaseException as error:  # for the strand that waits
                answer.set_exception(error)
            done.set()

        _Strand(target=copy_context().run, args=(run,), daemon=True).start()
        if not done.wait(timeout):
            raise stepfunctions._ExecutionError("States.Timeout", f"Task timed out after {timeout} seconds")
        return answer.result()

    stepfunctions._scaled_sleep, stepfunctions._sleep_until = sleep_by_the_clock, sleep_until_by_the_clock
    stepfunctions._invoke_with_callback = invoke_and_wait
    stepfunctions._invoke_resource_with_timeout = invoke_in_time_by_the_clock
    for kind in ("task", "wait", "parallel", "map"):
        name, what = f"_execute_{kind}", WAIT if kind == "wait" else ""
        setattr(stepfunctions, name, _naming(getattr(stepfunctions, name), what))


def _naming(execute: Callable[..., Any], what: str) -> Callable[..., Any]:
    """Let what a state waits for have the state's name."""

    def execute_named(*given: Any) -> Any:
        context = given[-1] or {}
        before = _state.set(context.get("State", {}).get("Name", "")), _what.set(what)
        try:
            return execute(*given)
        finally:
            _state.reset(before[0])
            _what.reset(before[1])

    return execute_named


def _tell_the_time(stepfunctions: Any) -> None:
    now_iso, register = stepfunctions.now_iso, stepfunctions._register_sfn_jsonata_functions

    def now_by_the_clock() -> str:
        clock = _clock.get()
        if clock is None:
            return str(now_iso())
        return datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def register_with_time(expression: Any) -> None:
        register(expression)
        clock = _clock.get()
        if clock and clock.ahead:
            millis, functions = int(clock.now() * 1000), stepfunctions.jsonata.functions.Functions
            expression.register_lambda("millis", lambda: millis)
            expression.register_lambda("now", lambda *rest: functions.datetime_from_millis(millis, *(*rest, None, None)[:2]))

    stepfunctions.now_iso, stepfunctions._register_sfn_jsonata_functions = now_by_the_clock, register_with_time


def wait_as_long_as_a_retry_says(stepfunctions: Any) -> None:
    """Wait for a retry's whole interval, which MaxDelaySeconds bounds. Jitter may only shorten it: here it never does.

    States Language, "Retrying after error", and the guide, "Handling errors". MiniStack 1.5.33 waits for a minute at most.
    """
    find, sleep = stepfunctions._find_matching_retrier, stepfunctions._scaled_sleep

    def find_and_note(retriers: Any, error: str, counts: dict[int, int]) -> Any:
        retrier, index = find(retriers, error, counts)
        if retrier is not None:
            longer = retrier.get("BackoffRate", 2.0) ** counts.get(index, 0)
            seconds = retrier.get("IntervalSeconds", 1) * longer
            _interval.set(min(seconds, retrier.get("MaxDelaySeconds", seconds)))
        return retrier, index

    def sleep_as_noted(seconds: float) -> None:
        interval = _interval.get()
        _interval.set(None)
        before = _what.set(_what.get() if interval is None else RETRY)
        try:
            sleep(seconds if interval is None else interval)
        finally:
            _what.reset(before)

    stepfunctions._find_matching_retrier, stepfunctions._scaled_sleep = find_and_note, sleep_as_noted


def note_heartbeats(stepfunctions: Any) -> None:
    """Fail a state that waits for a task token with States.Timeout if no heartbeat comes for HeartbeatSeconds.

    States.HeartbeatTimeout names that error, too (States Language, "Predefined error codes"). SendTaskHeartbeat "resets the
    Heartbeat clock" (API reference). MiniStack 1.5.33 ignores HeartbeatSeconds.
    """
    send, matches = stepfunctions._send_task_heartbeat, stepfunctions._error_matches

    def send_and_note(data: Any) -> Any:
        task = stepfunctions._task_tokens.get(data.get("taskToken"))
        if task and task["event"].clock:
            task["event"].clock.note_heartbeat(task["event"])
        return send(data)

    def error_matches(names: list[str], error: str) -> bool:
        return bool(matches(names, error) or (isinstance(error, _Missed) and "States.HeartbeatTimeout" in names))

    stepfunctions._send_task_heartbeat, stepfunctions._error_matches = send_and_note, error_matches


MENDS = (give_executions_a_clock, wait_as_long_as_a_retry_says, note_heartbeats)


def with_clocks(app: App, stepfunctions: Any) -> App:
    """Make the mends, and serve the route that moves a clock."""
    for mend in MENDS:
        mend(stepfunctions)

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        status, answer = await _answer(scope, body, stepfunctions)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return serve


async def _answer(scope: Scope, body: bytes, stepfunctions: Any) -> tuple[int, Any]:
    if scope["method"] != "POST" or scope["client"][0] not in ("127.0.0.1", "::1"):
        return 403, {"message": "Only POST, and only from this machine"}
    try:
        asked = json.loads(body)
        arn, seconds = str(asked["execution"]), float(asked.get("move", 0))
        if not 0 <= seconds < float("inf"):
            raise ValueError("move is no number of seconds")
    except (ValueError, TypeError, KeyError) as error:
        return 400, {"message": f"{type(error).__name__}: {error}"}
    execution = next((it for it in stepfunctions._executions.all_values() if it["executionArn"] == arn), None)
    if execution is None:
        return 404, {"message": f"No execution {arn} on this machine"}
    if asked.get("release"):
        return 200, {**_seen(stepfunctions, execution, clock := _clocks.get(arn)), "skipped": _release(clock)}
    clock = await _until_rest(arn, execution)
    moved = clock.move(seconds, LEASE) if clock and seconds else 0
    skipped = _as_values(clock.take_skipped(is_last=False)) if clock else []
    return 200, {**_seen(stepfunctions, execution, clock), "moved": moved, "skipped": skipped}


async def _until_rest(arn: str, execution: Any) -> Clock | None:
    """Hold the clock of an execution until its states are at rest. None: it has ended. A new one has its clock in a moment."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while execution["status"] == "RUNNING":
        if clock := _clocks.get(arn):
            clock.hold(LEASE)
            if clock.rests or asyncio.get_running_loop().time() > until:
                return clock
        await asyncio.sleep(POLL_SECONDS)
    return None


def _release(clock: Clock | None) -> list[dict[str, Any]]:
    if clock is None:
        return []
    clock.release()
    return _as_values(clock.take_skipped(is_last=True))


def _seen(stepfunctions: Any, execution: Any, clock: Clock | None) -> dict[str, Any]:
    """Return what a client decides by: also the tokens that the histories name, and the waiters that the states are."""
    handles = clock.handles() if clock else []
    executions = [it for it in stepfunctions._executions.all_values() if clock and _clocks.get(it["executionArn"]) is clock]
    return {
        "status": execution["status"],
        "rests": clock is None or clock.rests,
        "next": clock and clock.next(),
        "ahead": clock.ahead if clock else 0,
        "tokens": sorted({token for it in executions for token in _TOKEN.findall(json.dumps(it["events"]))}),
        "waiters": {hashlib.sha256(handle.encode()).hexdigest()[:16]: state for handle, state in handles},
    }


def _as_values(skipped: list[Skipped]) -> list[dict[str, Any]]:
    return [asdict(one) for one in skipped]
