"""What MiniStack 1.5.33 forgives a state machine and AWS does not, one function for each mend.

`local/emulator.py` applies them. What AWS does is in the States Language (https://states-language.net), in the guide "Handling
errors in Step Functions workflows", and in what LocalStack has recorded of AWS: "recorded" names a test under
`tests/aws/services/stepfunctions/v2` of its repository, whose answers are in the `.snapshot.json` beside it.
"""

import copy
import json
import math
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

LARGEST = 262144  # bytes of a state's output
RUNTIME, QUERY = "States.Runtime", "States.QueryEvaluationError"
INTRINSIC, RESULT_PATH = "States.IntrinsicFailure", "States.ResultPathMatchFailure"
MISSING = "could not be found in the"
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_TYPES = {"String": str, "Timestamp": str, "Numeric": (int, float), "Boolean": bool}
_NUMBERS = {
    "_execute_task": ("TimeoutSeconds", "HeartbeatSeconds"),
    "_execute_map": ("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage"),
}
_NUMBER = (int, float)
_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "States.StringToJson": (str,),
    "States.StringSplit": (str, str),
    "States.ArrayGetItem": (list, int),
    "States.ArrayLength": (list,),
    "States.ArrayContains": (list, object),
    "States.ArrayUnique": (list,),
    "States.ArrayPartition": (list, _NUMBER),
    "States.ArrayRange": (_NUMBER, _NUMBER, _NUMBER),
    "States.MathAdd": (_NUMBER, _NUMBER),
    "States.JsonMerge": (dict, dict, bool),
}
_ROUNDS = ("States.ArrayPartition", "States.ArrayRange", "States.MathAdd")
_FUNCTION = re.compile(r"\.\w+\([^\]]*$")
"""At the end of a path, as in `$.list.length()`. MiniStack cuts off what closes it within an intrinsic function."""
_context: ContextVar[dict[str, Any]] = ContextVar("context")
"""The context object of the state that runs, since MiniStack passes it on to some functions only."""


