"""The adapters for agents, each with its framework in an environment of its own, against a deployed stack that sends mail."""

import os
import subprocess

import pytest

from tools.stack import ROOT
from waitpoints_local.stack import Stack

CLIENT = ROOT / "clients" / "python"
TESTS = {
    path.stem.removeprefix("test_").replace("_", "-"): path for path in (CLIENT / "tests" / "frameworks").glob("test_*.py")
}
PATIENCE = 300  # seconds


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(TESTS))
def test_an_adapter_holds_what_it_promises(name: str, office: Stack) -> None:
    subprocess.run(["make", "-s", f".local/{name}/ready"], cwd=ROOT, check=True, timeout=PATIENCE)
    python = f"{ROOT}/.local/{name}/bin/python"
    command = [python, "-m", "pytest", "-q", "-c", f"{CLIENT}/pyproject.toml", f"{TESTS[name]}"]
    given = {"WAITPOINTS_URL": office.api_url, "WAITPOINTS_API_KEY": office.api_key}
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
