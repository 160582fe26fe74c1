"""The tests of a user's project, run where the stack that is given is the one that runs."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from tests.support.e2e import prepared
from tests.support.programs import Ended, ended
from tools.stack import ROOT
from waitpoints_local.stack import Stack

PATIENT = ("-o", "waitpoints_patience=180")  # beside other tests, a run takes many times as long
SOURCES = (ROOT / "clients" / "local" / "src", ROOT / "clients" / "python" / "src")
IMPORTED = ("pytest", "pydantic", "httpx", "httpcore", "boto3", "botocore.handlers")


def run(stack: Stack, folder: Path, chosen: str = "") -> Ended:
    (folder / "stack.json").write_text(json.dumps(asdict(stack)))
    paths = os.pathsep.join(map(str, SOURCES))
    variables = {"WAITPOINTS_LOCAL": str(folder / "stack.json"), "PYTHONPATH": paths, "NO_PROXY": "127.0.0.1,localhost"}
    variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # those that this project's own tests have
    python = prepared.command(sys.executable, *IMPORTED)
    command = [*python, "-m", "pytest", "-q", "-p", "waitpoints_local.pytest_plugin", "-p", "no:cacheprovider", *PATIENT]
    return ended([*command, "-k", chosen], folder, {**os.environ, **variables})


def said(done: Ended) -> str:
    """Return what pytest printed, its summary first: a failure's reason is cut after some lines."""
    before, title, summary = done.stdout.partition("short test summary info")
    return title + summary + before + done.stderr