def limit_outputs(stepfunctions: Any) -> None:
    """Fail a state with States.DataLimitExceeded if its output is larger than 256 KiB.

    Recorded: error_handling/test_states_errors.py. MiniStack 1.5.33 has no limit. The output is measured where it is made, so
    that a Catch of the state can name the error.
    """

    output_path = stepfunctions._apply_output_path

    def is_jsonata(state: dict[str, Any], context: Any) -> bool:
        return bool(stepfunctions._state_query_language(state, context) == "JSONata")

    def limited(make: Callable[..., Any]) -> Callable[..., Any]:
        def make_and_measure(fields: dict[str, Any], given: Any, context: Any = None, *more: Any, **named: Any) -> Any:
            output = make(fields, given, context, *more, **named)
            if make is output_path and fields.get("Type") == "Parallel" and is_jsonata(fields, context):
                return output  # the result before its Output
            if len(json.dumps(output, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")) > LARGEST:
                about = f"The state/task '{context['State']['Name']}' returned a result with a size exceeding"
                about += " the maximum number of bytes service limit."
                raise stepfunctions._ExecutionError("States.DataLimitExceeded", about)
            return output

        return make_and_measure

    for name in ("_apply_output_path", "_apply_jsonata_output", "_apply_catcher"):
        setattr(stepfunctions, name, limited(getattr(stepfunctions, name)))


def name_the_state_in_a_cause(stepfunctions: Any) -> None:
    """Name the state that failed in the error's cause, and let every unforeseen failure of a state be States.Runtime.

    AWS's cause begins with "An error occurred while executing the state 'Wait'" and the number of an event. MiniStack 1.5.33
    does not name the state, and makes a failure of its own in a branch an error that a Catch matches.
    """

    def naming(execute: Callable[..., Any]) -> Callable[..., Any]:
        def execute_and_name(*args: Any) -> Any:
            name = args[-1].get("State", {}).get("Name")
            try:
                return execute(*args)
            except Exception as error:
                raise _named(stepfunctions, error, name) from error

        return execute_and_name

    _wrap_states(stepfunctions, naming)


def _named(stepfunctions: Any, error: Any, name: str) -> Any:
    """Return an error of Step Functions itself with the state's name in its cause."""
    if not isinstance(error, stepfunctions._ExecutionError):
        stepfunctions.logger.error("The state '%s' failed", name, exc_info=error)
        error = stepfunctions._ExecutionError(RUNTIME, f"{type(error).__name__}: {error}")
    start = "An error occurred while executing the state "
    if error.error not in (RUNTIME, QUERY, INTRINSIC, RESULT_PATH) or str(error.cause).startswith(start):
        return error
    return stepfunctions._ExecutionError(error.error, f"{start}'{name}'. {error.cause}")


def give_states_their_context(stepfunctions: Any) -> None:
    """Give every state the context object that it has on AWS, also in its ResultSelector and in the paths of a Wait state.

    `Execution` has `RoleArn` and `RedriveCount`; only a state that waits for a task token has `Task` (guide, "Accessing
    execution data from the Context object"). MiniStack 1.5.33 leaves a task token in the context of every later state.
    """

    def within(execute: Callable[..., Any]) -> Callable[..., Any]:
        def execute_in_context(*args: Any) -> Any:
            context = args[-1]
            context.pop("Task", None)
            if "Execution" in context:
                machine = stepfunctions._state_machines.get(context["StateMachine"]["Id"]) or {}
                more = {"RoleArn": machine.get("roleArn"), "RedriveCount": 0}
                context["Execution"] = {**more, **context["Execution"]}
            here = _context.set(context)
            try:
                return execute(*args)
            finally:
                _context.reset(here)

        return execute_in_context

    _wrap_states(stepfunctions, within)


def _wrap_states(stepfunctions: Any, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    for name in ("pass", "task", "choice", "wait", "parallel", "map"):
        setattr(stepfunctions, f"_execute_{name}", wrap(getattr(stepfunctions, f"_execute_{name}")))
    stepfunctions._fail_state_error = wrap(stepfunctions._fail_state_error)


def fail_on_missing_paths(stepfunctions: Any) -> None:
    """Fail the execution with States.Runtime if a path leads to nothing, wherever the path stands.

    Recorded for InputPath, OutputPath, payload templates, the context object, ErrorPath, CausePath and the paths of timeouts:
    scenarios/test_base_scenarios.py, test_invalid_jsonpath. The guide and the States Language call it
    States.ParameterPathFailure in a payload template, which is in no record. An index beyond the end of an array is null on
    AWS too, and a path with a wildcard leads to an array. MiniStack 1.5.33 takes null for everything that is missing.
    """
    resolve, parse = stepfunctions._resolve_path, stepfunctions._parse_jsonpath_tokens

    def value_of(path: str, data: Any, shown: str) -> Any:
        steps = parse(path) if path.startswith("$") else None
        if steps is None or _FUNCTION.search(path):
            raise stepfunctions._ExecutionError(RUNTIME, f"The local engine cannot read the path '{shown}'")
        if _leads_nowhere(steps, data):
            is_context = shown.startswith("$$")  # which has a task token
            where = "context object" if is_context else f"input '{json.dumps(data, ensure_ascii=False)}'"
            raise stepfunctions._ExecutionError(RUNTIME, f"The JSONPath '{shown}' {MISSING} {where}")
        return resolve(path, data)

    def resolve_in_context(path: str, context: Any) -> Any:
        found = context or _context.get({})
        public = {name: found[name] for name in ("Execution", "Map", "State", "StateMachine", "Task") if name in found}
        return value_of(path[1:], public, path)

    def resolve_path(path: str, data: Any) -> Any:
        return resolve_in_context(path, None) if path.startswith("$$") else value_of(path, data, path)

    stepfunctions._resolve_path, stepfunctions._resolve_ctx_path = resolve_path, resolve_in_context


def _leads_nowhere(steps: list[tuple[str, Any]], data: Any) -> bool:
    for kind, key in steps:
        if kind == "wildcard":
            return False
        if kind == "field" and isinstance(data, dict) and key in data:
            data = data[key]
        elif kind == "index" and isinstance(data, list):
            data = data[key] if key < len(data) else None
        else:
            return True
    return False


def compare_what_is_there(stepfunctions: Any) -> None:
    """Fail a Choice with States.Runtime if its `Variable` or the path of an operand leads to nothing. Only IsPresent allows it.

    Values of different types are not equal, and not smaller or greater (States Language, "Data-test expression"). A null is
    present, and a boolean is no number (recorded: choice_operators/). MiniStack 1.5.33 takes null for what is missing,
    finds that 0 equals false, and lets nine of the operators that end with `Path` never match.
    """
    evaluate = stepfunctions._evaluate_rule

    def value_of(path: str, data: Any, context: Any) -> Any:
        try:
            return stepfunctions._resolve_path_or_ctx(path, data, context)
        except stepfunctions._ExecutionError as error:
            if MISSING not in error.cause:
                raise
            about = "The choice state's condition path references an invalid value."
            raise stepfunctions._ExecutionError(RUNTIME, f"Invalid path '{path}': {about}") from None

    def evaluate_rule(rule: dict[str, Any], data: Any, context: Any = None) -> bool:
        if "Variable" not in rule:
            return bool(evaluate(rule, data, context))
        operator = next(name for name in rule if name not in ("Variable", "Next", "Comment", "Assign", "Output"))
        try:
            value = value_of(rule["Variable"], data, context)
        except stepfunctions._ExecutionError as error:
            if operator == "IsPresent" and error.cause.startswith("Invalid path"):
                return not rule[operator]
            raise
        if operator in ("IsPresent", "IsNumeric"):
            return bool((operator == "IsPresent" or stepfunctions._is_num(value)) == rule[operator])
        operand = value_of(rule[operator], data, context) if operator.endswith("Path") else rule[operator]
        operator = operator.removesuffix("Path")
        kind = next((name for name in _TYPES if operator.startswith(name)), None)
        if kind and not (_is_of(value, _TYPES[kind]) and _is_of(operand, _TYPES[kind])):
            return False
        return bool(evaluate({"Variable": "$", operator: operand}, value))

    stepfunctions._evaluate_rule = evaluate_rule


def _is_of(value: Any, kind: Any) -> bool:
    """Return whether a JSON value is of a type. Python takes a boolean for a number, JSON does not."""
    return isinstance(value, kind) and (kind in (bool, object) or not isinstance(value, bool))


def fail_choices_without_a_match(stepfunctions: Any) -> None:
    """Fail a Choice that matches no rule and has no Default with an error that no Catch of a Parallel or Map state handles.

    AWS answers States.Runtime, "Failed to transition out of the state. The state does not point to a next state.", as the
    engine of floci-io/floci says of us-east-1 (`NO_NEXT_STATE_CAUSE`). The guide calls it States.NoChoiceMatched.
    MiniStack 1.5.33 does as the guide says, and a Catch of States.ALL matches that.
    """
    execute = stepfunctions._execute_choice

    def execute_choice(*args: Any) -> Any:
        try:
            return execute(*args)
        except stepfunctions._ExecutionError as error:
            if error.error != "States.NoChoiceMatched":
                raise
            about = "Failed to transition out of the state. The state does not point to a next state."
            raise stepfunctions._ExecutionError(RUNTIME, about) from None

    stepfunctions._execute_choice = execute_choice


def apply_result_paths(stepfunctions: Any) -> None:
    """Fail with States.ResultPathMatchFailure if a ResultPath cannot be applied to the state's input.

    For example `$.x` to a text (States Language, "Input and output processing"). MiniStack 1.5.33 drops the input then, and
    takes an index for a part of a name. The ResultPath of a Catch is the same.
    """

    def apply(path: str | None, original: Any, result: Any) -> Any:
        if path == "$":
            return result
        output = copy.deepcopy(original)
        if path is None:
            return output
        *way, last = stepfunctions._parse_jsonpath_tokens(path) or [("unreadable", None)]
        place = output
        for step in way:
            check(path, step, place, original)
            place = place.setdefault(step[1], {}) if step[0] == "field" else place[step[1]]
        check(path, last, place, original)
        place[last[1]] = result
        return output

    def check(path: str, step: tuple[str, Any], place: Any, original: Any) -> None:
        kind, key = step
        is_field = kind == "field" and isinstance(place, dict)
        is_index = kind == "index" and isinstance(place, list) and key < len(place)
        if not (is_field or is_index):
            about = f"Unable to apply ReferencePath {path} to input {json.dumps(original, ensure_ascii=False)}"
            raise stepfunctions._ExecutionError(RESULT_PATH, about)

    stepfunctions._apply_result_path_raw = apply


def fail_for_good(stepfunctions: Any) -> None:
    """Let no Retry and no Catch match States.Runtime, and States.DataLimitExceeded only by its own name.

    "A retry or catch on States.ALL will not catch States.Runtime errors" (guide); nor does one on States.Runtime (recorded:
    scenarios/test_base_scenarios.py, test_catch_states_runtime). MiniStack 1.5.33 lets States.ALL match both.
    """
    matches = stepfunctions._error_matches

    def error_matches(names: list[str], error: str) -> bool:
        if error == "States.DataLimitExceeded":
            return error in names
        return error != RUNTIME and bool(matches(names, error))

    stepfunctions._error_matches = error_matches


def fail_on_bad_arguments(stepfunctions: Any) -> None:
    """Fail with States.IntrinsicFailure if an intrinsic function cannot take its arguments, and format values as AWS does.

    That is: a null, true or an object as `null`, `true` or `{a=1}` (recorded: intrinsic_functions/test_generic.py), in as many
    places as there are values. Some functions round a number to the nearest integer (guide, "Intrinsic functions").
    MiniStack 1.5.33 takes a negative index, the length of a text and a number in a text, cuts off decimals, and fails with an
    error that a Catch of a Parallel or Map state matches.
    """
    evaluate, execute = stepfunctions._evaluate_intrinsic, stepfunctions._exec_intrinsic

    def evaluate_intrinsic(expression: str, data: Any, context: Any) -> Any:
        try:
            return evaluate(expression, data, context)
        except stepfunctions._ExecutionError:
            raise
        except Exception as error:
            about = f"The function '{expression}' had the following error: {error}"
            raise stepfunctions._ExecutionError(INTRINSIC, about) from error

    def execute_checked(node: Any, data: Any, context: Any) -> Any:
        _, name, nodes = node
        arguments = [stepfunctions._eval_intrinsic_arg(argument, data, context) for argument in nodes]
        if not _fit(name, arguments):
            raise ValueError(f"Invalid arguments in {name}")
        if name == "States.Format":
            arguments = [arguments[0], *map(_as_text, arguments[1:])]
        if name in _ROUNDS:
            arguments = [math.floor(it + 0.5) if isinstance(it, float) else it for it in arguments]
        return execute(("call", name, [("num", argument) for argument in arguments]), data, context)

    stepfunctions._evaluate_intrinsic, stepfunctions._exec_intrinsic = evaluate_intrinsic, execute_checked


def _fit(name: str, arguments: list[Any]) -> bool:
    if name == "States.Format":
        template = arguments[0] if arguments else None
        return isinstance(template, str) and re.sub(r"\\.", " ", template).count("{}") == len(arguments) - 1
    kinds = _ARGUMENTS.get(name)
    if kinds is None:
        return True
    if len(kinds) != len(arguments) or not all(map(_is_of, arguments, kinds)):
        return False
    return not ((name == "States.ArrayGetItem" and arguments[1] < 0) or (name == "States.JsonMerge" and arguments[2]))


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_as_text(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_text, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def take_numbers_from_paths(stepfunctions: Any) -> None:
    """Apply TimeoutSecondsPath, HeartbeatSecondsPath, MaxConcurrencyPath, ToleratedFailureCountPath and …PercentagePath.

    They must lead to numbers, else AWS answers States.Runtime (recorded: scenarios/test_base_scenarios.py, for example
    test_max_concurrency_path). In JSONata the fields themselves can be expressions. MiniStack 1.5.33 ignores these paths, and
    crashes on an expression in TimeoutSeconds.
    """

    def with_numbers(execute: Callable[..., Any], fields: tuple[str, ...]) -> Callable[..., Any]:
        def execute_with_numbers(state: dict[str, Any], given: Any, execution: Any, context: Any) -> Any:
            numbers = {field: number for field in fields if (number := number_of(field, state, given, context)) is not None}
            return execute({**state, **numbers} if numbers else state, given, execution, context)

        return execute_with_numbers

    def number_of(field: str, state: dict[str, Any], given: Any, context: Any) -> Any:
        if isinstance(state.get(field), str):
            return stepfunctions._jsonata_state_field(state, field, "number", given, context)
        path = state.get(f"{field}Path")
        if path is None:
            return None
        number = stepfunctions._resolve_path_or_ctx(path, stepfunctions._apply_input_path(state, given, context), context)
        if not _is_of(number, (int, float) if field.endswith("Percentage") else int) or number < 0:
            about = f"The {field}Path field refers to value {json.dumps(number)} which is not a valid integer: {path}"
            raise stepfunctions._ExecutionError(RUNTIME, about)
        return number

    for name, fields in _NUMBERS.items():
        setattr(stepfunctions, name, with_numbers(getattr(stepfunctions, name), fields))


def wait_for_valid_times(stepfunctions: Any) -> None:
    """Fail with States.Runtime if SecondsPath or TimestampPath lead to anything but seconds or a timestamp with a time zone.

    Recorded: base/test_wait.py, and scenarios/test_base_scenarios.py, test_wait_timestamp_path. The same goes for a Timestamp
    in JSONata. MiniStack 1.5.33 does not wait then, and goes on.
    """
    execute, parse = stepfunctions._execute_wait, stepfunctions._parse_ts

    def execute_wait(state: dict[str, Any], given: Any, context: Any = None) -> Any:
        for field, fits in (("SecondsPath", is_seconds), ("TimestampPath", parse_timestamp)):
            if field in state:
                effective = stepfunctions._apply_input_path(state, given, context)
                value = stepfunctions._resolve_path_or_ctx(state[field], effective, context)
                if fits(value) in (None, False):
                    about = f"The {field} parameter does not reference a valid value: {state[field]} == {json.dumps(value)}"
                    raise stepfunctions._ExecutionError(RUNTIME, about)
        return execute(state, given, context)

    def is_seconds(value: Any) -> bool:
        return _is_of(value, int) and value >= 0

    def parse_timestamp(text: Any) -> Any:
        return parse(text) if isinstance(text, str) and _TIMESTAMP.fullmatch(text) else None

    stepfunctions._execute_wait, stepfunctions._parse_ts = execute_wait, parse_timestamp


def map_over_arrays_only(stepfunctions: Any) -> None:
    """Fail a Map state whose items are no array: with States.Runtime, and in JSONata with States.QueryEvaluationError.

    Recorded: test_state/test_state_context_object.py, and scenarios/test_base_scenarios.py, test_map_state_items_input_types.
    MiniStack 1.5.33 takes anything else for the only item. AWS iterates an object in a distributed Map: the local engine
    says that it cannot.
    """
    run = stepfunctions._run_map_items

    def run_over_an_array(state: dict[str, Any], given: Any, execution: Any, context: Any) -> Any:
        is_jsonata = stepfunctions._state_query_language(state, context) == "JSONata"
        if not state.keys() & {"ItemReader", "Items"}:
            path = state.get("ItemsPath", "$")
            effective = stepfunctions._apply_input_path(state, given, context)
            items = stepfunctions._resolve_path_or_ctx(path, effective, context)
            config = (state.get("Iterator") or state.get("ItemProcessor", {})).get("ProcessorConfig") or {}
            if isinstance(items, dict) and config.get("Mode") == "DISTRIBUTED":
                raise stepfunctions._ExecutionError(RUNTIME, "The local engine cannot iterate an object")
            if not isinstance(items, list) and is_jsonata:
                about = f"Map state input must be an array but was: {json.dumps(items, ensure_ascii=False)}"
                raise stepfunctions._ExecutionError(QUERY, about)
            if not isinstance(items, list):
                raise stepfunctions._ExecutionError(RUNTIME, f'Reference path "{path}" must point to array.')
        return run(state, given, execution, context)

    stepfunctions._run_map_items = run_over_an_array


def evaluate_every_expression(stepfunctions: Any) -> None:
    """Evaluate the JSONata of a Succeed state's Output, of a Parallel state's fields, and of a Choice state's own Output.

    A Choice's own Output is for its Default (guide, "Choice workflow state"). A Condition must be a boolean. MiniStack 1.5.33
    ignores the former, and takes any value for true or false.
    """
    output_path, run, choose = (
        stepfunctions._apply_output_path,
        stepfunctions._run_parallel_branches,
        stepfunctions._execute_choice,
    )

    def is_jsonata(state: dict[str, Any], context: Any) -> bool:
        return bool(stepfunctions._state_query_language(state, context) == "JSONata")

    def apply_output(state: dict[str, Any], data: Any, context: Any = None) -> Any:
        if state.get("Type") == "Succeed" and is_jsonata(state, context):
            return stepfunctions._apply_jsonata_output(state, data, context, default=data)
        return output_path(state, data, context)

    def run_branches(state: dict[str, Any], given: Any, execution: Any, context: Any) -> Any:
        if not is_jsonata(state, context):
            return run(state, given, execution, context)
        arguments = stepfunctions._apply_jsonata_arguments(state, given, context)
        results, following = run(state, arguments, execution, context)
        output = stepfunctions._apply_jsonata_output(state, given, context, result=results, default=results)
        stepfunctions._apply_state_assign(state, given, context, result=results)
        return output, following

    def execute_choice(state: dict[str, Any], given: Any, context: Any = None) -> Any:
        if "Default" in state and is_jsonata(state, context):
            fields: dict[str, Any] = {name: state[name] for name in ("Output", "Assign") if name in state}
            default = {**fields, "Condition": True, "Next": state["Default"]}
            state = {**state, "Choices": [*state.get("Choices", []), default]}
        return choose(state, given, context)

    def evaluate_rule(rule: dict[str, Any], given: Any, context: Any) -> bool:
        return bool(stepfunctions._jsonata_state_field(rule, "Condition", "boolean", given, context))

    stepfunctions._apply_output_path, stepfunctions._run_parallel_branches = apply_output, run_branches
    stepfunctions._execute_choice, stepfunctions._evaluate_jsonata_choice_rule = execute_choice, evaluate_rule


def give_each_attempt_its_task_token(stepfunctions: Any) -> None:
    """Give each attempt of a state that waits for a task token a token of its own.

    "When a task with a callback token times out, a new random token is generated" (guide, "Wait for a Callback with Task
    Token"). MiniStack 1.5.33 keeps the token, so what belongs to an attempt before resumes a later one.
    """

    def with_new_token(evaluate: Callable[..., Any]) -> Callable[..., Any]:
        def evaluate_attempt(state: dict[str, Any], given: Any, context: Any = None) -> Any:
            if context and "Task" in context and context["State"]["RetryCount"]:
                context["Task"] = {"Token": stepfunctions.new_uuid()}
            return evaluate(state, given, context)

        return evaluate_attempt

    for name in ("_apply_parameters", "_apply_jsonata_arguments"):
        setattr(stepfunctions, name, with_new_token(getattr(stepfunctions, name)))


MENDS = (
    fail_on_missing_paths,
    compare_what_is_there,
    apply_result_paths,
    fail_for_good,
    fail_on_bad_arguments,
    take_numbers_from_paths,
    wait_for_valid_times,
    map_over_arrays_only,
    evaluate_every_expression,
    fail_choices_without_a_match,
    give_each_attempt_its_task_token,
    limit_outputs,
    name_the_state_in_a_cause,
    give_states_their_context,
)
"""In the order in which they are applied: the last ones are about all that the others do."""
