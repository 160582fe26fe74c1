"""What the folders of the project may not import."""

import ast
from collections.abc import Iterator, Set
from pathlib import Path

import pytest

from tools.stack import ROOT

IN_PROCESS = "tests.support.in_process"
MAY_NOT_IMPORT = {
    "tests": {"benchmarks"},
    "benchmarks": {"tests"},
    "tests/support/in_process": {"tests", "benchmarks"},
    "tools": {"tests", "benchmarks"},
    "functions": {"tests", "benchmarks", "tools"},
    "clients": {"tests", "benchmarks", "tools"},
}
EXCEPT = {"benchmarks": (IN_PROCESS,), "tests/support/in_process": (IN_PROCESS,)}
"""What of `tests` others may import: the stack in one process."""
OF_BENCHMARKS = ROOT / "tests" / "benchmarks"


def imported(file: Path, folders: Set[str]) -> Iterator[str]:
    """The module of each import of a file that may import from these folders."""
    text = file.read_text()
    if not any(folder in text for folder in folders):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("folder", MAY_NOT_IMPORT)
def test_a_folder_does_not_import_what_it_must_not(folder: str) -> None:
    files = [it for it in (ROOT / folder).rglob("*.py") if "node_modules" not in it.parts and OF_BENCHMARKS not in it.parents]
    assert files
    found = {
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files
        for module in imported(file, MAY_NOT_IMPORT[folder])
        if module.partition(".")[0] in MAY_NOT_IMPORT[folder] and not module.startswith(EXCEPT.get(folder, ()))
    }
    assert found == set()
