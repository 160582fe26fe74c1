"""What sees a weakening: a sample of the tests that run its line, or the first of all of them."""

import random
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from tests.mutations.children import Outcome, Run, outcomes
from tests.mutations.weakening import Weakening
from tests.stages import OF_ALL_ELSE, OF_THE_STACK

FOLDERS = (*OF_THE_STACK, *OF_ALL_ELSE, "tests/faults")
LEVELS = {folder: folder.removeprefix("tests/").removesuffix("/tests") for folder in FOLDERS}
PER_LEVEL = 6  # functions of a sample
QUICK = 3  # seconds, of a sample's tests
SIBLINGS = 30  # tests of a function of which others run the line, and these perhaps, too
AT_ONCE = 100  # tests: a process of its own collects what it is given before it runs any
FEW = 2  # red tests, which might be red without the weakening

Functions = Mapping[str, Sequence[str]]
"""Test functions with their tests, which are one for each set of parameters."""


@dataclass
class Seen:
    """What became of a weakening."""

    levels: dict[str, tuple[int, int, int]]
    """How many functions of the sample were red, how many it had, and how many run the line."""
    by: list[str]
    """The functions that were red."""
    of_all: int = 0
    """How many tests were run after a sample that saw nothing."""
    seconds: float = 0

    def functions(self) -> float:
        """About how many see it."""
        return sum(red / tried * run for red, tried, run in self.levels.values() if tried)


@dataclass(frozen=True)
class Judge:
    """`tests`: those that run the line, and how long each takes. `cases`: all functions, with all their tests.

    `first`: one that sees it is enough, and no sample is counted.
    """

    weakening: Weakening
    tests: Mapping[str, float]
    cases: Functions
    weakened: Run
    as_it_is: Run
    first: bool = False
    found: dict[str, Outcome] = field(default_factory=dict)

    def seen(self) -> Seen:
        began = time.monotonic()
        levels = self._functions_by_level()
        sample = [] if self.first else self._sample(levels)
        red = self._red(sample)
        rest = [] if red else [test for test in self._in_order() if test not in self.found]
        while rest and not red:
            red = self._red(rest[:AT_ONCE], first=True)
            rest = [test for test in rest if test not in self.found]
        by = {function(test) for test in red}
        tried = {function(test) for test in sample if self.found[test].seen is not None}
        counts = {name: (len(by & set(it)), len(tried & set(it)), len(it)) for name, it in levels.items()}
        return Seen(counts, sorted(by), len(self.found) - len(sample), time.monotonic() - began)

    def _functions_by_level(self) -> dict[str, Functions]:
        levels: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for test in self.tests:
            level = next(name for folder, name in LEVELS.items() if test.startswith(folder))
            levels[level][function(test)].append(test)
        return {**levels}

    def _sample(self, levels: Mapping[str, Functions]) -> list[str]:
        chance = random.Random(self.weakening.name)  # noqa: S311
        sample = []
        for functions in levels.values():
            quick = {
                name: short for name, tests in functions.items() if (short := [it for it in tests if self.tests[it] < QUICK])
            }
            sample += [chance.choice(quick[name]) for name in chance.sample([*quick], min(PER_LEVEL, len(quick)))]
        seen_before = [self.cases[name][0] for name in self.weakening.seen_by if name in self.cases]
        return sorted({*sample, *seen_before})

    def _in_order(self) -> list[str]:
        """Those of the module's own file come first, then one of each function, then the others."""
        places = {test: n for name in {function(test) for test in self.tests} for n, test in self._some(self.cases[name])}
        own = f"test_{PurePath(self.weakening.file).stem}.py::"
        return sorted(
            places,
            key=lambda it: (
                not it.startswith(self.weakening.seen_by),
                own not in it,
                it not in self.tests,
                places[it],
                self.tests.get(it, 0),
                it,
            ),
        )

    def _some(self, tests: Sequence[str]) -> Iterator[tuple[int, str]]:
        others = [test for test in tests if test not in self.tests]
        kept = set(others[:: len(others) // SIBLINGS + 1])
        return ((n, test) for n, test in enumerate(tests) if test in kept or test in self.tests)

    def _red(self, tests: Sequence[str], *, first: bool = False) -> list[str]:
        """Run tests. Returns those that see it. If they are few, they are run without it, too, and must pass then."""
        found = outcomes(tests, self.weakened, self.tests, first=first)
        self.found.update(found)
        red = [test for test, outcome in found.items() if outcome.seen]
        passing = outcomes(red, self.as_it_is, self.tests) if len(red) <= FEW else {}
        return [test for test in red if test not in passing or not passing[test].seen]


def function(test: str) -> str:
    return test.partition("[")[0]
