"""What the Python client alone does on the deployed stack. tests/client_and_stack has what both must agree on."""

import asyncio

import boto3
import pytest
from waitpoints_client import AsyncWaitpoints, Ok, Waitpoints

from waitpoints_local.stack import Stack


def test_a_stack_is_found_by_its_name(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint_url)
    session = boto3.Session(stack.access_key_id, stack.secret_access_key, region_name=stack.region)

    with Waitpoints.from_stack(stack.stack_name, session=session) as waitpoints:
        token = waitpoints.create()
        assert waitpoints.get(token).id == token.id


def test_the_async_client_sends_what_the_sync_one_does(stack: Stack) -> None:
    async def completed() -> str:
        async with AsyncWaitpoints(stack.api_url, stack.api_key) as waitpoints:
            token = await waitpoints.create()
            await waitpoints.complete(token, "done")
            assert await waitpoints.wait(token) == Ok("done")
            return token.id

    with Waitpoints(stack.api_url, stack.api_key) as waitpoints:
        assert waitpoints.get(asyncio.run(completed())).output == "done"
