"""What MiniStack does without each mend of the States Language and of definition_mends.py, and with it.

`mends.py` runs these. A state machine runs in this process: a Task returns its arguments, and the timeout that it has.
"""

import json
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ministack.services import stepfunctions

from waitpoints_local import branch_mends, definition_mends, function_mends, map_mends, path_mends, states_language_mends

Probe = Callable[[], bool]
State = dict[str, Any]
RUNTIME, QUERY = "States.Runtime", "States.QueryEvaluationError"
INTRINSIC, NO_MATCH = "States.IntrinsicFailure", "States.ResultPathMatchFailure"
CHOICE = "condition path references an invalid value"
INVOKE = "arn:aws:states:::lambda:invoke"
ROLE = "arn:aws:iam::000000000000:role/r"
GIVEN = {
    "n": 3,
    "zero": 0,
    "text": "5",
    "list": [1, 2],
    "null": None,
    "true": True,
    "o": {"a": [1]},
    "when": "2020-01-01 00:00:00Z",
}


def ended(
    state: State, given: Any = GIVEN, callback: Callable[..., Any] = lambda *_: {}, **states: Any
) -> tuple[Any, str, str]:
    """Run a state machine that begins with a state. Returns its output, or the error and the cause."""
    kind = "Choice" if "Choices" in state else state.get("Type", "Pass")
    first = {"Type": kind, **({} if kind in ("Choice", "Fail", "Succeed") or "Next" in state else {"End": True}), **state}
    stepfunctions._state_machines["m"] = {"roleArn": ROLE}
    context = {
        "QueryLanguage": "JSONPath",
        "Execution": {"Id": "e", "Input": given, "Name": "e", "StartTime": "t"},
        "StateMachine": {"Id": "m", "Name": "m"},
        "variables": {},
    }
    with (
        patch.object(stepfunctions, "_invoke_resource", lambda _, arguments: arguments),
        patch.object(stepfunctions, "_invoke_resource_with_timeout", lambda *given: {"timeout": given[2]}),
        patch.object(stepfunctions, "_invoke_with_callback", callback),
    ):
        try:
            done = {"Type": "Pass", "End": True}
            machine = {"First": first, "Done": done, "Caught": {**done, "Result": "caught"}, **states}
            arn = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
            execution = {"events": [], "executionArn": "e", "stateMachineArn": arn}
            return stepfunctions._run_sub_machine(machine, "First", given, execution, context), "", ""
        except stepfunctions._ExecutionError as error:
            return None, error.error, error.cause
        except Exception as error:  # MiniStack's own mistake
            return None, type(error).__name__, str(error)


def fails(name: str, error: str, state: State, given: Any = GIVEN, cause: str = "", **states: Any) -> Probe:
    def probe() -> bool:
        _, seen, why = ended(state, given, **states)
        return seen == error and cause in why

    probe.__name__ = f"{name}_fails"
    return probe


def gives(name: str, output: Any, state: State, given: Any = GIVEN, **states: Any) -> Probe:
    def probe() -> bool:
        return bool(ended(state, given, **states)[0] == output)

    probe.__name__ = name
    return probe


def task(**fields: Any) -> State:
    return {"Type": "Task", "Resource": INVOKE, "Parameters": {"x": 1}, **fields}


def map_of(state: State, **fields: Any) -> State:
    processor = {"StartAt": "Inner", "States": {"Inner": {"End": True, **state}}}
    return {"Type": "Map", "ItemsPath": "$.list", "ItemProcessor": processor, **fields}


def parallel(state: State, **fields: Any) -> State:
    branch = {"StartAt": "Inner", "States": {"Inner": {"End": True, **state}, "Done": {"Type": "Pass", "End": True}}}
    return {"Type": "Parallel", "Branches": [branch], **fields}


def choice(**rule: Any) -> State:
    return {"Choices": [{**rule, "Next": "Caught"}], "Default": "Done"}


def jsonata(**fields: Any) -> State:
    return {"QueryLanguage": "JSONata", **fields}


def jsonpaths(*paths: str) -> State:
    """A state that returns what paths lead to, in an array."""
    return {"Parameters": {f"x{number}.$": path for number, path in enumerate(paths)}, "OutputPath": "$.*"}


PASS: State = {"Type": "Pass"}
MISSING: State = {"Type": "Pass", "Parameters": {"x.$": "$.nosuch"}}
FAILS: State = {"Type": "Fail", "Error": "Mine"}
ALL = {"ErrorEquals": ["States.ALL"]}
CATCH = {"Catch": [{**ALL, "Next": "Caught"}]}
ITEM = map_of(PASS)["ItemProcessor"]
DISTRIBUTED = {**ITEM, "ProcessorConfig": {"Mode": "DISTRIBUTED"}}
READER = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket.$": "$.nosuch"}}

