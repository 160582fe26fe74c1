"""Cases about Retry, Catch, timeouts and Fail: which error a name matches, in which order, and how long is waited."""

from dataclasses import replace
from typing import Any

from tests.states_language.case import (
    CAUGHT,
    FAIL,
    GUIDE,
    RECORDED,
    RUNTIME,
    SPEC,
    TIMEOUT,
    TOO_LARGE,
    Case,
    Ends,
    State,
    case,
    catch,
    fails,
    gives,
    map_of,
    parallel,
    resting_on,
    retry,
    task,
    waiting,
)

OTHER: State = {"Result": "other"}
MISSING: State = {"Parameters": {"x.$": "$.no"}}
LARGE = 200_000


PAYLOAD = '{"errorType":"Mine","errorMessage":"because"}'
"""The cause of an error of a function is the payload."""


def failing(*errors: str, key: str = "", **fields: Any) -> State:
    return task("fail", Parameters={"errors": list(errors), "key": key, "then": "done"}, **fields)


def catches(name: str, error: str, ends: Ends, *catchers: State) -> Case:
    return case(name, failing(error, Catch=list(catchers)), ends, Caught=CAUGHT, Other=OTHER)


def retries(name: str, errors: str, ends: Ends, *retriers: State, **fields: Any) -> Case:
    return case(name, failing(*errors.split(), key=name, Retry=list(retriers), **fields), ends, Caught=CAUGHT)


def within(seconds: int, of: Case) -> Case:
    """The machine may take this long."""
    return replace(of, machine={**of.machine, "TimeoutSeconds": seconds})


