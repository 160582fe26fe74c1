"""What a template gives the placeholders of its state machine.

The intrinsic functions are those of CloudFormation's reference; DefinitionSubstitutions is of AWS::Serverless::StateMachine and
AWS::StepFunctions::StateMachine.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from waitpoints_local.machine.definition import Unusable, fill
from waitpoints_local.machine.documents import MachineFile
from waitpoints_local.machine.machine_file import load

RESOURCES: dict[str, Any] = {
    "Notify": {"Type": "AWS::Serverless::Function"},
    "Orders": {"Type": "AWS::DynamoDB::Table"},
    "Waitpoints": {"Type": "AWS::Serverless::Application"},
}
OF_SSM = "AWS::SSM::Parameter::Value<String>"
PARAMETERS = {
    "WaitFunctionName": {"Type": "String"},
    "Stage": {"Type": "String", "Default": "dev"},
    "Waiter": {"Type": OF_SSM, "Default": "/waitpoints/prod/WaitFunctionName"},
    "Mine": {"Type": OF_SSM, "Default": "/mine/function"},
    "Given": {"Type": OF_SSM},
}


def machine(text: Any = "${It}") -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": text, "End": True}}}


def read(tmp_path: Path, *chosen: str, kind: str = "AWS::Serverless::StateMachine", **properties: Any) -> MachineFile:
    made = {"Parameters": PARAMETERS, "Resources": {**RESOURCES, "Machine": {"Type": kind, "Properties": properties}}}
    (tmp_path / "template.json").write_text(json.dumps(made))
    return load(f"{tmp_path / 'template.json'}#Machine", chosen)


def result(found: MachineFile) -> Any:
    return found.machine["States"]["A"]["Result"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (5, "5"),
        ("<WaitFunctionName>", "<WaitFunctionName>"),
        ({"Ref": "WaitFunctionName"}, "${WaitFunctionName}"),
        ({"Ref": "Stage"}, "${Stage}"),
        ({"Ref": "Notify"}, "${Notify}"),
        ({"Ref": "Notify.Alias"}, "${Notify}"),
        ({"Ref": "AWS::Partition"}, "${Partition}"),
        ({"Ref": "AWS::URLSuffix"}, "amazonaws.com"),
        ({"Fn::GetAtt": ["Notify", "Arn"]}, "${Notify}"),
        ({"Fn::GetAtt": "Notify.Arn"}, "${Notify}"),
        ({"Fn::GetAtt": ["Orders", "StreamArn"]}, "${Orders_StreamArn}"),
        ({"Fn::GetAtt": ["Waitpoints", "Outputs.WaitFunctionName"]}, "${WaitFunctionName}"),
        ({"Fn::Sub": "arn:${AWS::Partition}:x:${AWS::Region}:${Stage}"}, "arn:${Partition}:x:${Region}:${Stage}"),
        ({"Fn::Sub": "${Notify.Arn}"}, "${Notify}"),
        ({"Fn::Sub": ["${a}-${Stage}", {"a": {"Ref": "Notify"}}]}, "${Notify}-${Stage}"),
        ({"Fn::Join": [":", ["a", {"Ref": "AWS::AccountId"}]]}, "a:${AccountId}"),
        ({"Ref": "Waiter"}, "${WaitFunctionName}"),
        ({"Fn::Sub": "x:${Waiter}"}, "x:${WaitFunctionName}"),
        ({"Ref": "Mine"}, "${Mine}"),
        ({"Ref": "Given"}, "${Given}"),
        ("{{resolve:ssm:/waitpoints/prod/ApiUrl}}", "${ApiUrl}"),
        ("x:{{resolve:ssm:/waitpoints/prod/CreateFunctionName:3}}", "x:${CreateFunctionName}"),
        ({"Fn::Sub": "{{resolve:ssm:/waitpoints/${Stage}/CompleteFunctionName}}"}, "${CompleteFunctionName}"),
        ("{{resolve:ssm:/mine/function}}", "{{resolve:ssm:/mine/function}}"),
    ],
)
def test_a_substitution_becomes_a_text_or_a_placeholder(tmp_path: Path, value: Any, text: str) -> None:
    assert result(read(tmp_path, Definition=machine(), DefinitionSubstitutions={"It": value})) == text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            {"Ref": "Nothing"},
            "Ref names Nothing, which is no parameter or resource of the template: give It a value with --set It=…",
        ),
        ({"Fn::GetAtt": "Nothing.Arn"}, "GetAtt names Nothing, which is no resource of the template"),
        ({"Fn::If": ["c", "a", "b"]}, "only a deployment resolves Fn::If: give It a value with --set It=…"),
        ({"Fn::ImportValue": "other"}, "only a deployment resolves Fn::ImportValue"),
    ],
)
def test_what_only_a_deployment_knows_must_be_given(tmp_path: Path, value: Any, said: str) -> None:
    with pytest.raises(Unusable) as refused:
        read(tmp_path, Definition=machine(), DefinitionSubstitutions={"It": value})
    assert said in str(refused.value)
    assert result(read(tmp_path, "It", Definition=machine(), DefinitionSubstitutions={"It": value})) == "${It}"


def test_a_placeholder_without_a_substitution_is_refused_since_aws_leaves_it(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"\$\{It\} is replaced by nothing: DefinitionSubstitutions has no It"):
        read(tmp_path, Definition=machine())


def test_the_definition_can_be_in_a_file_beside_the_template(tmp_path: Path) -> None:
    (tmp_path / "machines").mkdir()
    (tmp_path / "machines" / "m.asl.json").write_text(json.dumps(machine("${It}")))
    found = read(tmp_path, DefinitionUri="machines/m.asl.json", DefinitionSubstitutions={"It": "x"})
    assert result(found) == "x"
    with pytest.raises(FileNotFoundError):
        read(tmp_path, DefinitionUri="machines/other.json")
    with pytest.raises(Unusable, match="has no definition here: expected Definition, DefinitionString, or DefinitionUri"):
        read(tmp_path, DefinitionUri="s3://bucket/key")


def test_cloudformation_takes_the_definition_as_a_text(tmp_path: Path) -> None:
    text = {"Fn::Sub": json.dumps(machine("${Notify.Arn} ${!It}"))}
    found = read(
        tmp_path,
        kind="AWS::StepFunctions::StateMachine",
        DefinitionString=text,
        DefinitionSubstitutions={"It": {"Ref": "Stage"}},
    )
    assert result(found) == "${Notify} ${Stage}"


def test_a_substitution_in_a_text_or_file_can_be_a_number_but_not_in_a_definition(tmp_path: Path) -> None:
    text = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": ${It}, "End": true}}}'
    (tmp_path / "m.json").write_text(text)
    for where in ({"DefinitionUri": "m.json"}, {"DefinitionString": text}):
        made = read(tmp_path, "It", **where, DefinitionSubstitutions={"It": 1})
        assert fill(made.machine, made.source, {}, {"It": "1"}).machine["States"]["A"]["Result"] == 1
    made = read(tmp_path, "It", Definition=machine(), DefinitionSubstitutions={"It": 1})
    assert fill(made.machine, made.source, {}, {"It": "1"}).machine["States"]["A"]["Result"] == "1"


def test_intrinsic_functions_stand_in_the_definition_itself_too(tmp_path: Path) -> None:
    assert result(read(tmp_path, Definition=machine({"Fn::GetAtt": ["Notify", "Arn"]}))) == "${Notify}"


def test_what_cloudformation_reads_from_ssm_can_stand_in_the_definition_but_not_in_its_file(tmp_path: Path) -> None:
    """CloudFormation resolves it in the template's properties. It does not look into what it fetches from S3."""
    text = "{{resolve:ssm:/waitpoints/prod/WaitFunctionName}}"
    assert result(read(tmp_path, Definition=machine(text))) == "${WaitFunctionName}"
    as_text = {"kind": "AWS::StepFunctions::StateMachine", "DefinitionString": json.dumps(machine([text]))}
    assert result(read(tmp_path, **as_text)) == ["${WaitFunctionName}"]
    (tmp_path / "m.asl.json").write_text(json.dumps(machine(text)))
    assert result(read(tmp_path, DefinitionUri="m.asl.json")) == text


