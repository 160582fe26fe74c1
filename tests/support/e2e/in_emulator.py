"""Programs that run with the emulator's Python, where they import it."""

import json
from pathlib import Path
from typing import Any

from tests.support.programs import printed
from tools.stack import ROOT, on_path, program
from waitpoints_local.stack import emulator_environment


def answer_of(folder: Path, module: str, *arguments: str) -> Any:
    """Run a module whose last line is JSON, with the emulator's files in this folder. Returns that line's value."""
    command = [program("emulator", "python"), "-m", module, *arguments]
    return json.loads(printed(command, ROOT, emulator_environment(folder) | on_path()).splitlines()[-1])
