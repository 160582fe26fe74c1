"""Requests that are refused: with which status, in which words, and nothing is changed."""

from collections.abc import Callable
from typing import Any

from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.in_process.world import World
from tools.openapi.operations import ENDPOINTS


def is_refused(world: World, api: Api, ask: Callable[[], HttpAnswer], status: int, *says: str) -> HttpAnswer:
    """Each of `says` is in the answer's text: a part of the error, or its code. Returns the answer."""
    before = kept(world, api)
    answer = ask()
    assert (answer.status, [it for it in says if it not in f"{answer.error} {answer.json['code']}"]) == (status, []), (
        answer.text
    )
    assert kept(world, api) == before
    return answer


def kept(world: World, api: Api) -> Any:
    """What the stack keeps: tokens, large outputs, named keys, and endpoints with their recorded deliveries."""
    endpoints = api.get(ENDPOINTS).json["data"]
    deliveries = [api.get(f"{ENDPOINTS}/{it['name']}/deliveries").json["data"] for it in endpoints]
    return dict(world.store.tokens), dict(world.objects), dict(world.api_key_store.keys), endpoints, deliveries
