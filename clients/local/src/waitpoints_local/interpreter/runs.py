"""The executions: the emulator keeps them, and moto's interpreter runs them.

The emulator's record of an execution has moto's own list of events, so that GetExecutionHistory sees them as they come.
Whatever ends an execution first (its last state, StopExecution, its timeout, too many events) ends it; nothing is written
after that.
"""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary

from waitpoints_local.clocks import Clock
from waitpoints_local.interpreter.bare import part, state
from waitpoints_local.interpreter.grammar import readable
from waitpoints_local.interpreter.mends import keep_variables
from waitpoints_local.interpreter.strands import Ended, Event, Strand, clock_here, frame_here, in_time, items_here, within

EVENTS = 25_000  # of an execution: docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
_LAST = {
    "SUCCEEDED": "ExecutionSucceeded",
    "FAILED": "ExecutionFailed",
    "TIMED_OUT": "ExecutionTimedOut",
    "ABORTED": "ExecutionAborted",
}
run_here: ContextVar["Run | None"] = ContextVar("run", default=None)
runs: WeakValueDictionary[str, "Run"] = WeakValueDictionary()
"""By the executions' ARNs, while they run."""


_parsing = threading.Lock()


@lru_cache(256)
def parsed(definition: str) -> Any:
    with _parsing:  # moto keeps the query language in one list for all
        part("asl.parse.preprocessor").Preprocessor._query_language_per_scope.clear()
        return part("asl.parse.asl_parser").AmazonStateLanguageParser.parse(readable(definition))[0]


def now_iso() -> str:
    """Return the time of the execution that this strand belongs to."""
    clock = clock_here.get()
    instant = datetime.fromtimestamp(clock.now(), UTC) if clock else datetime.now(UTC)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Run:
    """An execution that runs."""

    def __init__(self, stepfunctions: Any, execution: dict[str, Any], machine: dict[str, Any], clock: Clock) -> None:
        self.stepfunctions, self.execution, self.machine, self.clock = stepfunctions, execution, machine, clock
        self.is_over, self._turn = False, threading.RLock()
        self.done: list[Event] = []
        """Events of other executions that wait for the end of this one."""
        self.waits: dict[int, str] = {}
        """The task tokens that are waited for, by the numbers of their TaskScheduled events."""
        self.waits_of_children: dict[str, tuple[str, tuple[int, ...]]] = {}
        """The states and items that wait in children of distributed Maps, which the history leaves out, by the task tokens."""
        self.env = self._environment()

    def _environment(self) -> Any:
        states, details = part("asl.eval.states"), part("asl.eval.evaluation_details")
        arn, role = self.execution["executionArn"], self.machine["roleArn"]
        _, _, _, region, account, *_ = arn.split(":")
        started = self.execution["startDate"]
        of_execution = states.ExecutionData(
            Id=arn, Input=json.loads(self.execution["input"]), Name=self.execution["name"], RoleArn=role, StartTime=started
        )
        of_execution["RedriveCount"] = 0
        of_machine = states.StateMachineData(Id=self.execution["stateMachineArn"], Name=self.machine["name"])
        return part("asl.eval.environment").Environment(
            aws_execution_details=details.AWSExecutionDetails(account=account, region=region, role_arn=role),
            execution_type=self.machine.get("type", "STANDARD"),
            context=states.ContextObjectData(Execution=of_execution, StateMachine=of_machine),
            event_history_context=part("asl.eval.event.event_manager").EventHistoryContext.of_program_start(),
            cloud_watch_logging_session=None,
            activity_store=_Activities(self.stepfunctions),
        )

    def work(self) -> None:
        manager = self.env.event_manager
        details = {"input": self.execution["input"], "inputDetails": {"truncated": False}, "roleArn": self.machine["roleArn"]}
        self._add("ExecutionStarted", {"executionStartedEventDetails": details}, update_source_event_id=False)
        self.execution["events"] = manager._history_event_list
        try:
            parsed(self.machine["definition"]).eval(self.env)
        except Exception as error:
            self.env.set_error({"error": "States.Runtime", "cause": f"{type(error).__name__}: {error}"})
        self.finish()

    def _add(self, kind: str, details: Any, **named: Any) -> None:
        self.env.event_manager.add_event(
            context=self.env.event_history_context, event_type=kind, event_details=details, **named
        )

    def stop(self, error: str | None, cause: str | None) -> None:
        self.env.set_stop(stop_date=now_iso(), error=error, cause=cause)
        self.finish()

    def finish(self) -> None:
        """Write how the execution has ended, unless it has been written."""
        with self._turn:
            if self.is_over:
                return
            status, told = self._outcome()
            if status == "ABORTED":
                self.env.event_history_context.source_event_id = 0
            name = _LAST[status]
            self._add(name, {f"{name[0].lower()}{name[1:]}EventDetails": told})
            self.is_over = True
            self.execution["stopDate"] = now_iso()
            self.execution.update({field: told[field] for field in ("output", "error", "cause") if told.get(field) is not None})
            self.execution["status"] = status
        self.stepfunctions._emit_execution_status_event(self.execution)
        for event in self.done:
            event.set()

    def when_done(self, event: Event) -> None:
        with self._turn:
            self.done.append(event)
            if self.is_over:
                event.set()

    def _outcome(self) -> tuple[str, dict[str, Any]]:
        ended, kinds = self.env.program_state(), part("asl.eval.program_state")
        if isinstance(ended, kinds.ProgramError):
            return "FAILED", {field: ended.error[field] for field in ("error", "cause") if ended.error.get(field) is not None}
        if isinstance(ended, kinds.ProgramTimedOut):
            return "TIMED_OUT", {}
        if isinstance(ended, kinds.ProgramStopped):
            return "ABORTED", {field: it for field in ("error", "cause") if (it := getattr(ended, field)) is not None}
        output = part("asl.utils.encoding").to_json_str(self.env.states.get_input(), separators=(",", ":"))
        return "SUCCEEDED", {"output": output, "outputDetails": {"truncated": False}}