MISSING_PATHS = [
    fails("a_template", RUNTIME, MISSING),
    fails("a_template_within_a_list", RUNTIME, {"Parameters": {"a": [{"b": {"x.$": "$.n.nosuch"}}]}}),
    fails("the_payload_of_a_task", RUNTIME, task(Parameters={"Payload": {"x.$": "$.token.id"}})),
    fails("an_input_path", RUNTIME, {"InputPath": "$.nosuch"}),
    fails("an_input_path_of_a_succeed_state", RUNTIME, {"Type": "Succeed", "InputPath": "$.nosuch"}),
    fails("an_output_path", RUNTIME, {"OutputPath": "$.nosuch"}),
    fails("an_output_path_of_a_choice", RUNTIME, {**choice(Variable="$.n", NumericEquals=3), "OutputPath": "$.nosuch"}),
    fails("a_result_selector", RUNTIME, parallel(PASS, ResultSelector={"x.$": "$.nosuch"})),
    fails("the_context_object", RUNTIME, {"Parameters": {"x.$": "$$.Execution.Input.nosuch"}}),
    fails("an_argument_of_a_function", RUNTIME, {"Parameters": {"x.$": "States.Format('{}', States.Array($.nosuch))"}}),
    fails("an_items_path", RUNTIME, map_of(PASS, ItemsPath="$.nosuch")),
    fails("an_item_selector", RUNTIME, map_of(PASS, ItemSelector={"x.$": "$.nosuch"})),
    fails("an_item_selector_of_the_context", RUNTIME, map_of(PASS, ItemSelector={"x.$": "$$.Map.Item.Value.nosuch"})),
    fails("an_item_reader", RUNTIME, {"Type": "Map", "ItemReader": READER, "ItemProcessor": DISTRIBUTED}),
    fails("a_state_of_a_map", RUNTIME, map_of(MISSING)),
    fails("a_state_of_a_branch", RUNTIME, parallel(MISSING)),
    fails("a_seconds_path", RUNTIME, {"Type": "Wait", "SecondsPath": "$.nosuch"}),
    fails("a_timestamp_path", RUNTIME, {"Type": "Wait", "TimestampPath": "$.nosuch"}),
    fails("an_index_beyond_the_end_of_an_array", RUNTIME, {"InputPath": "$.list[2]"}),
    fails("an_index_before_its_beginning", RUNTIME, {"Parameters": {"x.$": "$.list[-3]"}}),
    fails("an_index_of_no_array", RUNTIME, {"Parameters": {"x.$": "$.text[0]"}}),
    fails("a_wildcard_under_nothing", RUNTIME, {"Parameters": {"x.$": "$.nosuch[*]"}}),
    fails("a_filter_which_the_local_engine_cannot_read", RUNTIME, {"Parameters": {"x.$": "$.list[?(@ =~ /1/)]"}}),
    fails("a_variable_that_nothing_has_set", RUNTIME, {"InputPath": "$nosuch"}, cause="variables"),
    gives("a_slice_a_union_and_a_filter", [[2], [1, 2], [2]], jsonpaths("$.list[1:]", "$.list[0,1]", "$.list[?(@ > 1)]")),
    gives("a_descent_and_an_index_from_the_end", [[[1]], 2], jsonpaths("$..a", "$.list[-1]")),
    fails("a_function_at_the_end", RUNTIME, {"Parameters": {"x.$": "$.list.length()"}}, cause="cannot read the path"),
    fails("one_in_an_argument", RUNTIME, {"Parameters": {"x.$": "States.Array($.list.sum())"}}, cause="cannot read the path"),
]


def what_is_there_is_read() -> bool:
    template = {"null.$": "$.null", "none.$": "$.list[*].x", "id.$": "$$.Execution.Id", "all.$": "$"}
    read: State = {"null": None, "none": [], "id": "e", "all": GIVEN}
    return ended({"Parameters": template})[0] == read and ended(MISSING)[1] == RUNTIME


def what_is_missing_is_not_present() -> bool:
    return all(ended(choice(Variable=path, IsPresent=False))[0] == "caught" for path in ("$.nosuch", "$variable", "$.list[2]"))


