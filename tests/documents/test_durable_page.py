"""docs/durable.md: its template is the example's, and a type checker finds nothing in the Python of the documents."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from local.stack import ROOT
from tests.support.readme import CLIENT_SNIPPETS, DURABLE_SNIPPETS, FIRST_OF_SEVERAL, SNIPPETS

PAGE = (ROOT / "docs" / "durable.md").read_text()


class Loader(yaml.SafeLoader):
    """Reads `!Ref A` as ["!Ref", "A"]."""


Loader.add_multi_constructor("!", lambda _, tag, node: [f"!{tag}", node.value])


def missing(part: Any, whole: Any, place: str = "") -> list[str]:
    """The places at which a template has what another one has not."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return [it for name in part for it in missing(part[name], whole.get(name), f"{place}.{name}")]
    if isinstance(part, list) and isinstance(whole, list) and not str(part[0]).startswith("!"):
        return [f"{place}: {it}" for it in part if it not in whole]
    return [] if part == whole else [f"{place}: {part}, not {whole}"]


def test_the_template_is_that_of_the_example() -> None:
    shown = yaml.load(DURABLE_SNIPPETS["template"], Loader)  # noqa: S506 - Loader is a SafeLoader
    example = yaml.load((ROOT / "examples" / "durable_approval" / "template.yaml").read_text(), Loader)  # noqa: S506
    assert missing(shown, example) == []
    assert shown["Resources"]["Approval"]["Properties"]["DurableConfig"]


def test_a_type_checker_finds_nothing_in_the_documents(tmp_path: Path) -> None:
    modules = {
        "durable_function": SNIPPETS["durable function"],
        "own_token": DURABLE_SNIPPETS["own token"],
        "first_of_several": FIRST_OF_SEVERAL,
        "client_readme": "\n".join(text for name, text in CLIENT_SNIPPETS.items() if name not in ("install", "shell")),
    }
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), *map(str, tmp_path.glob("*.py"))]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.stdout == f"Success: no issues found in {len(modules)} source files\n", checked.stdout + checked.stderr
