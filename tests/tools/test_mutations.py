"""The list of weakenings stays true to the code, and the runner sees what a test sees, and nothing else."""

import ast
import importlib.util
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutations import children, lines, live, readers, weakening
from tests.mutations.children import Outcome, outcomes
from tests.mutations.judge import Judge
from tests.mutations.weakening import Decision, NotFound, Weakening, decisions, draw, found_again, listed, texts, weakened

KNOWN = texts()
SOURCE = """
LIMIT = 3

def outer(a, b=2):
    if a < LIMIT and not b:
        raise ValueError
    print(1)

    def inner():
        return a
    return inner
"""


def test_each_text_of_the_list_is_in_one_place_and_is_replaced_by_other_code() -> None:
    """`listed` raises if it is not."""
    found = listed(KNOWN)
    assert len({it.name for it in found}) == len(found) > 200
    for it in found:
        assert it.after != KNOWN[it.file]
        if it.file.endswith(".py"):
            ast.parse(str(it.after))


@pytest.mark.parametrize(("source", "where"), [("b = 1\n", "no file"), ("a = 1\na = 1\n", r"functions/b\.py \(2\)")])
def test_a_text_that_is_not_in_one_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, where: str
) -> None:
    (tmp_path / "list").write_text("one more\n-a = 1\n+a = 2\n")
    monkeypatch.setattr(weakening, "LIST", tmp_path / "list")
    with pytest.raises(NotFound, match=where):
        listed({"functions/b.py": source})


def test_what_is_listed_is_where_it_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list").write_text(
        "# Group\n\nfirst\n def f():\n-    one()\n\n     two()\n+    three()\n\nsecond\n-    four()\n"
    )
    monkeypatch.setattr(weakening, "LIST", tmp_path / "list")
    first, second = listed({"functions/b.py": "\ndef f():\n    one()\n\n    two()\n    four()\n"})
    assert (first.name, first.lines, first.after) == ("first", (3, 6), "\ndef f():\n\n    two()\n    three()\n    four()\n")
    assert (second.name, second.lines, second.file) == ("second", (6,), "functions/b.py")


def test_every_kind_of_decision_in_a_function_is_drawn_and_is_other_code() -> None:
    found = decisions("functions/b.py", SOURCE)
    assert Counter((it.function, it.operator) for it in found) == {
        ("outer", "if True"): 1,
        ("outer", "if False"): 1,
        ("outer", "and/or"): 1,
        ("outer", "compare flipped"): 1,
        ("outer", "bound moved"): 1,
        ("outer", "not dropped"): 1,
        ("outer", "raise dropped"): 1,
        ("outer", "call dropped"): 1,
        ("outer", "number + 1"): 1,
        ("outer.inner", "return None"): 1,
        ("outer", "return None"): 1,
    }
    changed = {ast.unparse(weakened(it, {"functions/b.py": SOURCE}).after) for it in found}  # type: ignore[arg-type]
    assert len(changed) == len(found)
    assert ast.unparse(ast.parse(SOURCE)) not in changed


def test_what_is_drawn_depends_on_the_seed_and_is_shared_among_the_wings() -> None:
    wings = ["functions/waitpoints/*.py", "clients/python/src"]
    drawn = [it.decision for it in draw(wings, 8, "1", KNOWN)]
    assert drawn == [it.decision for it in draw(wings, 8, "1", KNOWN)] != [it.decision for it in draw(wings, 8, "2", KNOWN)]
    assert [weakening.is_in(it.file, wings[1]) for it in drawn if it] == [False] * 4 + [True] * 4


@pytest.mark.parametrize(
    ("after", "function"),
    [
        ({"functions/b.py": "\n" + SOURCE}, "outer"),
        ({"functions/c.py": SOURCE}, "outer"),
        ({"functions/c.py": SOURCE.replace("outer", "other")}, "other"),
        ({"functions/c.py": SOURCE.replace("raise ValueError", "return")}, None),
    ],
)
def test_a_decision_is_found_again_where_it_has_moved(after: dict[str, str], function: str | None) -> None:
    found = found_again(Decision("functions/b.py", "outer", "raise ValueError", "raise dropped", 0), after)
    assert (found and found.function) == function


