"""The deployed stack that the end-to-end tests call, as its users do: over HTTP and through Step Functions.

Each process deploys it once, and looks at the end at what all its tests left behind. With WAITPOINTS_STACK set to the path of a
running stack's `stack.json` (`make run` writes `.local/stack.json`), that one is used instead, which saves the deploy while a
test is being written.
"""

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.e2e import afterwards, recording
from tests.support.e2e.api import Api
from tests.support.e2e.built import Built
from tests.support.e2e.durable import Durable
from tests.support.e2e.folders import BUILDS, FOLDER
from tests.support.e2e.key_runs import Runs
from tests.support.e2e.secrets import Secrets
from tests.support.scope_table import Holders
from tools.stack import emulating
from waitpoints_local.stack import Stack, described, free_port, overrides, verify_sender

SLOWEST = (
    "test_smoke test_release test_frameworks test_cdk test_upgrade test_console test_client_install test_first_deployment "
    "test_testing_doc test_first_hour test_revocation test_broken_stacks test_engine_elsewhere test_refund_langgraph "
    "test_own_machines test_local_wheel test_sign_in test_command_line test_durable_functions test_sdk test_local_run "
    "test_page test_notices test_races test_typescript_client test_pytest_plugin test_signed_deliveries test_build test_ops "
    "test_readme test_second_opinion test_timeouts test_deployment test_emulator_mends test_engine test_browser test_agents "
    "test_gradual_deployment test_serving test_rotation test_stand_ins test_throttling"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take the longest, so that the processes end at about the same time."""
    place = {Path(__file__).with_name(f"{name}.py"): at for at, name in enumerate(SLOWEST.split())}
    items.sort(key=lambda item: place.get(item.path, len(place)))  # stable: the tests of a file stay in their order


@pytest.fixture(scope="session")
def current_build() -> Built:
    """The build of this version."""
    return Built(BUILDS / "current")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    if path := os.environ.get("WAITPOINTS_STACK"):
        yield Stack(**json.loads(Path(path).read_text()))
        return
    with emulating(free_port(), FOLDER) as emulator:
        request.getfixturevalue("current_build").deploy(emulator)
        with described(emulator, FOLDER) as stack:
            yield stack
            afterwards.check(stack, FOLDER)


@pytest.fixture(scope="module")
def office(request: pytest.FixtureRequest, current_build: Built) -> Iterator[Stack]:
    """A stack of the module's own that sends mail."""
    folder, sender = FOLDER / request.module.__name__.rpartition(".")[2], "approvals@example.com"
    with emulating(free_port(), folder) as emulator:
        verify_sender(emulator, sender)
        current_build.deploy(emulator, parameters=(*overrides(emulator.url), f"MailFrom={sender}"))
        with described(emulator, folder) as stack:
            yield stack
            afterwards.check(stack, folder)


@pytest.fixture(scope="session")
def stack_folder(stack: Stack) -> Path:
    """The folder with the stack's files."""
    path = os.environ.get("WAITPOINTS_STACK")
    return Path(path).parent if path else FOLDER


@pytest.fixture(scope="session")
def api(stack: Stack) -> Api:
    return Api(stack)


@pytest.fixture(scope="session")
def holders(api: Api) -> Holders:
    """Named keys of every kind. They are made once, since a new key may take five seconds until all functions know it."""

    def ask(method: str, path: str, body: Any, key: str) -> tuple[int, Any]:
        answer = api.request(method, path, body, key=key)
        return answer.status, answer.json

    return Holders(ask, api.stack.api_key, api.advance, partial(recording.record, api.stack))


@pytest.fixture(scope="session")
def secrets(stack: Stack) -> Secrets:
    return Secrets(stack)


@pytest.fixture(scope="session")
def runs(api: Api) -> Runs:
    return Runs(api)


@pytest.fixture(scope="session")
def durable(stack: Stack) -> Durable:
    return Durable(stack)
