"""`make update`: move each exact version that we name, and everything in uv.lock, to the newest that fits together."""

import re
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.stack import LOCAL, ROOT

UV = LOCAL / "uv" / "bin" / "uv"
_PIN = re.compile(r'"([\w.-]+)(\[[^\]]*\])?==([\w.]+)"')


def update(root: Path, uv: Path = UV) -> None:
    """Write the lock file and those of the projects, or, if no versions fit together, none."""
    projects, lock = [root / "pyproject.toml", *root.glob("clients/*/pyproject.toml")], root / "uv.lock"
    before = {file: file.read_text() for file in (*projects, lock)}
    try:
        for project in projects:
            project.write_text(_PIN.sub(r'"\1\2>=\3"', before[project]))
        subprocess.run([uv, "lock", "--upgrade"], cwd=root, check=True)
        for project in projects:
            project.write_text(pin(before[project], tomllib.loads(lock.read_text())))
        subprocess.run([uv, "lock", "-q"], cwd=root, check=True)
    except subprocess.CalledProcessError:
        for file, text in before.items():
            file.write_text(text)
        raise


def pin(project: str, lock: Mapping[str, Any]) -> str:
    """Return the text of pyproject.toml with the version that the lock has for each pin."""
    read = tomllib.loads(project)
    [locked] = (it for it in lock["package"] if it["name"] == read["project"]["name"])
    needed = {"": read["project"].get("dependencies", []), **read.get("dependency-groups", {})}
    for group, requirements in needed.items():
        for requirement in requirements:
            if found := _PIN.fullmatch(f'"{requirement}"'):
                name, extras = found[1], found[2] or ""
                listed = locked["dev-dependencies"][group] if group else locked["dependencies"]
                project = project.replace(found[0], f'"{name}{extras}=={version(lock, listed, name)}"')
    return project


def version(lock: Mapping[str, Any], listed: Sequence[Mapping[str, Any]], name: str) -> str:
    """Return a library's version where the lock lists it. It says there which one, if there are several."""
    [named] = {it.get("version") for it in listed if it["name"] == name}
    versions = [it["version"] for it in lock["package"] if it["name"] == name]
    return str(named or versions[0])


if __name__ == "__main__":
    update(ROOT)
