"""How far a run of pytest is: a plugin that `python -m tests.stages` uses.

On a terminal, one line changes. Elsewhere there is a line at each tenth of the tests, and after each minute without one.
"""

import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, TextIO

import pytest

MINUTE = 60
REASON = 300  # characters
WORTH_A_MESSAGE = 0.1  # seconds


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--times-to", metavar="FILE", help="write the seconds that each test took, and why tests failed, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # a process of `-n`
        _report_once(config.pluginmanager)
    else:
        config.pluginmanager.register(Progress(sys.__stdout__ or sys.stdout, config.getoption("--times-to")))


def _report_once(plugins: pytest.PytestPluginManager) -> None:
    """Have this process send one message of a test that passed, not five: they are much of what a quick one costs."""
    [sender] = [it for it in plugins.get_plugins() if type(it).__name__ == "WorkerInteractor"]
    plugins.unregister(sender)
    send, before = sender.pytest_runtest_logreport, 0.0

    def pytest_runtest_logreport(report: pytest.TestReport) -> None:
        nonlocal before
        if report.when == "setup" and report.passed:
            before = report.duration
        elif report.when != "teardown" or not report.passed or report.duration > WORTH_A_MESSAGE:
            report.duration, before = report.duration + before, 0.0
            report.keywords = {}
            if report.passed:
                report.sections = []  # what it printed
            send(report)

    sender.pytest_runtest_logreport = pytest_runtest_logreport
    sender.pytest_runtest_logstart = sender.pytest_runtest_logfinish = lambda: None
    plugins.register(sender)


class Progress:
    """Counts the tests that have ended. Setup and teardown count into the time of a test."""

    def __init__(self, screen: TextIO, times_to: str | None) -> None:
        self._screen, self._times_to = screen, times_to
        self._seconds: dict[str, float] = defaultdict(float)
        self._failed: dict[str, str] = {}
        self._total, self._tenths = 0, 0
        self._began = self._shown = time.monotonic()

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        """No dot for a test that passed, and no letter for a subtest."""
        if not report.passed:
            return None
        if isinstance(report, pytest.SubtestReport):
            return "subtests passed", "", ""
        return "passed" if report.when == "call" else "", "", ""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._total = max(self._total, len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._total = max(self._total, len(ids))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if report.failed:
            self._failed.setdefault(report.nodeid, _reason(report))
        self._show()

    def pytest_sessionfinish(self) -> None:
        if self._screen.isatty():
            self._screen.write("\r\033[K")
        if self._times_to:
            Path(self._times_to).write_text(json.dumps({"seconds": self._seconds, "failed": self._failed}))

    def _show(self) -> None:
        now, ended = time.monotonic(), len(self._seconds)
        tenths = 10 * ended // max(self._total, 1)
        line = f"  {ended:,} of {self._total:,} tests, {clock(now - self._began)}"
        if self._screen.isatty():
            self._screen.write(f"\r\033[K{line}")
        elif tenths > self._tenths or now - self._shown > MINUTE:
            self._screen.write(f"{line}\n")
        else:
            return
        self._tenths, self._shown = tenths, now
        self._screen.flush()


def _reason(report: pytest.TestReport) -> str:
    """Return the line of the test's file and the first line of what it raised."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return report.longreprtext.strip().splitlines()[-1][:REASON] if report.longreprtext.strip() else ""
    return f"line {crash.lineno}: {crash.message.splitlines()[0] if crash.message else ''}"[:REASON]


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds: `3:07`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
