"""Programs that a test runs to their end."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.patience import give_up
from tools.stack import ROOT

PATIENCE = 600  # seconds: beside other tests, a program takes many times as long

Command = Sequence[str | Path]
Environment = Mapping[str, str]
Ended = subprocess.CompletedProcess[str]


def ended(command: Command, folder: Path = ROOT, environment: Environment | None = None, typed: str = "") -> Ended:
    """Run a program that reads what is typed. Returns how it ended, and what it printed."""
    return subprocess.run(
        command, cwd=folder, env=environment, input=typed, timeout=PATIENCE, capture_output=True, text=True, check=False
    )


def printed(command: Command, folder: Path = ROOT, environment: Environment | None = None) -> str:
    """Run a program that must not fail. Returns what it printed."""
    done = ended(command, folder, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need(program: str) -> None:
    """Skip the test if this machine lacks a program that the lines of a document run. In CI it fails."""
    if not shutil.which(program):
        give_up(f"{program} is missing")
