import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.support import figures

# No deadline, so a slow machine does not fail a test; derandomized, so a failure can be repeated.
settings.register_profile("waitpoints", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("check", settings.get_profile("waitpoints"), max_examples=15)
settings.load_profile("waitpoints")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (sent := getattr(session.config, "workeroutput", None)) is not None:  # a process of `-n`
        sent["figures"] = figures.shown()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for figure in getattr(node, "workeroutput", {}).get("figures", ()):
        figures.show(figure)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if measured := figures.shown():
        terminalreporter.section("measured")
        for figure in measured:
            terminalreporter.write_line(figure)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the functions log."""
    from waitpoints import telemetry

    handler: Any = telemetry.logger.registered_handler
    log = io.StringIO()
    before = handler.setStream(log)
    yield log
    handler.setStream(before)
