"""Node.js for the tests in JavaScript. Without it they are skipped, and fail in CI."""

import os
from pathlib import Path

import pytest

from tools.node import Missing, program

FOLDER = Path(__file__).resolve().parent


def missing(what: str) -> None:
    """Skip the test, which cannot run here. In CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing", pytrace=False)
    pytest.skip(f"{what} is missing")


def node(folder: Path = FOLDER) -> str:
    """The path of Node.js, the packages of `folder` installed."""
    try:
        return program(folder)
    except Missing as error:
        missing(str(error))
        raise


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without the SDK's variables, plus `variables`."""
    steering = ("TRIGGER_", "VERCEL_", "NODE_OPTIONS", "NODE_TEST_CONTEXT")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**clean, "NO_PROXY": "127.0.0.1,localhost", **variables}
