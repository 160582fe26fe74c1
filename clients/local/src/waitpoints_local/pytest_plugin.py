"""The fixtures of pytest for state machines of one's own. pytest imports this module at every start, so it imports little."""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from waitpoints_local.machine.machines import Machine, Workshop
    from waitpoints_local.stack import Stack

PATIENCE = "waitpoints_patience"
_MACHINES: "pytest.StashKey[Machine]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(PATIENCE, "For how many seconds a test waits for a run of `machine` to do what it asks for", default="30")


@pytest.fixture(scope="session")
def waitpoints_stack() -> "Iterator[Stack]":
    """The Waitpoints stack on this machine: the one that runs, or one that is started, and ended by the last session."""
    from waitpoints_local.shared_stack import shared  # noqa: PLC0415 - only for tests that use it

    with shared() as stack:
        yield stack


@pytest.fixture(scope="session")
def _waitpoints_workshop(waitpoints_stack: "Stack") -> "Iterator[Workshop]":
    from waitpoints_local.machine.machines import Workshop  # noqa: PLC0415 - only for tests that use it

    with Workshop.of(waitpoints_stack) as workshop:
        yield workshop


@pytest.fixture
def machine(_waitpoints_workshop: "Workshop", request: pytest.FixtureRequest) -> "Iterator[Machine]":
    """Run a state machine of your own: `run = machine("approval.asl.json", {"order": 1})`."""
    from waitpoints_local.machine.machines import Machine  # noqa: PLC0415 - only for tests that use it

    folders = (request.path.parent, request.config.rootpath)
    with Machine(_waitpoints_workshop, folders, float(request.config.getini(PATIENCE))) as made:
        request.node.stash[_MACHINES] = made
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.failed and _MACHINES in item.stash:
        report.sections += item.stash[_MACHINES].describe(call.excinfo)
    return report
