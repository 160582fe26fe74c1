"""One session of pytest: collects every test once, records which lines they run, and gives each weakening to a child."""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import pytest

from tests.mutations import live, readers
from tests.mutations.children import FORK, Outcome, Reporter, outcomes, shared
from tests.mutations.lines import Recorder, Runs, digest
from tests.mutations.weakening import Weakening
from tests.stages import FEW_EXAMPLES, OF_ALL_ELSE, OF_THE_STACK

FOLDERS = (*OF_THE_STACK, *OF_ALL_ELSE, "tests/faults")
LEVELS = {folder: folder.removeprefix("tests/").removeprefix("clients/").removesuffix("/tests") for folder in FOLDERS}
OPTIONS = ["-qq", "--tb=native", "--capture=sys", "-p", "no:cacheprovider", "--no-header"]
OPTIONS += [*FEW_EXAMPLES, "--continue-on-collection-errors", "-m", "not thorough and not network"]
RECORDED = 12  # cases of a function
PER_LEVEL = 6  # functions of a sample
FEW = 2  # red tests, which might be red without the weakening
GROUPS = 24  # of files, each recorded in a process of its own
QUICK = 3  # seconds, of a sample's tests

Run = Callable[[Connection, Sequence[str]], object]


@dataclass
class Seen:
    """What became of a weakening."""

    levels: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """How many functions of the sample were red, how many it had, and how many run the line."""
    by: list[str] = field(default_factory=list)
    """The functions that were red."""
    of_all: int = 0
    """How many tests were run after a sample that saw nothing."""
    seconds: float = 0

    def functions(self) -> float:
        """About how many see it."""
        return sum(red / tried * run for red, tried, run in self.levels.values() if tried)


def level(test: str) -> str:
    return next(name for folder, name in LEVELS.items() if test.startswith(folder))


def function(test: str) -> str:
    return test.partition("[")[0]


def run_all(
    weakenings: Sequence[Weakening], known: Mapping[str, str], processes: int, say: Callable[[str], object]
) -> Iterator[tuple[int, Seen]]:
    """Yield what sees each weakening, as it becomes known, with its place in the list."""
    receiving, sending = FORK.Pipe(duplex=False)
    session = FORK.Process(target=_session, args=(sending, weakenings, known, processes))
    session.start()
    sending.close()
    fresh: list[int] = []
    cases: dict[str, list[str]] = {}
    try:
        while True:
            match receiving.recv():
                case str() as text:
                    say(text)
                case dict() as cases:
                    pass
                case (number, None):
                    fresh.append(number)
                case (number, seen):
                    yield number, seen
    except EOFError:
        session.join()
    runs = Runs.load()
    for n, seen in shared(len(fresh), processes, lambda n: _judge_fresh(weakenings[fresh[n]], known, runs, cases)):
        yield fresh[n], seen


def _session(sending: Connection, *given: Any) -> None:
    pytest.main([*OPTIONS, *FOLDERS], plugins=[_Session(sending, *given), _reporter])


_reporter = Reporter()


