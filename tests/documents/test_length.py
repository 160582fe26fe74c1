"""How many words the documents have, and how many lines the tests."""

import subprocess
from pathlib import Path

from tests.support import figures
from tests.support.documents import markdown
from tools.stack import ROOT

MOST_WORDS = 43_400
"""The limit of all the changes that are planned, together, without the changelog and what BESIDES has.

Whoever needs more may raise it, and says why in the commit.
"""

MOST_TEST_LINES = 95_000
"""The limit of all tests with their support. Prove a fact at the lowest level, once, before you raise it."""

BESIDES = {
    "clients/cdk/README.md": 400,
    "clients/typescript/README.md": 400,
    "docs/agents.md": 925,
    "docs/sign-in.md": 920,
}
"""Documents with limits of their own."""


def test_all_documents_together_stay_short() -> None:
    words = {path.relative_to(ROOT): len(path.read_text().split()) for path in markdown() if path.name != "CHANGELOG.md"}
    assert len(words) > 20
    assert {name: limit for name, limit in BESIDES.items() if words.pop(Path(name)) > limit} == {}
    total = sum(words.values())
    figures.show(f"{total:,} words in {len(words)} documents, of at most {MOST_WORDS:,}")
    longest = ", ".join(f"{path} {words[path]:,}" for path in sorted(words, key=lambda path: -words[path])[:5])
    assert total <= MOST_WORDS, (
        f"{total:,} words in all Markdown, of at most {MOST_WORDS:,} (longest: {longest}). Say a thing once, and link to it. "
        "If readers need more, raise MOST_WORDS, and say why in the commit."
    )


def test_all_tests_together_stay_short() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "tests", "clients/*/tests/*"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [name for name in tracked.stdout.splitlines() if not name.endswith(("package-lock.json", "LICENSE"))]
    lines = sum(path.read_bytes().count(b"\n") for path in map(ROOT.joinpath, names) if path.is_file())
    figures.show(f"{lines:,} lines of tests and support, of at most {MOST_TEST_LINES:,}")
    assert 50_000 < lines <= MOST_TEST_LINES
