"""What a case of the table is: a state machine, its input, how it must end, and the sentence that this rests on.

A case is data. `run.py` runs them all on the engine of the local run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

State = dict[str, Any]

SPEC = "https://states-language.net/spec.html"
GUIDE = "https://docs.aws.amazon.com/step-functions/latest/dg"
RECORDED = "https://github.com/localstack/localstack: tests/aws/services/stepfunctions/v2"
"""Tests whose answers LocalStack has recorded of AWS, in the `.snapshot.json` beside each."""

RUNTIME, QUERY = "States.Runtime", "States.QueryEvaluationError"
INTRINSIC, NO_MATCH = "States.IntrinsicFailure", "States.ResultPathMatchFailure"
TOO_LARGE, TIMEOUT = "States.DataLimitExceeded", "States.Timeout"


@dataclass(frozen=True)
class Ends:
    """How an execution must end. Of a cause, only a part is compared, since people read it and no machine should."""

    output: Any = None
    error: str | None = None
    cause: str = ""
    status: str = "SUCCEEDED"
    slept: tuple[float, ...] | None = None
    """The seconds that the engine was to wait, one after the other."""


@dataclass(frozen=True)
class Case:
    name: str
    machine: State
    ends: Ends
    given: Any = field(default_factory=dict)
    at: str = ""
    """Where the sentence stands."""
    sentence: str = ""
    """What it says, in our words."""


def gives(output: Any, **more: Any) -> Ends:
    return Ends(output=output, **more)


def fails(error: str | None, cause: str = "", **more: Any) -> Ends:
    return Ends(error=error, cause=cause, status="FAILED", **more)


def resting_on(at: str, sentence: str, *cases: Case) -> Iterator[Case]:
    """Several cases that rest on one sentence."""
    return (replace(case, at=at, sentence=sentence) for case in cases)


def case(name: str, state: State, ends: Ends, given: Any = None, /, **states: State) -> Case:
    """A machine that begins with this state. Those after it are named by keyword; a state that goes nowhere ends it."""
    machine: State = {"StartAt": "First", "States": {"First": state, **states}}
    return Case(name, _ending(machine), ends, {} if given is None else given)


def _ending(machine: State) -> State:
    return {**machine, "States": {name: _with_end(state) for name, state in machine["States"].items()}}


def _with_end(state: State) -> State:
    if "Type" not in state:
        state = {"Type": "Choice" if "Choices" in state else "Pass", **state}
    if "Next" in state or state["Type"] in ("Choice", "Succeed", "Fail"):
        return state
    return {**state, "End": True}


def task(function: str, **fields: Any) -> State:
    """A Task on one of the stand-ins of `run.py`. Its input is what the function is given, its result what it returns."""
    return {"Type": "Task", "Resource": f"arn:aws:lambda:us-east-1:000000000000:function:{function}", **fields}


def waiting(function: str, **fields: Any) -> State:
    """A Task that waits for its task token, which it gives the function."""
    resource = "arn:aws:states:::lambda:invoke.waitForTaskToken"
    payload = {"token.$": "$$.Task.Token", "input.$": "$"}
    return {"Type": "Task", "Resource": resource, "Parameters": {"FunctionName": function, "Payload": payload}, **fields}


def branch(state: State, **states: State) -> State:
    return _ending({"StartAt": "Inner", "States": {"Inner": state, **states}})


def parallel(*branches: State, **fields: Any) -> State:
    return {"Type": "Parallel", "Branches": [it if "StartAt" in it else branch(it) for it in branches], **fields}


def map_of(state: State, **fields: Any) -> State:
    return {"Type": "Map", "ItemProcessor": state if "StartAt" in state else branch(state), **fields}


def if_(**rule: Any) -> State:
    """A Choice that goes to Yes, or by default to No."""
    return {"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No"}


def choose(name: str, answer: bool, given: Any, /, **rule: Any) -> Case:
    """A Choice that must go this way."""
    return case(name, if_(**rule), gives(answer), given, Yes={"Result": True}, No={"Result": False})


def jsonata(**fields: Any) -> State:
    return {"QueryLanguage": "JSONata", "Type": "Pass", **fields}


def evaluates(name: str, expression: str, ends: Any, given: Any = None) -> Case:
    """A JSONata expression and what it comes to."""
    ends = ends if isinstance(ends, Ends) else gives(ends)
    return case(name, jsonata(Output=f"{{% {expression} %}}"), ends, given)


def intrinsic(name: str, expression: str, ends: Any, given: Any = None) -> Case:
    """An intrinsic function and what it returns."""
    ends = ends if isinstance(ends, Ends) else gives({"x": ends})
    return case(name, {"Parameters": {"x.$": expression}}, ends, given)


def retry(*errors: str, **fields: Any) -> State:
    return {"ErrorEquals": list(errors), **fields}


def catch(*errors: str, then: str = "Caught", **fields: Any) -> State:
    return {"ErrorEquals": list(errors), "Next": then, **fields}


FAIL: State = {"Type": "Fail", "Error": "Mine", "Cause": "because"}
CAUGHT: State = {"Result": "caught"}
