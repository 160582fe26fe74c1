"""Refusing unknown names with the nearest known one, so that a typo never decides anything.

Without this, a token created with `timeOut` would have no timeout, and its run would wait without end.
"""

from collections.abc import Collection, Iterable

from waitpoints.errors import InvalidRequest

_SHOWN = 60  # characters of a wrong name that its refusal repeats


def refuse_unknown(names: Iterable[str], known: Collection[str], kind: str = "field") -> None:
    """Raises InvalidRequest for the first of `names` that is not `known`."""
    for name in names:
        if name not in known:
            raise InvalidRequest(f"Validation error: {unknown(name, known, kind)}")


def unknown(name: str, known: Collection[str], kind: str = "field") -> str:
    """What is wrong with an unknown name: the nearest known one, or all of them."""
    import difflib  # noqa: PLC0415 - only refusals need it

    shown = name if len(name) <= _SHOWN else name[:_SHOWN] + "…"
    by_spelling = {spelling: one for one in known for spelling in (_inner(one), one.lower())}
    for spelling in (name.lower(), _inner(name)):
        if near := difflib.get_close_matches(spelling, by_spelling, n=1, cutoff=0.75):
            return f'unknown {kind} "{shown}": did you mean "{by_spelling[near[0]]}"?'
    return f'unknown {kind} "{shown}": accepted are {", ".join(known)}'


def _inner(name: str) -> str:
    """`tags` of `filter[tags]`."""
    return name.lower().removesuffix("[]").rstrip("]").rpartition("[")[2]
