"""A type checker finds nothing in the Python of docs/durable.md and the other documents."""

import sys
from pathlib import Path

from tests.support import testing_doc
from tests.support.programs import ended
from tests.support.readme import CLIENT_SNIPPETS, DURABLE_SNIPPETS, FIRST_OF_SEVERAL
from tools.stack import ROOT


def test_a_type_checker_finds_nothing_in_the_documents(tmp_path: Path) -> None:
    modules = {
        "durable_function": DURABLE_SNIPPETS["wait"],
        "own_token": DURABLE_SNIPPETS["own token"],
        "first_of_several": FIRST_OF_SEVERAL,
        "own_machine": testing_doc.SNIPPETS["pytest"],
        "client_readme": "\n".join(text for name, text in CLIENT_SNIPPETS.items() if name not in ("install", "shell")),
    }
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), *map(str, tmp_path.glob("*.py"))]
    checked = ended(command)
    assert checked.stdout == f"Success: no issues found in {len(modules)} source files\n", checked.stdout + checked.stderr
