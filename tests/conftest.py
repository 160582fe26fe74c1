import gc
import io
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.support import figures

if TYPE_CHECKING:
    from tests.support.in_process.moto_stack import MotoStack

signal.signal(signal.SIGINT, signal.default_int_handler)  # or what tests start ignores it, if they run in the background
gc.set_threshold(0)  # no garbage is looked for until thousands of tests are collected, which live to the end

# No deadline, so a slow machine does not fail a test; derandomized, so a failure can be repeated.
settings.register_profile("waitpoints", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("check", settings.get_profile("waitpoints"), max_examples=15)
settings.load_profile("waitpoints")


LONGEST = (
    "integration/test_boto3_versions integration/test_decisions benchmarks/test_costs integration/test_policies "
    "tools/test_typescript_client documents/test_durable_page benchmarks/test_large_bodies unit/test_model "
    "recorded/test_recorded"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests that run in process, so that all processes end at about the same time."""
    first = {Path(__file__).parent / f"{name}.py" for name in LONGEST.split()}
    items.sort(key=lambda item: item.path not in first)  # stable


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    gc.freeze()
    gc.set_threshold(300_000)  # moto makes many objects that do not live long


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    gc.collect()  # once: pytest would do so twice, and Python again
    gc.freeze()
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


@pytest.fixture(scope="session")
def stack() -> "MotoStack":
    """template.yaml's resources on moto, and the deployed handlers."""
    from tests.support.in_process.moto_shortcut import the_stack  # most tests need no moto

    return the_stack()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the functions log."""
    from waitpoints import telemetry

    handler: Any = telemetry.logger.registered_handler
    log = io.StringIO()
    before = handler.setStream(log)
    yield log
    handler.setStream(before)