COMPARISONS = [
    fails("a_variable", RUNTIME, choice(Variable="$.nosuch", StringEquals="x"), cause=CHOICE),
    fails("a_variable_within", RUNTIME, choice(And=[{"Not": {"Variable": "$.nosuch", "IsNull": True}}]), cause=CHOICE),
    fails("an_operand", RUNTIME, choice(Variable="$.n", NumericEqualsPath="$.nosuch"), cause=CHOICE),
    what_is_missing_is_not_present,
    gives("null_is_present", "caught", choice(Variable="$.null", IsPresent=True)),
    gives("true_is_not_a_number", GIVEN, choice(Variable="$.true", IsNumeric=True)),
    gives("zero_is_not_false", GIVEN, choice(Variable="$.zero", BooleanEquals=False)),
    gives("a_text_is_less_than_another", "caught", choice(Variable="$.when", StringLessThanPath="$.text")),
    gives("a_star_with_a_backslash_is_a_star", "caught", choice(Variable="$", StringMatches="a\\*"), "a*"),
    gives("a_wildcard_matches_a_line_end", "caught", choice(Variable="$", StringMatches="a*b"), "a\nb"),
    fails("an_open_escape", RUNTIME, choice(Variable="$", StringMatches="a\\"), "a"),
]
READ = {"Type": "Pass", "InputPath": "$v", "End": True}
READ_BOTH = jsonata(Type="Pass", Output="{% [$a, $b] %}", End=True)
TEMPLATES = [
    gives("an_empty_template", {}, {"Parameters": {}}),
    gives("an_empty_result_selector", {}, parallel(PASS, ResultSelector={})),
    gives("an_empty_item_selector", [{}, {}], map_of(PASS, ItemSelector={})),
    gives("a_list_within_a_list", {"x": [[{"y": 3}]]}, {"Parameters": {"x": [[{"y.$": "$.n"}]]}}),
]
VARIABLES = [
    gives("a_variable_of_a_result", 3, {"Assign": {"v.$": "$.n"}, "Next": "Read"}, Read=READ),
    gives("a_variable_of_a_wait", 3, {"Type": "Wait", "Seconds": 0, "Assign": {"v.$": "$.n"}, "Next": "Read"}, Read=READ),
    gives(
        "a_variable_of_a_rule",
        "rule",
        {"Choices": [{"Variable": "$.n", "NumericEquals": 3, "Assign": {"v": "rule"}, "Next": "Read"}]},
        Read=READ,
    ),
    gives(
        "a_variable_of_a_catch",
        "Mine",
        parallel(FAILS, Catch=[{**ALL, "Assign": {"v.$": "$.Error"}, "Next": "Read"}]),
        Read=READ,
    ),
    gives(
        "an_output_before_the_assignment",
        1,
        {"Assign": {"v": 1}, "Next": "Then"},
        Then={"Type": "Pass", "Assign": {"v": 2}, "OutputPath": "$v", "End": True},
    ),
    gives(
        "variables_that_change_places",
        [2, 1],
        jsonata(Assign={"a": 1, "b": 2}, Next="Swap"),
        Swap=jsonata(Type="Pass", Assign={"a": "{% $b %}", "b": "{% $a %}"}, Next="Read"),
        Read=READ_BOTH,
    ),
]
RESULT_PATHS = [
    fails("a_member_of_the_input_which_is_a_text", NO_MATCH, {"ResultPath": "$.x"}, "text"),
    fails("a_member_of_a_text", NO_MATCH, {"ResultPath": "$.text.x"}),
    fails("an_index_beyond_the_end", NO_MATCH, {"ResultPath": "$.list[2]"}),
    fails(
        "the_result_path_of_a_catch", NO_MATCH, parallel(FAILS, Catch=[{**ALL, "ResultPath": "$.x", "Next": "Done"}]), "text"
    ),
    gives("an_item_is_replaced", {"list": [1, {"x": 9}]}, {"Result": 9, "ResultPath": "$.list[1].x"}, {"list": [1, {}]}),
]


def a_retry_does_not_match() -> bool:
    attempts: list[int] = []
    with patch.object(stepfunctions, "_add_event", lambda _, kind, *__: attempts.append(kind == "TaskScheduled")):
        ended(task(OutputPath="$.nosuch", Retry=[{**ALL, "IntervalSeconds": 0, "MaxAttempts": 2}]))
    return sum(attempts) == 1


def all_does_not_match_too_much_data() -> bool:
    names = [["States.ALL"], ["States.TaskFailed"], ["States.DataLimitExceeded"]]
    return [stepfunctions._error_matches(name, "States.DataLimitExceeded") for name in names] == [False, False, True]


CATCHES = [
    fails("a_branch_with_a_catch_of_all", RUNTIME, parallel(MISSING, **CATCH)),
    fails("an_item_with_a_catch_of_all", RUNTIME, map_of(MISSING, **CATCH)),
    fails("a_task_with_a_catch_of_it", RUNTIME, task(OutputPath="$.no", Catch=[{"ErrorEquals": [RUNTIME], "Next": "Caught"}])),
    a_retry_does_not_match,
    all_does_not_match_too_much_data,
]


