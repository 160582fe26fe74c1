"""Run the cases of the table on the engine of the local run, all in one process of the emulator's own Python.

Usage: python -m tests.states_language.run [--json]. It prints how many cases each group has and how many differ.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

from tests.states_language.case import Case
from tests.states_language.table import GROUPS
from tests.support.e2e.engine import ROLE, FunctionError, functions, send, start, stepfunctions
from waitpoints_local.interpreter import waits

SLOW, TURN, PATIENCE = 1.6, 0.05, 20  # seconds
THREADS = 24
_slept: ContextVar[list[float]] = ContextVar("slept")
_calls: Counter[str] = Counter()
_running: Counter[str] = Counter()
_most: Counter[str] = Counter()
_counting = threading.Condition()


def fail(event: Any) -> Any:
    """Fail with the error that is asked for. With `errors`, the first call fails with the first one, until there is none."""
    errors = event.get("errors", [event.get("error")])
    key = event.get("key", "")
    with _counting:
        number = _calls[key] if key else 0
        _calls[key] += 1
    if number < len(errors):
        raise FunctionError(errors[number], event.get("cause", "because"))
    return event.get("then", number)


def be_slow(event: Any) -> Any:
    time.sleep(SLOW)
    return event


def count_who_runs(event: Any) -> int:
    """Return how many calls with this key have run at once. Wait until those have come that must, and a turn for one more."""
    key = event["key"]
    with _counting:
        _running[key] += 1
        _most[key] = max(_most[key], _running[key])
        _counting.notify_all()
        _counting.wait_for(lambda: _most[key] >= event["together"], PATIENCE)
    time.sleep(TURN)
    with _counting:
        _running[key] -= 1
    return _most[key]


def complete(event: Any) -> None:
    send("success", taskToken=event["token"], output=json.dumps(event["input"]))


def refuse(event: Any) -> None:
    send("failure", taskToken=event["token"], error="Refused", cause="because")


def beat(event: Any) -> None:
    """Send heartbeats for two seconds, and then complete."""

    def send_later() -> None:
        for _ in range(8):
            time.sleep(0.25)
            send("heartbeat", taskToken=event["token"])
        complete(event)

    threading.Thread(target=send_later, daemon=True).start()


_FUNCTIONS: dict[str, Any] = {
    "echo": lambda it: it,
    "fail": fail,
    "slow": be_slow,
    "count": count_who_runs,
    "letters": lambda it: "x" * it["n"],
    "complete": complete,
    "refuse": refuse,
    "beat": beat,
    "nothing": lambda _: None,
}


def note_rest(what: str, seconds: float) -> None:
    """Note how long a state was to wait, and let no time pass."""
    if seconds > 0:
        _slept.get().append(round(seconds, 3))


def run(case: Case) -> dict[str, Any]:
    """Run a case as an execution of its own, and return how it ended."""
    arn, machine = (f"arn:aws:states:us-east-1:000000000000:{kind}:{case.name}" for kind in ("execution:m", "stateMachine"))
    started = {"id": 1, "type": "ExecutionStarted"}
    execution: dict[str, Any] = {"executionArn": arn, "name": "e", "status": "RUNNING", "startDate": "2026-01-01T00:00:00Z"}
    execution |= {"input": json.dumps(case.given), "stateMachineArn": machine, "events": [started]}
    stepfunctions._executions[arn] = execution
    stepfunctions._state_machines[machine] = {"name": "m", "roleArn": ROLE, "definition": json.dumps(case.machine)}
    _slept.set([])
    stepfunctions._run_execution(arn)
    seen = {"status": execution["status"], "error": execution.get("error"), "cause": execution.get("cause") or ""}
    seen["output"] = json.loads(execution["output"]) if seen["status"] == "SUCCEEDED" else None
    return {**seen, "slept": _slept.get()}


def differs(case: Case, seen: dict[str, Any]) -> str:
    """Say how a case ended, if it was not as it must."""
    must = case.ends
    same = (seen["status"], seen["error"]) == (must.status, must.error) and must.cause in seen["cause"]
    if must.status == "SUCCEEDED" and json.dumps(seen["output"], sort_keys=True) != json.dumps(must.output, sort_keys=True):
        same = False
    if must.slept is not None and seen["slept"] != list(must.slept):
        same = False
    return "" if same else f"{case.name}: must end as {must}, ended as {seen} ({case.at}: {case.sentence})"


def run_all() -> dict[str, dict[str, str]]:
    """Return what each case of each group differs in, or an empty text."""
    with ThreadPoolExecutor(THREADS) as pool:
        found = {group: list(pool.map(lambda case: differs(case, run(case)), cases)) for group, cases in GROUPS.items()}
    return {group: {case.name: it for case, it in zip(GROUPS[group], found[group], strict=True)} for group in GROUPS}


def main() -> None:
    start()
    functions.update(_FUNCTIONS)
    waits._rest = note_rest
    found = run_all()
    if "--json" in sys.argv:
        print(json.dumps(found), flush=True)
        os._exit(0)  # without waiting for functions that are slow on purpose
    for group, cases in found.items():
        print(f"{len(cases):4} cases {sum(map(bool, cases.values())):3} differ  {group}")
        print(*(f"       {it}\n" for it in cases.values() if it), sep="", end="")
    every = [it for cases in found.values() for it in cases.values()]
    print(f"{len(every):4} cases {sum(map(bool, every)):3} differ  in all", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
