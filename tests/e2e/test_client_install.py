"""The Python client in a clean environment of the oldest Python on this machine, installed and used as the README says.

`make client PYTHON=3.12` runs this for another one.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.stack import ROOT, Stack
from tests.support.readme import SNIPPETS

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PATIENCE = 300  # seconds


def interpreter(version: str) -> str | None:
    """The Python of a version that can make virtual environments, on the path or in pyenv's folder."""
    candidates = [shutil.which(f"python{version}"), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    for found in candidates:
        if found and subprocess.run([found, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
            return found
    return None


def chosen() -> str:
    if version := os.environ.get("CLIENT_PYTHON"):
        found = interpreter(version)
        assert found, f"Python {version} is not on this machine"
        return found
    return next(found for version in VERSIONS if (found := interpreter(version)))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment that has nothing but pip."""
    folder = tmp_path_factory.mktemp("client")
    subprocess.run([chosen(), "-m", "venv", folder], check=True)
    return folder / "bin"


def shell(programs: Path, stack: Stack, lines: str) -> str:
    """Run lines in a shell, as a reader would who has activated the environment. Returns their output."""
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "API": stack.api_url, "KEY": stack.api_key, "NO_PROXY": "127.0.0.1,localhost"}
    done = subprocess.run(
        ["sh", "-euc", lines], env=variables, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_lines_of_the_readme_and_the_clients_own_tests_run_in_a_clean_environment(stack: Stack, environment: Path) -> None:
    program = environment.parent / "tokens.py"
    program.write_text(SNIPPETS["Python"])
    printed = shell(environment, stack, f"{SNIPPETS['Python install']}\npython {program}")
    [newest, *_] = printed.partition("completed with {'approved': True}\n")[2].splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d 0:00:\d\d\.\d+", newest), printed

    tests = shell(environment, stack, "pip install -q pytest && cd clients/python && python -m pytest -q -p no:cacheprovider")
    assert re.search(r"^\d+ passed", tests, re.MULTILINE), tests
