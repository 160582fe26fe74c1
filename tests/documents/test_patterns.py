"""The state machines in examples/statemachines/ are valid, and docs/patterns.md says how to copy them."""

import json
import re
import shlex
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from statelint.linter import Linter

from tests.support import patterns_doc
from tests.support.in_process.template import STACK_NAME, parse, read
from tests.support.patterns_doc import PAGE
from tests.support.readme import APPROVALS
from tools import picture
from tools.stack import ROOT
from waitpoints import timeouts

EXAMPLE = "wait_for_webhook"
NAMES = sorted(path.name.removesuffix(".asl.json") for path in picture.FOLDER.glob("*.asl.json"))
PATTERNS = [name for name in NAMES if name != EXAMPLE]
OUTPUTS = {"CreateTokenInState": "CreateFunctionName", "WaitForToken": "WaitFunctionName"}
STARTS_ONCE = {"${StartWorkflowFunction}", "${StartPredictionFunction}"}


def tasks(name: str) -> list[dict[str, Any]]:
    return [state for _, state in picture.states(picture.definition(name)) if state["Type"] == "Task"]


def placeholders(name: str) -> set[str]:
    return set(re.findall(r"\$\{(\w+)\}", (picture.FOLDER / f"{name}.asl.json").read_text()))


def arguments(task: dict[str, Any]) -> Any:
    return task.get("Arguments") or task["Parameters"]


def problems(definition: Any) -> list[str]:
    """What a linter of the States Language finds. It wants a fraction where AWS accepts any number: "BackoffRate": 2."""
    found: list[str] = Linter.validate(definition)
    return [problem for problem in found if "BackoffRate is 2 but should be a Float" not in problem]


@pytest.mark.parametrize("name", NAMES)
def test_every_state_machine_is_valid(name: str) -> None:
    assert problems(picture.definition(name)) == []


def test_every_state_machine_of_an_example_is_valid() -> None:
    found = [read(path)["Resources"].values() for path in sorted((ROOT / "examples").glob("*/template.yaml"))]
    machines = [it["Properties"]["Definition"] for it in chain(*found) if it["Type"] == "AWS::Serverless::StateMachine"]
    assert machines
    assert [problems(machine) for machine in machines] == [[]] * len(machines)


@pytest.mark.parametrize("name", APPROVALS)
def test_the_readmes_state_machine_is_valid(name: str) -> None:
    assert problems(json.loads(APPROVALS[name])) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"Next": "Not handed out"', '"Next": "Nowhere"'),
        ('"MaxConcurrency"', '"MaxConcurency"'),
        ('"Arguments"', '"Parameters"'),
    ],
)
def test_a_mistake_in_a_state_machine_is_found(right: str, wrong: str) -> None:
    text = (picture.FOLDER / "batch.asl.json").read_text()
    assert right in text
    assert problems(json.loads(text.replace(right, wrong, 1))) != []


def test_the_http_task_of_the_page_is_valid() -> None:
    machine = picture.definition("github_workflow")
    machine["States"] |= patterns_doc.STATES["http task"]
    assert problems(machine) == []


def payloads(name: str, member: str) -> list[dict[str, Any]]:
    """The payloads of a pattern's tasks that have this member."""
    return [arguments(task)["Payload"] for task in tasks(name) if member in arguments(task)["Payload"]]


