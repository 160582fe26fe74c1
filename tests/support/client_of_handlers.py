"""What httpx sends, sent to the handlers: the Python client's way to them, in one process."""

import io
import random
import threading
from collections.abc import Mapping
from contextlib import redirect_stdout
from datetime import datetime
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import Template
from tests.support.in_process.world import BASE_URL, World
from tests.support.webhook_signer import secret_of, sign


class Handlers(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends to the handlers, one at a time as on Lambda, and downloads from the bucket."""

    def __init__(self, api: Api, world: World) -> None:
        self._api = api
        self._world, self.advance = world, world.advance
        self._turn = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url, headers = str(request.url), dict(request.headers)
        if not url.startswith(BASE_URL):
            assert "authorization" not in headers, "the bucket gets no key"
            return httpx.Response(200, content=self._world.objects[urlsplit(url).path[1:]])
        with self._turn, redirect_stdout(io.StringIO()):  # which metrics are written to
            answer = self._api.request(request.method, url.removeprefix(BASE_URL), request.read(), headers)
        return httpx.Response(answer.status, headers=answer.headers, text=answer.text)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self.handle_request(request)

    def deliver(self, url: str, body: str | bytes, headers: Mapping[str, str]) -> None:
        """Post as an approver, or as GitHub does."""
        content = body.encode() if isinstance(body, str) else body
        signed = sign("github", content, url, self._world.clock() / 1000)
        answer = self.handle_request(httpx.Request("POST", url, content=content, headers={**headers, **signed.headers}))
        assert answer.status_code == 200, answer.text


def repeatable(now: datetime, monkeypatch: pytest.MonkeyPatch) -> Handlers:
    """Return handlers that give the same answers to the same requests each time, ids and keys included.

    The key of `recorded_stack.RecordedStack` opens them.
    """
    chance = random.Random(26)  # noqa: S311 - nothing here is secret
    monkeypatch.setattr("secrets.randbits", chance.getrandbits)
    monkeypatch.setattr("secrets.token_hex", lambda size: chance.randbytes(size).hex())
    monkeypatch.setattr("secrets.choice", chance.choice)
    world = World()
    world.clock.now = round(now.timestamp() * 1000)
    world.webhook_secrets["GITHUB"] = FakeSecret(secret_of("github"))
    world.channels |= {"email", "slack", "teams"}
    world.install(monkeypatch)
    return Handlers(Api(Template.load(), world.api_key.read_current()), world)
