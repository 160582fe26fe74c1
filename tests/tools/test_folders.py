"""What the folders of the project may not import."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import ROOT

MAY_NOT_IMPORT = {
    "tests": {"benchmarks"},
    "benchmarks": {"tests"},
    "in_process": {"tests", "benchmarks"},
    "local": {"tests", "benchmarks", "releases"},
    "releases": {"tests", "benchmarks"},
    "openapi": {"tests", "benchmarks"},
    "functions": {"tests", "benchmarks", "in_process", "local", "openapi", "releases"},
    "clients": {"tests", "benchmarks", "in_process", "local", "openapi", "releases"},
}


def imported(file: Path) -> Iterator[str]:
    """The module of each import of a file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("folder", MAY_NOT_IMPORT)
def test_a_folder_does_not_import_what_it_must_not(folder: str) -> None:
    files = [file for file in (ROOT / folder).rglob("*.py") if "node_modules" not in file.parts]
    assert files
    found = {
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files
        for module in imported(file)
        if module.partition(".")[0] in MAY_NOT_IMPORT[folder]
    }
    assert found == set()
