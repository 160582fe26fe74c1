"""What the Python client promises, on the real handlers, in memory, and on its fake, as the API is described."""

import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest
from waitpoints_client import CreatedToken
from waitpoints_client.testing import FakeWaitpoints

pytest.register_assert_rewrite("clients.python.tests.test_contract")
from clients.python.tests.test_contract import *  # noqa: E402, F403 - its tests run here again
from clients.python.tests.test_contract import Served  # noqa: E402
from tests.client_and_stack.described import Described  # noqa: E402
from tests.support import sign_in  # noqa: E402
from tests.support.fakes.in_memory import BASE_URL, InMemory  # noqa: E402
from tests.support.in_process.api_gateway import Api  # noqa: E402
from tests.support.in_process.fakes.secret import FakeSecret  # noqa: E402

pytestmark = pytest.mark.parametrize("connect", ["sync"], indirect=True)  # on the fake, the async client sends the same


class Handlers(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends what httpx sends to the handlers, one at a time as on Lambda, and downloads from the bucket."""

    def __init__(self, api: Api, world: InMemory) -> None:
        self._api = api
        self._world = world
        self._turn = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url, headers = str(request.url), dict(request.headers)
        if not url.startswith(BASE_URL):
            assert "authorization" not in headers, "the bucket gets no key"
            return httpx.Response(200, content=self._world.objects[urlsplit(url).path[1:]])
        with self._turn:
            answer = self._api.request(request.method, url.removeprefix(BASE_URL), request.read(), headers)
        return httpx.Response(answer.status, headers=answer.headers, text=answer.text)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


@pytest.fixture(params=["handlers", "described fake"])  # type: ignore[no-redef] # in place of the fake
def served(request: pytest.FixtureRequest, world: InMemory, monkeypatch: pytest.MonkeyPatch) -> Served:
    if request.param == "described fake":
        fake = FakeWaitpoints(ignore_rules=True)
        return Served.by(fake, Described(fake))
    world.clock.now = round(time.time() * 1000)
    world.webhook_secrets["CONTRACT"] = FakeSecret("the-secret-of-the-contract")
    stack = sign_in.install(world, "https://issuer.example.com", monkeypatch)
    handlers = Handlers(stack.api, world)

    def answer(token: CreatedToken, who: str, action: str) -> int:
        browser = stack.browser_of(f"subject of {who.lower()}", who, domain=who.lower().partition("@")[2])
        session = stack.sessions.read(browser.cookies)
        assert session is not None
        form = {"session": stack.sessions.form_token(session, token.id), "action": action}
        return browser.post(token.url, form).status

    key = world.api_key.read_current()
    return Served(BASE_URL, key, lambda: handlers, lambda seconds: world.clock.advance(seconds=seconds), answer)
