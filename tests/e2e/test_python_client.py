"""What the Python client promises, on the deployed stack: by HTTP, with what the stack's own store, bucket and index do."""

from typing import Any

import boto3
import httpx
import pytest
from waitpoints_client import Waitpoints

pytest.register_assert_rewrite("tests.client_and_stack.test_client_contract")
from tests.client_and_stack.test_client_contract import *  # noqa: E402, F403 - its tests run here again
from tests.client_and_stack.test_client_contract import (  # noqa: E402 - after the rewrite
    Served,
    TestAskWhoSignsIn,
    TestPeopleWhoSignIn,
)
from tests.support.e2e.api import Api  # noqa: E402 - after the rewrite
from tests.support.e2e.secrets import Secrets  # noqa: E402 - after the rewrite
from waitpoints_local.stack import Stack  # noqa: E402 - after the rewrite

del TestAskWhoSignsIn, TestPeopleWhoSignIn  # test_sign_in.py has a stack at which people can


class Network(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """As a client without a transport of its own sends."""

    def __init__(self) -> None:
        self.handle_request = httpx.HTTPTransport().handle_request  # type: ignore[method-assign]
        self.handle_async_request = httpx.AsyncHTTPTransport().handle_async_request  # type: ignore[method-assign]


@pytest.fixture  # type: ignore[no-redef] # in place of the handlers
def served(stack: Stack, secrets: Secrets) -> Served:
    def refuse(*_: Any) -> int:
        raise NotImplementedError

    secrets.make("CONTRACT", "the-secret-of-the-contract")
    return Served(stack.api_url, stack.api_key, Network, Api(stack).advance, refuse)


def test_a_stack_is_found_by_its_name(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint_url)
    session = boto3.Session(stack.access_key_id, stack.secret_access_key, region_name=stack.region)

    with Waitpoints.from_stack(stack.stack_name, session=session) as waitpoints:
        token = waitpoints.create()
        assert waitpoints.get(token).id == token.id
