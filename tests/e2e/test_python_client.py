"""What the Python client promises, on the deployed stack."""

import asyncio
import time

import boto3
import httpx
import pytest

pytest.register_assert_rewrite("clients.python.tests.test_contract")
from waitpoints_client import AsyncWaitpoints, Ok, Waitpoints  # noqa: E402

from clients.python.tests.test_contract import *  # noqa: E402, F403 - its tests run here again
from clients.python.tests.test_contract import Connect, Served  # noqa: E402
from waitpoints_local.stack import Stack  # noqa: E402

pytestmark = pytest.mark.parametrize("connect", ["sync"], indirect=True)  # one test below is for the async client


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The transports that httpx has itself."""

    def __init__(self) -> None:
        self._sync = httpx.HTTPTransport()
        self._async = httpx.AsyncHTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._sync.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._async.handle_async_request(request)

    def close(self) -> None:
        self._sync.close()

    async def aclose(self) -> None:
        await self._async.aclose()


@pytest.fixture  # type: ignore[no-redef] # in place of the fake
def served(stack: Stack) -> Served:
    return Served(stack.api_url, stack.api_key, Transport, time.sleep)


def test_a_stack_is_found_by_its_name(stack: Stack, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint_url)
    session = boto3.Session(stack.access_key_id, stack.secret_access_key, region_name=stack.region)

    with Waitpoints.from_stack(stack.stack_name, session=session) as waitpoints:
        token = waitpoints.create()
        assert connect().get(token).id == token.id


def test_the_async_client_sends_what_the_sync_one_does(served: Served, connect: Connect) -> None:
    async def completed() -> str:
        async with AsyncWaitpoints(served.url, served.api_key) as waitpoints:
            token = await waitpoints.create()
            await waitpoints.complete(token, "done")
            assert await waitpoints.wait(token) == Ok("done")
            return token.id

    assert connect().get(asyncio.run(completed())).output == "done"
