"""Requests and executions that go on while a stack is updated."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError

from tests.support.e2e.api import Api, DeployedAnswer
from tests.support.e2e.waiting import PATIENCE
from tests.support.in_process.api_gateway import TOKENS

CLIENTS = 4
ATTEMPTS = 20
RETRIED = {429, 503}  # docs/internals/contract.md: the provider repeats the request

Start = Callable[[dict[str, Any]], str]


class Load:
    """Within this, clients make tokens, let executions wait for them, complete them in both ways, and look at them."""

    def __init__(self, api: Api, start: Start) -> None:
        self._api, self._start = api, start
        self._stopped = Event()
        self._clients: list[Future[None]] = []
        self.statuses: Counter[int | str] = Counter()
        self.refused: list[str] = []
        self.started: dict[str, tuple[str, str]] = {}
        """By the payload of its token: the token's id, and its execution."""

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._clients = [self._pool.submit(self._run, number) for number in range(CLIENTS)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped.set()
        self._pool.shutdown()
        if kind is None:
            for client in self._clients:
                client.result()

    def wait_until_it_runs(self) -> None:
        """Return once each client has settled a token: every function has started."""
        until = time.monotonic() + PATIENCE
        while len(self.started) <= CLIENTS and time.monotonic() < until:
            time.sleep(0.1)

    def _run(self, number: int) -> None:
        while not self._stopped.is_set():
            self._settle_one(uuid.uuid4().hex, by_key=bool(number % 2))

    def _settle_one(self, payload: str, by_key: bool) -> None:
        token = self._ask("POST", TOKENS, {"idempotencyKey": payload} if by_key else {"timeout": "1h"}).body
        self.started[payload] = token["id"], self._start(token)
        if by_key:
            self._ask("POST", f"{TOKENS}/{token['id']}/complete", {"data": payload})
            assert self._ask("POST", TOKENS, {"idempotencyKey": payload}).body["id"] == token["id"]
        else:
            self._ask("POST", token["url"], payload)
        found = self._ask("GET", f"{TOKENS}/{token['id']}").body
        assert (found["status"], json.loads(found["output"])) == ("COMPLETED", payload), found
        self._ask("GET", f"{TOKENS}?page[size]=5")

    def _ask(self, method: str, url: str, body: Any = None) -> DeployedAnswer:
        """Send a request until it is answered with success, as a client of the API does. Keep each answer's status."""
        for _ in range(ATTEMPTS):
            try:
                answer = self._api.request(method, url, body)
            except (URLError, OSError) as error:
                self.statuses[type(error).__name__] += 1
                raise
            self.statuses[answer.status] += 1
            if answer.status not in RETRIED:
                break
            time.sleep(0.2)
        if answer.status != 200:
            self.refused.append(f"{method} {url.partition('/callback/')[0]}: {answer.status} {answer.body}")
        assert answer.status == 200, self.refused[-1]
        return answer

    def results(self) -> dict[str, tuple[str, Any]]:
        """How each execution has ended, by the payload of its token."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            ended = pool.map(self._api.result, [execution for _, execution in self.started.values()])
            return dict(zip(self.started, ended, strict=True))
