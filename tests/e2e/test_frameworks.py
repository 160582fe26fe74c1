"""The adapters for agents, each with its framework in an environment of its own, against a deployed stack that sends mail."""

import os
import subprocess

import pytest

from tools.stack import ROOT
from waitpoints_local.stack import Stack

CLIENT = ROOT / "clients" / "python"
TESTS = CLIENT / "tests" / "frameworks"
NAMES = sorted(path.stem for path in (TESTS / "drivers").glob("*.py"))
PATIENCE = 600  # seconds


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_holds_what_it_promises(name: str, office: Stack) -> None:
    environment = f".local/{name.replace('_', '-')}"
    subprocess.run(["make", "-s", f"{environment}/ready"], cwd=ROOT, check=True, timeout=PATIENCE)
    tests = [f"{TESTS}/test_{it}.py" for it in ("promises", name)]
    command = [f"{environment}/bin/python", "-m", "pytest", "-q", "-c", f"{CLIENT}/pyproject.toml", *tests]
    given = {"WAITPOINTS_URL": office.api_url, "WAITPOINTS_API_KEY": office.api_key}
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
