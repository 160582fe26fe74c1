"""`docs/internals/contract.md` names the tests that prove each promise; code and documents name promises by id.

A name or an id that leads nowhere proves nothing, and neither does a test that `make test` leaves out.
"""

import re
from collections.abc import Iterator

import pytest

from tools.stack import ROOT

CONTRACT = (ROOT / "docs" / "internals" / "contract.md").read_text()
CLIENTS = {"client": "clients/python/tests", "local": "clients/local/tests"}
KINDS = "unit|client_and_stack|documents|tools|integration|faults|e2e|sdk|browser|client|local"
PROOF = re.compile(rf"`({KINDS})/([\w./]+)::([^`]+)`")
PROMISES = re.findall(r"^\*\*([A-Z]\d+)\*\* (.+?)\n\n", CONTRACT, re.MULTILINE | re.DOTALL)
IDS = {identifier for identifier, _ in PROMISES}
RUNS_THE_SDK = ("tests/e2e/test_sdk.py", "test_the_sdk_works_unchanged")  # each `sdk/*.test.mjs`
THOROUGH = ("tests/e2e/test_revocation.py", "test_it_is_refused_everywhere_within_a_minute_under_load")

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


def proofs(text: str) -> set[tuple[str, str]]:
    """The file and the name of each test or class in a text."""
    return {(f"{CLIENTS.get(kind, f'tests/{kind}')}/{path}", name) for kind, path, name in PROOF.findall(text)}


class Collected:
    """What pytest collects of all files that the contract names: tests and classes, and those of them that `make test` runs."""

    def __init__(self) -> None:
        self.all = set[tuple[str, str]]()
        self.run = set[tuple[str, str]]()
        files = {file for file, _ in proofs(CONTRACT) if file.endswith(".py")}
        pytest.main(
            ["--collect-only", "-qq", "-n0", "--noconftest", *sorted(files)], plugins=[self]
        )  # in no time, in this process

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            file, *names = item.nodeid.partition("[")[0].split("::")
            self.all |= {(file, name) for name in names}
            self.run |= {(file, name) for name in names if not item.get_closest_marker("thorough")}


@pytest.fixture(scope="module")
def collected() -> Collected:
    return Collected()


def test_every_test_that_the_contract_names_exists(collected: Collected) -> None:
    titles = {
        (file, name)
        for file, name in proofs(CONTRACT)
        if file.endswith(".mjs") and f'test("{name}"' in (ROOT / file).read_text()
    }
    assert proofs(CONTRACT) - titles - collected.all == set()


def test_every_promise_has_an_id_of_its_own() -> None:
    assert len(PROMISES) == len(IDS) > 40


def test_make_test_proves_every_promise(collected: Collected) -> None:
    assert {RUNS_THE_SDK, THOROUGH} & collected.run == {RUNS_THE_SDK}
    unproved = []
    for identifier, text in PROMISES:
        found = {RUNS_THE_SDK if file.startswith("tests/sdk/") else (file, name) for file, name in proofs(text)}
        unproved += [] if found & collected.run else [identifier]
    assert unproved == []


def test_every_reference_names_a_promise_of_the_contract() -> None:
    found = set(references())
    assert len(found) > 10
    assert sorted((file, name) for file, name in found if name not in IDS) == []


def test_every_claim_of_docs_aws_md_names_promises_of_the_contract() -> None:
    claims = re.findall(r"^\| [^|]*\(([A-Z]\d[^)|]*)\) \|", (ROOT / "docs" / "internals" / "aws.md").read_text(), re.MULTILINE)
    named = [name for claim in claims for name in re.findall(r"[A-Z]\d+", claim)]
    assert len(named) > 10
    assert sorted(set(named) - IDS) == []
