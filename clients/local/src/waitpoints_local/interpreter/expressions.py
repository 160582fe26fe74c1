"""JSONata: moto's interpreter leaves it to a JVM. Here jsonata-python evaluates it."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import jsonata

from waitpoints_local.interpreter.bare import failure, part
from waitpoints_local.interpreter.jsonata_processes import JsonataProcesses
from waitpoints_local.interpreter.paths import value_at, variables
from waitpoints_local.interpreter.strands import clock_here

QUERY = "States.QueryEvaluationError"
_IN_WORDS = re.compile(r"[A-Z]\d{4}: |\$|The ")
_WRONG: dict[type[Exception], str] = {
    ArithmeticError: "D1001: A number is out of range",
    RecursionError: "D1011: Stack overflow: look for a recursion without an end",
    TypeError: "T0410: A function does not accept the number or the types of its arguments",
    AttributeError: "T0410: A function does not accept the types of its arguments",
    Exception: "A function does not accept the value of an argument",
}
_TIMESTAMP = re.compile(r"\d{4}(-[01]\d)*(-[0-3]\d)*(T[0-2]\d:[0-5]\d:[0-5]\d)*(\.\d+)?([+-][0-2]\d:?[0-5]\d|Z)?", re.ASCII)


def evaluate_with_values(stepfunctions: Any) -> None:
    """Evaluate JSONata with the variables as values.

    moto pastes them into the expression, where a quote or a backslash ends a text, and the rest runs as code.
    """
    strings = part("asl.component.common.string.string_expression")
    evaluator = _Evaluator()

    def evaluate_jsonata(self: Any, env: Any) -> None:
        env.stack.append(evaluator.evaluate(env, self.expression, {"states": _states(env), **variables(env)}))

    def evaluate_variable(self: Any, env: Any) -> None:
        if self.query_language_mode.name == "JSONata":
            evaluate_jsonata(self, env)
        else:
            env.stack.append(copy.deepcopy(value_at(self.expression, env)))

    def create_state_machine(data: dict[str, Any]) -> Any:
        if "JSONata" in str(data.get("definition")):
            evaluator.processes.prepare()
        return create(data)

    create, stepfunctions._create_state_machine = stepfunctions._create_state_machine, create_state_machine
    strings.StringJSONata._eval_body, strings.StringVariableSample._eval_body = evaluate_jsonata, evaluate_variable


def _states(env: Any) -> dict[str, Any]:
    data = env.states._states_data
    return {name: data[name] for name in ("input", "context", "result", "errorOutput") if name in data}


class _Evaluator:
    """Evaluates expressions in processes of their own."""

    def __init__(self) -> None:
        self.processes = JsonataProcesses()

    def evaluate(self, env: Any, expression: str, bindings: dict[str, Any]) -> Any:
        clock = clock_here.get()
        millis = int(clock.now() * 1000) if clock and clock.ahead else None
        value, cause = self.processes.evaluate(expression, bindings, millis)
        if cause:
            raise _failure(env, cause)
        return value


class Engine:
    """JSONata with AWS's functions, in the process in which this is made."""

    def __init__(self, stepfunctions: Any) -> None:
        self._register, self._engine = stepfunctions._register_sfn_jsonata_functions, stepfunctions

    def evaluate(self, expression: str, bindings: dict[str, Any], millis: int | None) -> tuple[Any, str]:
        """Return the value, and what is wrong, or an empty text. `millis` is the execution's time unless it is the clock's."""
        bound = {name: jsonata.utils.Utils.NULL_VALUE if value is None else value for name, value in bindings.items()}
        try:
            value = self._run(expression, bound, millis)
            if value is None and not self._run(f"$exists(({expression}))", bound, millis):
                raise _Undefined(f"The JSONata expression '{expression}' returned nothing (undefined).")
            return _plain(value, expression), ""
        except _Undefined as error:
            cause = str(error)
        except MemoryError:
            cause = f"The JSONata expression '{expression}' needs too much memory."
        except Exception as error:
            cause = f"The JSONata expression '{expression}' threw an error: {_describe(error)}"
        return None, cause

    def _run(self, expression: str, bindings: dict[str, Any], millis: int | None) -> Any:
        parsed = jsonata.Jsonata.jsonata(expression)
        self._register(parsed)
        parsed.register_lambda("eval", _no_function)
        parsed.register_lambda("partition", _partition)
        parsed.register_lambda("range", _one_or_more(self._engine._sfn_jsonata_range))
        parsed.register_lambda("parse", _parse)
        parsed.register_lambda("toMillis", _to_millis)
        if millis is not None:
            _tell_the_time(parsed, millis)
        return parsed.evaluate(None, bindings)


class _Undefined(Exception):
    pass


def _describe(error: Exception) -> str:
    """Say what is wrong without Python's words, which come of an argument that a function does not accept."""
    if code := getattr(error, "error", None):
        return f"{code}: {error}"
    if isinstance(error, ValueError) and _IN_WORDS.match(str(error)):
        return str(error)
    if isinstance(error, TypeError) and "not supported between" in str(error):
        return "D3070: $sort with one argument needs an array of texts, or of numbers"
    return next(about for kind, about in _WRONG.items() if isinstance(error, kind))


def _failure(env: Any, cause: str) -> Exception:
    """Write EvaluationFailed, and return the failure."""
    error = failure(env, QUERY, cause, "EvaluationFailed")
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type="EvaluationFailed",
        event_details={"evaluationFailedEventDetails": error.get_evaluation_failed_event_details()},
    )
    return error  # type: ignore[no-any-return]  # moto has no types


def _tell_the_time(expression: Any, millis: int) -> None:
    """Let $now and $millis say the time of the execution."""
    functions = jsonata.functions.Functions
    expression.register_lambda("millis", lambda: millis)
    expression.register_lambda("now", lambda *rest: functions.datetime_from_millis(millis, *(*rest, None, None)[:2]))


def _plain(value: Any, expression: str) -> Any:
    """Return a value as JSON has it, with whole numbers as such."""
    if isinstance(value, dict):
        return {name: _plain(member, expression) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member, expression) for member in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise _Undefined(f"The JSONata expression '{expression}' returned an unsupported result type.")


def _parse(text: Any) -> Any:
    """Also read null, which MiniStack's function makes undefined."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"The text for $parse is not JSON: line {error.lineno}, column {error.colno}") from None
    return jsonata.utils.Utils.NULL_VALUE if value is None else value


def _to_millis(timestamp: Any = None, picture: Any = None) -> Any:
    """Also read a date alone. MiniStack's function needs a time."""
    if picture is None and isinstance(timestamp, str) and not _TIMESTAMP.fullmatch(timestamp):
        raise ValueError(f"D3110: The toMillis function needs an ISO 8601 timestamp, and not {json.dumps(timestamp)}")
    return jsonata.functions.Functions.datetime_to_millis(timestamp, picture)


def _partition(array: Any, size: Any) -> list[Any]:
    if not isinstance(array, list):
        raise ValueError("T0410: The first argument of $partition is no array")
    if (size := int(size // 1)) < 1:
        raise ValueError("The chunk size must be positive")
    return [array[start : start + size] for start in range(0, len(array), size)]


def _one_or_more(make: Callable[..., list[Any]]) -> Callable[..., Any]:
    """A range of one item is that item (recorded: intrinsic_functions/test_array_jsonata.py)."""

    def make_one_or_more(first: Any, last: Any, step: Any) -> Any:
        made = make(first, last, step)
        return made[0] if len(made) == 1 else made

    return make_one_or_more


def _no_function(*_: Any) -> None:
    raise ValueError("T1006: Attempted to invoke a non-function")
