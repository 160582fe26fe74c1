"""The documents say of AWS what the newest evidence in the tree shows."""

from pathlib import Path

import pytest

from tools.on_aws import summary
from tools.on_aws.clean_up import Left
from tools.on_aws.runner import Row
from tools.stack import ROOT
from waitpoints_local.stack import LocalError

PAGES = ("README.md", "docs/internals/aws.md", "docs/internals/on-aws.md")
FACTS = {
    "date": "2027-01-05",
    "run": "wp1",
    "commit": "0904afe",
    "region": "eu-west-1",
    "version": "0.5.0",
    "architecture": "arm64",
    "account": "plan <paid>\nversion",
}
ROWS = [
    Row(1, "smoke", "waitpoints smoke", "2027-01-05T08:13:00Z", 61.5, "ok", figures={"resume p50": "0.31 s"}),
    Row(2, "bodies", "sh …", "2027-01-05T08:15:00Z", 3, "failed", "curl | 413 of <account>", differs=["413 in place of 400"]),
    Row(3, "upgrade", "sh …", "2027-01-05T08:15:03Z", 0, "skipped", "no tag"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with the documents of this one, and no evidence."""
    for name in PAGES:
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text((ROOT / name).read_text())
    return tmp_path / "tree"


def evidence(folder: Path, **facts: str) -> Path:
    folder.mkdir()
    summary.write(folder, ROWS, [Left("table", "wp1Table", "$0.01", "kept by a system backup")], FACTS | facts)
    return folder


def test_the_documents_say_what_the_newest_evidence_shows() -> None:
    written = {str(path): text for path, text in summary.documents(ROOT).items()}
    assert sorted(written) == sorted(PAGES)
    assert {name: (ROOT / name).read_text() for name in PAGES} == written, "run `make evidence FROM=…`"
    if summary.newest(ROOT) is None:
        assert all(summary.NEVER in text for text in written.values())


def test_a_run_changes_both_sentences_and_the_page(tree: Path, tmp_path: Path) -> None:
    summary.bring(evidence(tmp_path / "evidence"), tree)
    said = "**Waitpoints 0.5.0 ran on AWS on 2027-01-05: [steps 1 ok, 1 failed, 1 skipped]({}).**"
    for name, link in zip(PAGES, ("docs/internals/on-aws.md", "on-aws.md"), strict=False):
        assert f"\n{said.format(link)}\n" in (tree / name).read_text()
    page = (tree / PAGES[2]).read_text()
    for row in (
        "2027-01-05, in eu-west-1, Waitpoints 0.5.0 for arm64, commit 0904afe.",
        "- plan &lt;paid>\n- version",
        "| 1 | smoke | ok | 61.5 |  |",
        "| 2 | bodies | failed | 3 | curl \\| 413 of &lt;account> |",
        "| 3 | upgrade | skipped | 0 | no tag |",
        "| smoke | resume p50 | 0.31 s |",
        "| bodies | 413 in place of 400 |",
        "| table | wp1Table | $0.01 | kept by a system backup |",
    ):
        assert f"\n{row}\n" in page
    assert (tmp_path / "evidence" / "README.md").read_text().splitlines()[1:] == page.splitlines()[1:]
    assert summary.NEVER not in "".join((tree / name).read_text() for name in PAGES)


def test_an_older_run_changes_nothing(tree: Path, tmp_path: Path) -> None:
    summary.bring(evidence(tmp_path / "new"), tree)
    before = [(tree / name).read_text() for name in PAGES]
    summary.bring(evidence(tmp_path / "old", date="2026-12-31", version="0.4.0"), tree)
    assert [(tree / name).read_text() for name in PAGES] == before
    assert len([*(tree / summary.TREE).glob("*/summary.json")]) == 2


def test_neither_secrets_nor_a_rehearsal_get_into_the_tree(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder := evidence(tmp_path / "evidence")).joinpath("01-smoke.txt").write_text("of 111122223333")
    with pytest.raises(LocalError, match=r"01-smoke\.txt has account$"):
        summary.bring(folder, tree)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    folder = evidence(tmp_path / "rehearsed")
    assert ", on an emulator at http://127.0.0.1:1, not on AWS, " in (folder / "README.md").read_text()
    with pytest.raises(LocalError, match="emulator"):
        summary.bring(folder, tree)
    assert summary.newest(tree) is None
