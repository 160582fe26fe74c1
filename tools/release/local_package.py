"""The wheels of waitpoints-testing and waitpoints-local: the modules, and the stack of this version, ready for the emulator.

The functions' libraries are what waitpoints-local depends on. So the template has no layers, and its wheel is the same
everywhere.
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
from tools.stack import ROOT


def build(uv: Path, code: Mapping[str, bytes], folder: Path) -> Path:
    """Write the wheels and the source distributions into the folder. Returns the wheel of waitpoints-local."""
    with tempfile.TemporaryDirectory() as scratch:
        testing, engine = (_copied(name, Path(scratch) / name) for name in ("local", "engine"))
        fill(engine / "src" / "waitpoints_engine" / "content", code)
        build_project(uv, testing, folder)
        return build_project(uv, engine, folder)


def _copied(name: str, project: Path) -> Path:
    left_out = shutil.ignore_patterns("__pycache__", "tests", "examples", "content")
    return Path(shutil.copytree(ROOT / "clients" / name, project, ignore=left_out))


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
