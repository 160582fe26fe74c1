"""The tests of a project of one's own, in an empty folder, with nothing but the wheel: each pattern, and each fault in one."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, zip_longest
from pathlib import Path

import pytest

from tests.support.e2e import own_tests, wheels
from tests.support.programs import Ended, ended
from tools.stack import ROOT

pytestmark = pytest.mark.thorough  # it builds the wheels, and installs them

EXAMPLE = ROOT / "clients" / "local" / "examples" / "patterns"


@dataclass(frozen=True)
class Fault:
    machine: str
    state: str
    """The one with the fault, which the failed test names."""
    old: str
    new: str
    tests: str
    """Those that find it."""


CANCELS = '.id %}",\n                  "error"'
FAULTS = [
    Fault("approval_with_escalation", "Answered?", "'approve'", "'aprove'", "Escalation and test_approved"),
    Fault("approval_with_escalation", "Create token", '"timeout": "4h"', '"timeout": "14h"', "second_person"),
    Fault("approval_with_escalation", "Answered?", "$turn + 1 < $count", "$turn + 2 < $count", "second_person"),
    Fault("two_of_three", "Wait for the decision", '"States.Timeout"', '"States.TaskFailed"', "lead_decides"),
    Fault("two_of_three", "Create token", '"needs": 2', '"needs": 1', "two_approve"),
    Fault("github_workflow", "Successful?", "= 'success'", "= 'succes'", "duplicate"),
    Fault("replicate_prediction", "Start the prediction", '["Lambda.TooManyRequestsException"]', '["Busy"]', "started_once"),
    Fault("payment", "Paid?", '"$.payment.ok"', '"$.paid.ok"', "shipped"),
    Fault("batch", "Create token", "& ' ' & $string($states.input.index)", "", "map_of_five"),
    Fault(
        "batch",
        "Hand out the item",
        '"Catch": [{"ErrorEquals": ["States.ALL"]',
        '"Catch": [{"ErrorEquals": ["No"]',
        "not_handed",
    ),
    Fault("first_of_two", "Cancel the checks' token", f"checks{CANCELS}", f"person{CANCELS}", "person_answers_first"),
    Fault("create_and_wait", "Wait for the job", '["WaitpointTimeoutError"]', '["States.Timeout"]', "without_a_result"),
]


@dataclass(frozen=True)
class Project:
    """A folder with a user's tests and machines, and an environment that has only the wheels and pytest."""

    folder: Path
    programs: Path

    def run(self, *arguments: str) -> Ended:
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "VIRTUAL"))}
        variables |= {"WAITPOINTS_LOCAL": str(self.folder / "stacks"), "HOME": str(self.folder)}
        return ended([self.programs / arguments[0], *arguments[1:]], self.folder, variables)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheels alone."""
    return wheels.install(tmp_path_factory.mktemp("environment"), "pytest", "pytest-xdist")


@pytest.fixture
def project(programs: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    shutil.copytree(
        ROOT / "examples" / "statemachines", tmp_path / "statemachines", ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    made = Project(tmp_path, programs)
    yield made
    made.run("waitpoints", "down")


def test_every_path_of_the_patterns_is_green(project: Project) -> None:
    """In two processes, which share a stack that the last one ends."""
    done = project.run("pytest", "-q", "-p", "no:cacheprovider", "-n", "2", *own_tests.PATIENT)
    found = re.search(r"^(\d+) passed in ([\d.]+)", done.stdout, re.MULTILINE)
    assert found, own_tests.said(done)
    assert int(found[1]) >= 20
    assert not [*(project.folder / "stacks").glob("stack*.json")], "the session has ended what it started"


def test_each_fault_turns_a_test_red_with_a_message_that_names_the_state(project: Project) -> None:
    """One fault of each machine at a time, so that few sessions try all of them."""
    assert project.run("waitpoints", "up", "--port", "0").returncode == 0
    by_machine = {machine: list(faults) for machine, faults in groupby(FAULTS, lambda fault: fault.machine)}
    for faults in zip_longest(*by_machine.values()):
        try_faults(project, [fault for fault in faults if fault])


def try_faults(project: Project, faults: list[Fault]) -> None:
    machines = project.folder / "statemachines"
    right = {file: file.read_text() for fault in faults if (file := machines / f"{fault.machine}.asl.json")}
    for fault, (file, text) in zip(faults, right.items(), strict=True):
        assert fault.old in text, fault
        file.write_text(text.replace(fault.old, fault.new))
    done = project.run("pytest", "-q", "-p", "no:cacheprovider", "-k", " or ".join(f"({fault.tests})" for fault in faults))
    for file, text in right.items():
        file.write_text(text)
    failures = done.stdout.partition("FAILURES")[2]
    assert f"{len(faults)} failed" in failures, done.stdout + done.stderr
    assert [fault.state for fault in faults if f'"{fault.state}"' not in failures] == []
