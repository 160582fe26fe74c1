"""Where the engine of the local stack is: in this environment, or in one of its own. This one runs its program.

The engine is the package `waitpoints-local`. Its dependencies have exact versions, which can conflict with a project's.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from waitpoints_client import __version__, local_stacks

from waitpoints_local.stack import LocalError

PACKAGE, PROGRAM = "waitpoints-local", "waitpoints-engine"
PACKAGES = (PACKAGE, "waitpoints-testing", "waitpoints-client")
VARIABLE = "WAITPOINTS_ENGINE"
"""Names the program of an engine."""
PYTHONS = ("python3.13", "python3.14")
OWN = "`waitpoints install` gives the engine an environment of its own"
_PIN = re.compile(r"([\w.-]+)(?:\[[\w,]*\])?==([\w.]+)")
Run = Callable[[Sequence[str | Path]], None]


def find() -> Path | None:
    """Return the engine's program in another environment; None if the engine is in this one. Raises LocalError without one."""
    if named := os.environ.get(VARIABLE):
        if not os.access(named, os.X_OK):
            raise LocalError(f"{VARIABLE}={named} is no program: name the `{PROGRAM}` of an environment with {PACKAGE}")
        return Path(named)
    here = find_conflict()
    if not here:
        return None
    if elsewhere := _find_elsewhere():
        return elsewhere
    raise LocalError(f"{here}: {OWN}, which is found from here")


def find_conflict() -> str:
    """Say why the engine cannot run in this environment; empty if it can."""
    try:
        needed = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return f"The package {PACKAGE} is not installed here"
    for requirement in needed:
        if (pin := _PIN.fullmatch(requirement.partition(";")[0].strip())) and (found := _version(pin[1])) != pin[2]:
            return f"The engine needs {pin[1]} {pin[2]}, and this environment has {found or 'none'}"
    return ""


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _find_elsewhere() -> Path | None:
    """Return what `waitpoints install` has made, else what is on the path, but not of this environment."""
    if os.access(own := folder() / "bin" / PROGRAM, os.X_OK):
        return own
    ours = Path(sys.prefix, "bin").resolve()
    others = [it for it in os.environ.get("PATH", "").split(os.pathsep) if it and Path(it).resolve() != ours]
    found = shutil.which(PROGRAM, path=os.pathsep.join(others))
    return Path(found) if found else None


def folder() -> Path:
    """Return the environment that `waitpoints install` makes."""
    data = os.environ.get("XDG_DATA_HOME", "")
    home = Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share"
    return home / "waitpoints" / "engine"


def install(run: Run, find_links: str | None = None) -> Path:
    """Make the engine's environment anew, with this version, by uv or else by pip. Returns its folder. Raises LocalError.

    `find_links` is where packages are that the index lacks. Each is named then: uv takes no other one of a pre-release.
    """
    made, wanted = folder(), [f"{PACKAGE}=={__version__}"]
    if find_links:
        wanted = ["--find-links", find_links, *(f"{name}=={__version__}" for name in PACKAGES)]
    shutil.rmtree(made, ignore_errors=True)
    if uv := shutil.which("uv"):
        run([uv, "venv", "-q", "--no-project", "--python", ">=3.13", made])
        anew = [word for name in PACKAGES for word in ("--refresh-package", name)]  # one version may have been built again
        run([uv, "pip", "install", "-q", *anew, "--python", made / "bin" / "python", *wanted])
        return made
    new_enough = [sys.executable] if sys.version_info >= (3, 13) else []
    python = next(filter(None, [*new_enough, *map(shutil.which, PYTHONS)]), None)
    if python is None:
        raise LocalError(f"The engine needs Python 3.13 or newer, or uv: none of {', '.join(PYTHONS)} and uv is on the path")
    run([python, "-m", "venv", made])
    run([made / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted])
    return made


def variables_for_it() -> dict[str, str]:
    """Return the environment of an engine's program, which itself looks for no other one."""
    return {name: value for name, value in os.environ.items() if name != VARIABLE}


def up(program: Path, stacks: Path, parameters: Mapping[str, str]) -> Any:
    """Start a stack on a free port, described in the folder of stacks. Returns what the engine says. Raises LocalError."""
    chosen = [word for name, value in parameters.items() for word in ("--parameters", f"{name}={value}")]
    variables = {**variables_for_it(), local_stacks.VARIABLE: str(stacks)}
    command = [str(program), "up", "--port", "0", *chosen, "--json"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{program} could not start a stack: {done.stderr.strip()}")
    return json.loads(done.stdout)


def check_version(version: str) -> None:
    """Raise LocalError for an engine of another version."""
    if version != __version__:
        raise LocalError(f"The engine is of version {version}, not {__version__}: run `waitpoints install`")
