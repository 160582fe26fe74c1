"""docs/testing.md: short, its recipes safe to copy, its table of events that of the program."""

import re
from dataclasses import fields
from inspect import signature
from pathlib import Path

import pytest

from tests.support.programs import ended
from tests.support.testing_doc import PAGE, SNIPPETS, WORKFLOW, members, run_lines, table
from tools.stack import ROOT
from waitpoints_local.machine import printing
from waitpoints_local.pytest_plugin import PARAMETERS, PATIENCE
from waitpoints_local.testing import Durable, Machine, Run, RunError, State, Token

WORDS = 1_600
ZIZMOR = ROOT / ".venv" / "bin" / "zizmor"


def test_the_page_stays_short() -> None:
    assert len(PAGE.split()) <= WORDS


def test_the_workflow_may_only_read_and_runs_the_actions_that_ours_run() -> None:
    ours = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    uses = set(re.findall(r"uses: (.*)", SNIPPETS["github"]))
    assert uses
    assert uses <= set(re.findall(r"uses: (.*)", ours))
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert run_lines() == f"{SNIPPETS['install']}pytest"


@pytest.mark.slow  # it starts a process
def test_zizmor_finds_nothing_in_the_workflow(tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "machines.yml"
    workflow.parent.mkdir(parents=True)
    for text, status in ((SNIPPETS["github"], 0), (re.sub(r"@[0-9a-f]{40} # v", "@v", SNIPPETS["github"]), 14)):
        workflow.write_text(text)
        done = ended([ZIZMOR, "-q", "--offline", tmp_path / ".github"])
        assert done.returncode == status, done.stdout + done.stderr


def test_the_reference_has_every_member_and_setting_and_no_other() -> None:
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", table("reference")))))
    for cls in (Run, Token):
        assert {name for name in vars(cls) if not name.startswith("_") and name != "failure"} - named == {"name"} & {*vars(cls)}
    for call in (Machine.__call__, Durable.__call__, Token.answer, Token.post, Token.fail, Run.waiting):
        assert set(signature(call).parameters) - {"self"} - named <= {"time", "message"}, call
    assert {field.name for field in fields(State) if field.repr} <= named
    assert {PATIENCE, PARAMETERS, RunError.__name__} <= named


def test_the_table_has_every_event_and_the_version() -> None:
    assert f"Version {printing.VERSION} may get more" in PAGE
    assert {name for name in members() if name.isupper()} == {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
    assert len(members()) > 12
