"""What MiniStack 1.5.33 forgives a state machine and AWS does not, one function for each mend.

`emulator.py` applies them, with those of `path_mends.py`, `function_mends.py`, `map_mends.py` and
`branch_mends.py`. What AWS does is in the States Language (https://states-language.net), in the guide "Handling
errors in Step Functions workflows", and in what LocalStack has recorded of AWS: "recorded" names a test under
`tests/aws/services/stepfunctions/v2` of its repository, whose answers are in the `.snapshot.json` beside it.
"""

import copy
import json
import math
import re
from collections.abc import Callable
from typing import Any

from waitpoints_local import branch_mends, function_mends, map_mends, path_mends
from waitpoints_local.json_paths import is_of
from waitpoints_local.path_mends import MISSING
from waitpoints_local.state_context import INTRINSIC, QUERY, RESULT_PATH, RUNTIME, current

LARGEST = 262144  # bytes of a state's output
EVENTS = 25_000  # of an execution
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_TYPES = {"String": str, "Timestamp": str, "Numeric": (int, float), "Boolean": bool}
_NUMBERS = {
    "_execute_task": ("TimeoutSeconds", "HeartbeatSeconds"),
    "_execute_map": ("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage"),
}


def limit_outputs(stepfunctions: Any) -> None:
    """Fail a state with States.DataLimitExceeded if its output, its result or what its Parameters make exceeds 256 KiB.

    Guide, "Handling errors"; recorded: error_handling/test_states_errors.py. MiniStack 1.5.33 has no limit. Each is measured
    where it is made, so that a Catch of the state can name the error.
    """

    output_path = stepfunctions._apply_output_path

    def is_jsonata(state: dict[str, Any], context: Any) -> bool:
        return bool(stepfunctions._state_query_language(state, context) == "JSONata")

    def measured(value: Any, context: Any) -> Any:
        if len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")) > LARGEST:
            about = f"The state/task '{context['State']['Name']}' returned a result with a size exceeding"
            about += " the maximum number of bytes service limit."
            raise stepfunctions._ExecutionError("States.DataLimitExceeded", about)
        return value

    def limited(make: Callable[..., Any]) -> Callable[..., Any]:
        def make_and_measure(fields: dict[str, Any], given: Any, context: Any = None, *more: Any, **named: Any) -> Any:
            output = make(fields, given, context, *more, **named)
            if make is output_path and fields.get("Type") == "Parallel" and is_jsonata(fields, context):
                return output  # the result before its Output
            return measured(output, context)

        return make_and_measure

    def limited_result(invoke: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given: measured(invoke(*given), current.get({"State": {"Name": ""}}))

    for name in (
        "_apply_output_path",
        "_apply_jsonata_output",
        "_apply_catcher",
        "_apply_parameters",
        "_apply_jsonata_arguments",
    ):
        setattr(stepfunctions, name, limited(getattr(stepfunctions, name)))
    for name in ("_invoke_resource", "_invoke_with_callback"):
        setattr(stepfunctions, name, limited_result(getattr(stepfunctions, name)))


def limit_events(stepfunctions: Any) -> None:
    """Fail an execution with States.Runtime before its history has more than 25,000 events (guide, "Service quotas").

    MiniStack 1.5.33 lets a loop go on for ever.
    """
    add = stepfunctions._add_event

    def add_within_limit(execution: Any, kind: str, details: Any = None) -> Any:
        if len(execution["events"]) >= EVENTS - 1 and kind not in ("ExecutionFailed", "ExecutionTimedOut"):
            about = f"The execution reached the maximum number of history events ({EVENTS})."
            raise stepfunctions._ExecutionError(RUNTIME, about)
        return add(execution, kind, details)

    stepfunctions._add_event = add_within_limit


def leave_out_what_a_failure_lacks(stepfunctions: Any) -> None:
    """Give a failed execution an error and a cause only if there are any (recorded: base/test_base.py, test_state_fail_empty).

    MiniStack 1.5.33 calls the error of a Fail state without one States.Fail.
    """
    fail, field = stepfunctions._fail_execution, stepfunctions._fail_state_field

    def fail_execution(execution: dict[str, Any], error: str, cause: str) -> None:
        fail(execution, error, cause)
        there = {name: value for name, value in (("error", error), ("cause", cause)) if value}
        for name in {"error", "cause"} - there.keys():
            execution.pop(name, None)
        execution["events"][-1]["executionFailedEventDetails"] = there

    def fail_state_field(state: dict[str, Any], name: str, default: str, *rest: Any) -> Any:
        return field(state, name, "", *rest)

    stepfunctions._fail_execution, stepfunctions._fail_state_field = fail_execution, fail_state_field


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
            here = current.set(context)
            try:
                return execute(*args)
            finally:
                current.reset(here)

        return execute_in_context

    _wrap_states(stepfunctions, within)


def _wrap_states(stepfunctions: Any, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    for name in ("pass", "task", "choice", "wait", "parallel", "map"):
        setattr(stepfunctions, f"_execute_{name}", wrap(getattr(stepfunctions, f"_execute_{name}")))
    stepfunctions._fail_state_error = wrap(stepfunctions._fail_state_error)


def compare_what_is_there(stepfunctions: Any) -> None:
    """Fail a Choice with States.Runtime if its `Variable` or the path of an operand leads to nothing. Only IsPresent allows it.

    Values of different types are not equal, and not smaller or greater (States Language, "Data-test expression"). A null is
    present, and a boolean is no number (recorded: choice_operators/). MiniStack 1.5.33 takes null for what is missing,
    finds that 0 equals false, lets nine of the operators that end with `Path` never match, and knows no escapes in
    StringMatches.
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
        if operator == "StringMatches":
            return isinstance(value, str) and _pattern(stepfunctions, rule[operator]).fullmatch(value) is not None
        operand = value_of(rule[operator], data, context) if operator.endswith("Path") else rule[operator]
        operator = operator.removesuffix("Path")
        kind = next((name for name in _TYPES if operator.startswith(name)), None)
        if kind and not (is_of(value, _TYPES[kind]) and is_of(operand, _TYPES[kind])):
            return False
        return bool(evaluate({"Variable": "$", operator: operand}, value))

    stepfunctions._evaluate_rule = evaluate_rule


def _pattern(stepfunctions: Any, text: str) -> re.Pattern[str]:
    """Return the regular expression of a StringMatches."""
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+|\\", text)
    if "\\" in parts:
        raise stepfunctions._ExecutionError(RUNTIME, f"There is an open escape in the StringMatches '{text}'")
    return re.compile("".join(".*" if part == "*" else re.escape(part.removeprefix("\\")) for part in parts), re.DOTALL)


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
        is_share = field.endswith("Percentage")
        if not is_of(number, (int, float) if is_share else int) or number < 0 or (is_share and number > 100):
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
        return is_of(value, int) and value >= 0

    def parse_timestamp(text: Any) -> Any:
        return parse(text) if isinstance(text, str) and _TIMESTAMP.fullmatch(text) else None

    def is_timestamp(value: Any) -> bool:
        return parse_timestamp(value) is not None

    stepfunctions._execute_wait, stepfunctions._parse_ts = execute_wait, parse_timestamp
    stepfunctions._is_timestamp = is_timestamp


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


def refuse_results_that_are_no_json(stepfunctions: Any) -> None:
    """Answer InvalidOutput to a SendTaskSuccess whose output is no JSON, as the API reference says.

    So is a number that Python cannot hold: what AWS does with one is not documented. MiniStack 1.5.33 takes every text, and the
    execution then fails with States.Runtime, which no `Catch` catches.
    """
    send = stepfunctions._send_task_success

    def send_json(data: Any) -> Any:
        if data.get("taskToken") in stepfunctions._task_tokens and not _is_json(data.get("output", "{}")):
            return stepfunctions.error_response_json("InvalidOutput", "Invalid Output: the output is no valid JSON", 400)
        return send(data)

    stepfunctions._send_task_success = send_json


def _is_json(text: str) -> bool:
    def finite(number: str) -> float:
        if math.isfinite(found := float(number)):
            return found
        raise ValueError(number)

    try:
        json.loads(text, parse_float=finite, parse_constant=finite)
    except (ValueError, RecursionError):
        return False
    return True


MENDS = (
    path_mends.read_paths,
    path_mends.fill_whole_templates,
    compare_what_is_there,
    apply_result_paths,
    fail_for_good,
    leave_out_what_a_failure_lacks,
    function_mends.read_functions,
    function_mends.fail_on_bad_arguments,
    function_mends.evaluate_jsonata_as_aws_does,
    take_numbers_from_paths,
    wait_for_valid_times,
    map_mends.map_over_arrays_only,
    map_mends.iterate_distributed_in_jsonata,
    evaluate_every_expression,
    fail_choices_without_a_match,
    path_mends.keep_variables,
    give_each_attempt_its_task_token,
    refuse_results_that_are_no_json,
    limit_outputs,
    limit_events,
    branch_mends.stop_with_the_first_failure,
    branch_mends.end_executions_in_time,
    name_the_state_in_a_cause,
    give_states_their_context,
)
"""In the order in which they are applied: the last ones are about all that the others do."""
