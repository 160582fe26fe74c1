"""The fake's list of tokens: its filters, its order and its parts."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from waitpoints_client.testing import times
from waitpoints_client.testing.answers import Refusal, refuse_unknown
from waitpoints_client.testing.tokens import ID, FakeToken

STATUSES = ("WAITING", "COMPLETED", "TIMED_OUT")
_BESIDE_UNDELIVERED = ("sort", "page[", "filter[createdAt]")
PARAMETERS = (
    "page[size]", "page[after]", "page[before]", "sort", "filter[status]", "filter[idempotencyKey]", "filter[tags]",
    "filter[createdAt][period]", "filter[createdAt][from]", "filter[createdAt][to]", "filter[completedAt][period]",
    "filter[completedAt][from]", "filter[completedAt][to]", "filter[outputIsError]", "filter[undelivered]",
)  # fmt: skip


def slice_of(tokens: Sequence[FakeToken], query: Mapping[str, str], now: int) -> tuple[list[FakeToken], dict[str, str]]:
    """Return the tokens of an answer, and its `pagination`. Raises Refusal."""
    refuse_unknown(query, PARAMETERS, "parameter")
    accepts = _filter(query, now)
    ordered = sorted((token for token in tokens if accepts(token)), key=lambda token: token.id, reverse=not _oldest(query))
    size = size_of(query)
    after, before = _cursor(query, "page[after]"), _cursor(query, "page[before]")
    is_past = _is_past(_oldest(query))
    if before:
        ahead = [token for token in ordered if is_past(f"waitpoint_{before}", token.id)]
        shown, more = ahead[-size:], len(ahead) > size
        return shown, _pagination(_bare(shown[-1].id) if shown else before, _bare(shown[0].id) if more else None)
    ahead = [token for token in ordered if not after or is_past(token.id, f"waitpoint_{after}")]
    shown = ahead[:size]
    return shown, _pagination(
        _bare(shown[-1].id) if len(ahead) > size else None, _bare(shown[0].id) if shown and after else None
    )


def size_of(query: Mapping[str, str]) -> int:
    """Return how many tokens the request wants. Raises Refusal."""
    size = query.get("page[size]", "25")
    if not re.fullmatch(r"\d{1,3}", size, re.ASCII) or not 1 <= int(size) <= 100:
        _refuse("page[size]", "must be a whole number from 1 to 100")
    return int(size)


def _is_past(oldest_first: bool) -> Callable[[str, str], bool]:
    """Return whether a first id comes after a second one in the list's order."""
    return (lambda one, other: one > other) if oldest_first else (lambda one, other: one < other)


def _pagination(next_: str | None, previous: str | None) -> dict[str, str]:
    return {name: cursor for name, cursor in (("next", next_), ("previous", previous)) if cursor}


def _filter(query: Mapping[str, str], now: int) -> Callable[[FakeToken], bool]:
    undelivered = _choice(query, "filter[undelivered]", ("true",), ", or absent for every token")
    others = [
        name for name, text in query.items() if text and not name.startswith(("filter[undelivered]", *_BESIDE_UNDELIVERED))
    ]
    if undelivered and others:
        beside = ["sort", *(name for name in PARAMETERS if name.startswith(_BESIDE_UNDELIVERED[1:]))]
        _refuse("filter[undelivered]", f"goes with {', '.join(beside)} alone, not with {others[0]}")
    statuses, tags = any_of(query, "filter[status]"), any_of(query, "filter[tags]")
    if wrong := [status for status in statuses if status not in STATUSES]:
        _refuse("filter[status]", f"Invalid status values: {', '.join(wrong)}; expected {', '.join(STATUSES)}")
    failed, key = _choice(query, "filter[outputIsError]", ("true", "false")), query.get("filter[idempotencyKey]")
    created, completed = between(query, "filter[createdAt]", now), between(query, "filter[completedAt]", now)
    by_end = any(name.startswith("filter[completedAt]") for name in query)

    def accepts(token: FakeToken) -> bool:
        end = token.outcome
        return (
            not token.kept
            and not undelivered  # the fake resumes every waiter
            and (not statuses or (end.status if end else "WAITING") in statuses)
            and (not tags or bool(set(tags) & set(token.tags)))
            and (not key or token.key == key)
            and (not failed or (failed == "true") is bool(end and end.is_error))
            and created[0] <= token.created_at <= created[1]
            and (not by_end or (end is not None and completed[0] <= end.at <= completed[1]))
        )

    return accepts


def between(query: Mapping[str, str], name: str, now: int) -> tuple[float, float]:
    """Return the first and the last instant of a filter. Raises Refusal."""
    start, end = _instant(query, f"{name}[from]", 0), _instant(query, f"{name}[to]", float("inf"))
    if period := query.get(f"{name}[period]"):
        length = times.duration(period)
        if length is None:
            _refuse(f"{name}[period]", 'must be a duration such as "30m", "24h", "7d" or "1 week"')
        start = max(start, now - length)
    return start, end


def _instant(query: Mapping[str, str], name: str, default: float) -> float:
    if not (text := query.get(name)):
        return default
    instant = int(text) if re.fullmatch(r"\d{5,15}", text, re.ASCII) else times.date(text)
    if instant is None:
        _refuse(name, "Invalid date: must be epoch milliseconds or a date such as 2030-01-31T18:00:00Z (ISO 8601)")
    return instant


def _choice(query: Mapping[str, str], name: str, accepted: tuple[str, ...], hint: str = "") -> str:
    value = query.get(name, "")
    if value not in ("", *accepted):
        _refuse(name, f"must be {' or '.join(accepted)}{hint}")
    return value


def any_of(query: Mapping[str, str], name: str) -> list[str]:
    """Return the values of a filter."""
    return query[name].split(",") if query.get(name) else []


def _oldest(query: Mapping[str, str]) -> bool:
    return _choice(query, "sort", ("-createdAt", "createdAt"), ": newest or oldest first") == "createdAt"


def _cursor(query: Mapping[str, str], name: str) -> str:
    if not (value := query.get(name)):
        return ""
    match = ID.fullmatch(value)
    if not match:
        _refuse(name, "must be a cursor from pagination.next or pagination.previous")
    return match[1]


def _bare(token_id: str) -> str:
    return token_id.removeprefix("waitpoint_")


def _refuse(name: str, what: str) -> NoReturn:
    raise Refusal(400, f"Query Error: {name} {what}")
