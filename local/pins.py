"""`make update`: move each exact version in pyproject.toml, and everything in uv.lock, to the newest that fits together."""

import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.stack import LOCAL, ROOT

UV = LOCAL / "uv" / "bin" / "uv"
_PIN = re.compile(r'"([\w.-]+)(\[[^\]]*\])?==([\w.]+)"')


def update(root: Path, uv: Path = UV) -> None:
    """Write both files, or, if no versions fit together, neither."""
    project, lock = root / "pyproject.toml", root / "uv.lock"
    before = {file: file.read_text() for file in (project, lock)}
    pinned = before[project]
    try:
        project.write_text(_PIN.sub(r'"\1\2>=\3"', pinned))
        subprocess.run([uv, "lock", "--upgrade"], cwd=root, check=True)
        project.write_text(pin(pinned, tomllib.loads(lock.read_text())))
        subprocess.run([uv, "lock", "-q"], cwd=root, check=True)
    except subprocess.CalledProcessError:
        for file, text in before.items():
            file.write_text(text)
        raise


def pin(project: str, lock: Mapping[str, Any]) -> str:
    """Return the text of pyproject.toml with the version that the lock has for each pin."""
    for group, requirements in tomllib.loads(project)["dependency-groups"].items():
        for requirement in requirements:
            if found := _PIN.fullmatch(f'"{requirement}"'):
                name, extras = found[1], found[2] or ""
                project = project.replace(found[0], f'"{name}{extras}=={version(lock, group, name)}"')
    return project


def version(lock: Mapping[str, Any], group: str, name: str) -> str:
    """Return a library's version in a group. Where groups differ, the lock names it beside the group."""
    [own] = (it["dev-dependencies"] for it in lock["package"] if "dev-dependencies" in it)
    [named] = {it.get("version") for it in own[group] if it["name"] == name}
    versions = [it["version"] for it in lock["package"] if it["name"] == name]
    return str(named or versions[0])


if __name__ == "__main__":
    update(ROOT)
