"""Run a suite of tests in headless Chromium: a `*.test.mjs` in this folder, which uses `browser.mjs`."""

import shutil
from pathlib import Path

import pytest

from tests.support import node

FOLDER = Path(__file__).resolve().parent
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first has no windows, and so needs half the processor time."""


def chromium() -> str:
    """The path of Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        node.missing("Chromium")
    assert found
    return found


def run(subtests: pytest.Subtests, suite: str, only: str = "", **variables: str) -> None:
    """As `node.run_suite`, of the suite's name, such as `page.test.mjs`."""
    node.run_suite(subtests, FOLDER / suite, only, CHROMIUM=chromium(), **variables)