FILE = "functions/written.py"
ANY = Weakening("any", FILE, (1,), "", "")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of a tree of its own, as it is imported."""
    (tmp_path / "functions").mkdir()
    (tmp_path / FILE).write_text(SOURCE)
    for module in (lines, live, weakening):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(lines, "_PREFIXES", (f"{tmp_path}/",))
    lines._lines.cache_clear()
    found = importlib.util.spec_from_file_location("written", tmp_path / FILE)
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    yield module
    lines._lines.cache_clear()


def changed(old: str, new: str) -> Weakening:
    return Weakening("changed", FILE, (SOURCE[: SOURCE.index(old)].count("\n") + 1,), SOURCE, SOURCE.replace(old, new))


class TestWeakenedCode:
    def test_is_put_into_the_live_functions_also_into_nested_ones(self, written: ModuleType) -> None:
        inner = written.outer(3)
        codes = live.replaced(changed("return a", "return -a"), live.live_functions())
        assert codes
        live.put(codes)
        assert (inner(), written.outer(3)()) == (-3, -3)

    @pytest.mark.parametrize(("old", "new"), [("LIMIT = 3", "LIMIT = 4"), ("b=2", "b=3")])
    def test_needs_a_fresh_process_if_it_has_run(self, written: ModuleType, old: str, new: str) -> None:
        assert live.replaced(changed(old, new), live.live_functions()) is None


class TestTheLinesOfATest:
    @staticmethod
    def run(written: ModuleType) -> lines.Runs:
        def run(parent: Connection, tests: Sequence[str]) -> None:
            recorder = lines.Recorder()
            for test in tests:
                parent.send((test, None))
                inner = written.outer(3)
                if "inner" in test:
                    inner()
                parent.send((test, Outcome(False, 1, recorder.taken())))

        runs = lines.Runs()
        for test, outcome in outcomes(["tests/unit/a.py::test_inner", "tests/unit/a.py::test_outer"], run, {}).items():
            runs.add(test, outcome.seconds, outcome.lines)
        return runs

    def test_are_known_after_they_have_moved(self, written: ModuleType, tmp_path: Path) -> None:
        runs = self.run(written)
        (tmp_path / FILE).write_text("# moved\n" + SOURCE)
        lines._lines.cache_clear()
        assert runs.of(FILE, [11]) == {"tests/unit/a.py::test_inner": 1}
        assert len(runs.of(FILE, [8])) == 2
        assert runs.of(FILE, [7]) == {}
        assert len(runs.around(FILE, [7])) == 2

    def test_include_those_that_read_what_is_set_before_any_test(self, written: ModuleType) -> None:
        found = readers.tests(changed("LIMIT = 3", "LIMIT = 4"), {FILE: SOURCE}, self.run(written))
        assert len(found) == 2


class TestAChild:
    """Runs tests that are named for what becomes of them."""

    @staticmethod
    def run(parent: Connection, tests: Sequence[str]) -> None:
        for test in tests:
            parent.send((test, None))
            if "hangs" in test:
                time.sleep(60)
            if "dies" in test:
                os._exit(1)
            parent.send((test, Outcome("fails" in test)))

    def test_that_hangs_or_dies_sees_it_and_the_others_are_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(children, "PATIENCE", 0.5)
        monkeypatch.setattr(children, "UNKNOWN", 0)
        found = outcomes(["passes", "hangs", "passes too", "dies", "fails", "passes at last"], self.run, {})
        assert [test for test, outcome in found.items() if outcome.seen] == ["hangs", "dies", "fails"]
        assert len(found) == 6

    def test_ends_with_the_first_that_sees_it_if_so_asked(self) -> None:
        assert [*outcomes(["passes", "fails", "passes too"], self.run, {}, first=True)] == ["passes", "fails"]

    def test_that_runs_nothing_sees_it(self) -> None:
        assert outcomes(["one"], lambda *_: None, {}) == {"one": Outcome(True)}


class TestWhatIsSeen:
    @staticmethod
    def judge(*tests: str, flaky: bool = False) -> Judge:
        known = {f"tests/unit/a.py::{test}": 0.0 for test in tests}
        cases = {test.partition("[")[0]: [it for it in known if it.startswith(test.partition("[")[0])] for test in known}

        def as_it_is(parent: Connection, tests: Sequence[str]) -> None:
            for test in tests:
                parent.send((test, None))
                parent.send((test, Outcome(flaky)))

        return Judge(ANY, known, cases, TestAChild.run, as_it_is)

    def test_is_counted_by_level(self) -> None:
        seen = self.judge("test_passes", "test_fails[1]", "test_fails[2]").seen()
        assert seen.levels == {"unit": (1, 2, 2)}
        assert seen.by == ["tests/unit/a.py::test_fails"]

    def test_is_not_counted_if_the_first_is_enough(self) -> None:
        seen = replace(self.judge("test_fails[1]", "test_fails[2]"), first=True).seen()
        assert seen.levels == {"unit": (1, 0, 1)}
        assert seen.by == ["tests/unit/a.py::test_fails"]
        assert seen.of_all == 1

    def test_is_looked_for_in_all_tests_if_a_sample_sees_nothing(self) -> None:
        passing = [f"test_passes[{n}]" for n in range(20)]
        seen = self.judge("test_passes[fails]", *passing).seen()
        assert seen.by == ["tests/unit/a.py::test_passes"]
        assert seen.of_all == 1
        assert self.judge(*passing).seen().by == []

    def test_is_no_test_that_fails_anyway(self) -> None:
        assert self.judge("test_passes", "test_fails", flaky=True).seen().by == []
