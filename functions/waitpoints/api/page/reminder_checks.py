"""When those who have not answered a page are asked again.

    "remind": ["4h", "1d"]    up to five durations from the create, ascending
    "remind": "every 1d"      at most 20 times

Reminders are at least an hour apart, the first one an hour after the create. A token that ends has no more of them.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from waitpoints.api.page.shapes import DURATION, Chosen, Fitting, Items, Shape
from waitpoints.errors import InvalidPage
from waitpoints.timers import reminders
from waitpoints.timers.reminders import EVERY

PATH = "page.remind"
MAX_REMINDERS = 5
LEAST = 3_600_000  # milliseconds between two reminders: the run of the timers finds each in the due index


def _shape_of(value: Any) -> Shape | str:
    if isinstance(value, str) and value.startswith(EVERY):
        return Fitting(lambda text: DURATION.fits(text.removeprefix(EVERY)), DURATION.expected)
    if isinstance(value, list) and 1 <= len(value) <= MAX_REMINDERS:
        return Items(DURATION, MAX_REMINDERS)
    return 'expected 1 to 5 durations from the create, such as ["4h", "1d"], or "every 1d"'


REMINDERS = Chosen(_shape_of)


def check_plan(page: Mapping[str, Any], lasts: int | None) -> int:
    """Return after how many milliseconds a page is asked again, or escalated, for the first time. The page has its shape.

    Raises InvalidPage if reminders come too soon, or if one of the two begins only when the token has timed out, after `lasts`
    milliseconds.
    """
    plan = reminders.plan_of(page)
    for index, (before, after) in enumerate(pairwise((0, *plan.reminders))):
        if after - before < LEAST:
            path = f"{PATH}[{index}]" if isinstance(page["remind"], list) else PATH
            raise InvalidPage(path, "reminders come in ascending order, at least an hour apart, the first after an hour")
    planned = {PATH: plan.reminders[0] if plan.reminders else None, "page.escalate.after": plan.escalation}
    begins = {path: after for path, after in planned.items() if after is not None}
    for path, after in begins.items():
        if lasts is not None and after >= lasts:
            raise InvalidPage(path, "the token times out before that, by its own timeout or by the stack's DefaultTimeout")
    return min(begins.values())
