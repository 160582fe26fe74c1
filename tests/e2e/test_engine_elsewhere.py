"""A project with libraries of old versions has the fixtures and the command line, and the engine an environment of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.e2e import own_tests, wheels
from tests.support.programs import Ended, ended
from tools.release import client_package
from tools.stack import ROOT

pytestmark = pytest.mark.thorough  # it installs everything

OLD = ("moto==4.2.14", "pydantic==2.5.3", "boto3==1.28.85")
NOWHERE = "http://127.0.0.1:9"  # where nothing listens


class Project:
    """A folder with the patterns' tests, an environment, and a home."""

    def __init__(self, folder: Path, python: str, *requirements: str | Path) -> None:
        self.folder, self.environment = folder / "project", folder / "environment"
        shutil.copytree(ROOT / "clients" / "local" / "examples" / "patterns", self.folder)
        shutil.copytree(ROOT / "examples" / "statemachines", self.folder / "statemachines")
        subprocess.run([wheels.UV, "venv", "-q", "--no-project", "--python", python, self.environment], check=True)
        self.install(*requirements)

    def install(self, *requirements: str | Path) -> None:
        command: list[str | Path] = [wheels.UV, "pip", "install", "-q", "--python", self.environment / "bin" / "python"]
        subprocess.run([*command, *requirements], check=True)

    def run(self, *words: str, **variables: str) -> Ended:
        ours = {
            name: it for name, it in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "VIRTUAL", "WAITPOINTS"))
        }
        ours |= {"HOME": str(self.folder), "WAITPOINTS_LOCAL": str(self.folder / "stacks"), "NO_PROXY": "127.0.0.1,localhost"}
        return ended([self.environment / "bin" / words[0], *words[1:]], self.folder, {**ours, **variables})


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Project]:
    python = client_package.interpreter("3.11")
    if python is None:
        pytest.skip("Python 3.11 is not on this machine")
    found = [next(wheels.built().glob(f"waitpoints_{name}-*.whl")) for name in ("client", "testing")]
    project = Project(tmp_path, python, *found, *OLD, "pytest", "pytest-xdist")
    yield project
    project.run("waitpoints", "down", "--all")


def test_old_libraries_stay_and_the_tests_run_with_an_engine_of_its_own(old: Project) -> None:
    missing = old.run("pytest", "-q", "-k", "test_rejected")
    assert "`waitpoints install` gives the engine an environment of its own" in missing.stdout, missing.stdout
    links = str(wheels.built())
    uv = f"{wheels.UV.parent}{os.pathsep}{os.environ['PATH']}"
    variables = {"PATH": uv, "HOME": os.environ["HOME"], "XDG_DATA_HOME": str(old.folder / "data")}
    made = old.run("waitpoints", "install", "--find-links", links, **variables)
    assert made.returncode == 0, made.stderr
    offline = {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "XDG_DATA_HOME": str(old.folder / "data")}
    done = old.run("pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *own_tests.PATIENT, **offline)
    assert (done.returncode, "30 passed" in done.stdout) == (0, True), own_tests.said(done)
    assert not [*(old.folder / "stacks").glob("stack*.json")], "the session has ended what it started"
    up = old.run("waitpoints", "up", "--port", "0", **offline)
    assert (up.returncode, up.stdout.startswith("Serves at ")) == (0, True), up.stderr
    tried = old.run("waitpoints", "try", "statemachines/wait_for_webhook.asl.json", "--answer", "1", **offline)
    assert "SUCCEEDED" in tried.stdout, tried.stdout + tried.stderr


def test_in_one_environment_a_library_of_another_version_is_named_with_what_to_do(tmp_path: Path) -> None:
    python = client_package.interpreter("3.13")
    assert python
    project = Project(tmp_path, python, *wheels.built().glob("*.whl"))
    project.install("moto==4.2.14")
    done = project.run("waitpoints", "up", "--port", "0")
    why = "The engine needs moto 5.2.5, and this environment has 4.2.14: `waitpoints install` gives the engine"
    assert (done.returncode, why in done.stderr) == (1, True), done.stderr
