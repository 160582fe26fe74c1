"""One session of pytest: collects every test once, records which lines they run, and gives each weakening to a child."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import pytest

from tests.mutations import live, readers
from tests.mutations.children import FORK, Outcome, Reporter, Run, outcomes, shared
from tests.mutations.judge import FOLDERS, Functions, Judge, Seen, function
from tests.mutations.lines import Recorder, Runs, digest
from tests.mutations.weakening import Weakening
from tests.stages import FEW_EXAMPLES

OPTIONS = ["-qq", "--tb=native", "--capture=sys", "-p", "no:cacheprovider", "--no-header"]
OPTIONS += ["--ignore=tests/tools/test_mutations.py"]  # which changes what this uses
OPTIONS += [*FEW_EXAMPLES, "--continue-on-collection-errors", "-m", "not thorough and not network"]
OF_ALL = ["-c", "pyproject.toml", "--rootdir", ".", "tests/conftest.py"]  # also if only tests of a client are run
RECORDED = 60  # tests of a function
GROUPS = 24  # of files, each recorded in a process of its own


def run_all(
    weakenings: Sequence[Weakening], known: Mapping[str, str], processes: int, first: bool, say: Callable[[str], object]
) -> Iterator[tuple[int, Seen]]:
    """Yield what sees each weakening, as it becomes known, with its place in the list."""
    receiving, sending = FORK.Pipe(duplex=False)
    session = FORK.Process(target=_session, args=(sending, weakenings, known, processes, first))
    session.start()
    sending.close()
    fresh: list[Weakening] = []
    functions: Functions = {}
    try:
        while True:
            match receiving.recv():
                case str() as text:
                    say(text)
                case dict() as functions:
                    pass
                case (number, None):
                    fresh.append(weakenings[number])
                case (number, seen):
                    yield number, seen
    except EOFError:
        session.join()
    runs = Runs.load()

    def judge(number: int) -> Seen:
        tests = readers.tests(fresh[number], known, runs)
        tests = {test: seconds for test, seconds in tests.items() if function(test) in functions}
        return Judge(fresh[number], tests, functions, _fresh(fresh[number]), _fresh(None), first).seen()

    for number, seen in shared(len(fresh), processes, judge):
        yield weakenings.index(fresh[number]), seen


def _fresh(weakening: Weakening | None) -> Run:
    """Run tests in a session of their own, which imports everything weakened."""

    def run(parent: Connection, tests: Sequence[str]) -> None:
        class Only:
            def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
                wanted = set(tests)
                items[:] = [item for item in items if item.nodeid in wanted]

        if weakening:
            live.import_weakened(weakening)
        pytest.main([*OPTIONS, *OF_ALL, *dict.fromkeys(map(function, tests))], plugins=[Only(), Reporter(parent)])

    return run


def _session(sending: Connection, *given: Any) -> None:
    session = _Session(sending, *given)
    pytest.main([*OPTIONS, *FOLDERS], plugins=[session, session.reporter])


class _Session:
    def __init__(
        self, main: Connection, weakenings: Sequence[Weakening], code: Iterable[str], processes: int, first: bool
    ) -> None:
        self.reporter = Reporter()
        self._main = main
        self._weakenings = weakenings
        self._code = code
        self._processes = processes
        self._first = first

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._main.send(f"cannot be collected: {report.nodeid}\n{report.longreprtext[-600:]}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        self._live = live.live_functions()
        functions: defaultdict[str, list[str]] = defaultdict(list)
        for test in self._items:
            functions[function(test)].append(test)
        self._functions = dict(functions)
        self._main.send(self._functions)
        self._runs = Runs.load()
        self._record()
        for number, seen in shared(len(self._weakenings), self._processes, self._judge):
            self._main.send((number, seen))
        return True

    def _record(self) -> None:
        """Record which lines those tests run that are not recorded, or whose file has changed since."""
        files = {name.partition("::")[0] for name in self._functions}
        self._runs.forget([file for file in files if not self._runs.is_current(file)], self._code)
        missing: defaultdict[str, list[str]] = defaultdict(list)
        for name, tests in self._functions.items():
            chosen = tests[:: -(-len(tests) // RECORDED)]
            missing[name.partition("::")[0]] += [test for test in chosen if test not in self._runs.tests]
        changed = sorted(file for file, tests in missing.items() if tests)
        groups = [changed[n::GROUPS] for n in range(min(GROUPS, len(changed)))]
        began = time.monotonic()
        if changed:
            self._main.send(f"recording which lines {sum(map(len, missing.values()))} tests of {len(changed)} files run")

        def record(number: int) -> dict[str, Outcome]:
            return outcomes([test for file in groups[number] for test in missing[file]], self._run(None, recorded=True), {})

        for number, found in shared(len(groups), self._processes, record):
            for test, outcome in found.items():
                self._runs.add(test, outcome.seconds, outcome.lines if outcome.seen is False else None)
            self._runs.files |= {file: digest(file) for file in groups[number]}
            self._runs.save()
            failed = [f"\n  fails: {test}" for test, outcome in found.items() if outcome.seen]
            self._main.send(f"{time.monotonic() - began:5.0f} s  {number + 1} of {len(groups)}{''.join(failed)}")

    def _judge(self, number: int) -> Seen | None:
        weakening = self._weakenings[number]
        codes = live.replaced(weakening, self._live)
        if codes is None:
            return None

        def weaken() -> None:
            live.put(codes)
            live.import_weakened(weakening)

        known = self._known(self._runs.of(weakening.file, weakening.lines))
        seen = Judge(weakening, known, self._functions, self._run(weaken), self._run(None), self._first).seen()
        if seen.by:
            return seen
        around = self._known(self._runs.around(weakening.file, weakening.lines))
        if self._runs.is_current(weakening.file):  # then only a test that is not recorded may run it besides
            around = {test: it for test, it in around.items() if len(self._functions[function(test)]) > RECORDED}
        more = {test: it for test, it in around.items() if test not in known}
        return Judge(weakening, more, self._functions, self._run(weaken), self._run(None), self._first).seen() if more else seen

    def _known(self, tests: Mapping[str, float]) -> dict[str, float]:
        return {test: seconds for test, seconds in tests.items() if test in self._items}

    def _run(self, before: Callable[[], None] | None, *, recorded: bool = False) -> Run:
        """Run tests that are collected already."""

        def run(parent: Connection, tests: Sequence[str]) -> None:
            self.reporter.parent = parent
            if before:
                before()
            if recorded:
                self.reporter.lines = Recorder().taken
            items = [self._items[test] for test in tests]
            for item, following in zip(items, [*items[1:], items[-1]], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

        return run
