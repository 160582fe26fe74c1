"""The client's fake, each of whose answers must be as the API's description says."""

import re
from typing import Any

import httpx
from pydantic import TypeAdapter
from waitpoints_client.testing import FakeWaitpoints

from tools.openapi.operation import EVERYWHERE, ROOT_ONLY, Operation
from tools.openapi.operations import OPERATIONS


def operation_of(method: str, path: str) -> Operation:
    """The operation that a request is for."""
    for operation in OPERATIONS:
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(operation.path))
        if operation.method == method and re.fullmatch(pattern, path):
            return operation
    raise AssertionError(f"no operation: {method} {path}")


class Described(httpx.BaseTransport, httpx.AsyncBaseTransport):
    def __init__(self, fake: FakeWaitpoints) -> None:
        self._fake = fake
        self.clock = fake.clock
        self.succeeded: set[str] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._fake.handle_request(request)
        if str(request.url).startswith(self._fake.url):
            self._check(operation_of(request.method, request.url.raw_path.decode().partition("?")[0]), answer)
        return answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)

    def _check(self, operation: Operation, answer: httpx.Response) -> None:
        if answer.status_code == 200:
            self.succeeded.add(operation.id)
            operation.result.model_validate(answer.json())
            assert all(name in answer.headers for name in operation.headers)
        else:
            body: Any = {403: ROOT_ONLY, **operation.refusals, **EVERYWHERE}[answer.status_code].body
            TypeAdapter(body).validate_python(answer.json())
