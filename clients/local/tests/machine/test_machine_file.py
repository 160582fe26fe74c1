"""A state machine in JSON, in YAML, and in a template."""

import json
from pathlib import Path
from typing import Any

import pytest

from waitpoints_local.machine.definition import Unusable
from waitpoints_local.machine.documents import MachineFile
from waitpoints_local.machine.machine_file import load

MACHINE = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}


def test_json_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "m#1.asl.json"  # a name can have the sign
    path.write_text(json.dumps(MACHINE))
    assert load(str(path)) == MachineFile(MACHINE, str(path))


def test_yaml_is_read_as_the_same_json(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("StartAt: A\nStates:\n  A:\n    Type: Wait\n    Timestamp: 2030-01-31T00:00:00Z\n    End: true\n")
    wait = {"Type": "Wait", "Timestamp": "2030-01-31T00:00:00Z", "End": True}
    assert load(str(path)).machine == {"StartAt": "A", "States": {"A": wait}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "line 1, column 5: not YAML"),
        ("States:\n  No: {}", "line 2, column 3: not YAML (the name No is no text: put it in quotes)"),
        ("a: !!python/object:x.Y {}", "line 1, column 4: not YAML"),
        ("a: .nan", "not what JSON can hold"),
        (f"a: {'9' * 5000}", "not YAML (Exceeds the limit"),
    ],
)
def test_a_mistake_in_yaml_is_reported_with_its_position(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "m.yml"
    path.write_text(text)
    with pytest.raises(Unusable) as refused:
        load(str(path))
    assert said in str(refused.value)


def template(**machines: Any) -> str:
    return json.dumps({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}, **machines}})


def of_sam(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Serverless::StateMachine", "Properties": {"Definition": MACHINE, **properties}}


def test_the_only_machine_of_a_template_needs_no_name(tmp_path: Path) -> None:
    path = tmp_path / "template.json"
    path.write_text(template(Machine=of_sam()))
    for name in (str(path), f"{path}#Machine"):
        assert load(name).machine == MACHINE
        assert load(name).source == f"{path}#Machine"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", r"template.json is a template: name its state machine, such as .*template.json#A \(its state machines are A, B\)"),
        ("#C", "template.json has no state machine C: its state machines are A, B"),
        ("#Bucket", "template.json has no state machine Bucket"),
    ],
)
def test_a_machine_that_is_not_there_is_reported(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "template.json").write_text(template(A=of_sam(), B=of_sam()))
    with pytest.raises(Unusable, match=said):
        load(f"{tmp_path / 'template.json'}{name}")
