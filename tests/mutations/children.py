"""Tests run in children of this process, which may hang or die."""

import ctypes
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import pytest

FORK = get_context("fork")
PATIENCE = 30  # seconds for a test, and ten times what it took as it was recorded
ENDS_WITH_ITS_PARENT = 1  # PR_SET_PDEATHSIG
UNKNOWN = 30  # seconds that a test may take which was never run before
AT_FIRST = 90  # seconds more, in which a child starts the stack

Lines = list[tuple[str, int]]
Run = Callable[[Connection, Sequence[str]], object]
"""Runs tests in this process, and tells the parent of each."""


class Outcome(NamedTuple):
    """`seen`: whether the test failed, or None if it was skipped."""

    seen: bool | None
    seconds: float = 0
    lines: Lines | None = None


class Reporter:
    """Plugin of pytest: tells the parent, if there is one, of each test as it begins and as it ends."""

    def __init__(self, parent: Connection | None = None) -> None:
        self.parent = parent
        self.lines: Callable[[], Lines | None] = lambda: None

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._reports: list[pytest.TestReport] = []
        self.lines()
        self._send(nodeid, None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        failed = any(it.failed for it in self._reports)
        passed = any(it.when == "call" and it.passed for it in self._reports)
        seconds = sum(it.duration for it in self._reports)
        self._send(nodeid, Outcome(failed or (False if passed else None), seconds, self.lines()))

    def _send(self, test: str, outcome: Outcome | None) -> None:
        if self.parent:
            self.parent.send((test, outcome))


def outcomes(
    tests: Sequence[str],
    run: Run,
    seconds: Mapping[str, float],
    *,
    first: bool = False,
    told: Callable[[str, Outcome], object] = lambda *_: None,
) -> dict[str, Outcome]:
    """Run tests in a child, up to the `first` that sees something if so asked. One that hangs or kills the child sees it."""
    found: dict[str, Outcome] = {}
    while left := [test for test in tests if test not in found]:
        ended = _child(left, run, seconds, first, found, told)
        if ended or (first and any(it.seen for it in found.values())):
            break
    return found


def _child(
    tests: Sequence[str],
    run: Run,
    seconds: Mapping[str, float],
    first: bool,
    found: dict[str, Outcome],
    told: Callable[[str, Outcome], object],
) -> bool:
    """Returns whether nothing is left to run."""
    receiving, sending = FORK.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        child = FORK.Process(target=_run, args=(sending, run, tests, folder))
        child.start()
        sending.close()
        begun: str | None = None
        limit: float = AT_FIRST + PATIENCE + 10 * max((seconds.get(test, UNKNOWN) for test in tests[:5]), default=0)
        try:
            with suppress(EOFError):
                while receiving.poll(limit):
                    test, outcome = receiving.recv()
                    begun, limit = (None, PATIENCE) if outcome else (test, PATIENCE + 10 * seconds.get(test, UNKNOWN))
                    limit += 0 if found else AT_FIRST
                    if outcome:
                        found[test] = outcome
                        told(test, outcome)
                        if first and outcome.seen:
                            return True
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid or 0, signal.SIGKILL)
            child.join()
            receiving.close()
    nothing_runs = not found and not begun  # the tests cannot even be collected
    for test in [begun] if begun else [test for test in tests if test not in found]:
        found[test] = Outcome(True if begun or nothing_runs else None)
        told(test, found[test])
    return not begun


def _run(sending: Connection, run: Run, tests: Sequence[str], folder: str) -> None:
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ENDS_WITH_ITS_PARENT, signal.SIGKILL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
    try:
        run(sending, tests)
    finally:
        os._exit(0)


def shared(number: int, processes: int, do: Callable[[int], Any]) -> Any:
    """Yield what `do` returns for each number below, as it comes, from several processes."""
    following = FORK.Value("i", 0)
    receiving, sending = FORK.Pipe(duplex=False)
    alone = FORK.Lock()

    def work() -> None:
        while True:
            with following.get_lock():
                mine = following.value
                following.value += 1
            if mine >= number:
                break
            result = do(mine)
            with alone:
                sending.send((mine, result))

    workers = [FORK.Process(target=work) for _ in range(min(processes, number))]
    for worker in workers:
        worker.start()
    sending.close()
    with suppress(EOFError):
        while True:
            yield receiving.recv()
    for worker in workers:
        worker.join()
