"""Requests that are refused: with which status, in which words, and nothing is changed."""

from collections.abc import Callable
from typing import Any

from tests.support.in_process.api_gateway import HttpAnswer
from tests.support.in_process.html_page import HtmlPage
from tests.support.in_process.moto_shortcut import the_stack
from tests.support.in_process.stores import items
from tests.support.in_process.world import World
from waitpoints.access.sessions import COOKIE
from waitpoints.aws.api_key_store import USED
from waitpoints.aws.items import OTHERS
from waitpoints.token import OtherDeliveries
from waitpoints.wiring import services


def is_refused(world: World, ask: Callable[[], HttpAnswer], status: int, *says: str, is_counted: bool = False) -> HttpAnswer:
    """Each of `says` is in the answer: in its error, its code, or its page. No session begins or ends. Returns the answer.

    It says whether to come again. One that is counted is one more of a token's other deliveries.
    """
    before, count = kept(world, is_counted), count_of_others()
    answer = ask()
    said = HtmlPage(answer.text).text if is_page(answer) else f"{answer.error} {answer.json['code']}"
    assert (answer.status, [it for it in says if it not in said]) == (status, []), answer.text
    assert status != 409 or answer.headers["x-should-retry"] == "false"
    assert status != 503 or answer.headers["retry-after"]
    assert not [cookie for cookie in answer.cookies if cookie.startswith(COOKIE)]
    assert (kept(world, is_counted), count_of_others()) == (before, count + is_counted)
    return answer


def is_page(answer: HttpAnswer) -> bool:
    return answer.headers["content-type"].startswith("text/html")


def count_of_others() -> int:
    return sum(OtherDeliveries.of(item).count for item in items() if item["item"] == OTHERS)


def kept(world: World, but_others: bool = False) -> Any:
    """All that a request could change: what the stack stores, queues and remembers of sign-ins, and what waits for it.

    But for when a key was last used, and if asked for tokens' other deliveries.
    """
    stored = [item for item in items() if item["id"] != USED and not (but_others and item["item"] == OTHERS)]
    queues = the_stack().queued(), list(world.queue.sent)
    waits = [(kind.results(), dict(kind.calls)) for kind in (world.step_functions, world.durable_functions)]
    sign_ins = vars(services).get("redemptions")
    return stored, dict(world.objects), queues, waits, sign_ins and [dict(it) for it in (sign_ins._redeemed, sign_ins._refused)]
