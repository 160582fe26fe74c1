"""The fixture `machine` in a project of its own, on a deployed stack: every path of the patterns of docs/patterns.md.

test_own_machines.py does so with the wheel alone, and with faults in the patterns.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.stack import ROOT

EXAMPLE = ROOT / "clients" / "local" / "examples" / "patterns"
SOURCES = (ROOT / "clients" / "local" / "src", ROOT / "clients" / "python" / "src")


def run_tests(folder: Path, stack_folder: Path, chosen: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(map(str, SOURCES))
    variables = {"WAITPOINTS_LOCAL": str(stack_folder / "stack.json"), "PYTHONPATH": paths, "NO_PROXY": "127.0.0.1,localhost"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "waitpoints_local.pytest_plugin", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-k", chosen], cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


def test_a_projects_tests_run_on_the_stack_that_is_there(stack_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    shutil.copytree(ROOT / "examples" / "statemachines", tmp_path / "statemachines")
    done = run_tests(tmp_path, stack_folder, "")
    assert (done.returncode, "passed" in done.stdout) == (0, True), done.stdout + done.stderr

    machine = tmp_path / "statemachines" / "create_and_wait.asl.json"
    machine.write_text(machine.read_text().replace('["WaitpointTimeoutError"]', '["States.Timeout"]'))
    done = run_tests(tmp_path, stack_folder, "without_a_result")
    assert (done.returncode, "1 failed" in done.stdout) == (1, True), done.stdout + done.stderr
    assert '  1. "Wait for the job"\n     got  {"job": ' in done.stdout
    assert 'It failed in "Wait for the job" with WaitpointTimeoutError' in done.stdout
