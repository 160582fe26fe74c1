"""The definition of a state machine for `waitpoints try`: its placeholders, and what is wrong with it."""

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from waitpoints_local.machine.definition import Definition, Unusable, fill, parse
from waitpoints_local.machine.documents import read_document

VALUES = {"WaitFunctionName": "wait", "CreateFunctionName": "create", "CompleteFunctionName": "complete"}
VALUES |= {"WaitForToken": "wait", "Partition": "aws"}


def read(text: str, source: str, *given: Any) -> Definition:
    return fill(parse(text, source), source, *given)


def machine(**states: Any) -> str:
    return json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}, **states}})


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("${WaitForToken}", "wait"),
        ("<WaitFunctionName>", "wait"),
        ("arn:${Partition}:states:::lambda:invoke", "arn:aws:states:::lambda:invoke"),
        ("arn:aws:lambda:eu-west-1:1:function:<CreateFunctionName>", "arn:aws:lambda:eu-west-1:1:function:create"),
        ("arn:aws:lambda:eu-west-1:1:function:<CreateFunctionName>:live", "arn:aws:lambda:eu-west-1:1:function:create:live"),
        ("<b>No placeholder</b>, and neither is {% $sum(x) %} or States.Format('{}', $.a)", None),
    ],
)
def test_placeholders_are_replaced(text: str, replaced: str | None) -> None:
    found = json.loads(read(machine(A={"Type": "Pass", "Result": [text]}), "m.json", VALUES).text)
    assert found["States"]["A"]["Result"] == [replaced or text]


JSON = '{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": ${It}, "Comment": "${It}", "End": true}}}'
YAML = "StartAt: A\nStates:\n  A:\n    Type: Wait\n    Seconds: ${It}\n    Comment: '${It}'\n    End: true\n"


@pytest.mark.parametrize(("name", "text"), [("m.json", JSON), ("m.yaml", YAML)])
@pytest.mark.parametrize(("value", "without_quotes"), [("1", 1), ("true", True), ("x", "x"), ("{}", "{}")])
def test_a_placeholder_without_quotes_becomes_what_its_value_is_without_quotes(
    tmp_path: Path, name: str, text: str, value: str, without_quotes: Any
) -> None:
    """CloudFormation replaces it in the text of the file."""
    (tmp_path / name).write_text(text)
    filled = fill(read_document(tmp_path / name), name, {}, {"It": value}).machine["States"]["A"]
    assert (filled["Seconds"], filled["Comment"]) == (without_quotes, value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"StartAt":\n  ]', "m.json, line 2, column 3: not JSON (Expecting value)"),
        ("[]", "m.json: expected an object with StartAt and States"),
        ('{"StartAt": "A"}', "m.json: States is missing: an object of states by their names"),
        ('{"States": {"A": {}}}', 'm.json: StartAt is missing: the name of the first state, such as "A"'),
        ('{"StartAt": "B", "States": {"A": {}}}', 'm.json: StartAt names "B", which is no state'),
        (machine(B={"Next": "a"}), 'm.json: the state "B" goes on with "a", which is no state'),
        (
            machine(Approved={}, B={"Default": "Aproved"}),
            'm.json: the state "B" goes on with "Aproved", which is no state: Approved?',
        ),
        (machine(B={"Choices": [{"Next": "C"}]}), 'm.json: the state "B" goes on with "C", which is no state'),
        (machine(B={"Catch": [{"Next": "C"}]}), 'm.json: the state "B" goes on with "C", which is no state'),
        (
            machine(B={"Branches": [{"States": {"C": {}}}]}),
            'StartAt is missing in "B": the name of the first state',
        ),
        (machine(B={"ItemProcessor": {"StartAt": "C"}}), 'States is missing in "B": an object of states by their names'),
        (machine(B={"x": "${WaitForTken}"}), "m.json: no value for the placeholder ${WaitForTken}: did you mean WaitForToken?"),
        (machine(B={"x": "<Notify>"}), "no value for the placeholder <Notify>: give it one with --set Notify=…; known are"),
    ],
)
def test_a_mistake_is_reported_with_its_position(text: str, said: str) -> None:
    with pytest.raises(Unusable) as refused:
        read(text, "m.json", VALUES)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def invoking(function: str, **state: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:${Partition}:states:::lambda:invoke",
        "Arguments": {"FunctionName": function},
        **state,
    }


