"""Requests that are refused: with which status, in which words, and nothing is changed."""

from collections.abc import Callable
from typing import Any

from tests.support.in_process.api_gateway import HttpAnswer
from tests.support.in_process.moto_shortcut import the_stack
from tests.support.in_process.world import World
from waitpoints.access.sessions import COOKIE
from waitpoints.aws.api_key_store import USED
from waitpoints.wiring import services


def is_refused(world: World, ask: Callable[[], HttpAnswer], status: int, *says: str) -> HttpAnswer:
    """Each of `says` is in the answer: in its error, its code, or its page. No session begins or ends. Returns the answer."""
    before = kept(world)
    answer = ask()
    said = answer.text if answer.headers["content-type"].startswith("text/html") else f"{answer.error} {answer.json['code']}"
    assert (answer.status, [it for it in says if it not in said]) == (status, []), answer.text
    assert not [cookie for cookie in answer.cookies if cookie.startswith(COOKIE)]
    assert kept(world) == before
    return answer


def kept(world: World) -> Any:
    """All that a request could change: what the stack stores, queues and remembers of sign-ins, and what waits for it.

    But for when a key was last used.
    """
    items = [item for item in the_stack().every_item() if item["id"]["S"] != USED]
    queues = the_stack().queued(), list(world.queue.sent)
    waits = [(kind.results(), dict(kind.calls)) for kind in (world.step_functions, world.durable_functions)]
    sign_ins = vars(services).get("redemptions")
    return items, dict(world.objects), queues, waits, sign_ins and [dict(it) for it in (sign_ins._redeemed, sign_ins._refused)]
