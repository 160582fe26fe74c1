"""The Python client and its command line in clean environments of Python 3.10 and 3.13, installed and used as the READMEs say.

`make thorough` takes the oldest of them that is installed. `.github/workflows/ci.yml` has its own tests on each version.
`make client PYTHON=3.12` runs this for another one.
"""

import json
import os
import re
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.support.programs import need, printed
from tests.support.readme import CLIENT_SNIPPETS, json_texts
from tools.release.client_package import interpreter
from tools.stack import ROOT
from waitpoints_local.stack import Stack

OLDEST, OURS = "3.10", "3.13"
CHOSEN = os.environ.get("CLIENT_PYTHON")


def version() -> str:
    """The version to test: by default the oldest one. All other tests of the client run on ours."""
    return CHOSEN or (OLDEST if interpreter(OLDEST) else OURS)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment that has nothing but pip."""
    found = interpreter(wanted := version())
    if not found:
        (pytest.fail if CHOSEN else pytest.skip)(f"Python {wanted} with venv is not installed")
    folder = tmp_path_factory.mktemp("client")
    subprocess.run([found, "-m", "venv", folder], check=True)
    return folder / "bin"


class Shell:
    """Runs lines as a reader would who has activated the environment, in a folder that looks like a clone with `make run`."""

    def __init__(self, programs: Path, stack: Stack, folder: Path) -> None:
        self.folder = folder
        (folder / "clients").symlink_to(ROOT / "clients")
        (folder / ".local").mkdir()
        (folder / ".local" / "stack.json").write_text(json.dumps(asdict(stack)))
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        self.variables = {**os.environ, "PATH": path, "API": stack.api_url, "KEY": stack.api_key}
        self.variables.pop("PYTHONPATH", None)  # set by make: a clean environment must not import the clone's packages
        self.variables |= {"NO_PROXY": "127.0.0.1,localhost", "PIP_NO_COMPILE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def run(self, lines: str) -> str:
        """Run lines, and return their output."""
        return printed(["sh", "-euc", lines], self.folder, self.variables)

    def run_tests(self, chosen: str = "") -> None:
        """Run the client's own tests, or the chosen ones."""
        tests = self.run(f"pip install -q pytest && cd clients/python && python -m pytest -q -p no:cacheprovider {chosen}")
        assert re.search(r"^\d+ passed", tests, re.MULTILINE), tests


@pytest.fixture
def shell(environment: Path, stack: Stack, tmp_path: Path) -> Shell:
    return Shell(environment, stack, tmp_path)


@pytest.mark.thorough  # clients/python/tests/test_readme.py runs them, too
def test_the_lines_of_the_readme_run_in_a_clean_environment(shell: Shell) -> None:
    program = shell.folder / "tokens.py"
    program.write_text("\n".join(CLIENT_SNIPPETS[name] for name in ("stack", "tokens", "wait", "list")))
    printed = shell.run(f"{CLIENT_SNIPPETS['install']}\npython {program}")
    [newest, *_] = printed.partition("completed with {'approved': True}\n")[2].splitlines()
    assert re.fullmatch(r"waitpoint_\w+ COMPLETED \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?\+00:00", newest), printed


@pytest.mark.thorough  # the lines of the README use most of the client
def test_the_clients_own_tests_run_in_a_clean_environment(shell: Shell) -> None:
    shell.run("pip install -q ./clients/python")
    shell.run_tests()


@pytest.mark.thorough  # test_command_line.py runs the same commands
def test_the_shell_lines_of_the_readme_run_in_a_clean_environment(shell: Shell) -> None:
    need("curl")
    shell.run('pip install -q "./clients/python[aws]"')

    listed, _, rest = shell.run(CLIENT_SNIPPETS["shell"]).partition("status 2\n")
    answers = json_texts(rest.replace("go on\n", ""))
    posted, output = (next(answers) for _ in range(2))
    assert re.match(r"waitpoint_\w+\t", listed)
    assert (posted, output) == ({"success": True}, {"approved": True})
    assert "go on\n" in rest


@pytest.mark.thorough  # it installs three times
def test_an_extra_adds_what_it_is_for(shell: Shell, stack: Stack) -> None:
    account = " ".join(f"{name}={value}" for name, value in stack.endpoint.environment().items())
    lookup = f"from waitpoints_client import Waitpoints; print(Waitpoints(stack='{stack.stack_name}').create().id)"
    printed = shell.run(f'pip install -q "./clients/python[aws]" && {account} python -c "{lookup}"')
    assert re.fullmatch(r"waitpoint_\w+\n", printed)
    shell.run_tests("tests/ops tests/test_from_stack.py")

    installed = shell.run('pip install -q "./clients/python[durable]" && pip list && python -V')
    [minor] = map(int, re.findall(r"^Python 3\.(\d+)", installed, re.MULTILINE))
    assert ("aws-durable-execution-sdk-python" in installed) == (minor >= 11)
