"""Which file describes the local stack: that of `waitpoints up`, or that of `make run` in a clone."""

import os
import stat
import tempfile
from pathlib import Path

VARIABLE = "WAITPOINTS_LOCAL"
"""Names the folder of the stacks, or the file of one of them."""
NAME = "stack.json"
_CLONE = Path(".local") / NAME


def find() -> Path | None:
    """Return the file that describes the stack: as the environment says, else a clone's around this folder, else the user's."""
    return next((file for file in _candidates() if file.is_file()), None)


def folders() -> list[Path]:
    """Return the folders that `waitpoints up` may write to, the best one first."""
    if named := os.environ.get(VARIABLE):
        return [path.parent if (path := Path(named).absolute()).suffix == ".json" else path]
    state = os.environ.get("XDG_STATE_HOME", "")
    home = Path(state) if os.path.isabs(state) else Path(os.path.expanduser("~")) / ".local" / "state"
    return [home / "waitpoints", Path(tempfile.gettempdir()) / f"waitpoints-{_user()}"]


def is_ours(folder: Path) -> bool:
    """Whether nobody else can write to a folder: a file there names the stack that gets our requests."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == _user() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def nowhere() -> str:
    """Say where no local stack was found."""
    if named := os.environ.get(VARIABLE):
        return f"{VARIABLE}={named} describes none"
    return f"no `waitpoints up` serves one, and neither {Path.cwd()} nor a folder above it has a {_CLONE}"


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0  # Windows has none, and no local stack


def _candidates() -> list[Path]:
    if named := os.environ.get(VARIABLE):
        return [path if (path := Path(named)).suffix == ".json" else path / NAME]
    here = Path.cwd()
    clones = [folder / _CLONE for folder in (here, *here.parents)]
    return [*clones, *(folder / NAME for folder in folders() if is_ours(folder))]
