"""Run a suite of tests in headless Chromium: a `*.test.mjs` in this folder, which uses `browser.mjs`."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support import node

FOLDER = Path(__file__).resolve().parent
_REPORTER = node.SDK / "reporter.mjs"


@dataclass(frozen=True)
class Result:
    name: str
    passed: bool
    error: str | None = None


BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first has no windows, and so needs half the processor time."""


def chromium() -> str:
    """The path of Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        node.missing("Chromium")
    assert found
    return found


def run(suite: str, **variables: str) -> list[Result]:
    """The result of each test of the suite, such as `page.test.mjs`, which finds `variables` in its environment."""
    done = subprocess.run(
        [node.node(), "--test", f"--test-reporter={_REPORTER}", suite],
        cwd=FOLDER,
        env=node.environment(CHROMIUM=chromium(), **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    results = [Result(line["name"], line["passed"], line.get("error")) for line in lines]
    assert results, done.stdout + done.stderr
    assert done.returncode == 0 or not all(result.passed for result in results), done.stdout + done.stderr
    return results