def function(expression: str) -> State:
    return {"Parameters": {"x.$": expression}}


FUNCTIONS = [
    fails("a_text_that_is_not_json", INTRINSIC, function("States.StringToJson($.when)")),
    fails("a_negative_index", INTRINSIC, function("States.ArrayGetItem($.list, -1)")),
    fails("an_index_too_many", INTRINSIC, function("States.ArrayGetItem($.list, 2)")),
    fails("the_length_of_a_text", INTRINSIC, function("States.ArrayLength($.text)")),
    fails("a_number_in_a_text", INTRINSIC, function("States.MathAdd($.text, 1)")),
    fails("a_deep_merge", INTRINSIC, function("States.JsonMerge($.o, $.o, true)")),
    fails("a_value_too_few", INTRINSIC, function("States.Format('{} {}', $.n)")),
    fails("a_value_too_many", INTRINSIC, function("States.Format('{}', $.n, $.n)")),
    gives(
        "values_are_formatted",
        {"x": "{} \\3 null true {a=[1]}"},
        function(r"States.Format('\{\} \\{} {} {} {}', $.n, $.null, $.true, $.o)"),
    ),
    gives(
        "numbers_are_rounded",
        {"x": [3, -1, [[1, 2]], [1, 3, 5]]},
        function(
            "States.Array(States.MathAdd(1.5, 1), States.MathAdd(-1.5, 0),"
            " States.ArrayPartition($.list, 2.4), States.ArrayRange(1, 5.4, 1.6))"
        ),
    ),
    fails("true_in_the_place_of_a_number", INTRINSIC, function("States.MathAdd($.true, 1)")),
    fails("something_after_the_function", INTRINSIC, function("States.UUID() + 1")),
    fails("a_range_that_is_too_long", INTRINSIC, function("States.ArrayRange(0, 1000, 1)")),
    fails("a_chunk_of_a_negative_size", INTRINSIC, function("States.ArrayPartition($.list, -1)")),
    fails("a_random_number_of_a_text", INTRINSIC, function("States.MathRandom($.text, 9)")),
    fails("no_number_in_json", INTRINSIC, function("States.StringToJson('NaN')")),
    gives(
        "a_range_that_goes_down",
        {"x": [[5, 3, 1], False]},
        function("States.Array(States.ArrayRange(5, 1, -2), States.ArrayContains($.list, $.true))"),
    ),
    gives("an_umlaut_as_json", {"x": '"ä"'}, function("States.JsonToString($)"), "ä"),
    gives(
        "a_random_number_below_its_end", {"x": [4] * 9}, function(f"States.Array({', '.join(['States.MathRandom(4, 5)'] * 9)})")
    ),
]
EXPRESSIONS_READ = [
    gives("an_escape_in_a_text", {"x": ["it's", "{}"]}, function(r"States.Array('it\'s', '\{\}')")),
    gives("a_comma_in_a_path", {"x": [[1, 2]]}, function("States.Array($.list[0,1])")),
]
JSONATA = [
    gives("a_range_of_one_item", 1, jsonata(Output="{% $range(1, 9, 9) %}")),
    gives("the_public_context", ["Execution", "State", "StateMachine"], jsonata(Output="{% $sort($keys($states.context)) %}")),
    fails("eval", QUERY, jsonata(Output="{% $eval('1') %}")),
    fails("chunks_of_a_text", QUERY, jsonata(Output="{% $partition('abc', 1) %}")),
    fails("a_function_as_a_result", QUERY, jsonata(Output="{% function($x) { $x } %}")),
]


def in_time(name: str, error: str, state: State, **more: Any) -> Probe:
    """The state must fail before anything that it waits for is over."""

    def probe() -> bool:
        began = time.monotonic()
        return ended(state, **more)[1] == error and time.monotonic() - began < 0.7

    probe.__name__ = name
    return probe


def waiting_for_a_token() -> State:
    return {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "TimeoutSeconds": 1}


def a_token_that_nobody_answers_is_given_up() -> bool:
    invoke = stepfunctions._invoke_with_callback
    state = {
        **parallel(waiting_for_a_token()),
        "Branches": [*parallel(waiting_for_a_token())["Branches"], *LATE_FAILURE["Branches"]],
    }
    began = time.monotonic()
    with patch.dict(stepfunctions._SERVICE_DISPATCH, {"arn:aws:states:::sqs:sendMessage": lambda *_: {}}):
        error = ended(state, callback=invoke)[1]
    return error == "Later" and time.monotonic() - began < 0.9


