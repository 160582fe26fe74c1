"""What MiniStack 1.5.33 leaves out of the history of an execution, and AWS writes.

`emulator.py` applies it. What AWS writes is in Step Functions' API reference, HistoryEvent.
"""

import json
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

_HANDLERS = {"Pass": "pass", "Task": "task", "Choice": "choice", "Wait": "wait", "Parallel": "parallel", "Map": "map"}
_SUCCEED = "_succeed"  # marks a state that passes its input on


@dataclass(eq=False)
class Strand:
    """Events that follow one another: those of an execution, of one of its branches, or of one of its Map items."""

    execution: Any
    previous: int
    """The id of its last event."""
    is_inner: bool = False


_strand: ContextVar[Strand | None] = ContextVar("strand", default=None)
_is_map: ContextVar[bool] = ContextVar("is_map", default=False)
_given: ContextVar[Any] = ContextVar("given", default=None)
"""What the state's Parameters or Arguments came to."""


def write_whole_history(stepfunctions: Any) -> None:
    """Write which event came before each one, what a task is given, and what branches and Map items do, as AWS does.

    MiniStack 1.5.33 writes only the states of the execution itself. Tasks within them are written without their states.
    """
    _link_events(stepfunctions)
    _keep_what_is_given(stepfunctions)
    for kind, name in _HANDLERS.items():
        handler = f"_execute_{name}"
        setattr(stepfunctions, handler, _telling(stepfunctions, kind, getattr(stepfunctions, handler)))
    _follow_branches_and_items(stepfunctions)
    _keep_executions_apart(stepfunctions)


def _link_events(stepfunctions: Any) -> None:
    add, lock = stepfunctions._add_event, threading.Lock()

    def add_linked(execution: Any, kind: str, details: Any = None) -> Any:
        details = dict(details or {})
        if kind == "TaskScheduled":
            scheduled = details["taskScheduledEventDetails"]
            details["taskScheduledEventDetails"] = {**scheduled, "parameters": json.dumps(_given.get())}
        with lock:  # items add theirs at the same time
            strand = _strand.get()
            if strand is None or strand.execution is not execution:
                strand = Strand(execution, len(execution["events"]))
                _strand.set(strand)
            event = add(execution, kind, {"previousEventId": strand.previous, **details})
            strand.previous = event["id"]
        return event

    stepfunctions._add_event = add_linked


def _keep_executions_apart(stepfunctions: Any) -> None:
    """Go on with the events of an execution after those of a child execution, which runs in the same thread."""
    run = stepfunctions._run_execution

    def run_apart(arn: str) -> None:
        before = _strand.set(None)
        try:
            run(arn)
        finally:
            _strand.reset(before)

    stepfunctions._run_execution = run_apart


def _keep_what_is_given(stepfunctions: Any) -> None:
    def keeping(evaluate: Callable[..., Any]) -> Callable[..., Any]:
        def evaluate_and_keep(*arguments: Any) -> Any:
            _given.set(evaluate(*arguments))
            return _given.get()

        return evaluate_and_keep

    for name in ("_apply_parameters", "_apply_jsonata_arguments"):
        setattr(stepfunctions, name, keeping(getattr(stepfunctions, name)))


def _telling(stepfunctions: Any, kind: str, execute: Callable[..., Any]) -> Callable[..., Any]:
    """Write that a state within another one is entered and left. MiniStack writes it for the others."""

    def execute_and_tell(state: Any, given: Any, *rest: Any) -> Any:
        strand = _strand.get()
        if strand is None or not strand.is_inner:
            return execute(state, given, *rest)
        of_aws, name = "Succeed" if _SUCCEED in state else kind, rest[-1]["State"]["Name"]
        _tell(stepfunctions, f"{of_aws}StateEntered", "stateEntered", name=name, input=json.dumps(given))
        output, following = execute(state, given, *rest)
        _tell(stepfunctions, f"{of_aws}StateExited", "stateExited", name=name, output=json.dumps(output))
        return output, following

    return execute_and_tell


def _tell(stepfunctions: Any, kind: str, details: str, **told: Any) -> None:
    strand = _strand.get()
    assert strand
    stepfunctions._add_event(strand.execution, kind, {f"{details}EventDetails": told})


def _follow_branches_and_items(stepfunctions: Any) -> None:
    run, fail = stepfunctions._run_sub_machine, stepfunctions._fail_state_error

    def knowing(execute: Callable[..., Any], *, is_map: bool) -> Callable[..., Any]:
        def execute_knowing(*arguments: Any) -> Any:
            before = _is_map.set(is_map)
            try:
                return execute(*arguments)
            finally:
                _is_map.reset(before)

        return execute_knowing

    def run_and_tell(states: Any, start_at: str, given: Any, execution: Any, context: Any) -> Any:
        states = {name: _as_pass(state) for name, state in states.items()}
        outer = _strand.get()
        is_of_parent = outer is not None and outer.execution is execution  # an item of a distributed Map has its own history
        inner = Strand(execution, outer.previous if outer and is_of_parent else 0, is_inner=True)
        before, item = _strand.set(inner), {}
        if _is_map.get() and is_of_parent:
            item = {"name": context["State"]["Name"], "index": context["Map"]["Item"]["Index"]}
        _tell_of_item(stepfunctions, "Started", item)
        try:
            output = run(states, start_at, given, execution, context)
            _tell_of_item(stepfunctions, "Succeeded", item)
            return output
        except stepfunctions._ExecutionError:
            _tell_of_item(stepfunctions, "Failed", item)
            raise
        finally:
            _strand.reset(before)
            if outer and is_of_parent:
                outer.previous = max(outer.previous, inner.previous)

    def fail_and_tell(state: Any, given: Any, context: Any = None) -> Any:
        strand = _strand.get()
        if strand and strand.is_inner:
            _tell(stepfunctions, "FailStateEntered", "stateEntered", name=context["State"]["Name"], input=json.dumps(given))
        return fail(state, given, context)

    stepfunctions._run_sub_machine, stepfunctions._fail_state_error = run_and_tell, fail_and_tell
    stepfunctions._run_map_items = knowing(stepfunctions._run_map_items, is_map=True)
    stepfunctions._run_parallel_branches = knowing(stepfunctions._run_parallel_branches, is_map=False)


def _as_pass(state: Any) -> Any:
    """Return a Succeed state as a Pass state at the end, which MiniStack lets a handler run."""
    return {**state, "Type": "Pass", "End": True, _SUCCEED: True} if state.get("Type") == "Succeed" else state


def _tell_of_item(stepfunctions: Any, what: str, item: Any) -> None:
    if item:
        _tell(stepfunctions, f"MapIteration{what}", f"mapIteration{what}", **item)
