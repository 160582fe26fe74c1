"""What the local engine makes of every JSONata expression, and our check of every definition. Run by the emulator's Python.

Usage: python -m tests.second_opinion.ours FILE. The file has `{"expressions": […], "definitions": {name: definition}}`. It
prints `{"expressions": [[expression, variables, outcome], …], "definitions": {name: [what is wrong, …]}}`: the expressions of
the file with variables that are made up, and those that the rows of what AWS answers evaluate with their own.
"""

import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

from jsonata.jsonata import Jsonata

from tests.recorded import run
from tests.recorded.rows import rows
from tests.support.e2e.engine import stepfunctions
from waitpoints_local.interpreter import expressions

_VARIABLE = re.compile(r"\$([A-Za-z_]\w*+)((?:\.[A-Za-z_]\w*+(?!\())*+)(?!\s*\()")
_VALUES = (3, "a", [{"k": 1}, {"k": 2}])
_CODE = re.compile(r"threw an error: ([A-Z]\d{4}): ")
_evaluate = expressions._Evaluator.evaluate
_seen: dict[str, Any] = {}


def remember(evaluator: Any, env: Any, expression: str, bindings: Any) -> Any:
    """Evaluate, and note what came out."""
    key = json.dumps([expression, bindings])
    try:
        value = _evaluate(evaluator, env, expression, bindings)
    except Exception as error:
        cause = error.failure_event.event_details["evaluationFailedEventDetails"]["cause"]  # type: ignore[attr-defined]
        code = _CODE.search(cause)
        _seen[key] = {"error": code[1] if code else ""}
        raise
    _seen[key] = {"value": json.loads(json.dumps(value))}
    return value


def data_for(expression: str, leaf: Any) -> dict[str, Any]:
    """Return variables with all that the expression reads of them."""
    made: dict[str, Any] = {}
    read = [(name, path) for name, path in _VARIABLE.findall(expression) if Jsonata.static_frame.lookup(name) is None]
    for name, path in read:
        inner: Any = made
        *steps, last = f"{name}{path}".split(".")
        for step in steps:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                break
        else:
            inner.setdefault(last, leaf)
    return made


def run_rows() -> None:
    ran = [row for row in rows() if row.kind not in ("calls", "probes")]
    with ThreadPoolExecutor(run.THREADS) as pool:
        list(pool.map(run.differs, ran, range(len(ran))))


def evaluate_with_made_up_data(written: list[str]) -> None:
    evaluator = expressions._Evaluator()
    for expression in written:
        for value in _VALUES:
            with suppress(Exception):  # which is remembered
                evaluator.evaluate(MagicMock(), expression, data_for(expression, value))


def problems(definition: Any) -> list[str]:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    answer = json.loads(stepfunctions._validate_state_machine_definition({"definition": text})[2])
    return [found["message"] for found in answer["diagnostics"]]


def main() -> None:
    given = json.loads(Path(sys.argv[1]).read_text())
    run.prepare()
    expressions._Evaluator.evaluate = remember  # type: ignore[method-assign,assignment]
    run_rows()
    evaluate_with_made_up_data(given["expressions"])
    evaluated = [[*json.loads(key), outcome] for key, outcome in _seen.items()]
    checked = {name: problems(definition) for name, definition in given["definitions"].items()}
    print(json.dumps({"expressions": evaluated, "definitions": checked}), flush=True)
    os._exit(0)  # without waiting for functions that are slow on purpose


if __name__ == "__main__":
    main()
