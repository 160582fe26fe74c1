"""The tests of a project of one's own, in an empty folder, with nothing but the wheel: each pattern, and each fault in one."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.e2e import wheels
from tests.support.e2e.wheels import UV
from tools.stack import ROOT

pytestmark = pytest.mark.thorough  # it builds the wheels, and installs them

EXAMPLE = ROOT / "clients" / "local" / "examples" / "patterns"
PATIENCE = 600  # seconds


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

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "VIRTUAL"))}
        variables |= {"WAITPOINTS_LOCAL": str(self.folder / "stacks"), "HOME": str(self.folder)}
        return subprocess.run(
            [self.programs / arguments[0], *arguments[1:]],
            cwd=self.folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheels alone."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([UV, "venv", "-q", "--no-project", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run([UV, "pip", "install", "-q", "--python", python, *wheels.paths(), "pytest", "pytest-xdist"], check=True)
    return environment / "bin"


@pytest.fixture
def project(programs: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    shutil.copytree(
        ROOT / "examples" / "statemachines", tmp_path / "statemachines", ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    made = Project(tmp_path, programs)
    yield made
    made.run("waitpoints", "down")


@pytest.mark.parametrize("processes", ["0", "2"])
def test_every_path_of_the_patterns_is_green(project: Project, processes: str) -> None:
    done = project.run("pytest", "-q", "-p", "no:cacheprovider", "-n", processes)
    found = re.search(r"^(\d+) passed in ([\d.]+)", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    assert int(found[1]) >= 20
    assert not [*(project.folder / "stacks").glob("stack*.json")], "the session has ended what it started"


def test_each_fault_turns_a_test_red_with_a_message_that_names_the_state(project: Project) -> None:
    assert project.run("waitpoints", "up", "--port", "0").returncode == 0
    wrong = {f"{fault.machine}: {fault.new}": problem for fault in FAULTS if (problem := try_fault(project, fault))}
    assert wrong == {}


def try_fault(project: Project, fault: Fault) -> str:
    """Return what is wrong with how the tests tell a fault."""
    file = project.folder / "statemachines" / f"{fault.machine}.asl.json"
    right = file.read_text()
    assert fault.old in right, fault
    file.write_text(right.replace(fault.old, fault.new))
    try:
        done = project.run("pytest", "-q", "-p", "no:cacheprovider", "-k", fault.tests)
    finally:
        file.write_text(right)
    told = done.stdout.partition("FAILURES")[2]
    return "" if done.returncode == 1 and f'"{fault.state}"' in told else done.stdout + done.stderr
