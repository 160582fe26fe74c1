"""`docs/internals/contract.md` names the tests that prove each requirement; code and documents name requirements by id.

A name or an id that leads nowhere proves nothing.
"""

import re
from collections.abc import Iterator

import pytest

from local.stack import ROOT

CONTRACT = (ROOT / "docs" / "internals" / "contract.md").read_text()
CLIENT = ROOT / "clients" / "python" / "tests"
PROOFS = sorted(set(re.findall(r"`((?:unit|integration|faults|e2e|sdk|browser|client)/[\w./]+)::([^`]+)`", CONTRACT)))
ROWS = re.findall(r"^\| ([A-Z]\d+) \|.*\| ([^|]*) \|$", CONTRACT, re.MULTILINE)
IDS = {identifier for identifier, _ in ROWS}

FOLDERS = (
    "functions",
    "in_process",
    "local",
    "openapi",
    "benchmarks",
    "clients",
    "layers",
    "statemachines",
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


@pytest.mark.parametrize(("file", "name"), PROOFS)
def test_every_test_that_the_contract_names_exists(file: str, name: str) -> None:
    folder, _, below = file.partition("/")
    text = (CLIENT / below if folder == "client" else ROOT / "tests" / file).read_text()
    pattern = rf'test\("{re.escape(name)}"' if file.endswith(".mjs") else rf"(?:def|class) {name}\b"
    assert re.search(pattern, text)


def test_every_requirement_has_a_proof_and_an_id_of_its_own() -> None:
    assert len(ROWS) == len(IDS) > 40
    assert [identifier for identifier, proof in ROWS if "::" not in proof] == []


def test_every_reference_names_a_requirement_of_the_contract() -> None:
    found = set(references())
    assert len(found) > 10
    assert sorted((file, name) for file, name in found if name not in IDS) == []


def test_every_claim_of_docs_aws_md_names_requirements_of_the_contract() -> None:
    claims = re.findall(r"^\| [^|]*\(([A-Z]\d[^)|]*)\) \|", (ROOT / "docs" / "internals" / "aws.md").read_text(), re.MULTILINE)
    named = [name for claim in claims for name in re.findall(r"[A-Z]\d+", claim)]
    assert len(named) > 10
    assert sorted(set(named) - IDS) == []
