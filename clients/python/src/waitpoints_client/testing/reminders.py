"""When the fake asks those again who have not answered a page: each reminder at its time, until the token ends."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from waitpoints_client.testing import times
from waitpoints_client.testing.answers import invalid, iso, without_none

MOST, MOST_EVERY = 5, 20
LEAST = 3_600_000  # milliseconds between two
_EVERY = "every "
_PATH = "page.remind"


def parse(page: Any) -> tuple[int, ...] | None:
    """Return after how many milliseconds from the create a page reminds. None: it never does. Raises Refusal."""
    if not isinstance(page, dict) or "remind" not in page:
        return None
    value = page["remind"]
    if isinstance(value, str) and value.startswith(_EVERY):
        interval = times.from_create(value.removeprefix(_EVERY), _PATH)
        _refuse_near([(interval, _PATH)])
        return tuple(interval * number for number in range(1, MOST_EVERY + 1))
    if not isinstance(value, list) or not 1 <= len(value) <= MOST:
        accepted = 'expected 1 to 5 durations from the create, such as ["4h", "1d"], or "every 1d"'
        raise invalid(_PATH, accepted)
    instants = [(times.from_create(text, path), path) for text, path in _with_paths(value)]
    _refuse_near(instants)
    return tuple(instant for instant, _ in instants)


def refuse_late(begins: Mapping[str, int | None], lasts: int | None) -> None:
    """Refuse what begins only when the token has timed out, after `lasts` milliseconds. Raises Refusal."""
    for path, after in begins.items():
        if after is not None and lasts is not None and after >= lasts:
            reason = "the token times out before that, by its own timeout or by the stack's DefaultTimeout"
            raise invalid(path, reason)


def shown(plan: Sequence[int], created_at: int, timeout_at: int | None, ended_at: int | None, now: int) -> dict[str, Any]:
    """Return what retrieve has of a token's reminders. None is sent at its timeout or later."""
    due = [at for at in (created_at + after for after in plan) if timeout_at is None or at < timeout_at]
    sent = [at for at in due if at <= (now if ended_at is None else ended_at)]
    following = due[len(sent)] if ended_at is None and len(sent) < len(due) else None
    return without_none({"count": len(sent), "lastAt": iso(sent[-1]) if sent else None, "nextAt": iso(following)})


def _with_paths(value: Sequence[Any]) -> Iterator[tuple[Any, str]]:
    return ((text, f"{_PATH}[{number}]") for number, text in enumerate(value))


def _refuse_near(instants: Sequence[tuple[int, str]]) -> None:
    before = 0
    for instant, path in instants:
        if instant - before < LEAST:
            rule = "reminders come in ascending order, at least an hour apart, the first after an hour"
            raise invalid(path, rule)
        before = instant
