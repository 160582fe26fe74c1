"""No secret is in a trace: the flows run again with traces. The thorough run adds the faults of the covering choice."""

import os
import subprocess
import sys

import pytest

from tests.support.faults.flows import FLOWS
from tests.support.in_process.template import ROOT


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(["without_faults"], marks=pytest.mark.few),
        pytest.param(["without_faults", "when_a_call_fails"], marks=pytest.mark.thorough),
    ],
    ids=" or ".join,
)
def test_every_run_with_traces_keeps_its_secrets(runs: list[str]) -> None:
    """In a process of its own: a function decides when it starts whether it traces."""
    environment = {
        **os.environ,
        "TRACING": "Active",
        "LAMBDA_TASK_ROOT": "/var/task",
        "_X_AMZN_TRACE_ID": "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "tests/faults/test_every_call.py", "-k", " or ".join(runs)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(runs) * len(FLOWS)} passed" in done.stdout
