"""A named key that is revoked while all functions get many requests with it (contract Q2): it takes at most a minute."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import pytest

from tests.support import figures
from tests.support.e2e.api import Api
from tests.support.patience import PATIENCE
from tests.support.scope_table import ACTIONS, CLOSED, COMPLETE, KEYS, NEW_KEY_WORKS_AFTER, Holders

pytestmark = pytest.mark.thorough

AT_ONCE = 3  # requests to each function, so that it has as many environments
PAUSE = 2.0  # seconds between two requests of a thread
WITHIN = 60.0  # seconds: what is promised
DELETE_ENDPOINT = "delete_endpoint_v1"  # would end what the others are about

Request = tuple[str, str, str, Any, str]
"""A route, and for `api.request` a method, a path, a body and a credential."""


@dataclass(frozen=True)
class Tried:
    route: str
    begun_at: float
    status: int


def test_it_is_refused_everywhere_within_a_minute_under_load(api: Api, holders: Holders) -> None:
    name = f"revoked-{uuid.uuid4().hex}"
    key = api.request("POST", KEYS, {"name": name, "scopes": ACTIONS}).json["key"]
    time.sleep(NEW_KEY_WORKS_AFTER)
    requests = [
        *of_each_route(holders, key),
        (f"{COMPLETE.route}, publicly", *holders.request(COMPLETE), holders.mint(key, "admin")),
    ]
    tried: list[Tried] = []
    over = threading.Event()

    def keep_on(one: Request) -> None:
        route, method, path, body, credential = one
        while not over.is_set():
            now = time.monotonic()
            tried.append(Tried(route, now, api.request(method, path, body, key=credential).status))
            over.wait(PAUSE)

    with ThreadPoolExecutor(len(requests) * AT_ONCE) as pool:
        running = [pool.submit(keep_on, one) for one, _ in zip(cycle(requests), range(len(requests) * AT_ONCE))]
        try:
            wait_for_each(requests, lambda: [one for one in list(tried) if one.status not in (401, 403)])
            api.ask("DELETE", f"{KEYS}/{name}")
            revoked_at = time.monotonic()
            time.sleep(WITHIN)
            wait_for_each(requests, lambda: [one for one in list(tried) if one.begun_at > revoked_at + WITHIN])
        finally:
            over.set()
        for each in running:
            each.result()
    check(tried, revoked_at)


def wait_for_each(requests: list[Request], found: Callable[[], list[Tried]]) -> None:
    end = time.monotonic() + PATIENCE
    while missing := {route for route, *_ in requests} - {one.route for one in found()}:
        assert time.monotonic() < end, missing
        time.sleep(PAUSE)


def of_each_route(holders: Holders, key: str) -> Iterator[Request]:
    for operation in CLOSED:
        if operation.scope and operation.id != DELETE_ENDPOINT:
            yield (operation.route, *holders.request(operation), key)


def check(tried: list[Tried], revoked_at: float) -> None:
    routes = {one.route for one in tried}
    late = [one for one in tried if one.begun_at > revoked_at + WITHIN]
    assert {one.route for one in late} == routes
    assert {one.status for one in late} == {401}, [one for one in late if one.status != 401]
    assert not [one for one in tried if one.status >= 500]
    last = max(one.begun_at - revoked_at for one in tried if one.status != 401)
    figures.show(
        f"{len(tried)} requests to {len(routes)} routes: the last one with the revoked key was let in after {last:.1f} s"
    )