@pytest.mark.parametrize("name", PATTERNS)
def test_every_wait_has_a_backstop_a_minute_after_its_tokens_timeout(name: str) -> None:
    """Or it asks again a minute after those may answer to whom the page escalates."""
    waiting = [task["TimeoutSeconds"] for task in tasks(name) if picture.waits(task)]
    asks_again = any(it["ErrorEquals"] == ["States.Timeout"] for task in tasks(name) for it in task.get("Catch", []))
    if asks_again:
        lengths = {payload["page"]["escalate"]["after"] for payload in payloads(name, "page")}
    else:
        lengths = {payload["timeout"] for payload in payloads(name, "timeout")}
    [length] = lengths
    assert set(waiting) == {timeouts.duration(length) // 1000 + 60}


@pytest.mark.parametrize("name", NAMES)
def test_every_task_is_retried_as_published_unless_it_must_not_start_twice(name: str) -> None:
    [published] = next(task["Retry"] for task in tasks(EXAMPLE))
    for task in tasks(name):
        starts_once = arguments(task)["FunctionName"] in STARTS_ONCE
        errors = ["Lambda.TooManyRequestsException"] if starts_once else published["ErrorEquals"]
        assert task["Retry"] == [{**published, "ErrorEquals": errors}]


@pytest.mark.parametrize("name", PATTERNS)
def test_every_wait_says_which_execution_waits(name: str) -> None:
    for task in tasks(name):
        payload = arguments(task)["Payload"]
        assert picture.waits(task) == ("taskToken" in json.dumps(payload)) == ("execution" in json.dumps(payload))


class TestThePictures:
    def test_are_drawn_from_the_state_machines(self) -> None:
        assert picture.with_pictures(PAGE) == PAGE, "docs/patterns.md is stale: run `make pictures`"

    def test_show_every_pattern(self) -> None:
        shown = re.findall(r"^<!-- picture: (\w+) -->\n```mermaid\n", PAGE, re.MULTILINE)
        assert sorted(shown) == PATTERNS

    def test_change_with_the_state_machine(self) -> None:
        stale = PAGE.replace('"Send the link"', '"Send a letter"')
        assert stale != PAGE
        assert picture.with_pictures(stale) == PAGE

    def test_show_waits_failures_caught_errors_and_what_a_map_does(self) -> None:
        drawn = picture.flowchart(picture.definition("batch"))
        assert 'subgraph s1 ["Every item"]\n' in drawn
        assert 's4["Wait for its result"]:::waits\n' in drawn
        assert 's3 -. "States.ALL" .-> s5\n' in drawn
        assert 's8(["Too many failed"]):::fails\n' in drawn

    def test_keep_a_quote_in_a_name(self) -> None:
        machine = {"StartAt": 'Say "yes"', "States": {'Say "yes"': {"Type": "Succeed"}}}
        assert 's1(["Say #quot;yes#quot;"])' in picture.flowchart(machine)

    def test_are_not_drawn_of_a_type_that_has_no_shape(self) -> None:
        with pytest.raises(ValueError, match="no shape for a state of the type Loop"):
            picture.flowchart({"StartAt": "A", "States": {"A": {"Type": "Loop"}}})


class TestThePage:
    def test_says_what_every_placeholder_is(self) -> None:
        used = {name for pattern in PATTERNS for name in placeholders(pattern)}
        of_the_stack = set(re.findall(r"^\| `\$\{(\w+)\}` \|", PAGE, re.MULTILINE))
        of_the_user = set(re.findall(r"`(\w+Function)` gets", " ".join(PAGE.split())))
        assert of_the_stack | of_the_user == used

    @pytest.mark.parametrize("name", patterns_doc.TEMPLATES)
    def test_its_template_replaces_every_placeholder(self, name: str) -> None:
        template = parse(patterns_doc.TEMPLATES[name])
        [resource] = template["Resources"].values()
        properties = resource["Properties"]
        names = properties["DefinitionSubstitutions"]
        assert properties["DefinitionUri"] == f"{name}.asl.json"
        assert set(names) == placeholders(name)
        invoked = [policy["LambdaInvokePolicy"]["FunctionName"] for policy in properties["Policies"]]
        assert invoked == [value for value in names.values() if value != {"Ref": "AWS::Partition"}]
        in_ssm = {names[it]["Ref"]: f"/waitpoints/{STACK_NAME}/{output}" for it, output in OUTPUTS.items() if it in names}
        assert {it: declared["Default"] for it, declared in template["Parameters"].items()} == in_ssm

    def test_its_command_tries_a_pattern_with_its_input(self) -> None:
        program, command, file, option, given = shlex.split(patterns_doc.COMMANDS["try"].replace("\\\n", ""))
        assert (program, command, option) == ("waitpoints", "try", "--input")
        assert json.loads(given) == patterns_doc.INPUTS[Path(file).name.split(".")[0]]
        assert (ROOT / file).exists()

    def test_begins_with_a_way_to_every_pattern(self) -> None:
        headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
        sections = {heading.lower().replace(" ", "-") for heading in headings}
        patterns = {name.replace("_", "-") for name in PATTERNS}
        assert sections == patterns | {"rules-for-the-state-that-waits", "copy-one", "states-to-copy"}
        assert patterns <= set(re.findall(r"\(#([\w-]+)\)", PAGE.partition("\n## ")[0]))
