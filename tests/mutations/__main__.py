"""Weaken one check at a time, in a copy of the tree, and say which test sees it.

First run are the tests that the list names, and if they pass, what `make check` runs. The exit status is 1 if a
mutation survives without an argument.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.stack import ROOT
from tests.mutations.mutation import QUICK, SLOW, Mutation, NotFound, load, place, tests
from tests.mutations.working_copy import working_copy

LIMIT = 3600  # seconds for one run of tests: a mutation may make a test wait for ever
_OF_THE_LIST = "*/test_mutations.py"  # sees every mutation, as the text that it looks for is not there
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)
_PASSED, _TESTS_FAILED, _NO_TESTS = 0, 1, 5  # pytest's exit statuses


class Broken(Exception):
    """The tests could not be run, so they say nothing."""


@dataclass(frozen=True)
class Runner:
    """Runs tests of a copy of the tree until the first one fails."""

    copy: Path
    processes: int
    thorough: bool

    def first_failure(self, chosen: Sequence[str]) -> str | None:
        """Return the first test that fails, or None. Raises Broken."""
        command = [".venv/bin/python", "-m", "pytest", "-q", "-x", "-rfE", "--tb=no", "-p", "no:cacheprovider"]
        command += [] if self.thorough else ["-m", "not slow and not thorough"]
        command += ["-n", str(self.processes)] if self.processes > 1 else []
        command += ["--ignore-glob", _OF_THE_LIST, *chosen]
        try:
            run = subprocess.run(command, cwd=self.copy, capture_output=True, text=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            return f"no end within {LIMIT} seconds"
        if run.returncode in (_PASSED, _NO_TESTS):
            return None
        failed = _FAILED.search(run.stdout)
        if run.returncode != _TESTS_FAILED or not failed:
            raise Broken(run.stdout[-2000:] + run.stderr[-2000:])
        return failed[1]


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    chosen = [one for one in load() if not options.names or any(name in one.name for name in options.names)]
    if not chosen:
        raise NotFound(f"No mutation is called so: {', '.join(options.names)}. Their names are in mutations.toml")
    for mutation in chosen:
        place(mutation, ROOT)
    folders = QUICK if options.quick else QUICK + SLOW
    with working_copy(ROOT) as copy:
        runner = Runner(copy, options.n, options.thorough)
        named = sorted({test for mutation in chosen for test in tests(mutation, copy, folders)})
        if named and (failed := runner.first_failure(named)):
            raise Broken(f"Without any mutation, this test fails: {failed}")
        seen = [_is_seen(mutation, runner, folders) for mutation in chosen]
    print(f"{sum(seen)} of {len(seen)} mutations are killed or argued")
    return 0 if all(seen) else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part of a mutation's name (default: all mutations)")
    parser.add_argument("-n", type=int, default=1, metavar="PROCESSES", help="of each run of tests (default: 1)")
    parser.add_argument("--thorough", action="store_true", help="also run the tests that `make check` leaves out")
    parser.add_argument("--quick", action="store_true", help="leave out what the list names in faults and e2e")
    return parser.parse_args(arguments)


def _is_seen(mutation: Mutation, runner: Runner, folders: Sequence[str]) -> bool:
    """Apply a mutation, run the tests, and print what became of it."""
    started = time.monotonic()
    with _applied(mutation, runner.copy):
        named = tests(mutation, runner.copy, folders)
        failed = (runner.first_failure(named) if named else None) or runner.first_failure(QUICK)
    verdict = "killed" if failed else "argued" if mutation.argument else "SURVIVED"
    reason = failed or mutation.argument or mutation.why
    print(f"{verdict:<8} {time.monotonic() - started:5.0f} s  {mutation.name}: {reason}", flush=True)
    return verdict != "SURVIVED"


@contextmanager
def _applied(mutation: Mutation, root: Path) -> Iterator[None]:
    """Python keeps compiled modules by size and time in seconds, so each text of a file gets a time of its own."""
    file = place(mutation, root)
    before, at = file.read_text(), int(file.stat().st_mtime)
    try:
        file.write_text(before.replace(mutation.text, mutation.replacement))
        os.utime(file, (at + 10, at + 10))
        yield
    finally:
        file.write_text(before)
        os.utime(file, (at + 20, at + 20))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Broken, NotFound) as failure:
        sys.exit(str(failure))
