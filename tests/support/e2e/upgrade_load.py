"""Requests and executions that go on while a stack is updated."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from threading import Event
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError

from tests.support.e2e.api import BROWSER, Api, RawAnswer
from tests.support.e2e.upgrade_waits import TIMED_OUT, Result
from tests.support.in_process.api_gateway import TOKENS, HttpAnswer
from tests.support.in_process.html_page import HtmlPage
from tests.support.patience import PATIENCE

CLIENTS = 4
ATTEMPTS = 20
APPROVAL = {"title": "Pay?", "actions": [{"id": "yes", "label": "Yes"}], "approvers": ["ann"]}
RETRIED = {429, 503}  # docs/internals/contract.md: the provider repeats the request

Start = Callable[[dict[str, Any]], str]


class Load:
    """Within this, clients make tokens, let executions wait for them, settle them in every way, and look at them."""

    def __init__(self, api: Api, start: Start) -> None:
        self._api, self._start = api, start
        self._stopped = Event()
        self._clients: list[Future[None]] = []
        self.statuses: Counter[int | str] = Counter()
        self.refused: list[str] = []
        self.executions: list[str] = []
        self.expected: dict[str, Result] = {}
        """How each execution should end whose token was settled."""
        self._endpoint = api.request("GET", "/api/v1/endpoints/upgrade").json["url"]
        self.ways: Counter[str] = Counter()
        """How many tokens were settled in each way, or left to their timers."""

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
        """Return once tokens were settled in each way: every function has started."""
        until = time.monotonic() + PATIENCE
        while len(self.ways) < len(WAYS) and time.monotonic() < until:
            time.sleep(0.1)

    def _run(self, number: int) -> None:
        for way in islice(cycle(WAYS), number, None):
            if self._stopped.is_set():
                return
            WAYS[way](self, uuid.uuid4().hex)
            self.ways[way] += 1
            self._ask("GET", f"{TOKENS}?page[size]=5")

    def _by_callback(self, payload: str) -> None:
        token, execution = self._begin(timeout="1h")
        self._ask("POST", token["url"], payload)
        self._check(token, execution, payload)

    def _by_key(self, payload: str) -> None:
        token, execution = self._begin(idempotencyKey=payload)
        self._ask("POST", f"{TOKENS}/{token['id']}/complete", {"data": payload})
        assert self._ask("POST", TOKENS, {"idempotencyKey": payload}).json["id"] == token["id"]
        self._check(token, execution, payload)

    def _by_a_delivery(self, payload: str) -> None:
        token, execution = self._begin(idempotencyKey=f"upgrade:{payload}")
        self._ask("POST", self._endpoint, {"order": payload})
        self._check(token, execution, {"order": payload})

    def _by_a_button(self, payload: str) -> None:
        """An approver presses it, on the page of their own link."""
        token, execution = self._begin(page=APPROVAL, tags=[payload])
        url = token["links"][0]["url"]
        page = HtmlPage(self._visit(url, method="GET").body.decode())
        self._visit(url, page.press("Yes"))
        found = self._ask("GET", f"{TOKENS}/{token['id']}").json
        assert json.loads(found["output"])["action"] == "yes", found
        self._check(token, execution, json.loads(found["output"]))

    def _by_its_timer(self, payload: str) -> None:
        """Nobody settles it."""
        _, execution = self._begin(timeout="3s", tags=[payload])
        self.expected[execution] = TIMED_OUT

    def _begin(self, **options: Any) -> tuple[dict[str, Any], str]:
        token = self._ask("POST", TOKENS, options).json
        execution = self._start(token)
        self.executions.append(execution)
        return token, execution

    def _check(self, token: dict[str, Any], execution: str, output: Any) -> None:
        found = self._ask("GET", f"{TOKENS}/{token['id']}").json
        assert (found["status"], json.loads(found["output"])) == ("COMPLETED", output), found
        self.expected[execution] = "SUCCEEDED", output

    def _ask(self, method: str, url: str, body: Any = None) -> HttpAnswer:
        return self._send(f"{method} {url}", partial(self._api.request, method, url, body))

    def _visit(self, url: str, body: bytes = b"", method: str = "POST") -> RawAnswer:
        """As a browser does."""
        return self._send(f"{method} {url}", partial(self._api.send, url, body, BROWSER, method=method))

    def _send[Given: (HttpAnswer, RawAnswer)](self, what: str, send: Callable[[], Given]) -> Given:
        """Send a request until it is answered with success, as a client of the API does. Keep each answer's status."""
        for _ in range(ATTEMPTS):
            try:
                answer = send()
            except (URLError, OSError) as error:
                self.statuses[type(error).__name__] += 1
                raise
            self.statuses[answer.status] += 1
            if answer.status not in RETRIED:
                break
            time.sleep(0.2)
        if answer.status != 200:
            self.refused.append(f"{what.partition('/callback/')[0]}: {answer}")
        assert answer.status == 200, self.refused[-1]
        return answer

    def results(self) -> dict[str, Result]:
        """How each execution has ended."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            return dict(zip(self.executions, pool.map(self._api.result, self.executions), strict=True))


WAYS: dict[str, Callable[[Load, str], None]] = {
    "callback": Load._by_callback,
    "key": Load._by_key,
    "delivery": Load._by_a_delivery,
    "approval": Load._by_a_button,
    "timer": Load._by_its_timer,
}
"""Each is given what its token has of its own."""
