"""The version of this project from which its tests upgrade a stack, read from git."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tools.stack import ROOT

PREVIOUS = "9ed7bfb232a9202ec8d0d123963d13bbabc67d60"
"""The commit of the last release."""


def need_history() -> None:
    """Skip the test if this checkout does not have the previous version. With CI=true, fail."""
    known = subprocess.run(["git", "cat-file", "-e", f"{PREVIOUS}^{{commit}}"], cwd=ROOT, capture_output=True, check=False)
    if known.returncode == 0:
        return
    missing = f"The checkout has no commit {PREVIOUS}: fetch the whole history with `git fetch --unshallow`"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def folder_name() -> str:
    """What names this version among folders that outlive a commit."""
    need_history()
    found = subprocess.run(["git", "rev-parse", PREVIOUS], cwd=ROOT, capture_output=True, text=True, check=True)
    return found.stdout[:12]


def read(path: str) -> str:
    """The text of one of the previous version's files."""
    need_history()
    return subprocess.run(["git", "show", f"{PREVIOUS}:{path}"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def checkout(folder: Path) -> Path:
    """Write the previous version's files into a folder, unless they are there already. Returns the folder."""
    need_history()
    if not (folder / "template.yaml").exists():
        archived = subprocess.run(["git", "archive", PREVIOUS], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archived)) as archive:
            archive.extractall(folder, filter="data")
        # Even if no function has changed since, an upgrade replaces each.
        with (folder / "functions" / "waitpoints" / "__init__.py").open("a") as package:
            package.write("\nIS_PREVIOUS = True\n")
    return folder
