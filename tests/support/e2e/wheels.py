"""The packages of a release that are wheels, of this tree: built once for all processes and runs."""

import subprocess
import sys
from pathlib import Path

from tests.support.e2e.built import SOURCES, digest
from tests.support.e2e.folders import BUILDS
from tools import checkout
from tools.release import client_package, local_package
from tools.stack import LOCAL, LOCKS, ROOT
from waitpoints_local.turns import one_at_a_time

UV = LOCAL / "uv" / "bin" / "uv"
FOLDER = BUILDS / "wheels"
PROJECTS = ("clients/python", "clients/local", "clients/engine")


def built() -> Path:
    """Return the folder with the wheels, and with what they are made of."""
    stamp, now = FOLDER / "sources", digest(ROOT, (*SOURCES, *PROJECTS))
    with one_at_a_time(LOCKS / "e2e-wheels"):
        if not stamp.exists() or stamp.read_text() != now:
            FOLDER.mkdir(parents=True, exist_ok=True)
            for file in FOLDER.iterdir():
                file.unlink()
            client_package.build(UV, ROOT, FOLDER)
            local_package.build(UV, checkout.code(), FOLDER)
            stamp.write_text(now)
    return FOLDER


def install(folder: Path, *more: str) -> Path:
    """Make an environment with the wheels and `more`, and nothing else. Returns the folder of its programs."""
    subprocess.run([UV, "venv", "-q", "--no-project", "--python", sys.executable, folder], check=True)
    command: list[str | Path] = [UV, "pip", "install", "-q", "--python", folder / "bin" / "python"]
    subprocess.run([*command, *sorted(built().glob("*.whl")), *more], check=True)
    return folder / "bin"
