"""When those who have not answered a page are asked again.

    "remind": ["4h", "1d"]    up to five durations from the create, ascending
    "remind": "every 1d"      at most 20 times

Reminders are at least an hour apart, the first one an hour after the create. A token that ends has no more of them.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from waitpoints.api.page import submitted
from waitpoints.errors import InvalidPage
from waitpoints.timers import reminders
from waitpoints.timers.reminders import EVERY

PATH = "page.remind"
MAX_REMINDERS = 5
LEAST = 3_600_000  # milliseconds between two reminders: the run of the timers finds each in the due index


def check(value: Any) -> None:
    """Raises InvalidPage."""
    if isinstance(value, str) and value.startswith(EVERY):
        instants = [(submitted.duration(value.removeprefix(EVERY), PATH), PATH)]
    elif isinstance(value, list) and 1 <= len(value) <= MAX_REMINDERS:
        instants = list(_instants(value))
    else:
        raise InvalidPage(PATH, 'expected 1 to 5 durations from the create, such as ["4h", "1d"], or "every 1d"')
    for (before, _), (instant, path) in pairwise([(0, PATH), *instants]):
        if instant - before < LEAST:
            raise InvalidPage(path, "reminders come in ascending order, at least an hour apart, the first after an hour")


def check_in_time(page: Mapping[str, Any], lasts: int | None) -> int:
    """Return after how many milliseconds a page is asked again, or escalated, for the first time.

    Raises InvalidPage if one of them begins only when the token has timed out, after `lasts` milliseconds.
    """
    plan = reminders.plan_of(page)
    planned = {PATH: plan.reminders[0] if plan.reminders else None, "page.escalate.after": plan.escalation}
    begins = {path: after for path, after in planned.items() if after is not None}
    for path, after in begins.items():
        if lasts is not None and after >= lasts:
            raise InvalidPage(path, "the token times out before that, by its own timeout or by the stack's DefaultTimeout")
    return min(begins.values())


def _instants(durations: list[Any]) -> Iterator[tuple[int, str]]:
    for index, text in enumerate(durations):
        path = f"{PATH}[{index}]"
        yield submitted.duration(text, path), path