class _Session:
    def __init__(self, main: Connection, weakenings: Sequence[Weakening], known: Mapping[str, str], processes: int) -> None:
        self._main = main
        self._weakenings = weakenings
        self._known = known
        self._processes = processes

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._main.send(f"cannot be collected: {report.nodeid}\n{report.longreprtext[-600:]}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        self._functions = live.live_functions()
        cases = defaultdict(list)
        for test in self._items:
            cases[function(test)].append(test)
        self._main.send(dict(cases))
        self._runs = Runs.load()
        self._record(cases)
        for number, seen in shared(len(self._weakenings), self._processes, lambda n: self._judge(self._weakenings[n], cases)):
            self._main.send((number, seen))
        return True

    def _record(self, cases: Mapping[str, Sequence[str]]) -> None:
        files = self._runs.outdated(sorted({test.partition("::")[0] for test in self._items}))
        if not files:
            return
        self._runs.forget(files)
        chosen: defaultdict[str, list[str]] = defaultdict(list)
        for name, tests in cases.items():
            chosen[name.partition("::")[0]] += tests[:: -(-len(tests) // RECORDED)]
        groups = [[test for file in files[n::GROUPS] for test in chosen[file]] for n in range(min(GROUPS, len(files)))]
        began = time.monotonic()
        self._main.send(f"recording which lines {len(files)} files of tests run, {sum(map(len, groups))} tests")

        def record(n: int) -> dict[str, Outcome]:
            return outcomes(groups[n], self._run(None, recorded=True), {})

        for n, found in shared(len(groups), self._processes, record):
            for test, outcome in found.items():
                self._runs.add(test, outcome.seconds, outcome.lines if outcome.seen is False else None)
            self._runs.files |= {file: digest(file) for file in files[n::GROUPS]}
            self._runs.save()
            failed = [test for test, outcome in found.items() if outcome.seen]
            self._main.send(
                f"{time.monotonic() - began:5.0f} s  {n + 1} of {len(groups)}" + "".join(f"\n  fails: {it}" for it in failed)
            )

    def _judge(self, weakening: Weakening, cases: Mapping[str, Sequence[str]]) -> Seen | None:
        codes = live.replaced(weakening, self._functions)
        if codes is None:
            return None

        def weaken() -> None:
            live.put(codes)
            live.import_weakened(weakening)

        tests = {test: it for test, it in self._runs.of(weakening.file, weakening.lines).items() if test in self._items}
        return judge(weakening.name, tests, cases, self._run(weaken), self._run(None))

    def _run(self, before: Callable[[], None] | None, *, recorded: bool = False) -> Run:
        def run(parent: Connection, tests: Sequence[str]) -> None:
            _reporter.parent = parent
            if before:
                before()
            if recorded:
                _reporter.lines = Recorder().taken
            items = [self._items[test] for test in tests]
            for item, following in zip(items, [*items[1:], items[-1]], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

        return run


def _judge_fresh(weakening: Weakening, known: Mapping[str, str], runs: Runs, cases: Mapping[str, Sequence[str]]) -> Seen:
    tests = {test: it for test, it in readers.tests(weakening, known, runs).items() if function(test) in cases}
    return judge(weakening.name, tests, cases, _fresh(weakening), _fresh(None))


def _fresh(weakening: Weakening | None) -> Run:
    def run(parent: Connection, tests: Sequence[str]) -> None:
        class Only:
            def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
                wanted = set(tests)
                items[:] = [item for item in items if item.nodeid in wanted]

        if weakening:
            live.import_weakened(weakening)
        functions = list(dict.fromkeys(map(function, tests)))
        pytest.main([*OPTIONS, *functions], plugins=[Only(), Reporter(parent)])

    return run


def judge(seed: str, tests: Mapping[str, float], cases: Mapping[str, Sequence[str]], weakened: Run, as_it_is: Run) -> Seen:
    """Run a sample of these tests, and if it sees nothing, all of them.

    `tests`: how long each takes. `cases`: those of each function.
    """
    began = time.monotonic()
    chance = random.Random(seed)  # noqa: S311
    by_level: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for test in tests:
        by_level[level(test)][function(test)].append(test)
    sample: list[str] = []
    for functions in by_level.values():
        quick = [name for name in functions if min(tests[test] for test in functions[name]) < QUICK]
        for name in chance.sample(quick, min(PER_LEVEL, len(quick))):
            sample.append(chance.choice([test for test in functions[name] if tests[test] < QUICK]))
    found = outcomes(sorted(sample), weakened, tests)
    red = _red(found, as_it_is, tests)
    seen = Seen()
    if not red:
        places = {test: n for name in {function(test) for test in tests} for n, test in enumerate(cases[name])}
        order = sorted(places, key=lambda test: (test not in tests, places[test], tests.get(test, 0), test))
        rest = [test for test in order if test not in found]
        while rest and not red:
            more = outcomes(rest, weakened, tests, first=True)
            red = _red(more, as_it_is, tests)
            found |= more
            seen.of_all += len(more)
            rest = [test for test in rest if test not in found]
    for name, functions in by_level.items():
        tried = {function(test) for test in sample if level(test) == name and found[test].seen is not None}
        seen.levels[name] = len({function(test) for test in red} & (tried | functions.keys())), len(tried), len(functions)
    seen.by = sorted({function(test) for test in red})
    seen.seconds = time.monotonic() - began
    return seen


def _red(found: Mapping[str, Outcome], as_it_is: Run, seconds: Mapping[str, float]) -> list[str]:
    """Return the tests that see it. If they are few, they are run without it, too, and must pass then."""
    red = [test for test, outcome in found.items() if outcome.seen]
    if len(red) > FEW:
        return red
    passing = outcomes(red, as_it_is, seconds)
    return [test for test in red if not passing[test].seen]
