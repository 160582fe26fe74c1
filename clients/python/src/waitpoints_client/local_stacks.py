"""Which file describes the local stack: that of `waitpoints up`, or that of `make run` in a clone.

It names who gets requests, keys and secrets. So it is believed only if no other user can have written it, and if it leads to
this machine.
"""

import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

VARIABLE = "WAITPOINTS_LOCAL"
"""Names the folder of the stacks, or one of them: by its file, or by its port if it is in the user's folder."""
NAME = "stack.json"
_CLONE = Path(".local") / NAME
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OF_MACHINE = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/?")


class NotBelieved(PermissionError):
    """A file may lead requests elsewhere. The message says why, in one sentence."""


def find() -> Path | None:
    """Return the file that describes the stack: as the environment says, else a clone's around this folder, else the user's."""
    return next((file for file in _candidates() if file.is_file() and not _was_left_by_others(file)), None)


def read(file: Path) -> dict[str, Any]:
    """Return what a file says about a stack. Raises NotBelieved, OSError, or ValueError if it describes none."""
    real = file.resolve()
    if not is_ours(real.parent) or not _is_only_ours(real, stat.S_ISREG):
        raise NotBelieved(f"{file} is not believed: it, or its folder, is not yours, or others can write to it")
    described = json.loads(real.read_text())
    if not isinstance(described, dict):
        raise ValueError(f"{file} does not describe a local stack")
    for name in ("api_url", "endpoint_url"):
        if name in described and not _OF_MACHINE.fullmatch(str(described[name])):
            raise NotBelieved(f"{file} is not believed: its {name} leads elsewhere than to this machine")
    return described


def ask_emulator(stack: Mapping[str, Any], path: str, body: bytes | None = None) -> Any:
    """Send a request to a path of the emulator's own, with the key pair of the stack's file. Returns what `urlopen` does."""
    import base64  # noqa: PLC0415 - few commands need it, and it takes a while
    from urllib.request import ProxyHandler, Request, build_opener  # noqa: PLC0415

    pair = f"{stack.get('access_key_id')}:{stack.get('secret_access_key')}"
    headers = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}", "content-type": "application/json"}
    no_proxy = build_opener(ProxyHandler({}))
    return no_proxy.open(Request(f"{stack['endpoint_url']}{path}", body, headers), timeout=60)  # noqa: S310 - of a local stack


def folders() -> list[Path]:
    """Return the folders that `waitpoints up` may write to, the best one first."""
    if (named := os.environ.get(VARIABLE)) and not named.isdecimal():
        return [path.parent if (path := Path(named).absolute()).suffix == ".json" else path]
    state = os.environ.get("XDG_STATE_HOME", "")
    home = Path(state) if os.path.isabs(state) else Path(os.path.expanduser("~")) / ".local" / "state"
    return [home / "waitpoints", Path(tempfile.gettempdir()) / f"waitpoints-{_user()}"]


def is_ours(folder: Path) -> bool:
    """Whether no other user can write to a folder: a file there names the stack that gets our requests."""
    return _is_only_ours(folder, stat.S_ISDIR)


def nowhere() -> str:
    """Say where no local stack was found."""
    if left := next((file for file in _candidates() if file.is_file()), None):
        return f"{left} is not believed: it is not yours, or others can write to its folder"
    if named := os.environ.get(VARIABLE):
        return f"{VARIABLE}={named} describes none"
    return f"no `waitpoints up` serves one, and neither {Path.cwd()} nor a folder above it has a {_CLONE}"


def _is_only_ours(path: Path, is_kind: Callable[[int], bool]) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return is_kind(found.st_mode) and found.st_uid == _user() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _was_left_by_others(file: Path) -> bool:
    """Whether a file was found that the user may know nothing of. A file that they name is refused when it is read."""
    return not os.environ.get(VARIABLE) and not is_ours(file.parent)


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0  # Windows has none, and no local stack


def _candidates() -> list[Path]:
    named = os.environ.get(VARIABLE, "")
    if named.isdecimal():
        return [folder / f"stack.{named}.json" for folder in folders()]
    if named:
        return [path if (path := Path(named)).suffix == ".json" else path / NAME]
    here = Path.cwd()
    clones = [folder / _CLONE for folder in (here, *here.parents)]
    return [*clones, *(folder / NAME for folder in folders())]
