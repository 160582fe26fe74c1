"""Cases about Parallel, Map and Wait states, and about limits."""

from typing import Any

from tests.states_language.case import (
    CAUGHT,
    FAIL,
    GUIDE,
    RECORDED,
    RUNTIME,
    SPEC,
    TOO_LARGE,
    State,
    branch,
    case,
    catch,
    fails,
    gives,
    jsonata,
    map_of,
    parallel,
    resting_on,
    task,
    waiting,
)

NEVER = waiting("nothing")
NO_COUNTS: list[Any] = ["text", None, -1, {}]
BOTH = {"Parameters": {"a.$": "$", "b.$": "$"}}
LIMIT = 262_144  # bytes
COUNTED = branch(task("count"))


def calls(number: int, together: int) -> list[State]:
    """The items of a Map whose calls tell how many run at once. Each waits until as many do as must."""
    return [{"key": f"{together} of {number}", "together": together}] * number


def loop(rounds: int) -> State:
    """A state that runs this often, and then the next one."""
    return {"Choices": [{"Variable": "$.n", "NumericGreaterThanEquals": rounds, "Next": "Done"}], "Default": "Add"}


ADD = {"Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "First"}


def distributed(state: State, **fields: Any) -> State:
    made = map_of(state, **fields)
    return {
        **made,
        "ItemProcessor": {**made["ItemProcessor"], "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}},
    }


ODD = branch({"Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "Fail"}], "Default": "Done"}, Fail=FAIL, Done={})

PARALLEL = [
    *resting_on(
        f"{SPEC}#parallel-state",
        "Each branch is given the input; the result has their outputs in the branches' order.",
        case("branches in order", parallel({"Result": 1}, {"Result": 2}), gives([1, 2])),
        case("branches have the input", parallel({}, {"Parameters": {"x.$": "$.n"}}), gives([{"n": 1}, {"x": 1}]), {"n": 1}),
        case("branches have the input path", parallel({}, InputPath="$.n"), gives([1]), {"n": 1}),
        case("the result path of a parallel", parallel({"Result": 1}, ResultPath="$.r"), gives({"n": 1, "r": [1]}), {"n": 1}),
        case("a branch in a branch", parallel(parallel({"Result": 1}, {"Result": 2})), gives([[1, 2]])),
        case("a branch that succeeds early", parallel(branch({"Type": "Succeed"}, Never=FAIL), {"Result": 2}), gives([{}, 2])),
        case(
            "a branch of several states",
            parallel(branch({"Result": 1, "Next": "B"}, B={"Parameters": {"x.$": "$"}})),
            gives([{"x": 1}]),
        ),
    ),
    *resting_on(
        f"{SPEC}#parallel-state",
        "If a branch fails, the state has failed, and all branches are stopped.",
        case("a branch that fails", parallel({"Result": 1}, FAIL), fails("Mine", "because")),
        case("a branch that fails while another waits", parallel(NEVER, FAIL), fails("Mine", "because")),
        case(
            "a branch that fails while another waits is caught",
            parallel(NEVER, FAIL, Catch=[catch("Mine")]),
            gives("caught"),
            Caught=CAUGHT,
        ),
        case(
            "the first failure in time decides",
            parallel(branch({**task("slow"), "Next": "Fail"}, Fail={"Type": "Fail", "Error": "Later"}), FAIL),
            fails("Mine"),
        ),
        case(
            "a branch catches its own error",
            parallel(branch(task("fail", Parameters={"error": "A"}, Catch=[catch("A")]), Caught=CAUGHT)),
            gives(["caught"]),
        ),
        case("a branch within a branch fails", parallel(parallel(FAIL), NEVER), fails("Mine")),
    ),
]
MAPS = [
    *resting_on(
        f"{SPEC}#map-state",
        "An iteration is given an item; the result has their outputs in the items' order.",
        case("items in order", map_of({"Parameters": {"x.$": "$"}}), gives([{"x": 1}, {"x": 2}]), [1, 2]),
        case("items from a path", map_of({}, ItemsPath="$.l"), gives([1, 2]), {"l": [1, 2]}),
        case("items from the context", map_of({}, ItemsPath="$$.Execution.Input.l"), gives([1]), {"l": [1]}),
        case("items after the input path", map_of({}, InputPath="$.o", ItemsPath="$.l"), gives([1]), {"o": {"l": [1]}}),
        case("no items", map_of(FAIL), gives([]), []),
        case("a null item", map_of({}), gives([None, 0, ""]), [None, 0, ""]),
        case(
            "the result path of a map", map_of({}, ItemsPath="$.l", ResultPath="$.r"), gives({"l": [1], "r": [1]}), {"l": [1]}
        ),
        case("a map in a map", map_of(map_of({"Parameters": {"x.$": "$"}})), gives([[{"x": 1}], []]), [[1], []]),
        case("an iterator", {"Type": "Map", "Iterator": branch({})}, gives([1]), [1]),
        case("an item that succeeds", map_of({"Type": "Succeed", "OutputPath": "$.x"}), gives([1]), [{"x": 1}]),
    ),
    *resting_on(
        f"{SPEC}#map-input-output",
        "ItemSelector, once Parameters, makes an iteration's input of the effective input and $$.Map.Item.",
        case(
            "an item selector of both",
            map_of({}, ItemsPath="$.l", ItemSelector={"v.$": "$$.Map.Item.Value", "n.$": "$.n"}),
            gives([{"v": "a", "n": 1}]),
            {"l": ["a"], "n": 1},
        ),
        case("parameters of a map", map_of({}, Parameters={"i.$": "$$.Map.Item.Index"}), gives([{"i": 0}]), ["a"]),
        case("a constant item selector", map_of({}, ItemSelector={"x": 1}), gives([{"x": 1}]), ["a"]),
        case("an empty item selector", map_of({}, ItemSelector={}), gives([{}]), ["a"]),
        case("an item selector of nothing", map_of({}, ItemSelector={"x.$": "$.no"}), fails(RUNTIME), [{}]),
    ),
    *resting_on(
        f"{SPEC}#map-input-output, and {RECORDED}/scenarios/test_base_scenarios.py, test_map_state_items_input_types",
        "What is iterated must be an array.",
        case(
            "a task knows its item",
            map_of(task("echo", Parameters={"n.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"})),
            gives([{"n": 0, "v": "a"}, {"n": 1, "v": "b"}]),
            ["a", "b"],
        ),
        *(case(f"items that are {value!r}", map_of({}), fails(RUNTIME), value) for value in ({"a": 1}, "text", 1, True)),
    ),
    *resting_on(
        f"{SPEC}#map-iterator",
        "If an iteration fails, the state has failed, and all iterations are stopped.",
        case(
            "an item that fails",
            map_of(
                branch(
                    {"Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "Fail"}], "Default": "Done"}, Fail=FAIL, Done={}
                )
            ),
            fails("Mine"),
            [1, 2],
        ),
        case(
            "an item that fails while another waits",
            map_of(
                branch(
                    {"Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "Fail"}], "Default": "Wait"},
                    Fail=FAIL,
                    Wait=NEVER,
                )
            ),
            fails("Mine"),
            [1, 2],
        ),
        case(
            "no item after one that fails",
            map_of(
                branch(
                    {"Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "Fail"}], "Default": "Wait"},
                    Fail=FAIL,
                    Wait=NEVER,
                ),
                MaxConcurrency=1,
            ),
            fails("Mine"),
            [1, 2],
        ),
        case(
            "an item that fails is caught",
            map_of(FAIL, Catch=[catch("Mine", ResultPath="$[0]")]),
            gives([{"Error": "Mine", "Cause": "because"}]),
            [1],
            Caught={},
        ),
    ),
    *resting_on(
        f"{SPEC}#map-concurrency",
        "MaxConcurrency bounds how many iterations run at once; 0 does not. A path gives a whole number, not below zero.",
        case("one at a time", map_of(COUNTED, MaxConcurrency=1), gives([1, 1, 1]), calls(3, 1)),
        case("two at a time", map_of(COUNTED, MaxConcurrency=2, ResultSelector={"x.$": "$[5]"}), gives({"x": 2}), calls(6, 2)),
        case("all at once", map_of(COUNTED, ResultSelector={"x.$": "$[2]"}), gives({"x": 3}), calls(3, 3)),
        case(
            "one at a time from a path",
            map_of(COUNTED, ItemsPath="$.l", MaxConcurrencyPath="$.n"),
            gives([1, 1]),
            {"l": calls(2, 1), "n": 1},
        ),
        *(
            case(
                f"{field} of {value!r}",
                map_of({}, ItemsPath="$.l", **{f"{field}Path": "$.n"}),
                fails(RUNTIME),
                {"l": [1], "n": value},
            )
            for field in ("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage")
            for value in NO_COUNTS
        ),
        case(
            "a percentage above a hundred",
            map_of({}, ItemsPath="$.l", ToleratedFailurePercentagePath="$.n"),
            fails(RUNTIME),
            {"l": [1], "n": 100.1},
        ),
    ),
]
DISTRIBUTED = [
    *resting_on(
        f"{GUIDE}/state-map-distributed.html",
        "A distributed Map runs each item as an execution of its own, and returns their outputs in the items' order.",
        case("distributed items", distributed({"Parameters": {"x.$": "$"}}), gives([{"x": 1}, {"x": 2}]), [1, 2]),
        case("distributed item selector", distributed({}, ItemSelector={"v.$": "$$.Map.Item.Value"}), gives([{"v": 1}]), [1]),
        case(
            "distributed items in JSONata",
            jsonata(**distributed({}), Items="{% $states.input.l %}"),
            gives([1, 2]),
            {"l": [1, 2]},
        ),
        case(
            "distributed fields in JSONata",
            jsonata(
                **distributed({}),
                Items=[1, 2],
                ItemSelector={"v": "{% $states.context.Map.Item.Value %}"},
                Output="{% $states.result.v %}",
            ),
            gives([1, 2]),
        ),
    ),
    *resting_on(
        f"{GUIDE}/state-map-distributed.html#maprun-fail-threshold",
        "It fails with States.ExceedToleratedFailureThreshold above the count or percentage that it tolerates, by default 0.",
        case("no failure is tolerated by default", distributed(ODD), fails("States.ExceedToleratedFailureThreshold"), [1, 2]),
        case("a tolerated count", distributed(ODD, ToleratedFailureCount=1, ResultPath=None), gives([1, 2]), [1, 2]),
        case(
            "more than a tolerated count",
            distributed(ODD, ToleratedFailureCount=1),
            fails("States.ExceedToleratedFailureThreshold"),
            [1, 1],
        ),
        case("a tolerated percentage", distributed(ODD, ToleratedFailurePercentage=50, ResultPath=None), gives([1, 2]), [1, 2]),
        case(
            "more than a tolerated percentage",
            distributed(ODD, ToleratedFailurePercentage=49),
            fails("States.ExceedToleratedFailureThreshold"),
            [1, 2],
        ),
        case(
            "a tolerated count from a path",
            distributed(ODD, ItemsPath="$.l", ToleratedFailureCountPath="$.n", ResultPath=None),
            gives({"l": [1, 2], "n": 1}),
            {"l": [1, 2], "n": 1},
        ),
        case(
            "a failure threshold is caught",
            distributed(ODD, Catch=[catch("States.ExceedToleratedFailureThreshold")]),
            gives("caught"),
            [1],
            Caught=CAUGHT,
        ),
    ),
]
WAITS = [
    *resting_on(
        f"{SPEC}#wait-state",
        "A Wait state waits for Seconds or until Timestamp, as a constant or from a path, and passes its input on.",
        case("seconds as a constant", {"Type": "Wait", "Seconds": 10}, gives({"a": 1}, slept=(10,)), {"a": 1}),
        case("seconds from a path", {"Type": "Wait", "SecondsPath": "$.n"}, gives({"n": 4}, slept=(4,)), {"n": 4}),
        case("zero seconds", {"Type": "Wait", "SecondsPath": "$.n"}, gives({"n": 0}), {"n": 0}),
        case("seconds of the context", {"Type": "Wait", "SecondsPath": "$$.Execution.Input"}, gives(3, slept=(3,)), 3),
        case("a time that is past", {"Type": "Wait", "Timestamp": "2016-03-14T01:59:00Z"}, gives({}, slept=())),
        case(
            "a time from a path",
            {"Type": "Wait", "TimestampPath": "$"},
            gives("2016-03-14T01:59:00Z", slept=()),
            "2016-03-14T01:59:00Z",
        ),
        case(
            "a time with an offset",
            {"Type": "Wait", "TimestampPath": "$"},
            gives("2016-03-14T01:59:00+02:00"),
            "2016-03-14T01:59:00+02:00",
        ),
    ),
    *resting_on(
        f"{RECORDED}/base/test_wait.py, and scenarios/test_base_scenarios.py, test_wait_timestamp_path",
        "A path of a Wait state must lead to whole seconds, not below zero, or to a timestamp with T and a zone.",
        *(case(f"{value!r} seconds", {"Type": "Wait", "SecondsPath": "$"}, fails(RUNTIME), value) for value in (-1, 1.5, "1")),
        *(
            case(f"time {value!r}", {"Type": "Wait", "TimestampPath": "$"}, fails(RUNTIME), value)
            for value in (
                "2016-12-05 21:29:29Z",
                "2016-12-05T21:29:29",
                "2016-13-05T21:29:29Z",
                "2016-12-05T25:29:29Z",
                "05-12-2016T21:29:29Z",
                5,
            )
        ),
    ),
]
LIMITS = [
    *resting_on(
        f"{GUIDE}/service-quotas.html, and concepts-error-handling.html",
        "An output, a result, or an input after Parameters, of more than 256 KiB fails with States.DataLimitExceeded.",
        case("an output at the limit", {}, gives("x" * (LIMIT - 2)), "x" * (LIMIT - 2)),
        case("an output above the limit", BOTH, fails(TOO_LARGE, "exceeding"), "x" * 140_000),
        case("a result above the limit", task("letters"), fails(TOO_LARGE), {"n": LIMIT}),
        case("a result above the limit that is cut", task("letters", ResultSelector={"x": 1}), fails(TOO_LARGE), {"n": LIMIT}),
        case("a result above the limit that is dropped", task("letters", ResultPath=None), fails(TOO_LARGE), {"n": LIMIT}),
        case("parameters above the limit", task("echo", **BOTH, ResultPath=None), fails(TOO_LARGE), "x" * 140_000),
        case(
            "arguments above the limit",
            jsonata(**task("echo"), Arguments="{% [$states.input, $states.input] %}", Output=1),
            fails(TOO_LARGE),
            "x" * 140_000,
        ),
        case("branches above the limit", parallel({}, {}), fails(TOO_LARGE), "x" * 140_000),
        case("an item above the limit", map_of(BOTH), fails(TOO_LARGE), ["x" * 140_000]),
        case("bytes and no characters", {"Parameters": {"x.$": "States.Format('{}{}', $, $)"}}, fails(TOO_LARGE), "ä" * 80_000),
    ),
    *resting_on(
        f"{GUIDE}/service-quotas.html",
        "An execution has at most 25,000 events, and fails with the next one.",
        case("a loop that ends", loop(20), gives({"n": 20}), {"n": 0}, Add=ADD, Done={}),
        case("a loop without an end", loop(10**9), fails(RUNTIME, "25000"), {"n": 0}, Add=ADD, Done={}),
    ),
]
