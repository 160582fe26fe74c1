"""How many words the documents have, and how many lines the tests."""

import re
from pathlib import Path

from tests.support import figures
from tests.support.documents import markdown
from tools.stack import ROOT

MOST_WORDS = 45_900
"""The limit of all the changes that are planned, together, without the changelog and what BESIDES has.

Whoever needs more may raise it, and says why in the commit.
"""

MOST_TEST_LINES = 100_000
"""The limit of all tests with their support. Prove a fact at the lowest level, once, before you raise it."""

BESIDES = {
    "clients/cdk/README.md": 400,
    "clients/typescript/README.md": 400,
    "docs/agents.md": 1_600,
    "docs/internals/on-aws.md": 2_000,
    "docs/sign-in.md": 1_000,
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
    paths = [path for folder in (ROOT / "tests", *(ROOT / "clients").glob("*/tests")) for path in folder.rglob("*")]
    ignored = re.compile(r"\.|node_modules$|__pycache__$|package-lock|LICENSE")
    kept = [path for path in paths if path.is_file() and not any(map(ignored.match, path.relative_to(ROOT).parts))]
    lines = sum(path.read_bytes().count(b"\n") for path in kept)
    figures.show(f"{lines:,} lines of tests and support, of at most {MOST_TEST_LINES:,}")
    assert 50_000 < lines <= MOST_TEST_LINES