SLEEPS: State = {"Type": "Wait", "Seconds": 1}
LATE_FAILURE = parallel({"Type": "Wait", "Seconds": 0.2, "End": False, "Next": "Fail"})
LATE_FAILURE["Branches"][0]["States"]["Fail"] = {**FAILS, "Error": "Later"}
FIRST_FAILURE = {**parallel(FAILS), "Branches": [*LATE_FAILURE["Branches"], *parallel(FAILS)["Branches"]]}
ENDS = [
    in_time(
        "a_branch_that_waits",
        "Mine",
        {**parallel(SLEEPS), "Branches": [*parallel(SLEEPS)["Branches"], *parallel(FAILS)["Branches"]]},
    ),
    in_time(
        "a_branch_within_a_branch",
        "Mine",
        parallel({**parallel(SLEEPS), "Branches": [*parallel(SLEEPS)["Branches"], *parallel(FAILS)["Branches"]]}),
    ),
    in_time("the_first_failure_in_time", "Mine", FIRST_FAILURE),
    a_token_that_nobody_answers_is_given_up,
]


def an_execution_times_out() -> bool:
    """Also if it only sleeps."""
    states = {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}
    definition = json.dumps({"StartAt": "Wait", "TimeoutSeconds": 0.1, "States": states})
    execution: dict[str, Any] = {"executionArn": "timed", "name": "e", "status": "RUNNING", "startDate": "", "input": "{}"}
    execution |= {"stateMachineArn": "timed", "sync": True, "events": [{"id": 1, "type": "ExecutionStarted"}]}
    stepfunctions._executions["timed"] = execution
    stepfunctions._state_machines["timed"] = {"name": "m", "roleArn": ROLE, "definition": definition}
    began = time.monotonic()
    stepfunctions._run_execution("timed")
    ended_as = (execution["status"], execution["events"][-1]["type"])
    return ended_as == ("TIMED_OUT", "ExecutionTimedOut") and time.monotonic() - began < 0.8


def a_failure_lacks_what_it_was_not_given() -> bool:
    execution: dict[str, Any] = {"events": [], "executionArn": "e", "sync": True}
    stepfunctions._fail_execution(execution, *ended({"Type": "Fail"})[1:])
    kept = {name: execution[name] for name in ("error", "cause") if name in execution}
    return bool(kept == execution["events"][0]["executionFailedEventDetails"] == {})


def the_last_event_is_the_failure() -> bool:
    execution = {"events": [{"id": 1}] * 24_998}
    stepfunctions._add_event(execution, "PassStateEntered")
    try:
        stepfunctions._add_event(execution, "PassStateExited")
    except stepfunctions._ExecutionError as error:
        return bool(error.error == RUNTIME and stepfunctions._add_event(execution, "ExecutionFailed")["id"] == 25_000)
    return False


