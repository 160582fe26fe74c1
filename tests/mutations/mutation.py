"""The list of mutations: what each one replaces, where that is, and which tests see it.

A place is found by its text and a test by its name, so that neither depends on how files are called.
"""

import ast
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.stages import OF_ALL_ELSE, OF_THE_STACK

LIST = Path(__file__).with_name("mutations.toml")
MUTATED = ("functions", "clients/python/src", "clients/local/src", "template.yaml")


@dataclass(frozen=True)
class Suite:
    """The tests that one run of pytest has. `spread`: how it gives them to its processes."""

    folders: tuple[str, ...]
    marks: str
    spread: str = "load"


STAGES = {
    "check": [Suite(OF_THE_STACK, "not slow and not thorough")],
    "test": [
        Suite(OF_THE_STACK, "slow and not thorough"),
        Suite(OF_ALL_ELSE, "not thorough"),
        Suite(("tests/faults",), "not thorough"),
        Suite(("tests/e2e",), "not thorough", spread="loadfile"),
    ],
}
"""What `make check` runs, and what `make test` runs besides. The tests of the benchmarks mutate nothing."""


class NotFound(Exception):
    """The list names a place or a test that is not there, or a place that is there twice."""


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One entry of the list, which explains the members."""

    name: str
    why: str
    text: str
    replacement: str
    tests: tuple[str, ...]
    contract: str | None = None
    argument: str | None = None


def load() -> list[Mutation]:
    entries = tomllib.loads(LIST.read_text())["mutation"]
    return [Mutation(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


def texts(root: Path) -> dict[Path, str]:
    """Return what each file says that may be mutated."""
    files = [file for name in MUTATED for file in ([root / name] if (root / name).is_file() else (root / name).rglob("*.py"))]
    return {file: file.read_text() for file in files}


def place(mutation: Mutation, root: Path, known: Mapping[Path, str] | None = None) -> Path:
    """Return the file that has the text to be replaced. Raises NotFound unless it is there exactly once."""
    counts = {file: text.count(mutation.text) for file, text in (known or texts(root)).items()}
    found = [file for file, count in counts.items() if count]
    if sum(counts.values()) != 1:
        where = ", ".join(f"{file.relative_to(root)} ({counts[file]})" for file in found) or "no file"
        raise NotFound(f'"{mutation.name}" replaces a text that must be in one place, and is in {where}:\n{mutation.text}')
    return found[0]


def tests(mutation: Mutation, root: Path, folders: Sequence[str]) -> list[str]:
    """Return the tests that the mutation names, of those in these folders, as pytest names them."""
    return [test for name in mutation.tests for test in _tests(name, root, folders)]


def missing_tests(mutation: Mutation, root: Path) -> list[str]:
    """Return the names of tests that are in no file."""
    folders = [folder for stage in STAGES.values() for suite in stage for folder in suite.folders]
    return [name for name in mutation.tests if not any(_tests(name, root, folders))]


def _tests(name: str, root: Path, folders: Sequence[str]) -> Iterator[str]:
    """`name` is that of a function or a class, or `Class::function`."""
    for folder in folders:
        for file in _test_files(root / folder):
            found = [test for test in _names(file) if f"::{test}".endswith(f"::{name}")]
            yield from (f"{file.relative_to(root)}::{test}" for test in found)


@cache
def _test_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("test_*.py"))


@cache
def _names(file: Path) -> list[str]:
    """Return the names of a file's classes and functions, each with the classes that it is in."""

    def within(body: Sequence[ast.stmt], outer: str) -> Iterator[str]:
        for one in body:
            if isinstance(one, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                yield outer + one.name
            if isinstance(one, ast.ClassDef):
                yield from within(one.body, f"{outer}{one.name}::")

    return list(within(ast.parse(file.read_text()).body, ""))
