"""The fixtures of pytest for state machines and durable functions of one's own.

pytest imports this module at every start, so it imports little.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from functools import cache, partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from waitpoints_local.durable.durables import Durable
    from waitpoints_local.machine.machines import Machine, Workshop
    from waitpoints_local.stack import Stack

PATIENCE = "waitpoints_patience"
PARAMETERS = "waitpoints_parameters"
_STARTERS: "pytest.StashKey[list[Machine | Durable]]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(PARAMETERS, "Parameters of the stack, such as MailFrom=a@example.com, one a line", type="linelist")
    parser.addini(PATIENCE, "For how many seconds a test waits for a run to do what it asks for", default="30")


@pytest.fixture(scope="session")
def waitpoints_stack(request: pytest.FixtureRequest) -> "Iterator[Stack]":
    """The Waitpoints stack on this machine: the one that runs, or one that is started, and ended by the last session."""
    from waitpoints_local.shared_stack import shared  # noqa: PLC0415 - only for tests that use it
    from waitpoints_local.stack import LocalError  # noqa: PLC0415 - as above

    with ExitStack() as ending:
        try:
            stack = ending.enter_context(shared(_parameters(request.config)))
        except LocalError as problem:
            raise pytest.fail.Exception(str(problem), pytrace=False) from None
        yield stack


def _parameters(config: pytest.Config) -> dict[str, str]:
    lines: list[str] = config.getini(PARAMETERS)
    if wrong := next((line for line in lines if "=" not in line), None):
        raise pytest.UsageError(f"{PARAMETERS}: {wrong} has another form than NAME=VALUE")
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="session")
def _waitpoints_workshop(waitpoints_stack: "Stack") -> "Iterator[Workshop]":
    from waitpoints_local.machine.machines import Workshop  # noqa: PLC0415 - only for tests that use it

    with Workshop.of(waitpoints_stack) as workshop:
        yield workshop


@pytest.fixture
def machine(_waitpoints_workshop: "Workshop", request: pytest.FixtureRequest) -> "Iterator[Machine]":
    """Run a state machine of your own: `run = machine("approval.asl.json", {"order": 1})`."""
    from waitpoints_local.machine.machines import Machine  # noqa: PLC0415 - only for tests that use it

    with Machine(_waitpoints_workshop, *_settings(request)) as made:
        _starters(request.node).append(made)
        yield made


@pytest.fixture
def durable(_waitpoints_workshop: "Workshop", request: pytest.FixtureRequest) -> "Iterator[Durable]":
    """Run a durable function of your own: `run = durable("functions/approval.py", {"order": 1})`."""
    from waitpoints_local.durable.durables import Durable  # noqa: PLC0415 - only for tests that use it

    with Durable(_waitpoints_workshop, *_settings(request)) as made:
        _starters(request.node).append(made)
        yield made


def _settings(request: pytest.FixtureRequest) -> "tuple[Sequence[Path], float, Callable[[], Path]]":
    """Return where a file is searched, the patience, and the folder for what failed runs have done."""
    folders: tuple[Path, ...] = (request.path.parent, request.config.rootpath)
    temporary: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    return folders, float(request.config.getini(PATIENCE)), cache(partial(temporary.mktemp, "waitpoints"))


def _starters(item: pytest.Item) -> "list[Machine | Durable]":
    return item.stash.setdefault(_STARTERS, [])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.failed:
        for starter in _starters(item):
            report.sections += starter.describe(call.excinfo)
    return report
