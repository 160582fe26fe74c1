"""The list of mutations stays true to the code, and the program that applies them never touches the checkout."""

import ast
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from local.stack import ROOT
from tests.mutations.mutation import Mutation, NotFound, load, missing_tests, place
from tests.mutations.working_copy import working_copy

LISTED = load()
PROMISES = set(re.findall(r"^\*\*([A-Z]\d+)\*\* ", (ROOT / "docs" / "internals" / "contract.md").read_text(), re.MULTILINE))
IMPORTED = "import waitpoints_client, waitpoints.token as token; print(waitpoints_client.__file__, token.__file__)"


@pytest.mark.parametrize("mutation", LISTED, ids=lambda mutation: mutation.name)
class TestEachMutation:
    def test_replaces_what_is_in_one_place_by_other_code(self, mutation: Mutation) -> None:
        file = place(mutation, ROOT)
        changed = file.read_text().replace(mutation.text, mutation.replacement)
        assert changed != file.read_text()
        if file.suffix == ".py":
            ast.parse(changed)

    def test_names_tests_and_a_promise_that_exist(self, mutation: Mutation) -> None:
        assert mutation.tests
        assert missing_tests(mutation, ROOT) == []
        assert mutation.contract is None or mutation.contract in PROMISES


def test_every_mutation_has_a_name_of_its_own() -> None:
    assert len({mutation.name for mutation in LISTED}) == len(LISTED) >= 30


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
