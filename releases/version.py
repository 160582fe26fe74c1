"""The version of the tree: the stack's and the client's are one."""

import re
import tomllib
from pathlib import Path

PLACES = ("pyproject.toml", "clients/python/pyproject.toml", "clients/python/src/waitpoints_client/version.py")
_ASSIGNED = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)


class WrongVersion(Exception):
    """The tree has another version. The message says where, and what to change."""


def versions(root: Path) -> dict[str, str]:
    """Return the version that each of PLACES names."""
    return {place: _read(root / place) for place in PLACES}


def _read(file: Path) -> str:
    text = file.read_text()
    if file.suffix == ".toml":
        return str(tomllib.loads(text)["project"]["version"])
    [version] = _ASSIGNED.findall(text)
    return str(version)


def check(version: str, root: Path) -> None:
    """Raise WrongVersion unless the whole tree has this version."""
    others = {place: found for place, found in versions(root).items() if found != version}
    if not version:
        raise WrongVersion(f"VERSION is missing: give the version of this tree, VERSION={next(iter(others.values()))}")
    if others:
        found = ", ".join(f"{there} in {place}" for place, there in others.items())
        raise WrongVersion(f"VERSION={version} is not the version of this tree, {found}: change it there, and run `uv lock`")