def test_the_users_own_resources_and_defaults_are_reported(tmp_path: Path) -> None:
    found = read(tmp_path, Definition=machine("x"))
    assert found.values == {"Stage": "dev"}
    assert set(found.own) == {*RESOURCES, "Machine"}


def test_an_express_machine_that_waits_is_refused(tmp_path: Path) -> None:
    """Express workflows do not support `.waitForTaskToken`: Step Functions' guide, "Choosing workflow type"."""
    waits = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}}}
    with pytest.raises(Unusable, match="is EXPRESS, and AWS lets only a STANDARD state machine wait"):
        read(tmp_path, Definition=waits, Type="EXPRESS")
    assert read(tmp_path, Definition=machine("x"), Type="EXPRESS").machine


def test_the_short_forms_of_yaml_are_the_long_ones(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(
        """
        Parameters: {WaitFunctionName: {Type: String}}
        Resources:
          Notify: {Type: AWS::Serverless::Function}
          Machine:
            Type: AWS::Serverless::StateMachine
            Properties:
              Definition: {StartAt: A, States: {A: {Type: Pass, Result: "${A} ${B} ${C} ${D} ${E}", End: true}}}
              DefinitionSubstitutions:
                A: !Ref WaitFunctionName
                B: !GetAtt Notify.Arn
                C: !Sub "x-${AWS::Region}"
                D: !Join ["/", [a, !Ref AWS::AccountId]]
                E: !Sub ["${v}", {v: !GetAtt [Notify, Arn]}]
        """
    )
    found = load(str(tmp_path / "template.yaml"))
    assert result(found) == "${WaitFunctionName} ${Notify} x-${Region} a/${AccountId} ${Notify}"