class _Activities:
    """moto's store of activities: their tasks go into the emulator's queues."""

    def __init__(self, stepfunctions: Any) -> None:
        self.stepfunctions = stepfunctions

    def get(self, arn: str) -> Any:
        if arn not in self.stepfunctions._activities:
            return None
        queue = self.stepfunctions._activity_tasks.setdefault(arn, [])
        return SimpleNamespace(add_task=lambda task: queue.append({"taskToken": task.task_token, "input": task.task_input}))


def run_with_moto(stepfunctions: Any) -> None:
    """Let moto's interpreter run the emulator's executions."""
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    emit, now = stepfunctions._emit_execution_status_event, stepfunctions.now_iso

    def run_execution(arn: str) -> Any:
        execution = stepfunctions._executions[arn]
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
        if machine is None or execution["status"] != "RUNNING":  # deleted or stopped in this moment
            return stepfunctions._fail_execution(execution, "StateMachineDeleted", "") if machine is None else None
        of_parent = clock_here.get()
        clock = of_parent or Clock()
        is_counted = of_parent is not None and isinstance(threading.current_thread(), Strand)  # by who started it
        if not is_counted:
            clock.begin_strand()
        try:
            with alone(clock):
                run = runs[arn] = Run(stepfunctions, execution, dict(machine), clock)
                run_here.set(run)
                run.work()
        finally:
            if not is_counted:
                clock.end_strand()

    def emit_alone(execution: dict[str, Any]) -> None:
        """What an event starts is no part of the execution, so it has a clock of its own."""
        with alone(None):
            emit(execution)

    stepfunctions._run_execution, stepfunctions._emit_execution_status_event = run_execution, emit_alone
    stepfunctions.now_iso = lambda: now_iso() if clock_here.get() else now()
    stepfunctions.threading = SimpleNamespace(**{**vars(threading), "Thread": Strand})


@contextmanager
def alone(clock: Clock | None) -> Iterator[None]:
    """Let what this strand does belong to no other execution."""
    before = clock_here.set(clock), frame_here.set(None), run_here.set(None), items_here.set(())
    try:
        yield
    finally:
        clock_here.reset(before[0])
        frame_here.reset(before[1])
        run_here.reset(before[2])
        items_here.reset(before[3])


def follow_programs() -> None:
    """Run moto's programs, states and events as parts of an execution."""
    _evaluate_programs()
    _evaluate_states()
    _evaluate_items()
    _limit_events()
    _end_waits()


def _evaluate_programs() -> None:
    program, component = part("asl.component.program.program"), part("asl.component.eval_component")
    failure = part("asl.component.common.error_name.failure_event").FailureEventException

    def evaluate(self: Any, env: Any) -> None:
        env.next_state_name = self.start_at.start_at_name

        def work() -> None:
            with within(env):
                component.EvalComponent.eval(self, env)

        if self.timeout_seconds is None:
            work()
        elif not in_time(work, self.timeout_seconds.timeout_seconds):
            env.set_timed_out()

    def evaluate_states(self: Any, env: Any) -> None:
        try:
            while env.is_running():
                name = env.next_state_name
                with within(env, name):
                    self._get_state(name).eval(env)
                keep_variables(env)
                env.stack.clear()  # what moto leaves there after each state
                env.heap.clear()
        except Ended:
            pass
        except failure as error:
            env.set_error(error=error.get_execution_failed_event_details())
        except Exception as error:
            env.set_error(error={"error": "States.Runtime", "cause": f"{type(error).__name__}({error})"})

    program.Program.eval, program.Program._eval_body = evaluate, evaluate_states


