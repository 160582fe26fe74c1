"""Secrets are rotated under load, and no process of a function refuses a request with a valid credential."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from tests.support import figures
from tests.support.e2e.api import Api
from tests.support.e2e.permissions import physical_name
from tests.support.in_process.api_gateway import TOKENS, HttpAnswer
from waitpoints_local.stack import Stack

CALLERS = 4
KEPT_BACK = 5  # every fifth token is completed after both rotations


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
@pytest.mark.parametrize("tokens", [pytest.param(40, marks=pytest.mark.few), pytest.param(75, marks=pytest.mark.thorough)])
def test_no_request_with_a_valid_credential_is_refused_while_both_keys_are_rotated(api: Api, tokens: int) -> None:
    """So many tokens are created before, between and after the rotations. The first ones start the functions."""
    keys, kept = [api.stack.api_key], list[Callable[[], None]]()
    answers = Counter[tuple[str, int]]()

    def note(request: str, answer: HttpAnswer) -> HttpAnswer:
        answers[request, answer.status] += 1
        return answer

    def finish(number: int, created: HttpAnswer) -> None:
        """By the callback, or with the public access token that create returned: the rotated API key signs it."""
        if number % 2 == 0:
            note("callback", api.deliver(created.json, {"paid": True}))
        else:
            path, token = f"{TOKENS}/{created.json['id']}/complete", created.headers["x-trigger-jwt"]
            note("complete", api.request("POST", path, {"data": 1}, key=token))

    def call(number: int) -> None:
        created = note("create", api.request("POST", TOKENS, {}, key=keys[number % len(keys)]))
        if created.status == 200:
            ends = partial(finish, number, created)
            kept.append(ends) if number % KEPT_BACK == 0 else ends()

    with ExitStack() as until_the_end, ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(call, number) for number in range(3 * tokens)]
        calls[tokens].result()
        keys.append(until_the_end.enter_context(rotated(api.stack, "ApiKey")))
        calls[2 * tokens].result()
        until_the_end.enter_context(rotated(api.stack, "SigningKey"))
        for each in calls:
            each.result()
        for ends in kept:
            ends()
    assert {answer: count for answer, count in answers.items() if answer[1] != 200} == {}
    assert answers.keys() == {("create", 200), ("callback", 200), ("complete", 200)}
    figures.show(f"{answers.total()} requests while the API key and the signing key were rotated, none refused")
