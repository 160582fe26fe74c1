"""The local engine answers every row of the table as AWS does."""

import re
from collections import Counter
from pathlib import Path

from tests.recorded.rows import rows
from tests.support.e2e.in_emulator import answer_of
from tools.stack import ROOT

ROWS = rows()
PROBES = ROOT / "tests" / "support" / "e2e" / "mends.py"
SOURCE = re.compile(r"(?:\w+/)*test_\w+\.py\b.*|(?:spec|guide|docs)\b.*")


def test_no_row_ends_otherwise_than_on_aws(tmp_path: Path) -> None:
    differing = answer_of(tmp_path, "tests.recorded.run", "--json")
    assert differing == [], "\n".join(differing)


def test_every_row_says_where_it_comes_from() -> None:
    assert len(ROWS) > 200
    assert [row.line for row in ROWS if not SOURCE.fullmatch(row.source)] == []


def test_no_row_is_there_twice() -> None:
    lines = Counter((row.kind, row.line, str(row.given)) for row in ROWS)
    assert [line for line, count in lines.items() if count > 1] == []


def test_a_row_of_another_test_names_one() -> None:
    named = [row.line.partition(": ") for row in ROWS if row.kind == "probes"]
    probes = "".join(PROBES.read_text().split())
    assert named
    assert [probe for mend, _, probe in named if f'"{mend}":[{probe}],' not in probes] == []
