"""Node.js for the tests in JavaScript, with the packages of tests/package-lock.json.

Without Node.js they are skipped, and fail in CI.
"""

import json
import os
from pathlib import Path
from typing import Never

import pytest

from tests.support.patience import give_up
from tests.support.programs import ended
from tools.node import NoNode, install
from tools.node import node as find_node
from tools.stack import ROOT

FOLDER = ROOT / "tests"
SDK = FOLDER / "sdk"


def node(folder: Path = FOLDER) -> str:
    """The path of Node.js, with the folder's packages installed."""
    try:
        found = find_node()
    except NoNode as error:
        missing(str(error).removesuffix(" is missing"))
    install(folder)
    return found


def esbuild() -> list[str]:
    """The command of esbuild."""
    return [node(), str(FOLDER / "node_modules" / "esbuild" / "bin" / "esbuild")]


def run_suite(subtests: pytest.Subtests, suite: Path, only: str = "", **variables: str) -> None:
    """Run a suite of tests, a `*.test.mjs`, each as a subtest. It finds `variables` in its environment.

    `only`: a regular expression of the names of those to run.
    """
    chosen = [f"--test-name-pattern={only}"] if only else []
    program = node() if FOLDER in suite.parents else find_node()
    command = [program, "--test", *chosen, f"--test-reporter={SDK / 'reporter.mjs'}", suite.name]
    done = ended(command, suite.parent, environment(**variables))
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for result in results:
        with subtests.test(result["name"]):
            assert result["passed"], result.get("error")
    assert results, done.stdout + done.stderr
    assert done.returncode == 0 or not all(result["passed"] for result in results), done.stdout + done.stderr


def missing(what: str) -> Never:
    """Skip the test, which cannot run here. In CI it fails."""
    give_up(f"{what} is missing")


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without the SDK's variables, plus `variables`."""
    steering = ("TRIGGER_", "VERCEL_", "NODE_OPTIONS", "NODE_TEST_CONTEXT")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**clean, "NO_PROXY": "127.0.0.1,localhost", **variables}
