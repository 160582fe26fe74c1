"""Programs that run with the emulator's Python, where they import it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tools.stack import ROOT, on_path, program
from waitpoints_local.stack import emulator_environment

PATIENCE = 180  # seconds


def answer_of(folder: Path, module: str, *arguments: str) -> Any:
    """Run a module whose last line is JSON, with the emulator's files in this folder. Returns that line's value."""
    done = subprocess.run(
        [program("emulator", "python"), "-m", module, *arguments],
        cwd=ROOT,
        env=emulator_environment(folder) | on_path(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
