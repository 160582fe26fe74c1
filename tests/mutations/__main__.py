"""Weaken one check at a time, in a copy of the tree, and say which test sees it, and whether it is one of `make check`.

The tests of `make check` run first. Only a mutation that they do not see meets those that `make test` adds. In both stages the
tests that the list names come before the others. The exit status is 1 if a mutation survives without an argument.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutations.mutation import STAGES, Mutation, NotFound, Suite, load, place, tests
from tests.mutations.working_copy import working_copy
from tools.stack import ROOT

LIMIT = 3600  # seconds for one run of tests: a mutation may make a test wait for ever
ARGUED, SURVIVED = "argued", "SURVIVED"
_OF_THE_LIST = "*/test_mutations.py"  # sees every mutation, as the text that it looks for is not there
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)
_PASSED, _NO_TESTS = 0, 5  # pytest's exit statuses
_TESTS_FAILED = (1, 2)  # the latter if several processes are stopped by the first failure


class Broken(Exception):
    """The tests could not be run, so they say nothing."""


@dataclass(frozen=True)
class Runner:
    """Runs tests of a copy of the tree until the first one fails."""

    copy: Path
    processes: int

    def first_failure(self, suite: Suite, chosen: Sequence[str]) -> str | None:
        """Return the first test that fails, of those chosen that the suite has. None if there is none. Raises Broken."""
        command = [".venv/bin/python", "-m", "pytest", "-q", "-x", "-rfE", "--tb=no", "-p", "no:cacheprovider"]
        command += ["-n", str(self.processes), "--dist", suite.spread] if self.processes > 1 else []
        command += ["-m", suite.marks, "--ignore-glob", _OF_THE_LIST, *chosen]
        try:
            run = subprocess.run(command, cwd=self.copy, capture_output=True, text=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            return f"no end within {LIMIT} seconds"
        if run.returncode in (_PASSED, _NO_TESTS):
            return None
        failed = _FAILED.search(run.stdout)
        if run.returncode not in _TESTS_FAILED or not failed:
            raise Broken(run.stdout[-2000:] + run.stderr[-2000:])
        return failed[1]

    def seen(self, mutation: Mutation, stages: Sequence[str]) -> tuple[str, str] | None:
        """Return the first stage with a test that fails, and this test. None if no stage has one. Raises Broken."""
        for stage in stages:
            named = [(suite, tests(mutation, self.copy, suite.folders)) for suite in STAGES[stage]]
            for suite, chosen in [*named, *((suite, suite.folders) for suite in STAGES[stage])]:
                if chosen and (failed := self.first_failure(suite, chosen)):
                    return stage, failed
        return None


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    chosen = [one for one in load() if not options.names or any(name in one.name for name in options.names)]
    if not chosen:
        raise NotFound(f"No mutation is called so: {', '.join(options.names)}. Their names are in mutations.toml")
    for mutation in chosen:
        place(mutation, ROOT)
    stages = list(STAGES)[: list(STAGES).index(options.until) + 1]
    with working_copy(ROOT) as copy:
        runner = Runner(copy, options.n)
        _check_unchanged(chosen, runner, stages)
        verdicts = Counter(_verdict(mutation, runner, stages) for mutation in chosen)
    print(summary(verdicts, stages))
    return 1 if verdicts[SURVIVED] else 0


def summary(verdicts: Counter[str], stages: Sequence[str]) -> str:
    """Say how many of the mutations each stage sees, with those before it."""
    parts = [f"make {stage} sees {sum(verdicts[one] for one in stages[: n + 1])}" for n, stage in enumerate(stages)]
    parts += [
        f"{count} {what}" for what, count in (("are argued", verdicts[ARGUED]), ("survived", verdicts[SURVIVED])) if count
    ]
    return f"Of {verdicts.total()} mutations, {', '.join(parts)}"


def _check_unchanged(chosen: Sequence[Mutation], runner: Runner, stages: Sequence[str]) -> None:
    """Run the named tests without any mutation. Raises Broken if one fails."""
    for suite in [suite for stage in stages for suite in STAGES[stage]]:
        named = sorted({test for mutation in chosen for test in tests(mutation, runner.copy, suite.folders)})
        if named and (failed := runner.first_failure(suite, named)):
            raise Broken(f"Without any mutation, this test fails: {failed}")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part of a mutation's name (default: all mutations)")
    parser.add_argument("-n", type=int, default=1, metavar="PROCESSES", help="of each run of tests (default: 1)")
    parser.add_argument("--until", choices=list(STAGES), default=list(STAGES)[-1], help="the last stage (default: %(default)s)")
    return parser.parse_args(arguments)


def _verdict(mutation: Mutation, runner: Runner, stages: Sequence[str]) -> str:
    """Apply a mutation, run the tests, and print what became of it. Returns the stage that sees it, ARGUED or SURVIVED."""
    started = time.monotonic()
    with _applied(mutation, runner.copy):
        seen = runner.seen(mutation, stages)
    unseen = (ARGUED, mutation.argument) if mutation.argument else (SURVIVED, mutation.why)
    verdict, reason = seen or unseen
    print(f"{verdict:<8} {time.monotonic() - started:5.0f} s  {mutation.name}: {reason}", flush=True)
    return verdict


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
