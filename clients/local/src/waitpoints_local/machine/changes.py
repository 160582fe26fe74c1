"""What a state has changed: its output beside its input, as lines that a person reads."""

import json
import re
from collections.abc import Iterator
from typing import Any

LONGEST = 300  # characters of a value
MOST = 12  # changes of a state
_LONG_URL = re.compile(r"(https?://[^/\s\"\\]+/)[^\s\"\\]{30,}([^\s\"\\]{8})")
_PLAIN = re.compile(r"\w[\w-]*")


def changes(before: Any, after: Any) -> list[str]:
    """Say what was added, changed and dropped; all of the output if nothing of the input is left in it."""
    if before == after:
        return ["gave the same"]
    if not _is_akin(before, after):
        return [f"gave {shown(after)}"]
    found = list(_differences(before, after, ""))
    return [*found[:MOST], *([f"and {len(found) - MOST} more changes"] if len(found) > MOST else [])]


def shown(value: Any) -> str:
    """Return a value as JSON that is not too long: URLs lose their middle first."""
    return short(_LONG_URL.sub(r"\1…\2", json.dumps(value, ensure_ascii=False)))


def short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def _is_akin(before: Any, after: Any) -> bool:
    """Whether one was made of the other: only then is a list of differences the shorter reading."""
    if isinstance(before, dict) and isinstance(after, dict):
        return any(name in before and (before[name] == it or _is_akin(before[name], it)) for name, it in after.items())
    if isinstance(before, list) and isinstance(after, list):
        return bool(before) and before == after[: len(before)]
    return False


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, list):
        for number in range(len(before), len(after)):
            yield f"added {path}[{number}] = {shown(after[number])}"
        return
    for name, value in after.items():
        inner = _joined(path, name)
        if name not in before:
            yield f"added {inner} = {shown(value)}"
        elif _is_akin(before[name], value):
            yield from _differences(before[name], value, inner) if before[name] != value else ()
        elif before[name] != value:
            yield f"changed {inner} = {shown(value)}, was {shown(before[name])}"
    yield from (f"dropped {_joined(path, name)}" for name in before if name not in after)


def _joined(path: str, name: str) -> str:
    name = name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    return f"{path}.{name}" if path else name
