"""The digest of a JSON value: the same in every process, whatever the order of an object's members (RFC 8785)."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import rfc8785

_EXACT: Final = 2**53 - 1
"""The largest integer that RFC 8785 knows."""
_Path: TypeAlias = list[str | int]


def digest(value: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an object's canonical JSON. Raises ValueError, which names the path, for what is no JSON.

    For RFC 8785, numbers are doubles. So that no two ids of a database are one, a larger integer becomes text, and the paths
    of all such texts are part of what is digested.
    """
    large: list[_Path] = []
    try:
        plain = _plain(dict(value), [], large)
        text = rfc8785.dumps([plain, large] if large else plain)
    except RecursionError:
        raise ValueError("It is nested too deeply for JSON") from None
    return hashlib.sha256(text).hexdigest()


def _plain(value: Any, path: _Path, large: list[_Path]) -> Any:
    """Return the value as RFC 8785 can write it. Appends the paths of larger integers to `large`."""
    if isinstance(value, (list, tuple)):
        return [_plain(item, [*path, number], large) for number, item in enumerate(value)]
    if isinstance(value, dict):
        for name in value:
            _check_name(name, path)
        return {name: _plain(value[name], [*path, name], large) for name in sorted(value)}
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, int):
        if abs(value) > _EXACT:
            large.append(path)
            return f"{value:x}"  # as decimal text, it could be too long for Python
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _refusal(path, f"{value} is no number of JSON")
    elif value is not None:
        raise _refusal(path, f"{type(value).__name__} is no type of JSON: give a text, number, bool, None, list or dict")
    return value


def _check_name(name: Any, path: _Path) -> None:
    if not isinstance(name, str):
        raise _refusal(path, f"the name of a member must be a text, not {type(name).__name__}")
    _check_text(name, path)


def _check_text(text: str, path: _Path) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _refusal(path, "half of a surrogate pair is no text") from None


def _refusal(path: _Path, reason: str) -> ValueError:
    shown = "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in path)
    return ValueError(f"{shown.removeprefix('.')}: {reason}")
