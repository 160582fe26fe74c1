"""Secrets are rotated under load, and no request with a valid credential is refused."""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from typing import Any

import pytest

from tests.support import figures
from tests.support.e2e.api import Api
from tests.support.e2e.permissions import physical_name
from tests.support.in_process.api_gateway import TOKENS
from tests.support.patience import PATIENCE
from waitpoints_local.stack import Stack

CALLERS = 4
KEPT_BACK = 5  # a caller keeps every fifth token, and completes it after both rotations


class Load:
    """Callers that create tokens with any of the valid keys, and complete each at once or at the end."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._stop = threading.Event()
        self.keys = [api.stack.api_key]
        self.answers: Counter[tuple[str, int]] = Counter()
        """How often each request was answered with each status."""

    @contextmanager
    def running(self) -> Iterator[None]:
        with ThreadPoolExecutor(CALLERS) as pool:
            callers = [pool.submit(self._call) for _ in range(CALLERS)]
            try:
                yield
            finally:
                self._stop.set()
            for caller in callers:
                caller.result()

    def stage(self, requests: int) -> None:
        """Wait until the callers have had so many more answers."""
        target, until = self.answers.total() + requests, time.monotonic() + PATIENCE
        while self.answers.total() < target:
            assert time.monotonic() < until, f"{requests} requests take longer than {PATIENCE} s"
            time.sleep(0.02)

    def _call(self) -> None:
        kept: list[Callable[[], None]] = []
        for number, how in zip(range(1_000_000), cycle((self._callback, self._complete)), strict=False):
            key = self.keys[number % len(self.keys)]
            created = self._api.request("POST", TOKENS, {}, key=key)
            self._count("create", created)
            if created.status == 200:
                finish = how(created)
                kept.append(finish) if number % KEPT_BACK == 0 else finish()
            if self._stop.is_set():
                break
        for finish in kept:
            finish()

    def _callback(self, created: Any) -> Callable[[], None]:
        return lambda: self._count("callback", self._api.callback(created.body, {"paid": True}))

    def _complete(self, created: Any) -> Callable[[], None]:
        """With the public access token that create returned: it is signed with the API key."""
        path, token = f"{TOKENS}/{created.body['id']}/complete", created.headers["x-trigger-jwt"]
        return lambda: self._count("complete", self._api.request("POST", path, {"data": 1}, key=token))

    def _count(self, request: str, answer: Any) -> None:
        self.answers[request, answer.status] += 1


@contextmanager
def rotated(stack: Stack, logical_id: str) -> Iterator[str]:
    """The secret has a new value, and in the end the old one again, which is the other valid version until then."""
    client, secret_id = stack.client("secretsmanager"), physical_name(stack, logical_id)
    before, value = client.get_secret_value(SecretId=secret_id)["SecretString"], secrets.token_hex(32)
    client.put_secret_value(SecretId=secret_id, SecretString=value)
    try:
        yield value
    finally:
        client.put_secret_value(SecretId=secret_id, SecretString=before)


@pytest.fixture
def signing_anew(stack: Stack) -> Iterator[None]:
    """The functions start anew before the test and after it: one may sign for minutes with a value from before a rotation."""
    restart(stack)
    yield
    restart(stack)


def restart(stack: Stack) -> None:
    client = stack.client("lambda")
    for name in (physical_name(stack, function) for function in ("CreateToken", "AcceptCallback", "CompleteToken")):
        memory = client.get_function_configuration(FunctionName=name)["MemorySize"]
        client.update_function_configuration(FunctionName=name, MemorySize=memory)


@pytest.mark.usefixtures("signing_anew")
@pytest.mark.parametrize("stage", [pytest.param(80, marks=pytest.mark.few), pytest.param(150, marks=pytest.mark.thorough)])
def test_no_request_with_a_valid_credential_is_refused_while_both_keys_are_rotated(api: Api, stage: int) -> None:
    """The requests before the rotations start the functions, which keep the secrets."""
    load = Load(api)
    with ExitStack() as until_the_end, load.running():
        load.stage(stage)
        load.keys = [api.stack.api_key, until_the_end.enter_context(rotated(api.stack, "ApiKey"))]
        load.stage(stage)
        until_the_end.enter_context(rotated(api.stack, "SigningKey"))
        load.stage(stage)
    assert {answer: count for answer, count in load.answers.items() if answer[1] != 200} == {}
    assert load.answers.keys() == {("create", 200), ("callback", 200), ("complete", 200)}
    figures.show(f"{load.answers.total()} requests while the API key and the signing key were rotated, none refused")
