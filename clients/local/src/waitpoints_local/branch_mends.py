"""How the branches of a Parallel state, the iterations of a Map state, and an execution that runs too long, end.

`states_language_mends.py` has the list of the mends.
"""

import json
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from waitpoints_local.state_context import RUNTIME
from waitpoints_local.state_context import group as group_here

_LONGEST = 99_999_999  # seconds


@dataclass(eq=False)
class _Group:
    """The strands that a Parallel or Map state has begun in one attempt, or an execution; `inner` has those within them."""

    outer: "_Group | None"
    stopped: Any
    """The event that ends their waits."""
    ends_with_one: bool
    first: Exception | None = None
    """The first failure in time."""
    inner: "set[_Group]" = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)

    @property
    def is_stopped(self) -> bool:
        return bool(self.stopped.is_set())


def stop_with_the_first_failure(stepfunctions: Any) -> None:
    """End a Parallel or Map state as soon as a branch or an iteration fails, with its error, and stop the others.

    States Language, "Parallel State" and "Map State". MiniStack 1.5.33 waits until the last one has ended, perhaps for ever,
    and takes the error of the one that stands first. A distributed Map state ends by its own thresholds.
    """
    stops = _Stops(stepfunctions)
    stepfunctions._run_parallel_branches = stops.grouping(stepfunctions._run_parallel_branches)
    stepfunctions._run_map_items = stops.grouping(stepfunctions._run_map_items)
    stepfunctions._run_sub_machine = stops.ending_its_group(stepfunctions._run_sub_machine)
    stepfunctions._invoke_with_callback = stops.waiting_for_a_token(stepfunctions._invoke_with_callback)
    stepfunctions._scaled_sleep = stops.sleeping(stepfunctions._scaled_sleep)
    stepfunctions._add_event = stops.unless_stopped(stepfunctions._add_event)
    for kind in ("pass", "task", "choice", "wait", "parallel", "map"):
        name = f"_execute_{kind}"
        setattr(stepfunctions, name, stops.unless_stopped(getattr(stepfunctions, name)))


def end_executions_in_time(stepfunctions: Any) -> None:
    """Let an execution time out that runs for longer than its machine's TimeoutSeconds.

    States Language, "Top-level fields", and API reference, DescribeExecution. MiniStack 1.5.33 lets it run.
    """
    stops = _Stops(stepfunctions)
    stepfunctions._run_execution = stops.ending_in_time(stepfunctions._run_execution)
    stepfunctions._fail_execution = stops.telling_of_the_time(stepfunctions._fail_execution)


def _stopping() -> Any:
    """Return the event that ends what this thread waits for, or None."""
    group = group_here.get()
    return group and group.stopped


class _Stops:
    def __init__(self, stepfunctions: Any) -> None:
        self._engine = stepfunctions
        self._turn = threading.RLock()

    def _error(self) -> Any:
        return self._engine._ExecutionError(RUNTIME, "Another branch or iteration has failed")

    def grouping(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def run_as_a_group(state: dict[str, Any], *rest: Any) -> Any:
            outer = group_here.get()
            config = (state.get("ItemProcessor") or {}).get("ProcessorConfig") or {}
            group = _Group(outer, self._engine.threading.Event(), config.get("Mode") != "DISTRIBUTED")
            with self._turn:
                if outer and outer.is_stopped:
                    raise self._error()
                if outer:
                    outer.inner.add(group)
            before = group_here.set(group)
            try:
                return run(state, *rest)
            except self._engine._ExecutionError:
                if group.first:
                    raise group.first from None
                raise
            finally:
                group_here.reset(before)
                with self._turn:
                    if outer:
                        outer.inner.discard(group)

        return run_as_a_group

    def ending_in_time(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def run_in_time(arn: str) -> None:
            execution = self._engine._executions.get(arn) or {}
            machine = self._engine._state_machines.get(execution.get("stateMachineArn")) or {}
            seconds = json.loads(machine.get("definition", "{}")).get("TimeoutSeconds")
            if seconds is None:
                run(arn)
                return
            group = _Group(group_here.get(), self._engine.threading.Event(), ends_with_one=False)
            done = self._engine.threading.Event()
            before = group_here.set(group)
            self._watch(group, done, seconds)
            try:
                run(arn)
            finally:
                done.set()
                group_here.reset(before)

        return run_in_time

    def _watch(self, group: _Group, done: Any, seconds: float) -> None:
        def watch() -> None:
            if not done.wait(seconds):
                with self._turn:
                    self._stop(group, self._engine._ExecutionError("States.Timeout", ""))

        self._engine.threading.Thread(target=copy_context().run, args=(watch,), daemon=True).start()

    def telling_of_the_time(self, fail: Callable[..., Any]) -> Callable[..., Any]:
        def fail_or_time_out(execution: dict[str, Any], error: str, cause: str) -> None:
            group = group_here.get()
            if not (group and group.is_stopped and getattr(group.first, "error", "") == "States.Timeout"):
                fail(execution, error, cause)
                return
            group_here.set(None)
            execution.update(status="TIMED_OUT", stopDate=self._engine.now_iso())
            details = {"executionTimedOutEventDetails": {"error": "States.Timeout"}}
            self._engine._add_event(execution, "ExecutionTimedOut", details)
            self._engine._emit_execution_status_event(execution)

        return fail_or_time_out

    def ending_its_group(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def run_and_end(*given: Any) -> Any:
            group = group_here.get()
            if group is None:
                return run(*given)
            if group.is_stopped:
                raise self._error()
            try:
                return run(*given)
            except Exception as error:
                if group.ends_with_one and self._is_first(group, error):
                    group_here.set(group.outer)  # what it tells of its failure is heard
                raise

        return run_and_end

    def _is_first(self, group: _Group, error: Exception) -> bool:
        with self._turn:
            if group.is_stopped:
                return False
            self._stop(group, error)
            return True

    def _stop(self, group: _Group, error: Exception) -> None:
        group.first = error
        group.stopped.set()
        for token in list(group.tokens):
            self._fail_token(group, token)
        for inner in list(group.inner):
            if not inner.is_stopped:
                self._stop(inner, self._error())

    def _fail_token(self, group: _Group, token: str) -> None:
        while token in group.tokens:  # the wait for it may only just begin
            if info := self._engine._task_tokens.get(token):
                info["error"] = {"Error": RUNTIME, "Cause": "Another branch or iteration has failed"}
                info["event"].set()
                return
            time.sleep(0.001)

    def waiting_for_a_token(self, invoke: Callable[..., Any]) -> Callable[..., Any]:
        def invoke_and_wait(resource: str, given: Any, token: str, state: dict[str, Any]) -> Any:
            group = group_here.get()
            if group is None:
                return invoke(resource, given, token, state)
            with self._turn:
                if group.is_stopped:
                    raise self._error()
                group.tokens.add(token)
            try:
                return invoke(resource, given, token, state)
            finally:
                group.tokens.discard(token)

        return invoke_and_wait

    def sleeping(self, sleep: Callable[[float], None]) -> Callable[[float], None]:
        def sleep_unless_stopped(seconds: float) -> None:
            stopped = _stopping()
            if stopped is None:
                sleep(seconds)
            elif stopped.wait(min(max(0, seconds * self._engine._SFN_WAIT_SCALE), _LONGEST)):
                raise self._error()

        return sleep_unless_stopped

    def unless_stopped(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def call_unless_stopped(*given: Any) -> Any:
            stopped = _stopping()
            if stopped is not None and stopped.is_set():
                raise self._error()
            return call(*given)

        return call_unless_stopped
