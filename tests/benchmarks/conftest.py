import os
import sysconfig
from collections.abc import Iterator

import pytest

from benchmarks import measured_requests
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import ROOT


@pytest.fixture(autouse=True)
def alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give each test an empty table."""
    yield
    stack = request.getfixturevalue("stack") if "stack" in request.fixturenames else None
    if isinstance(stack, MotoStack):
        stack.empty_table()


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is measured use the modules of this checkout in place of a build."""
    built, path = measured_requests.environment, [ROOT / "functions", ROOT, sysconfig.get_path("purelib")]
    own = {"PYTHONPATH": os.pathsep.join(map(str, path))}
    monkeypatch.setattr(measured_requests, "environment", lambda *given: built(*given) | own)
