"""Reject unknown names and suggest the nearest known one, so that a typo is never ignored.

For example, a token created with `timeOut` would otherwise have no timeout, and its execution might never end.
"""

from collections.abc import Collection, Iterable

from waitpoints.errors import InvalidRequest

_SHOWN = 60  # characters of an unknown name that the error message repeats
_COMPARED = 100  # characters of a name that may be a known one: comparing 3 MB takes a second


def refuse_unknown(names: Iterable[str], known: Collection[str], kind: str = "field") -> None:
    """Raises InvalidRequest for the first of `names` that is not `known`."""
    for name in names:
        if name not in known:
            raise InvalidRequest(f"Validation error: {unknown(name, known, kind)}")


def unknown(name: str, known: Collection[str], kind: str = "field") -> str:
    """Return an error message with the nearest known name, or all known names if none is near."""
    import difflib

    by_spelling = {spelling: one for one in known for spelling in (_inner(one), one.lower())}
    for spelling in (name.lower(), _inner(name)) if len(name) <= _COMPARED else ():
        if near := difflib.get_close_matches(spelling, by_spelling, n=1, cutoff=0.75):
            return f'unknown {kind} "{shown(name)}": did you mean "{by_spelling[near[0]]}"?'
    return f'unknown {kind} "{shown(name)}": expected one of {", ".join(known)}'


def shown(name: str) -> str:
    """Return what an error message repeats of a name that a caller chose."""
    return name if len(name) <= _SHOWN else name[:_SHOWN] + "…"


def _inner(name: str) -> str:
    """Return the innermost name: `tags` for `filter[tags]`."""
    return name.lower().removesuffix("[]").rstrip("]").rpartition("[")[2]