NUMBERS = [
    gives("a_timeout_from_a_path", {"timeout": 3}, task(TimeoutSecondsPath="$.n")),
    gives("a_timeout_from_an_expression", {"timeout": 3}, jsonata(Type="Task", Resource=INVOKE, TimeoutSeconds="{% 1 + 2 %}")),
    fails("a_timeout_that_is_a_text", RUNTIME, task(TimeoutSecondsPath="$.text")),
    fails("a_timeout_that_is_missing", RUNTIME, task(TimeoutSecondsPath="$.nosuch")),
    fails("a_heartbeat_that_is_missing", RUNTIME, task(HeartbeatSecondsPath="$.nosuch")),
    fails("a_concurrency_that_is_true", RUNTIME, map_of(PASS, MaxConcurrencyPath="$.true")),
    fails("a_count_that_is_a_text", RUNTIME, map_of(PASS, ToleratedFailureCountPath="$.text")),
    fails("a_percentage_that_is_null", RUNTIME, map_of(PASS, ToleratedFailurePercentagePath="$.null")),
]
TIMES = [
    fails("seconds_in_a_text", RUNTIME, {"Type": "Wait", "SecondsPath": "$.text"}),
    fails("negative_seconds", RUNTIME, {"Type": "Wait", "SecondsPath": "$"}, -1),
    fails("a_timestamp_without_a_t", RUNTIME, {"Type": "Wait", "TimestampPath": "$.when"}),
    fails("a_timestamp_without_a_zone", RUNTIME, {"Type": "Wait", "TimestampPath": "$"}, "2020-01-01T00:00:00"),
    fails("a_timestamp_of_an_expression", QUERY, jsonata(Type="Wait", Timestamp="{% $states.input.when %}")),
    gives("a_text_is_no_timestamp", GIVEN, choice(Variable="$.when", TimestampLessThan="2021-01-01T00:00:00Z")),
]
ITEMS = [
    fails("a_number", RUNTIME, map_of(PASS, ItemsPath="$.n")),
    fails("an_object", RUNTIME, map_of(PASS, ItemsPath="$.o"), cause="must point to array"),
    fails(
        "an_object_in_a_distributed_map",
        RUNTIME,
        map_of(PASS, ItemsPath="$.o", ItemProcessor=DISTRIBUTED),
        cause="The local engine cannot iterate an object",
    ),
    fails("an_object_in_jsonata", QUERY, jsonata(Type="Map", ItemProcessor=map_of(PASS)["ItemProcessor"])),
]
DISTRIBUTED_IN_JSONATA = [
    gives("items", [1, 2], jsonata(Type="Map", Items="{% $states.input.list %}", ItemProcessor=DISTRIBUTED)),
    gives(
        "an_item_selector_and_an_output",
        6,
        jsonata(
            Type="Map",
            Items=[1, 2],
            ItemSelector="{% $states.context.Map.Item.Value * 2 %}",
            Output="{% $sum($states.result) %}",
            ItemProcessor=DISTRIBUTED,
        ),
    ),
    fails(
        "batches",
        RUNTIME,
        map_of(PASS, ItemProcessor=DISTRIBUTED, ItemBatcher={"MaxItemsPerBatch": 2}),
        cause="The local engine cannot make batches",
    ),
]
EXPRESSIONS = [
    gives("the_output_of_a_succeed_state", 3, jsonata(Type="Succeed", Output="{% $states.input.n %}")),
    fails("an_undefined_output_of_a_succeed_state", QUERY, jsonata(Type="Succeed", Output="{% $states.input.nosuch %}")),
    gives(
        "the_fields_of_a_parallel_state",
        [3, 7],
        parallel(
            PASS,
            **jsonata(Arguments="{% $states.input.n %}", Assign={"kept": "{% $states.result %}"}, Output=7, Next="Read"),
        ),
        Read=jsonata(Type="Pass", Output="{% [$kept, $states.input] %}", End=True),
    ),
    gives("the_output_of_a_default", "none", jsonata(**choice(Condition="{% false %}"), Output="none")),
    fails("a_condition_that_is_a_text", QUERY, jsonata(**choice(Condition="{% 'x' %}"))),
]
UNMATCHED: State = {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 9, "Next": "Done"}]}
CHOICES = [
    fails("a_choice", RUNTIME, UNMATCHED),
    fails("a_choice_in_a_branch_with_a_catch", RUNTIME, parallel(UNMATCHED, **CATCH)),
]


def attempts_have_their_task_tokens(name: str, state: State) -> Probe:
    def probe() -> bool:
        tokens: list[str] = []

        def time_out(_: str, arguments: Any, token: str, __: State) -> None:
            tokens.append(token)
            assert arguments["token"] == token
            raise stepfunctions._ExecutionError("States.Timeout", "")

        retry = {"Retry": [{**ALL, "IntervalSeconds": 0, "MaxAttempts": 2}]}
        ended({**task(Resource=f"{INVOKE}.waitForTaskToken"), **state, **retry}, callback=time_out)
        return len(tokens) == len(set(tokens)) == 3

    probe.__name__ = name
    return probe


TOKENS = [
    attempts_have_their_task_tokens("in_jsonpath", {"Parameters": {"token.$": "$$.Task.Token"}}),
    attempts_have_their_task_tokens("in_jsonata", jsonata(Arguments={"token": "{% $states.context.Task.Token %}"})),
]


def the_limit_counts_bytes() -> bool:
    """The quotation marks count, and two bytes of each ä."""
    fitting, large = ("ä" * 131071, "ä" * 131072)
    return ended({"Result": fitting})[0] == fitting and ended({"Result": large})[1] == "States.DataLimitExceeded"


def an_output_counts_and_no_result() -> bool:
    branches = parallel({"Type": "Pass"})["Branches"] * 2
    shortened, whole = (jsonata(Type="Parallel", Branches=branches, Output=output) for output in ("x", "{% $states.result %}"))
    given = "x" * 131072
    return ended(shortened, given)[0] == "x" and ended(whole, given)[1] == "States.DataLimitExceeded"


