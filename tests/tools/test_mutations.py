"""The list of mutations stays true to the code, and the program that applies them never touches the checkout."""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar

import pytest

from tests.mutations.__main__ import ARGUED, SURVIVED, Runner, summary
from tests.mutations.mutation import Mutation, NotFound, Suite, load, missing_tests, place, texts
from tests.mutations.working_copy import working_copy
from tools.stack import ROOT

LISTED = load()
PROMISES = set(re.findall(r"^\*\*([A-Z]\d+)\*\* ", (ROOT / "docs" / "internals" / "contract.md").read_text(), re.MULTILINE))
IMPORTED = "import waitpoints_client, waitpoints.token as token; print(waitpoints_client.__file__, token.__file__)"


@cache
def known_texts() -> dict[Path, str]:
    return texts(ROOT)


@pytest.mark.parametrize("mutation", LISTED, ids=lambda mutation: mutation.name)
class TestEachMutation:
    def test_replaces_what_is_in_one_place_by_other_code(self, mutation: Mutation) -> None:
        file = place(mutation, ROOT, known_texts())
        changed = file.read_text().replace(mutation.text, mutation.replacement)
        assert changed != file.read_text()
        if file.suffix == ".py":
            ast.parse(changed)

    def test_names_tests_and_a_promise_that_exist(self, mutation: Mutation) -> None:
        assert mutation.tests
        assert missing_tests(mutation, ROOT) == []
        assert mutation.contract is None or mutation.contract in PROMISES


def test_every_mutation_has_a_name_of_its_own() -> None:
    assert len({mutation.name for mutation in LISTED}) == len(LISTED)


def test_both_groups_are_there() -> None:
    names = [mutation.name for mutation in LISTED]
    later = [name for name in names if " unless " in name]
    assert names[-len(later) :] == later
    assert len(later) >= 20
    assert len(names) - len(later) >= 40


@pytest.mark.parametrize(("text", "where"), [("nobody writes this", "no file"), ("a = 1", r"functions/b\.py \(2\)")])
def test_a_text_that_is_not_in_one_place_is_refused(tmp_path: Path, text: str, where: str) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "b.py").write_text("a = 1\na = 1\n")
    with pytest.raises(NotFound, match=where):
        place(replace(LISTED[0], text=text), tmp_path)


def test_a_copy_runs_its_own_code() -> None:
    with working_copy(ROOT) as copy:
        program = [".venv/bin/python", "-c", IMPORTED]
        run = subprocess.run(program, cwd=copy, env={"PYTHONPATH": "functions"}, capture_output=True, text=True, check=True)
        assert [Path(file).is_relative_to(copy) or file for file in run.stdout.split()] == [True, True]


class TestTheStages:
    """What `make check` runs comes before what `make test` adds, and named tests before the others."""

    class Recorder(Runner):
        """Runs nothing. The tests with `failing` in their names fail."""

        failing = "no test"
        runs: ClassVar[list[tuple[str, str]]] = []

        def first_failure(self, suite: Suite, chosen: Sequence[str]) -> str | None:
            self.runs.append((suite.marks, chosen[0]))
            return chosen[0] if self.failing in chosen[0] else None

    @pytest.fixture
    def runner(self) -> Recorder:
        runner = self.Recorder(ROOT, processes=1)
        runner.runs.clear()
        return runner

    def test_that_sees_a_mutation_is_the_first_with_a_test_that_fails(
        self, runner: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mutation = replace(LISTED[0], tests=("TestAddWaiter", "test_nothing_is_lost_in_a_storm"))
        everything = [
            ("not slow and not thorough", "tests/integration/test_store.py::TestAddWaiter"),
            ("not slow and not thorough", "tests/unit"),
            ("slow and not thorough", "tests/integration/test_store.py::TestAddWaiter"),
            ("not thorough", "tests/faults/test_storm.py::test_nothing_is_lost_in_a_storm"),
            ("slow and not thorough", "tests/unit"),
            ("not thorough", "clients/python/tests"),
            ("not thorough", "tests/faults"),
            ("not thorough", "tests/e2e"),
        ]
        assert runner.seen(mutation, ["check", "test"]) is None
        assert runner.runs == everything
        monkeypatch.setattr(runner.__class__, "failing", "tests/faults")
        runner.runs.clear()
        assert runner.seen(mutation, ["check", "test"]) == ("test", everything[3][1])
        assert runner.runs == everything[:4]
        assert runner.seen(mutation, ["check"]) is None

    def test_are_summed_up(self) -> None:
        verdicts = Counter({"check": 5, "test": 3, ARGUED: 1, SURVIVED: 2})
        expected = "Of 11 mutations, make check sees 5, make test sees 8, 1 are argued, 2 survived"
        assert summary(verdicts, ["check", "test"]) == expected
