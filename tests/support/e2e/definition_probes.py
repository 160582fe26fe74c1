"""What MiniStack says of a definition without the mend of definition_mends.py, and with it. `mends.py` runs these."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.services import stepfunctions

from waitpoints_local import definition_mends
from waitpoints_local.interpreter import mends

Probe = Callable[[], bool]
State = dict[str, Any]
INVOKE = "arn:aws:states:::lambda:invoke"


def task(**fields: Any) -> State:
    return {"Type": "Task", "Resource": INVOKE, "Parameters": {"x": 1}, **fields}


def map_of(state: State, **fields: Any) -> State:
    processor = {"StartAt": "Inner", "States": {"Inner": {"End": True, **state}}}
    return {"Type": "Map", "ItemsPath": "$.list", "ItemProcessor": processor, **fields}


def parallel(state: State, **fields: Any) -> State:
    branch = {"StartAt": "Inner", "States": {"Inner": {"End": True, **state}, "Done": {"Type": "Pass", "End": True}}}
    return {"Type": "Parallel", "Branches": [branch], **fields}


def jsonata(**fields: Any) -> State:
    return {"QueryLanguage": "JSONata", **fields}


PASS: State = {"Type": "Pass"}
ALL = {"ErrorEquals": ["States.ALL"]}
ITEM = map_of(PASS)["ItemProcessor"]
DISTRIBUTED = {**ITEM, "ProcessorConfig": {"Mode": "DISTRIBUTED"}}
READER = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket.$": "$.nosuch"}}


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
    refuses(
        "a_result_before_it_is_there", machine(parallel(PASS, **jsonata(Arguments={"a": "{% $states.result %}"}))), "alone"
    ),
    refuses("an_error_that_nobody_caught", machine(jsonata(Output="{% $states.errorOutput %}")), "in a Catch alone"),
    refuses("what_is_wrong_in_a_branch", machine(parallel({"Assign": {"states": 1}})), "is reserved"),
    refuses_nothing_that_aws_takes,
]


def find_what_is_wrong() -> None:
    for mend in mends.MENDS:
        mend()
    definition_mends.find_what_is_wrong(stepfunctions)


PROBES: dict[str, tuple[list[Probe], Callable[[], Any]]] = {"find_what_is_wrong": (DEFINITIONS, find_what_is_wrong)}