TOO_LARGE = task(Parameters={"a.$": "$"}, ResultSelector={"a.$": "$.a", "b.$": "$.a"})
CATCH_TOO_LARGE = {"Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "Caught"}]}
LIMITS = [
    the_limit_counts_bytes,
    an_output_counts_and_no_result,
    gives("a_catch_of_a_task_names_the_limit", "caught", {**TOO_LARGE, **CATCH_TOO_LARGE}, "x" * 131072),
    gives(
        "a_catch_of_a_task_in_jsonata_names_the_limit",
        "caught",
        jsonata(Type="Task", Resource=INVOKE, Arguments="{% [$states.input, $states.input] %}", **CATCH_TOO_LARGE),
        "x" * 131072,
    ),
    fails("parameters", "States.DataLimitExceeded", task(Parameters={"a.$": "$", "b.$": "$"}, ResultPath=None), "x" * 131072),
    fails(
        "an_output_of_a_catch",
        "States.DataLimitExceeded",
        parallel(FAILS, Catch=[{**ALL, "ResultPath": "$.x", "Next": "Done"}]),
        {"a": "x" * 262130},
    ),
]
CAUSES = [
    fails("a_cause_names_the_state", RUNTIME, MISSING, cause="An error occurred while executing the state 'First'. "),
    fails("a_cause_names_the_state_of_an_item", RUNTIME, map_of(MISSING), cause="the state 'Inner'. The JSONPath '$.nosuch'"),
    fails("a_cause_names_the_fail_state", RUNTIME, {"Type": "Fail", "ErrorPath": "$.n"}, cause="the state 'First'"),
    fails("an_unforeseen_failure_in_a_branch", RUNTIME, parallel({"Type": "Wait", "Seconds": "x"}, **CATCH)),
]
LATER = {"Type": "Pass", "Parameters": {"x.$": "$$.Task.Token"}, "End": True}
CONTEXTS = [
    gives("the_context_of_a_result_selector", {"id": "e"}, task(ResultSelector={"id.$": "$$.Execution.Id"})),
    gives("the_context_of_a_wait", GIVEN, {"Type": "Wait", "SecondsPath": "$$.Execution.Input.zero"}),
    gives("the_role_of_the_execution", {"x": ROLE}, function("$$.Execution.RoleArn")),
    fails("the_task_token_of_another_state", RUNTIME, task(Resource=f"{INVOKE}.waitForTaskToken", Next="Later"), Later=LATER),
]


def problems(definition: Any) -> list[str]:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    _, _, body = stepfunctions._validate_state_machine_definition({"definition": text})
    answer = json.loads(body)
    assert (answer["result"] == "FAIL") == bool(answer["diagnostics"])
    return [found["message"] for found in answer["diagnostics"]]


def machine(state: State) -> State:
    return {"StartAt": "First", "States": {"First": {"Type": "Pass", "End": True, **state}}}


def refuses(name: str, definition: Any, message: str) -> Probe:
    def probe() -> bool:
        found = problems(definition)
        return message in "; ".join(found) and "State Machine" not in "".join(found)

    probe.__name__ = f"refuses_{name}"
    return probe


def refuses_nothing_that_aws_takes() -> bool:
    states: list[State] = [
        {"Parameters": {"x.$": "$.list[?(@.a-b == 1)]", "y.$": "$variable.a-b", "z.$": "$$"}, "InputPath": "$.error-info"},
        {"Assign": {"x.$": "$.a"}, "Result": {"x.$": "no path"}},
        task(Retry=[{**ALL, "BackoffRate": 2, "MaxDelaySeconds": 9, "JitterStrategy": "FULL"}]),
        jsonata(Type="Wait", Seconds="{% $states.input.n %}"),
        task(HeartbeatSeconds=8, TimeoutSeconds=9, Retry=[{"ErrorEquals": ["X"]}, ALL]),
        jsonata(Type="Task", Resource=INVOKE, Arguments={"FunctionName": "f", "Payload": " a "}, Output="{% $states.result %}"),
        {"Type": "Map", "Label": "L", "ItemReader": {**READER, "ReaderConfig": {"InputType": "CSV"}}, "ItemProcessor": ITEM},
        map_of(PASS, ItemProcessor=DISTRIBUTED, ResultWriter={"WriterConfig": {"OutputType": "JSON"}}),
    ]
    patterns = [path.read_text() for path in Path("examples/statemachines").glob("*.asl.json")]
    taken = [*map(machine, states), *patterns]
    return problems({}) != [] and len(patterns) > 5 and [found for it in taken for found in problems(it)] == []


PATH, TEMPLATE = "should be a Reference Path", "is not a JSONPath or intrinsic function expression"
DEFINITIONS = [
    refuses("what_is_not_json", "{", "The definition is not JSON: Expecting property name enclosed in double quotes"),
    refuses("a_text", '"a"', "The definition is not a JSON object"),
    refuses("a_state_without_a_next", {"StartAt": "A", "States": {"A": PASS}}, 'States.A does not have required field "Next"'),
    refuses("an_unknown_field", machine({"Retries": 1}), 'Field "Retries" not allowed in States.First'),
    refuses(
        "a_template_without_a_path", machine({"Parameters": {"x.$": "a"}}), f'"x.$" of Parameters at "States.First" {TEMPLATE}'
    ),
    refuses(
        "a_path_without_a_dollar", machine(task(TimeoutSecondsPath="n")), f'States.First.TimeoutSecondsPath is "n" but {PATH}'
    ),
    refuses("parameters_in_jsonata", machine(jsonata(Parameters={})), 'Field "Parameters" not allowed in States.First'),
    refuses("wrong_jsonata", machine(jsonata(Output="{% $states. %}")), "Unexpected end of expression at /States/First/Output"),
    refuses("a_long_name", {"StartAt": "a" * 81, "States": {"a" * 81: {"Type": "Pass", "End": True}}}, "over 80 characters"),
    refuses("a_heartbeat_of_the_timeout", machine(task(HeartbeatSeconds=9, TimeoutSeconds=9)), "smaller than TimeoutSeconds"),
    refuses("a_wait_of_years", machine({"Type": "Wait", "Seconds": 10**8}), "Seconds must be at most 99999999"),
    refuses("a_job_of_a_queue", machine(task(Resource="arn:aws:states:::sqs:sendMessage.sync")), "the end of a job"),
    refuses("all_errors_and_one", machine(task(Retry=[{"ErrorEquals": ["States.ALL", "X"]}])), "must stand alone"),
    refuses("all_errors_first", machine(task(Retry=[ALL, {"ErrorEquals": ["X"]}])), "must be in the last retrier"),
    refuses("a_variable_named_states", machine({"Assign": {"states.$": "$"}}), "the variable states is reserved"),
    refuses(
        "a_way_back_to_paths", {**machine({"QueryLanguage": "JSONPath"}), "QueryLanguage": "JSONata"}, "cannot use JSONPath"
    ),
    refuses("a_space_before_an_expression", machine(jsonata(Output={"a": [" {% 1 %}"]})), "in Output has a space"),
    refuses(
        "a_result_before_it_is_there", machine(parallel(PASS, **jsonata(Arguments={"a": "{% $states.result %}"}))), "alone"
    ),
    refuses("an_error_that_nobody_caught", machine(jsonata(Output="{% $states.errorOutput %}")), "in a Catch alone"),
    refuses("what_is_wrong_in_a_branch", machine(parallel({"Assign": {"states": 1}})), "is reserved"),
    refuses_nothing_that_aws_takes,
]


def a_result_is_json() -> bool:
    refused = ["{", "NaN", "Infinity", "1e400", "[-1e400]", "9" * 5000, ""]
    answers = []
    for output in ["1e308", '{"a": 9007199254740993}', "null", *refused]:
        with patch.dict(stepfunctions._task_tokens, {"a task": {"event": threading.Event()}}):
            status, _, body = stepfunctions._send_task_success({"taskToken": "a task", "output": output})
            answers.append((status, json.loads(body).get("__type", "")))
    return answers == [(200, "")] * 3 + [(400, "InvalidOutput")] * len(refused)


ALL_PROBES = {
    path_mends.read_paths: [*MISSING_PATHS, what_is_there_is_read],
    path_mends.fill_whole_templates: TEMPLATES,
    states_language_mends.compare_what_is_there: COMPARISONS,
    states_language_mends.apply_result_paths: RESULT_PATHS,
    states_language_mends.fail_for_good: CATCHES,
    states_language_mends.leave_out_what_a_failure_lacks: [a_failure_lacks_what_it_was_not_given],
    function_mends.read_functions: EXPRESSIONS_READ,
    function_mends.fail_on_bad_arguments: FUNCTIONS,
    function_mends.evaluate_jsonata_as_aws_does: JSONATA,
    states_language_mends.take_numbers_from_paths: NUMBERS,
    states_language_mends.wait_for_valid_times: TIMES,
    map_mends.map_over_arrays_only: ITEMS,
    map_mends.iterate_distributed_in_jsonata: DISTRIBUTED_IN_JSONATA,
    states_language_mends.evaluate_every_expression: EXPRESSIONS,
    states_language_mends.fail_choices_without_a_match: CHOICES,
    path_mends.keep_variables: VARIABLES,
    states_language_mends.give_each_attempt_its_task_token: TOKENS,
    states_language_mends.refuse_results_that_are_no_json: [a_result_is_json],
    states_language_mends.limit_outputs: LIMITS,
    states_language_mends.limit_events: [the_last_event_is_the_failure],
    branch_mends.stop_with_the_first_failure: ENDS,
    branch_mends.end_executions_in_time: [an_execution_times_out],
    states_language_mends.name_the_state_in_a_cause: CAUSES,
    states_language_mends.give_states_their_context: CONTEXTS,
    definition_mends.find_what_is_wrong: DEFINITIONS,
}
PROBES: dict[str, tuple[list[Probe], Callable[[], Any]]] = {
    mend.__name__: (probes, partial(mend, stepfunctions)) for mend, probes in ALL_PROBES.items()
}
