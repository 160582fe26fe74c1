"""The deployed stack that the end-to-end tests call, as its users do: over HTTP and through Step Functions.

Each process deploys it once, and looks at the end at what all its tests left behind. With WAITPOINTS_STACK set to the path of a
running stack's `stack.json` (`make run` writes `.local/stack.json`), that one is used instead, which saves the deploy while a
test is being written.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import Stack, free_port, running
from tests.e2e import afterwards
from tests.e2e.api import Api
from tests.e2e.durable import Durable
from tests.e2e.key_runs import Runs
from tests.e2e.place import FOLDER
from tests.e2e.secrets import Secrets


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    if path := os.environ.get("WAITPOINTS_STACK"):
        yield Stack(**json.loads(Path(path).read_text()))
        return
    with running(free_port(), FOLDER) as deployed:
        yield deployed
        afterwards.check(deployed, FOLDER)


@pytest.fixture(scope="session")
def stack_folder(stack: Stack) -> Path:
    """The folder from which the stack was deployed. `build` in it is what `sam build` made for ARCHITECTURE."""
    path = os.environ.get("WAITPOINTS_STACK")
    return Path(path).parent if path else FOLDER


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
