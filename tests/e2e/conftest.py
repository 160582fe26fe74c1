"""The deployed stack that the end-to-end tests call, as its users do: over HTTP and through Step Functions.

It is deployed once per run. With WAITPOINTS_STACK set to the path of a running stack's `stack.json` (`make run` writes
`.local/stack.json`), that one is used instead, which saves the deploy while a test is being written.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import LOCAL, Stack, free_port, running
from tests.e2e.api import Api
from tests.e2e.durable import Durable
from tests.e2e.key_runs import Runs
from tests.e2e.secrets import Secrets


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that look back on the session after all others.

    With `-n 2 --dist loadgroup`, one process has all tests of the shared stack, the other those with a stack of their own.
    """
    items.sort(key=lambda item: item.path.name == "test_afterwards.py")
    for item in items:
        shares = "stack" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("stack" if shares else item.path.name))


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    if path := os.environ.get("WAITPOINTS_STACK"):
        yield Stack(**json.loads(Path(path).read_text()))
        return
    with running(free_port(), LOCAL / "e2e") as deployed:
        yield deployed


@pytest.fixture(scope="session")
def stack_folder(stack: Stack) -> Path:
    """The folder from which the stack was deployed. `build` in it is what `sam build` made for ARCHITECTURE."""
    path = os.environ.get("WAITPOINTS_STACK")
    return Path(path).parent if path else LOCAL / "e2e"


@pytest.fixture(scope="session")
def api(stack: Stack) -> Api:
    return Api(stack)


@pytest.fixture(scope="session")
def secrets(stack: Stack) -> Secrets:
    return Secrets(stack)


@pytest.fixture(scope="session")
def runs(api: Api) -> Runs:
    return Runs(api)


@pytest.fixture(scope="session")
def durable(stack: Stack) -> Durable:
    return Durable(stack)