def test_a_function_of_the_user_gets_a_stand_in_and_anything_else_must_be_given() -> None:
    branch = {"StartAt": "C", "States": {"C": invoking("<NotifyFunction>")}}
    text = machine(A=invoking("${WaitForToken}"), B={"Resource": "${Old}", "Branches": [branch]})

    found = read(text, "m.json", VALUES, {"Old": '{"a": 1}'}, lambda name: f"arn:{name}")

    assert found.stand_ins == {name: f"arn:{name}" for name in ("NotifyFunction", "Old")}
    assert found.results == {"Old": {"a": 1}}
    assert found.machine["States"]["B"]["Resource"] == "arn:Old"
    assert [name for name, _ in found.states_that_invoke("arn:NotifyFunction")] == ["C"]
    assert [name for name, _ in found.states_that_invoke("wait")] == ["A"]
    by_arn = read(machine(A=invoking("arn:aws:lambda:eu-west-1:1:function:<WaitFunctionName>")), "m.json", VALUES)
    assert [name for name, _ in by_arn.states_that_invoke("wait")] == ["A"]
    with pytest.raises(Unusable, match=r"\$\{WaitForTken\}: did you mean WaitForToken\?"):
        read(machine(A=invoking("${WaitForTken}")), "m.json", VALUES, {}, lambda name: name)
    with pytest.raises(Unusable, match="no value for the placeholder \\$\\{TopicArn}"):
        read(machine(A={"Arguments": {"TopicArn": "${TopicArn}"}}), "m.json", VALUES, {}, lambda name: name)


def test_a_function_with_a_value_gets_no_stand_in() -> None:
    found = read(machine(A=invoking("${NotifyFunction}")), "m.json", VALUES, {"NotifyFunction": "mine"}, lambda name: name)
    assert found.stand_ins == {}
    assert found.invokes("mine")


def test_a_value_that_is_given_comes_before_the_stacks_and_must_have_a_placeholder() -> None:
    text = machine(A={"Comment": "<WaitFunctionName>", "Result": "${Text}"})
    found = read(text, "m.json", VALUES, {"WaitFunctionName": "mine", "Text": '{"a": 1}'}, lambda name: name)
    assert (found.machine["States"]["A"]["Comment"], found.machine["States"]["A"]["Result"]) == ("mine", '{"a": 1}')
    assert found.stand_ins == {}
    with pytest.raises(Unusable, match=r"A value is given for Other, but m\.json has no such placeholder"):
        read(text, "m.json", VALUES, {"Text": "", "Other": ""})


class TestAStandInOfAState:
    CALLS: ClassVar = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": {"TopicArn": "${Topic}"}}

    def read(self, *scripted: str, **states: Any) -> Definition:
        return read(machine(**states), "m.json", VALUES, {}, lambda name: f"arn:{name}", scripted)

    def test_is_told_from_that_of_a_function_by_the_name_and_a_function_comes_first(self) -> None:
        found = self.read("Pay", "Tell", Pay=invoking("${Pay}"), Tell=self.CALLS)
        assert (found.answered, found.stand_ins) == (["Tell"], {"Pay": "arn:Pay"})

    def test_of_a_map_is_of_what_it_reads(self) -> None:
        inner = {"StartAt": "C", "States": {"C": self.CALLS}}
        reads = {"Type": "Map", "ItemReader": {"Parameters": {"Bucket": "${Bucket}"}}, "ItemProcessor": inner}
        with pytest.raises(Unusable, match="no value for the placeholder \\$\\{Topic}"):
            self.read("A", A=reads)
        found = self.read("A", "C", A=reads)
        assert found.answered == ["A", "C"]

    def test_can_be_within_a_branch(self) -> None:
        branch = {"StartAt": "C", "States": {"C": self.CALLS}}
        assert self.read("C", A={"Type": "Parallel", "Branches": [branch]}).answered == ["C"]

    @pytest.mark.parametrize(
        ("states", "known"),
        [
            ({"A": {"Type": "Pass"}}, "it has no Task state"),
            ({"A": CALLS, "B": invoking("${Pay}")}, 'its functions are Pay; its Task states are "A", "B"'),
            ({"Charge": {"Type": "Pass"}, "B": CALLS}, 'its Task states are "B"'),
        ],
    )
    def test_of_an_unknown_name_is_refused_with_those_that_are_known(self, states: Any, known: str) -> None:
        with pytest.raises(Unusable) as refused:
            self.read("Charge", **states)
        assert str(refused.value) == f"m.json has no function and no Task state Charge: {known}"

    def test_needs_no_value_for_what_its_state_names_nor_does_a_state_that_waits(self) -> None:
        waits = {**self.CALLS, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"}
        found = self.read("Tell", Tell=self.CALLS, Ask=waits)
        assert [found.machine["States"][name]["Parameters"]["TopicArn"] for name in ("Tell", "Ask")] == ["${Topic}"] * 2
        with pytest.raises(Unusable, match=r"no value for the placeholder \$\{Topic}"):
            self.read(Tell=self.CALLS, Ask=waits)
        typo = {**waits, "Parameters": {"QueueUrl": "${WaitForTken}"}}
        with pytest.raises(Unusable, match=r"\$\{WaitForTken\}: did you mean WaitForToken\?"):
            self.read(Ask=typo)
