"""The wheel of waitpoints-local: its modules, and the stack of this version, ready for the emulator.

The functions' libraries are what the package depends on. So the template has no layers, and the wheel is the same everywhere.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tools import checkout
from tools.release.client_package import build_project
from tools.stack import PACKAGE, ROOT


def build(uv: Path, code: Mapping[str, bytes], folder: Path) -> Path:
    """Write the wheel and the source distribution into the folder. Returns the wheel, which is made of the other one."""
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "project"
        shutil.copytree(PACKAGE.parent, project, ignore=shutil.ignore_patterns("__pycache__", "tests", "examples", "content"))
        fill(project / "src" / "waitpoints_local" / "content", code)
        return build_project(uv, project, folder)


def try_alone(uv: Path, wheel: Path) -> str:
    """Install the wheel, beside which the client's lies, into an environment of its own. Returns the stack's address there."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # which has the clone's own
        environment |= {"WAITPOINTS_LOCAL": str(Path(scratch) / "stacks")}
        programs = Path(scratch) / "environment" / "bin"
        subprocess.run([uv, "venv", "-q", "--no-project", "--python", "3.13", programs.parent], check=True)
        install: list[str | Path] = [uv, "pip", "install", "-q", "--python", programs / "python"]
        subprocess.run([*install, *wheel.parent.glob("*.whl")], check=True)
        up: list[str | Path] = [programs / "waitpoints", "up", "--port", "0", "--json"]
        done = subprocess.run(up, env=environment, check=True, capture_output=True, text=True)
        subprocess.run([programs / "waitpoints", "down"], env=environment, check=True, stdout=subprocess.DEVNULL)
    return str(json.loads(done.stdout)["api_url"])


def fill(content: Path, code: Mapping[str, bytes]) -> None:
    """Write the files of the stack into a folder."""
    for path, found in checkout.content_of((ROOT / "template.yaml").read_text(), code).items():
        (content / path).parent.mkdir(parents=True, exist_ok=True)
        (content / path).write_bytes(found)
