"""The adapters for agents, each with its framework in an environment of its own, against a deployed stack that sends mail."""

import os

import pytest

from tests.support.programs import printed
from tools.stack import ROOT
from waitpoints_local.stack import Stack

CLIENT = ROOT / "clients" / "python"
TESTS = CLIENT / "tests" / "frameworks"
NAMES = sorted(path.stem for path in (TESTS / "drivers").glob("*.py"))


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_holds_what_it_promises(name: str, office: Stack) -> None:
    environment = f".local/{name.replace('_', '-')}"
    printed(["make", "-s", f"{environment}/ready"])
    tests = [f"{TESTS}/test_{it}.py" for it in ("promises", name)]
    command = [f"{environment}/bin/python", "-m", "pytest", "-q", "-c", f"{CLIENT}/pyproject.toml", *tests]
    given = {"WAITPOINTS_URL": office.api_url, "WAITPOINTS_API_KEY": office.api_key}
    said = printed(command, ROOT, os.environ | given)
    assert (" passed" in said, "skipped" in said) == (True, False), said
