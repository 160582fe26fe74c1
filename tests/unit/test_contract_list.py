"""`docs/contract.md` names the tests that prove each requirement; a name that leads nowhere proves nothing."""

import re

import pytest

from local.stack import ROOT

CONTRACT = (ROOT / "docs" / "contract.md").read_text()
REFERENCES = sorted(set(re.findall(r"`((?:unit|integration|faults|e2e|sdk)/[\w.]+)::([^`]+)`", CONTRACT)))


@pytest.mark.parametrize(("file", "name"), REFERENCES)
def test_every_test_that_the_contract_names_exists(file: str, name: str) -> None:
    text = (ROOT / "tests" / file).read_text()
    pattern = rf'test\("{re.escape(name)}"' if file.endswith(".mjs") else rf"(?:def|class) {name}\b"
    assert re.search(pattern, text)


def test_every_requirement_has_a_proof_and_an_id_of_its_own() -> None:
    rows = re.findall(r"^\| ([A-Z]\d+) \|.*\| ([^|]*) \|$", CONTRACT, re.MULTILINE)
    assert len(rows) == len({identifier for identifier, _ in rows}) > 40
    assert [identifier for identifier, proof in rows if "::" not in proof] == []