def _evaluate_states() -> None:
    """Evaluate each attempt of a state in this strand, or, if it has a timeout, in one of its own."""
    execute, late = state("exec.execute_state").ExecutionState, part("asl.component.common.timeouts.timeout").EvalTimeoutError

    def evaluate_in_time(self: Any, env: Any) -> None:
        self.timeout.eval(env=env)
        seconds = env.stack.pop()
        token = _new_token(env)
        frame = env.open_frame()
        frame.states.reset(input_value=env.states.get_input())
        frame.stack = list(env.stack)
        is_whole = False

        def work() -> None:
            with within(frame, self.name):
                self._eval_execution(frame)

        try:
            if self.timeout.is_default_value():
                work()
            elif not in_time(work, seconds, lambda: _is_answered(env, token)):
                raise late
            is_whole = True
        finally:
            if is_whole:
                frame.set_ended()
            else:
                frame.set_stop(stop_date=None, error=None, cause=None)
            env.close_frame(frame)
            if endpoint := env.callback_pool_manager.get(token):
                endpoint.close()
        _apply_result(self, env, frame.stack.pop())

    execute._evaluate_with_timeout = evaluate_in_time


def _apply_result(evaluated: Any, env: Any, result: Any) -> None:
    """Do what a state's fields say of its result. A Catch also handles what fails in its Output."""
    is_jsonata = not evaluated._is_language_query_jsonpath()
    env.stack.append(result)
    if is_jsonata:
        env.states.set_result(result)
    if evaluated.assign_decl:
        evaluated.assign_decl.eval(env=env)
    if evaluated.result_selector:
        evaluated.result_selector.eval(env=env)
    if evaluated.result_path:
        evaluated.result_path.eval(env)
    else:
        env.states.reset(input_value=env.stack.pop())
    if is_jsonata:
        state("state").CommonStateField._eval_state_output(evaluated, env)
        env.stack.append(part("asl.component.common.catch.catch_outcome").CatchOutcome.NotCaught)


def _new_token(env: Any) -> str:
    """Give each attempt of a state that waits for a task token a token of its own, as AWS does. moto keeps the first."""
    context = env.states.context_object.context_object_data
    if "Task" not in context or "State" not in context:
        return ""
    if context["State"].get("RetryCount"):
        env.callback_pool_manager.add(env.states.context_object.update_task_token())
    return str(context["Task"]["Token"])


def _is_answered(env: Any, token: str) -> bool:
    endpoint = env.callback_pool_manager.get(token)
    return endpoint is not None and endpoint.close()


def _evaluate_items() -> None:
    """Let what is done for an item of a Map know its index."""

    def numbering(evaluate: Any) -> Any:
        def evaluate_item(self: Any, env: Any, job: Any) -> None:
            before = items_here.set((*items_here.get(), job.job_index))
            try:
                evaluate(self, env=env, job=job)
            finally:
                items_here.reset(before)

        return evaluate_item

    of_map = "exec.state_map.iteration"
    inline = state(f"{of_map}.iteration_worker").IterationWorker
    distributed = state(f"{of_map}.itemprocessor.distributed_item_processor_worker").DistributedItemProcessorWorker
    inline._eval_job, distributed._eval_job = numbering(inline._eval_job), numbering(distributed._eval_job)


def _limit_events() -> None:
    """Write an event unless the part of the execution that it is of has ended, and at most 25,000."""
    manager = part("asl.eval.event.event_manager").EventManager
    kinds = part("asl.eval.program_state")
    add = manager.add_event

    def add_unless_ended(self: Any, context: Any, event_type: Any, *rest: Any, **named: Any) -> Any:
        run, frame = run_here.get(), frame_here.get()
        if run is None:
            return add(self, context, event_type, *rest, **named)
        with run._turn:
            is_last = event_type in _LAST.values()
            stopped = frame is not None and isinstance(frame._program_state, kinds.ProgramStopped | kinds.ProgramTimedOut)
            if run.is_over or (stopped and not is_last):
                raise Ended
            if len(self._history_event_list) >= EVENTS - 1 and not is_last:
                about = f"The execution reached the maximum number of history events ({EVENTS})."
                run.env.set_error({"error": "States.Runtime", "cause": about})
                raise Ended
            return add(self, context, event_type, *rest, **named)

    def current() -> datetime:
        clock = clock_here.get()
        return datetime.fromtimestamp(clock.now(), UTC) if clock else datetime.now(UTC)

    manager.add_event, manager._get_current_timestamp = add_unless_ended, staticmethod(current)


def _end_waits() -> None:
    """Wake what waits in a part of an execution when it ends."""
    environment = part("asl.eval.environment").Environment

    def waking(change: Any) -> Any:
        def change_and_wake(self: Any, *given: Any, **named: Any) -> None:
            change(self, *given, **named)
            if clock := clock_here.get():
                clock.end_pauses(lambda pause: pause.is_stopped is not None and pause.is_stopped())

        return change_and_wake

    for name in ("set_ended", "set_error", "set_timed_out", "set_stop"):
        setattr(environment, name, waking(getattr(environment, name)))
