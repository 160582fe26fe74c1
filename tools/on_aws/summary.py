"""What a run on AWS showed: a summary and a page in its folder, and what this project's documents say of the newest one.

`make evidence FROM=evidence` takes the summary of such a folder into the tree, and writes these documents.
"""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.on_aws.redaction import Redaction
from tools.on_aws.runner import Row
from tools.stack import ROOT
from waitpoints_local.stack import LocalError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

type Summary = Mapping[str, Any]

NEVER = "No one has run Waitpoints on AWS yet."
TREE, PAGE = Path("docs/internals/evidence"), Path("docs/internals/on-aws.md")
_LINKS = {Path("README.md"): "docs/internals/on-aws.md", Path("docs/internals/aws.md"): "on-aws.md"}
_SENTENCE = re.compile(r"^\*\*.* on AWS .*\*\*$", re.MULTILINE)


def write(folder: Path, rows: Iterable[Row], left: Iterable["DataclassInstance"], facts: Mapping[str, str]) -> None:
    """Write what a run showed. `facts` has its date, run, commit, region, version, architecture, and lines on the account."""
    summary = {
        "facts": {**facts},
        "emulator": next((value for name, value in os.environ.items() if name.startswith("AWS_ENDPOINT_URL")), ""),
        "steps": [asdict(row) for row in rows],
        "left": [asdict(it) for it in left],
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    (folder / "README.md").write_text("\n\n".join(["# A run of Waitpoints", *_parts(summary)]) + "\n")


def newest(root: Path) -> Summary | None:
    """Return the summary in a tree whose run began last."""
    found = [json.loads(path.read_text()) for path in (root / TREE).glob("*/summary.json")]
    return max(found, key=lambda it: (it["facts"]["date"], [step["started"] for step in it["steps"]]), default=None)


def documents(root: Path) -> dict[Path, str]:
    """Return each document that speaks of the newest run, as it should be."""
    summary = newest(root)
    how = "[How to](../operation.md#the-first-hour-on-aws)."
    pages = {PAGE: "\n\n".join(["# The newest run on AWS", *(_parts(summary) if summary else [f"{NEVER} {how}"])]) + "\n"}
    for path, link in _LINKS.items():
        text = (root / path).read_text()
        if len(_SENTENCE.findall(text)) != 1:
            raise LocalError(f"{path} needs one line in bold that says what was seen on AWS")
        pages[path] = _SENTENCE.sub(lambda _, link=link: _sentence(summary, link), text)  # type: ignore[misc]
    return pages


def bring(folder: Path, root: Path = ROOT) -> None:
    """Take the summary of a run into a tree. Raises LocalError if it may not be published, or shows no run on AWS."""
    summary = json.loads((folder / "summary.json").read_text())
    if summary["emulator"]:
        raise LocalError(f"{folder} is of a run on an emulator, not on AWS")
    if hits := Redaction().search(folder):
        raise LocalError(f"{folder} may not be published: " + ", ".join(f"{hit.file} has {hit.kind}" for hit in hits))
    facts = summary["facts"]
    (copy := root / TREE / f"{facts['date']}-{facts['run']}" / "summary.json").parent.mkdir(parents=True, exist_ok=True)
    copy.write_text((folder / "summary.json").read_text())
    for path, text in documents(root).items():
        (root / path).write_text(text)


def _sentence(summary: Summary | None, link: str) -> str:
    if summary is None:
        return f"**{NEVER}**"
    facts, steps = summary["facts"], Counter(step["status"] for step in summary["steps"])
    results = ", ".join(f"{steps[status]} {status}" for status in ("ok", "failed", "skipped"))
    return f"**Waitpoints {facts['version']} ran on AWS on {facts['date']}: [steps {results}]({link}).**"


def _parts(summary: Summary) -> list[str]:
    facts, steps = summary["facts"], summary["steps"]
    where = f"on an emulator at {summary['emulator']}, not on AWS" if summary["emulator"] else f"in {facts['region']}"
    return [
        f"{facts['date']}, {where}, Waitpoints {facts['version']} for {facts['architecture']}, commit {facts['commit']}.",
        "\n".join(f"- {_cell(it)}" for it in facts["account"].splitlines()),
        _table(
            ("", "step", "result", "seconds", "why"),
            [(it["number"], it["name"], it["status"], it["seconds"], it["reason"]) for it in steps],
        ),
        "## Figures",
        _table(("step", "figure", "value"), [(it["name"], *figure) for it in steps for figure in it["figures"].items()]),
        "## What differs from the documents",
        _table(("step", "what"), [(it["name"], text) for it in steps for text in it["differs"]], "No step says so."),
        "## What was left",
        _table(("kind", "name", "a month", "why"), [tuple(it.values()) for it in summary["left"]]),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], none: str = "Nothing.") -> str:
    lines = [head, ["---"] * len(head), *(map(_cell, row) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) if rows else none


def _cell(value: object) -> str:
    return str(value).replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")


def main() -> int:
    try:
        bring(Path(sys.argv[1]))
    except (LocalError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