CATCHES = [
    *resting_on(
        f"{SPEC}#fallback-states",
        "The first Catcher that has the error's name decides. States.ALL matches any.",
        catches("a catch by name", "Mine", gives("caught"), catch("Mine")),
        catches("a catch of several names", "Mine", gives("caught"), catch("Other", "Mine")),
        catches("a catch of another name", "Mine", fails("Mine", "because"), catch("Other")),
        catches("names are case-sensitive", "Mine", fails("Mine"), catch("mine")),
        catches("a catch of all", "Mine", gives("caught"), catch("States.ALL")),
        catches("the first catch decides", "Mine", gives("other"), catch("Mine", then="Other"), catch("States.ALL")),
        catches("a later catch decides", "Mine", gives("caught"), catch("Other", then="Other"), catch("Mine")),
        catches("an empty list of catchers", "Mine", fails("Mine")),
    ),
    *resting_on(
        f"{GUIDE}/concepts-error-handling.html",
        "States.TaskFailed matches any error of a task but States.Timeout.",
        catches("a catch of a failed task", "Mine", gives("caught"), catch("States.TaskFailed")),
        catches("a catch of a failed task but for a timeout", TIMEOUT, fails(TIMEOUT), catch("States.TaskFailed")),
        catches("a catch of a timeout", TIMEOUT, gives("caught"), catch(TIMEOUT)),
        catches("a catch of all has a timeout", TIMEOUT, gives("caught"), catch("States.ALL")),
    ),
    *resting_on(
        f"{SPEC}#error-output",
        "The output of a Catch is Error and Cause, put into the raw input by its ResultPath, by default in its place.",
        case(
            "what a catch passes on",
            failing("Mine", Catch=[catch("Mine")]),
            gives({"Error": "Mine", "Cause": PAYLOAD}),
            Caught={},
        ),
        case(
            "the result path of a catch",
            failing("Mine", Catch=[catch("Mine", ResultPath="$.e")]),
            gives({"n": 1, "e": {"Error": "Mine", "Cause": PAYLOAD}}),
            {"n": 1},
            Caught={},
        ),
        case(
            "the result path null of a catch",
            failing("Mine", Catch=[catch("Mine", ResultPath=None)]),
            gives({"n": 1}),
            {"n": 1},
            Caught={},
        ),
        case(
            "a catch has the raw input",
            failing("Mine", InputPath="$.n", Catch=[catch("Mine", ResultPath="$.e")], OutputPath="$.no"),
            gives({"n": 1, "e": {"Error": "Mine", "Cause": PAYLOAD}}),
            {"n": 1},
            Caught={},
        ),
        case(
            "the catch of a parallel",
            parallel(FAIL, Catch=[catch("Mine")]),
            gives({"Error": "Mine", "Cause": "because"}),
            Caught={},
        ),
        case(
            "the catch of a map",
            map_of(FAIL, Catch=[catch("Mine")]),
            gives({"Error": "Mine", "Cause": "because"}),
            [1],
            Caught={},
        ),
    ),
    *resting_on(
        f"{GUIDE}/concepts-error-handling.html, and {RECORDED}/scenarios/test_base_scenarios.py, test_catch_states_runtime",
        "No Catch and no Retry handles States.Runtime.",
        case("runtime is not caught by all", parallel(MISSING, Catch=[catch("States.ALL")]), fails(RUNTIME), Caught=CAUGHT),
        case("runtime is not caught by name", parallel(MISSING, Catch=[catch(RUNTIME)]), fails(RUNTIME), Caught=CAUGHT),
        case(
            "runtime of a task is not caught",
            task("echo", ResultSelector={"x.$": "$.no"}, Catch=[catch("States.ALL")]),
            fails(RUNTIME),
            Caught=CAUGHT,
        ),
        case(
            "runtime of an item is not caught", map_of(MISSING, Catch=[catch("States.ALL")]), fails(RUNTIME), [1], Caught=CAUGHT
        ),
        case("runtime is not retried", parallel(MISSING, Retry=[retry("States.ALL")]), fails(RUNTIME, slept=())),
        case(
            "a missing path of a task is not caught",
            task("echo", Parameters={"x.$": "$.no"}, Catch=[catch("States.ALL")]),
            fails(RUNTIME),
            Caught=CAUGHT,
        ),
    ),
    *resting_on(
        f"{RECORDED}/error_handling/test_states_errors.py",
        "States.DataLimitExceeded is caught by its own name, and by States.ALL.",
        case(
            "too much data by name",
            task("letters", Parameters={"n": 2 * LARGE}, Catch=[catch(TOO_LARGE)]),
            gives("caught"),
            Caught=CAUGHT,
        ),
        case(
            "too much data by all",
            task("letters", Parameters={"n": 2 * LARGE}, Catch=[catch("States.ALL")]),
            gives("caught"),
            Caught=CAUGHT,
        ),
    ),
]
RETRIES = [
    *resting_on(
        f"{SPEC}#retrying-after-error",
        "By default a Retrier makes 3 attempts more, after 1, 2 and 4 seconds. MaxAttempts 0 makes none.",
        retries("a retry", "Mine", gives("done", slept=(1,)), retry("Mine")),
        retries("three retries", "Mine Mine Mine", gives("done", slept=(1, 2, 4)), retry("Mine")),
        retries("a fourth retry", "Mine Mine Mine Mine", fails("Mine", slept=(1, 2, 4)), retry("Mine")),
        retries("no attempts", "Mine", fails("Mine", slept=()), retry("Mine", MaxAttempts=0)),
        retries("one attempt", "Mine Mine", fails("Mine", slept=(1,)), retry("Mine", MaxAttempts=1)),
        retries("an interval", "Mine", gives("done", slept=(5,)), retry("Mine", IntervalSeconds=5)),
        retries("a rate", "A A", gives("done", slept=(3, 4.5)), retry("A", IntervalSeconds=3, MaxAttempts=2, BackoffRate=1.5)),
        retries("an even rate", "A A A", gives("done", slept=(2, 2, 2)), retry("A", IntervalSeconds=2, BackoffRate=1)),
        retries("another error", "Mine", fails("Mine", slept=()), retry("Other")),
        retries("a failed task", "Mine", gives("done"), retry("States.TaskFailed")),
        retries("a failed task, not a timeout", TIMEOUT, fails(TIMEOUT), retry("States.TaskFailed")),
        retries("all but a timeout", TIMEOUT, fails(TIMEOUT, slept=()), retry(TIMEOUT, MaxAttempts=0), retry("States.ALL")),
        retries("all", "Mine", gives("done"), retry(TIMEOUT, MaxAttempts=0), retry("States.ALL")),
        retries("no retriers", "Mine", fails("Mine")),
        retries("no jitter", "A", gives("done", slept=(3,)), retry("A", IntervalSeconds=3, JitterStrategy="NONE")),
    ),
    *resting_on(
        f"{SPEC}#complex-retries",
        "Each Retrier counts its own attempts while the state lasts; then Catch decides.",
        retries(
            "each counts its own",
            "A B C B",
            gives("caught", slept=(1, 2, 5)),
            retry("A", "B", IntervalSeconds=1, BackoffRate=2, MaxAttempts=2),
            retry("C", IntervalSeconds=5),
            Catch=[catch("States.ALL")],
        ),
        retries("a catch after the retries", "A A", gives("caught", slept=(1,)), retry("A", MaxAttempts=1), Catch=[catch("A")]),
    ),
    *resting_on(
        f"{SPEC}#retrying-after-error",
        "Parallel and Map states have Retry, too: they begin anew.",
        case(
            "a retry of a parallel",
            parallel(failing("A", key="parallel"), Retry=[retry("A")]),
            gives(["done"], slept=(1,)),
        ),
        case("a retry of a map", map_of(failing("A", key="map"), Retry=[retry("A")]), gives(["done"], slept=(1,)), [1]),
        case(
            "retries of a parallel that end", parallel(FAIL, Retry=[retry("Mine", MaxAttempts=2)]), fails("Mine", slept=(1, 2))
        ),
        case(
            "a retry within a branch",
            parallel(failing("A", key="within", Retry=[retry("A")])),
            gives(["done"]),
        ),
    ),
]
TIMEOUTS = [
    *resting_on(
        f"{SPEC}#task-state, and {RECORDED}/timeouts",
        "A task that runs longer than TimeoutSeconds fails with States.Timeout.",
        case("a timeout", task("slow", TimeoutSeconds=1), fails(TIMEOUT)),
        case("a timeout from a path", task("slow", TimeoutSecondsPath="$.n"), fails(TIMEOUT), {"n": 1}),
        case(
            "a timeout that is caught", task("slow", TimeoutSeconds=1, Catch=[catch(TIMEOUT)]), gives("caught"), Caught=CAUGHT
        ),
        case("a timeout that is long enough", task("echo", TimeoutSeconds=60), gives({})),
        case("a timeout of a callback", waiting("nothing", TimeoutSeconds=1), fails(TIMEOUT)),
        case("a timeout of a branch", parallel(waiting("nothing", TimeoutSeconds=1), {}), fails(TIMEOUT)),
        case(
            "a timeout is no missing heartbeat",
            waiting("nothing", TimeoutSeconds=1, Catch=[catch("States.HeartbeatTimeout")]),
            fails(TIMEOUT),
            Caught=CAUGHT,
        ),
    ),
    *resting_on(
        f"{SPEC}#toplevelfields, and the API reference, DescribeExecution",
        "An execution that runs longer than its machine's TimeoutSeconds times out; nothing can catch that.",
        within(1, case("a machine's timeout", waiting("nothing"), Ends(status="TIMED_OUT"))),
        within(
            1,
            case(
                "a machine's timeout in a branch",
                parallel(waiting("nothing", Catch=[catch("States.ALL")])),
                Ends(status="TIMED_OUT"),
                Caught=CAUGHT,
            ),
        ),
        within(60, case("a machine's timeout that is long enough", {}, gives({}))),
    ),
]
TIME = [
    *resting_on(
        f"{SPEC}#task-state, and {RECORDED}/timeouts/test_heartbeats.py",
        "A task that sends no heartbeat for HeartbeatSeconds fails with States.Timeout.",
        case("a heartbeat that is missing", waiting("nothing", HeartbeatSeconds=1), fails(TIMEOUT)),
        case("a heartbeat from a path", waiting("nothing", HeartbeatSecondsPath="$.n"), fails(TIMEOUT), {"n": 1}),
        case("a heartbeat before the timeout", waiting("nothing", HeartbeatSeconds=1, TimeoutSeconds=60), fails(TIMEOUT)),
        case("heartbeats", waiting("beat", HeartbeatSeconds=1), gives({})),
        case(
            "a heartbeat that is caught",
            waiting("nothing", HeartbeatSeconds=1, Catch=[catch(TIMEOUT)]),
            gives("caught"),
            Caught=CAUGHT,
        ),
    ),
    *resting_on(
        f"{GUIDE}/concepts-error-handling.html",
        "States.HeartbeatTimeout names a missing heartbeat in Catch and Retry. States.TaskFailed does not match a timeout.",
        case(
            "a heartbeat by its name",
            waiting("nothing", HeartbeatSeconds=1, Catch=[catch("States.HeartbeatTimeout")]),
            gives("caught"),
            Caught=CAUGHT,
        ),
        case(
            "a heartbeat is no failed task",
            waiting("nothing", HeartbeatSeconds=1, Catch=[catch("States.TaskFailed")]),
            fails(TIMEOUT),
            Caught=CAUGHT,
        ),
    ),
    *resting_on(
        f"{SPEC}#retrying-after-error",
        "The interval grows by BackoffRate without a bound, unless MaxDelaySeconds gives one.",
        retries("hours", "A A", gives("done", slept=(3600, 7200)), retry("A", IntervalSeconds=3600)),
        retries("a bound", "A A A", gives("done", slept=(3, 5, 5)), retry("A", IntervalSeconds=3, MaxDelaySeconds=5)),
    ),
]
"""These need the clock of the engine."""
FAILURES = [
    *resting_on(
        f"{SPEC}#fail-state",
        "A Fail state ends the execution with its Error and Cause.",
        case("fail", FAIL, fails("Mine", "because")),
        case("fail without a cause", {"Type": "Fail", "Error": "Mine"}, fails("Mine")),
        case(
            "fail from paths", {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "$.c"}, fails("E", "C"), {"e": "E", "c": "C"}
        ),
        case(
            "fail from a function",
            {"Type": "Fail", "Error": "E", "CausePath": "States.Format('c{}', $.n)"},
            fails("E", "c1"),
            {"n": 1},
        ),
        case("fail with a number", {"Type": "Fail", "ErrorPath": "$.n"}, fails(RUNTIME), {"n": 1}),
        case("fail in a branch", parallel(FAIL), fails("Mine", "because")),
        case("fail in an item", map_of(FAIL), fails("Mine", "because"), [1]),
        case("an error of a task", failing("Mine"), fails("Mine", "because")),
        case("an error of a task in a branch", parallel(failing("Mine")), fails("Mine", "because")),
        case(
            "fail after a choice",
            {"Choices": [{"Variable": "$", "IsNumeric": True, "Next": "Fail"}]},
            fails("Mine"),
            1,
            Fail=FAIL,
        ),
    ),
    *resting_on(
        f"{RECORDED}/base/test_base.py, test_state_fail_empty",
        "A Fail state without Error and Cause ends the execution with neither.",
        case("fail with nothing", {"Type": "Fail"}, fails(None)),
        case("fail with nothing in a branch", parallel({"Type": "Fail"}), fails(None)),
        case(
            "fail with nothing is caught by all",
            parallel({"Type": "Fail"}, Catch=[catch("States.ALL")]),
            gives("caught"),
            Caught=CAUGHT,
        ),
    ),
]
