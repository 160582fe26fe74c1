"""The Python client in clean environments of Python 3.10 and 3.13, installed and used as the READMEs say.

A version that is not installed is skipped; `.github/workflows/ci.yml` has the client's own tests on every version.
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

OLDEST, OURS = "3.10", "3.13"
CHOSEN = os.environ.get("CLIENT_PYTHON")
PATIENCE = 300  # seconds


def interpreter(version: str) -> str | None:
    """The Python of a version that can make virtual environments, on the path or in pyenv's folder."""
    candidates = [shutil.which(f"python{version}"), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    for found in candidates:
        if found and subprocess.run([found, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
            return found
    return None


@pytest.fixture(scope="module", params=[CHOSEN] if CHOSEN else [OLDEST, OURS])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment that has nothing but pip."""
    found = interpreter(request.param)
    if not found:
        (pytest.fail if CHOSEN else pytest.skip)(f"Python {request.param} with venv is not installed")
    folder = tmp_path_factory.mktemp("client")
    subprocess.run([found, "-m", "venv", folder], check=True)
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


def test_an_extra_adds_what_it_is_for(stack: Stack, environment: Path) -> None:
    credentials = "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test"
    account = f"AWS_ENDPOINT_URL={stack.endpoint_url} AWS_REGION={stack.region} {credentials}"
    lookup = f"from waitpoints_client import Waitpoints; print(Waitpoints(stack='{stack.stack_name}').create().id)"
    printed = shell(environment, stack, f'pip install -q "./clients/python[aws]" && {account} python -c "{lookup}"')
    assert re.fullmatch(r"waitpoint_\w+\n", printed)

    installed = shell(environment, stack, 'pip install -q "./clients/python[durable]" && pip list && python -V')
    [minor] = map(int, re.findall(r"^Python 3\.(\d+)", installed, re.MULTILINE))
    assert ("aws-durable-execution-sdk-python" in installed) == (minor >= 11)
