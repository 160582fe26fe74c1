"""The stages of `make check`, `test`, `thorough` and `coverage`: each says what it is, how far it is and how long it took.

A stage is a run of pytest. The first one that fails is the last one.
"""

import argparse
import calendar
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.progress import clock

ROOT = Path(__file__).resolve().parent.parent
OF_THE_STACK = ("tests/unit", "tests/client_and_stack", "tests/integration")
OF_ALL_ELSE = ("clients/python/tests", "clients/local/tests", "tests/documents", "tests/tools", "tests/recorded")
IN_PROCESS = (*OF_THE_STACK, *OF_ALL_ELSE, "tests/benchmarks")
PROCESSES = min(4, os.process_cpu_count() or 1)
SHARED = ("-n", str(PROCESSES), "--dist", "worksteal")  # so that none is left with the long tests at the end
FEW_EXAMPLES = ("--hypothesis-profile", "check")
WITH_STACKS = PROCESSES + 4  # end-to-end tests often wait
WITH_LONG_TESTS = PROCESSES + 3  # these also measure how late something is
LONGEST = 10
UNFAKED = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0", "NO_FAKE_STAT": "1"}
"""Waits, also those of threads for Python's lock, and what is compiled, are of the real time."""
BUILD = (sys.executable, "-m", "tests.support.e2e.built")


@dataclass(frozen=True)
class Stage:
    name: str
    arguments: tuple[str, ...]
    at: datetime | None = None
    """When it seems to begin, by `faketime`."""


def _in_process(name: str, marked: str, *folders: str) -> Stage:
    return Stage(name, (*SHARED, "-m", marked, *folders))


def _suite(marked: str, processes: int) -> tuple[Stage, ...]:
    with_stacks = ("-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder")
    return (
        _in_process("unit and integration tests", marked, *IN_PROCESS),
        _in_process("every AWS call fails", marked, "tests/faults"),
        Stage("end-to-end tests on the deployed stack", (*with_stacks, "-m", marked, "tests/e2e")),
    )


def other_dates(now: datetime) -> dict[str, datetime]:
    leap_year = next(year for year in range(now.year + 1, now.year + 9) if calendar.isleap(year))
    return {
        "a leap day": datetime(leap_year, 2, 29, 12, tzinfo=UTC),
        "a day ten years ahead": now + timedelta(days=3653),
        "the last minute of a year": datetime(now.year + 1, 12, 31, 23, 59, tzinfo=UTC),
    }


def _on_other_dates() -> Iterator[Stage]:
    """A stage each, whose name says which date a test failed on."""
    for name, at in other_dates(datetime.now(UTC)).items():
        tests = _in_process(f"unit and integration tests on {name}, {at:%Y-%m-%d}", "not thorough and not network", *IN_PROCESS)
        yield replace(tests, at=at)


COMMANDS: dict[str, tuple[Stage, ...]] = {
    "check": (
        Stage("fast tests", (*SHARED, *FEW_EXAMPLES, "-m", "not slow and not thorough", *OF_THE_STACK, "tests/recorded")),
    ),
    "test": _suite("not thorough", WITH_STACKS),
    "ci": (*_suite("not few", WITH_LONG_TESTS)[:2], _suite("not thorough", WITH_STACKS)[2]),
    "thorough": (*_suite("not few", WITH_LONG_TESTS)[:2], *_on_other_dates(), _suite("not few", WITH_LONG_TESTS)[2]),
    "coverage": (Stage("unit and integration tests, measured", (*SHARED, "-m", "not thorough", "--cov", *IN_PROCESS)),),
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stages")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--coverage", action="store_true", help="measure the coverage of the first stage")
    options = parser.parse_args(arguments)
    stages = list(COMMANDS[options.command])
    if options.coverage:
        stages[0] = Stage(stages[0].name, (*stages[0].arguments, "--cov"))
    with meanwhile(BUILD if stages[-1].arguments[-1] == "tests/e2e" else ()):
        return run(options.command, stages)


@contextmanager
def meanwhile(command: Sequence[str]) -> Iterator[None]:
    """Run a command beside the stages, at a low priority. What needs its result waits for it, or repeats what failed."""
    if not command:
        yield
        return
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(
        ("nice", *command), cwd=ROOT, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
    ) as process:
        try:
            yield
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)


def run(command: str, stages: Sequence[Stage]) -> int:
    """Run the stages until one fails. Returns the status of the last one.

    Why tests failed is said again at the end, where it is also found in a log that is cut.
    """
    took: list[str] = []
    seconds: dict[str, float] = {}
    failed: dict[str, str] = {}
    status = 0
    for number, stage in enumerate(stages, 1):
        print(f"{number} of {len(stages)}: {stage.name}", flush=True)
        if stage.at and not shutil.which("faketime"):
            status = int(os.environ.get("CI") == "true")
            took.append(f"        {stage.name} {'FAILED' if status else 'skipped'}: faketime is missing")
            if status:
                break
            continue
        began = time.monotonic()
        status, report = _pytest(stage)
        seconds |= report["seconds"]
        failed |= report["failed"]
        took.append(f"{clock(time.monotonic() - began):>6}  {stage.name}{' FAILED' if status else ''}")
        if status:
            break
    print(f"\nThe {LONGEST} longest tests:")
    for test in sorted(seconds, key=lambda test: -seconds[test])[:LONGEST]:
        print(f"{seconds[test]:6.1f} s  {test}")
    print(f"\nmake {command}:", *took, *(f"\n{test}\n  {reason}" for test, reason in failed.items()), sep="\n", flush=True)
    return status


def _pytest(stage: Stage) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run pytest. Returns its status, and what `tests.progress` has written."""
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.progress", "--times-to", str(times), *stage.arguments]
        environment = dict(os.environ)
        if stage.at:
            command = ["faketime", "-f", f"{int((stage.at - datetime.now(UTC)).total_seconds()):+}", *command]
            environment |= UNFAKED
        status = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
        return status, json.loads(times.read_text()) if times.exists() else {"seconds": {}, "failed": {}}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
