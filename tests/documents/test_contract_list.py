"""`docs/internals/contract.md` names the tests that prove each promise; code and documents name promises by id.

A name or an id that leads nowhere proves nothing, and neither does a test that `make test` leaves out.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tools.stack import ROOT

CONTRACT = (ROOT / "docs" / "internals" / "contract.md").read_text()
CLIENTS = {"client": ROOT / "clients" / "python" / "tests", "local": ROOT / "clients" / "local" / "tests"}
KINDS = "unit|client_and_stack|documents|tools|integration|faults|e2e|sdk|browser|client|local"
PROOF = re.compile(rf"`((?:{KINDS})/[\w./]+)::([^`]+)`")
PROOFS = sorted(set(PROOF.findall(CONTRACT)))
PROMISES = re.findall(r"^\*\*([A-Z]\d+)\*\* (.+?)\n\n", CONTRACT, re.MULTILINE | re.DOTALL)
IDS = {identifier for identifier, _ in PROMISES}
SDK = ("e2e/test_sdk.py", "test_the_sdk_works_unchanged")  # runs each `sdk/*.test.mjs`

FOLDERS = (
    "functions",
    "tools",
    "benchmarks",
    "clients",
    "layers",
    "examples",
    "tests",
    "docs",
)
SUFFIXES = {".py", ".mjs", ".jsx", ".md", ".yaml", ".json"}
INSTALLED = "node_modules"
ID = r"[A-Z]?\d[\w.]*\w|[A-Z]?\d"  # wider than a real id, so that a section's number is found too
REFERENCE = re.compile(rf"\bcontract ((?:{ID})(?:(?:, | and | to )(?:{ID}))*)", re.IGNORECASE)


def references() -> Iterator[tuple[str, str]]:
    """Each file with each id that it refers to: "contract C2", "contract P1 and K1", "contract A1 to A3"."""
    files = [path for path in ROOT.iterdir() if path.suffix in SUFFIXES]
    files += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    for path in files:
        name = str(path.relative_to(ROOT))
        if INSTALLED not in name:
            text = re.sub(r"\s+(?:[#*/]+ )?", " ", path.read_text())  # a reference may go on in the next line
            yield from ((name, found) for match in REFERENCE.finditer(text) for found in re.findall(ID, match[1]))


def source(file: str) -> str:
    folder, _, below = file.partition("/")
    return (CLIENTS[folder] / below if folder in CLIENTS else ROOT / "tests" / file).read_text()


@cache
def module(file: str) -> ast.Module:
    return ast.parse(source(file))


def is_thorough(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> bool:
    """Whether a decorator or `pytestmark` leaves all of it to `make thorough`. A mark of one parameter does not."""
    marks = [] if isinstance(node, ast.Module) else list(node.decorator_list)
    for statement in node.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "pytestmark":
            marks += statement.value.elts if isinstance(statement.value, ast.List) else [statement.value]
    return any(ast.unparse(mark).startswith("pytest.mark.thorough") for mark in marks)


def is_run(node: ast.Module | ast.ClassDef | ast.FunctionDef, name: str | None) -> bool:
    """Whether `make test` runs a test of that name in the node, or without a name any test."""
    if is_thorough(node):
        return False
    if isinstance(node, ast.FunctionDef):
        return node.name.startswith("test_") and name in (None, node.name)
    name = None if isinstance(node, ast.ClassDef) and node.name == name else name
    return any(is_run(child, name) for child in node.body if isinstance(child, ast.ClassDef | ast.FunctionDef))


def is_run_by_make_test(file: str, name: str) -> bool:
    if file.startswith("sdk/"):
        file, name = SDK
    return file.endswith(".py") and is_run(module(file), name)


@pytest.mark.parametrize(("file", "name"), PROOFS)
def test_every_test_that_the_contract_names_exists(file: str, name: str) -> None:
    pattern = rf'test\("{re.escape(name)}"' if file.endswith(".mjs") else rf"(?:def|class) {name}\b"
    assert re.search(pattern, source(file))


def test_every_promise_has_an_id_of_its_own() -> None:
    assert len(PROMISES) == len(IDS) > 40


def test_make_test_proves_every_promise() -> None:
    unproved = [
        identifier
        for identifier, text in PROMISES
        if not any(is_run_by_make_test(file, name) for file, name in PROOF.findall(text))
    ]
    assert unproved == []


TEST = "def test_it(): ...\n"
OF_CLASS = "class TestIt:\n    def test_one(self): ...\n"
MARK = "@pytest.mark.thorough\n"


@pytest.mark.parametrize("name", ["test_it", "test_one", "TestIt"])
def test_a_proof_that_is_not_marked_counts(name: str) -> None:
    one_value = '@pytest.mark.parametrize("n", [3, pytest.param(100, marks=pytest.mark.thorough)])\n'
    assert is_run(ast.parse("pytestmark = pytest.mark.slow\n" + one_value + TEST + OF_CLASS), name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (MARK + TEST, "test_it"),
        ("@pytest.mark.thorough()\n" + TEST, "test_it"),
        ("pytestmark = pytest.mark.thorough\n" + TEST, "test_it"),
        ("pytestmark = [pytest.mark.slow, pytest.mark.thorough]\n" + TEST, "test_it"),
        (MARK + OF_CLASS, "TestIt"),
        (MARK + OF_CLASS, "test_one"),
        ("class TestIt:\n    pytestmark = pytest.mark.thorough\n    def test_one(self): ...\n", "test_one"),
        ("class TestIt:\n    @pytest.mark.thorough\n    def test_one(self): ...\n", "TestIt"),
        (TEST, "test_one"),
        ("def it(): ...\n", "it"),
        (MARK + TEST + OF_CLASS, "test_it"),
    ],
)
def test_a_proof_that_make_test_leaves_out_does_not_count(text: str, name: str) -> None:
    assert not is_run(ast.parse(text), name)


def test_every_reference_names_a_promise_of_the_contract() -> None:
    found = set(references())
    assert len(found) > 10
    assert sorted((file, name) for file, name in found if name not in IDS) == []


def test_every_claim_of_docs_aws_md_names_promises_of_the_contract() -> None:
    claims = re.findall(r"^\| [^|]*\(([A-Z]\d[^)|]*)\) \|", (ROOT / "docs" / "internals" / "aws.md").read_text(), re.MULTILINE)
    named = [name for claim in claims for name in re.findall(r"[A-Z]\d+", claim)]
    assert len(named) > 10
    assert sorted(set(named) - IDS) == []
