"""Requests that are refused: with which status, in which words, and nothing is changed."""

from collections.abc import Callable, Collection
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


def is_refused(
    world: World,
    ask: Callable[[], HttpAnswer],
    status: int,
    *says: str,
    is_counted: bool = False,
    changes: Collection[str] = (),
) -> HttpAnswer:
    """Each of `says` is in the answer: in its error, its code, or its page. No session begins or ends. Returns the answer.

    It says whether to come again. One that is counted is one more of a token's other deliveries. `changes` are the parts of
    what is kept that change all the same.
    """
    before = kept(world)
    answer = ask()
    is_page = answer.headers["content-type"].startswith("text/html")
    said = HtmlPage(answer.text).text if is_page else f"{answer.error} {answer.json['code']}"
    assert (answer.status, [it for it in says if it not in said]) == (status, []), answer.text
    assert status != 409 or answer.headers["x-should-retry"] == "false"
    assert status != 503 or answer.headers["retry-after"]
    assert not [cookie for cookie in answer.cookies if cookie.startswith(COOKIE)]
    after = kept(world)
    assert {part for part in before if before[part] != after[part]} == {*changes, *(["others"] if is_counted else [])}
    assert count(after["others"]) == count(before["others"]) + is_counted
    return answer


def count(others: list[Any]) -> int:
    return sum(OtherDeliveries.of(item).count for item in others)


def kept(world: World) -> dict[str, Any]:
    """All that a request could change: what the stack stores, queues and remembers of sign-ins, and what waits for it.

    But for when a key was last used.
    """
    stored, sign_ins = items(), vars(services).get("redemptions")
    return {
        "items": [item for item in stored if item["id"] != USED and item["item"] != OTHERS],
        "others": [item for item in stored if item["item"] == OTHERS],
        "objects": dict(world.objects),
        "queues": (the_stack().queued(), [*world.queue.sent]),
        "waits": [(kind.results(), dict(kind.calls)) for kind in (world.step_functions, world.durable_functions)],
        "redeemed": sign_ins and dict(sign_ins._redeemed),
        "refused": sign_ins and dict(sign_ins._refused),
    }
