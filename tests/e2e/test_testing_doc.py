"""The lines of docs/testing.md, run as they stand: the test, `waitpoints try` with its events, and the recipes for CI."""

import json
import os
import sys
from collections import defaultdict
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from tests.support import testing_doc
from tests.support.e2e import prepared, wheels
from tests.support.e2e.command_line import IMPORTED
from tests.support.programs import ended
from tests.support.readme import APPROVALS
from tools.release import client_package
from tools.stack import ROOT
from waitpoints_local.stack import Stack

LOCAL_PACKAGE = ROOT / "clients" / "local" / "src"
PLUGIN = "waitpoints_local.pytest_plugin"
ALWAYS_SEEN = {"started", "entered", "left", "waits", "token"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of somebody who has saved the machine and the test."""
    (tmp_path / "approval.asl.json").write_text(APPROVALS["in JSONPath"])
    (tmp_path / "test_approval.py").write_text(testing_doc.SNIPPETS["pytest"])
    return tmp_path


@pytest.fixture
def variables(stack: Stack, tmp_path: Path) -> dict[str, str]:
    """An environment in which this stack is the one that runs."""
    (tmp_path / "stack.json").write_text(json.dumps(asdict(stack)))
    path = os.pathsep.join([str(LOCAL_PACKAGE), str(ROOT / "clients" / "python" / "src")])
    own = {"WAITPOINTS_LOCAL": str(tmp_path / "stack.json"), "PYTHONPATH": path, "NO_PROXY": "127.0.0.1,localhost"}
    return {**os.environ, **own}


def run(command: list[str], folder: Path, variables: dict[str, str]) -> tuple[int, str]:
    done = ended(command, folder, variables)
    return done.returncode, done.stdout + done.stderr


def waitpoints(*arguments: str) -> list[str]:
    return [*prepared.command(sys.executable, *IMPORTED), "-m", "waitpoints_client.cli", *arguments]


def test_the_python_of_the_page_passes(project: Path, variables: dict[str, str]) -> None:
    named = [] if any(it.value == PLUGIN for it in entry_points(group="pytest11")) else ["-p", PLUGIN]
    status, printed = run([sys.executable, "-m", "pytest", "-q", *named], project, variables)
    assert (status, "2 passed" in printed) == (0, True), printed


def test_the_line_of_the_page_tries_the_machine(project: Path, variables: dict[str, str]) -> None:
    line = testing_doc.SNIPPETS["try"].replace("waitpoints", '"$@"', 1)
    status, printed = run(["sh", "-euc", line, "sh", *waitpoints()], project, variables)
    assert (status, "SUCCEEDED" in printed) == (0, True), printed


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (["--answer", '{"action": "approve"}'], ALWAYS_SEEN | {"answered", "resumed", "SUCCEEDED"}),
        (["--time-out", "Wait for approval"], {"expired", "FAILED"}),
        pytest.param(
            ["--answer", '{"action": "no"}', "--page", '{"title": "Go on?"}'], {"refused"}, marks=pytest.mark.thorough
        ),
    ],
)
def test_the_events_are_those_of_the_table(
    project: Path, variables: dict[str, str], options: list[str], kinds: set[str]
) -> None:
    _, printed = run(waitpoints("try", "approval.asl.json", "--json", *options), project, variables)
    seen = defaultdict[str, set[str]](set)
    tokens = set[str]()
    for event in events(printed):
        seen[event["event"]] |= event.keys()
        tokens |= event["token"].keys() if event["event"] == "token" else set()
    table = testing_doc.members()
    assert kinds <= seen.keys() <= table.keys(), printed
    places = testing_doc.ALWAYS | testing_doc.PLACE
    assert {kind: found - table[kind] - places for kind, found in seen.items() if found - table[kind] - places} == {}
    assert tokens <= testing_doc.token_members()


def events(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def script(text: str, folder: Path) -> tuple[int, str]:
    """Run a script where nothing is installed but Python, and pip finds the packages of this version."""
    found = client_package.interpreter("3.13")
    assert found
    path = os.pathsep.join([str(Path(found).parent), "/usr/bin", "/bin"])
    links = " ".join([str(wheels.built()), os.environ.get("PIP_FIND_LINKS", "")])
    pip = {"PIP_FIND_LINKS": links, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1", "PIP_NO_COMPILE": "1"}
    index = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTP"))}
    variables = {**index, **pip, "PATH": path, "HOME": str(folder), "NO_PROXY": "127.0.0.1,localhost"}
    return run(["sh", "-euc", text], folder, variables)


@pytest.mark.thorough  # it installs everything
def test_the_script_for_any_ci_runs_as_it_stands(project: Path) -> None:
    status, printed = script(testing_doc.SNIPPETS["any ci"], project)
    assert status == 0, printed
    assert "SUCCEEDED" in printed
    assert "WaitpointTimeoutError" in printed
    assert not list((project / ".waitpoints").glob("stack*.json"))


@pytest.mark.thorough  # it installs everything
def test_what_the_workflow_runs_passes(project: Path) -> None:
    activated = 'python3.13 -m venv .venv\nPATH="$PWD/.venv/bin:$PATH"\n'  # the workflow's container has pip on its path
    status, printed = script(activated + testing_doc.run_lines(), project)
    assert status == 0, printed
    assert "2 passed" in printed
