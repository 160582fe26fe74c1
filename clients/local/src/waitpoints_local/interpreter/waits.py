"""What states wait for by the execution's clock: Wait states and retries."""

import threading
import time
from types import SimpleNamespace
from typing import Any

from waitpoints_local.clocks import RETRY, WAIT, Pause
from waitpoints_local.interpreter.bare import part, state
from waitpoints_local.interpreter.mends import instant
from waitpoints_local.interpreter.runs import now_iso
from waitpoints_local.interpreter.strands import Event, Strand, clock_here, pause_here, state_here

_THREADED = (
    "asl.component.program.program",
    "asl.eval.environment",
    *(
        f"asl.component.state.exec.{name}"
        for name in (
            "execute_state",
            "state_map.iteration.inline_iteration_component",
            "state_map.iteration.job",
            "state_parallel.branch_worker",
            "state_parallel.branches_decl",
            "state_task.service.state_task_service_callback",
        )
    ),
)
"""The modules of moto that start threads and wait for events."""


def wait_by_the_clock() -> None:
    """Let all waits pass by the execution's clock, and keep no thread that has ended, which moto does."""
    ours = SimpleNamespace(**{**vars(threading), "Thread": Strand, "Event": Event})
    for name in _THREADED:
        module = part(name)
        module.threading = ours
        if hasattr(module, "TMP_THREADS"):
            module.TMP_THREADS = SimpleNamespace(append=lambda _: None)  # which would keep every thread
    _wait_exactly()
    part("asl.component.common.retry.retrier_decl").time = SimpleNamespace(sleep=lambda seconds: _rest(RETRY, seconds))
    part("asl.component.common.retry.jitter_strategy_decl").JitterStrategyDecl._eval_body = lambda *_: None
    common = state("state")
    common.datetime = SimpleNamespace(
        datetime=SimpleNamespace(now=lambda **_: SimpleNamespace(isoformat=now_iso)), timezone=common.datetime.timezone
    )


def _rest(what: str, seconds: float) -> None:
    clock = clock_here.get()
    if clock is None:
        time.sleep(seconds)
    else:
        pause_here(Pause(state_here.get(), what, clock.now() + max(0, seconds)))


def _wait_exactly() -> None:
    """Wait until the instant, in UTC. moto takes a Timestamp for local time, and cuts off its fraction and its offset."""
    timestamps = state("wait.wait_function.timestamp")
    wait = state("wait.wait_function.wait_function").WaitFunction

    def evaluate(self: Any, env: Any) -> None:
        _rest(WAIT, self._get_wait_seconds(env=env))

    def until(self: Any, env: Any) -> float:
        self.string.eval(env=env)
        text = env.stack.pop()
        found = instant(text)
        if found is None:
            failure = part("asl.component.common.error_name.failure_event").FailureEventException
            raise failure(self._create_failure_event(env, text))
        clock = clock_here.get()
        return found.timestamp() - (clock.now() if clock else time.time())

    wait._eval_body = evaluate
    timestamps.Timestamp._from_timestamp_string, timestamps.Timestamp._get_wait_seconds = staticmethod(instant), until
