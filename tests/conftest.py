from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support import figures

if TYPE_CHECKING:
    from in_process.moto_stack import MotoStack

# A slow machine is no failure, and a failure must be the same one when it is looked into.
settings.register_profile("waitpoints", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("waitpoints")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if measured := figures.shown():
        terminalreporter.section("measured")
        for figure in measured:
            terminalreporter.write_line(figure)


@pytest.fixture(scope="session")
def stack() -> Iterator["MotoStack"]:
    """The stack on moto, one for all that ask for it: resources as template.yaml has them, handlers as they are deployed."""
    from in_process.moto_stack import moto_stack  # moto is not for the tests that need no AWS

    with moto_stack() as stack:
        yield stack
