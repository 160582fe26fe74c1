"""The client's wheel and source distribution: made, checked, and installed alone on each Python that is here."""

import re
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

from packaging.metadata import Metadata

_VERSION = "Programming Language :: Python :: "


def build(uv: Path, root: Path, folder: Path) -> Path:
    """Write both into the folder. Returns the wheel, which is made of the source distribution."""
    return build_project(uv, root / "clients" / "python", folder)


def build_project(uv: Path, project: Path, folder: Path) -> Path:
    """Write a project's wheel and source distribution into the folder. Returns the wheel."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([uv, "build", "-q", "--out-dir", scratch, project], check=True)
        made = [*Path(scratch).glob("*.whl"), *Path(scratch).glob("*.tar.gz")]
        wheel, _ = (Path(shutil.move(one, folder / one.name)) for one in made)
    return wheel


def check(folder: Path) -> None:
    """Check the metadata of each package by the rules that PyPI applies. Raises ExceptionGroup with what it refuses."""
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as packed:
            [name] = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
            Metadata.from_email(packed.read(name))
    for source in folder.glob("*.tar.gz"):
        with tarfile.open(source) as packed:
            metadata = packed.extractfile(f"{source.name.removesuffix('.tar.gz')}/PKG-INFO")
            assert metadata is not None
            Metadata.from_email(metadata.read())


def try_alone(uv: Path, wheel: Path, python: str) -> str:
    """Install the wheel and what it needs into an environment of its own. Returns what its command says about itself."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([uv, "venv", "-q", "--no-project", "--python", python, scratch], check=True)
        programs = Path(scratch) / "bin"
        subprocess.run([uv, "pip", "install", "-q", "--python", programs / "python", wheel], check=True)
        subprocess.run([programs / "waitpoints", "--help"], check=True, stdout=subprocess.DEVNULL)
        version = "import waitpoints_client; print(waitpoints_client.__version__)"
        done = subprocess.run([programs / "python", "-c", version], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def supported(root: Path) -> list[str]:
    """Return the versions of Python that the client supports, such as 3.12."""
    classifiers = tomllib.loads((root / "clients" / "python" / "pyproject.toml").read_text())["project"]["classifiers"]
    return [it.removeprefix(_VERSION) for it in classifiers if re.fullmatch(re.escape(_VERSION) + r"3\.\d+", it)]


def interpreter(version: str) -> str | None:
    """The Python of a version that can make virtual environments, on the path or in pyenv's folder."""
    candidates = [shutil.which(f"python{version}"), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    for found in candidates:
        if found and subprocess.run([found, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
            return found
    return None
