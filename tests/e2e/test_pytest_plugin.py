"""The fixture `machine` in a project of its own, on a deployed stack: every path of the patterns of docs/patterns.md.

test_own_machines.py does so with the wheel alone, and with faults in the patterns.
"""

import shutil
from pathlib import Path

from tests.support.e2e import own_tests
from tools.stack import ROOT
from waitpoints_local.stack import Stack

EXAMPLE = ROOT / "clients" / "local" / "examples" / "patterns"


def test_a_projects_tests_run_on_the_stack_that_is_there(stack: Stack, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    shutil.copytree(ROOT / "examples" / "statemachines", tmp_path / "statemachines")
    done = own_tests.run(stack, tmp_path)
    assert (done.returncode, "passed" in done.stdout) == (0, True), own_tests.said(done)

    machine = tmp_path / "statemachines" / "create_and_wait.asl.json"
    machine.write_text(machine.read_text().replace('["WaitpointTimeoutError"]', '["States.Timeout"]'))
    done = own_tests.run(stack, tmp_path, "without_a_result")
    assert (done.returncode, "1 failed" in done.stdout) == (1, True), own_tests.said(done)
    assert '  1. "Wait for the job"\n     got  {"job": ' in done.stdout
    assert 'It failed in "Wait for the job" with WaitpointTimeoutError' in done.stdout
