"""Code that blocks in `wait`, answered in one line."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from waitpoints_client import AsyncWaitpoints, Ok, PageOptions, Result, Token, Waitpoints
from waitpoints_client.testing import FakeWaitpoints


def ask(waitpoints: Waitpoints, **options: Any) -> Result:
    """The code under test: it gives its token to nobody."""
    return waitpoints.wait(waitpoints.create(timeout="1h", **options))


async def ask_async(waitpoints: AsyncWaitpoints) -> Result:
    async with waitpoints:
        return await waitpoints.wait(await waitpoints.create(timeout="1h"))


def test_a_hook_answers_what_no_one_else_would() -> None:
    fake = FakeWaitpoints()
    fake.on_create(lambda token: fake.deliver(token.url, {"approved": True}))

    assert ask(fake.client()) == Ok({"approved": True})
    assert asyncio.run(ask_async(fake.async_client())) == Ok({"approved": True})


def test_it_sees_what_the_token_was_created_with() -> None:
    fake = FakeWaitpoints()
    page: PageOptions = {"title": "Deploy?", "approvers": ["ann"], "actions": [{"id": "approve", "label": "Approve"}]}
    asked: list[Token] = []

    @fake.on_create
    def answer(token: Token) -> None:
        asked.append(token)
        fake.answer(token, token.approvers[0].id, token.page_actions[0])

    assert (
        ask(fake.client(), tags="legal", page=page, metadata={"order": 1}, idempotency_key="1").unwrap()["action"] == "approve"
    )
    [token] = asked
    assert (token.tags, token.metadata, token.idempotency_key) == (("legal",), {"order": 1}, "1")
    assert (token.status, [link.approver for link in token.links]) == ("WAITING", ["ann"])


def test_it_is_called_once_for_each_token_and_not_for_one_that_was_found() -> None:
    fake, calls = FakeWaitpoints(), list[tuple[str, str]]()
    fake.on_create(lambda token: calls.append(("first", token.id)))
    fake.on_create(lambda token: calls.append(("second", token.id)))
    client = fake.client()
    client.complete_key("early", 1)

    one, two = client.create(idempotency_key="k"), client.create()
    assert client.create(idempotency_key="k").is_cached
    assert client.wait(client.create(idempotency_key="early")) == Ok(1)
    assert calls == [(which, token.id) for token in (one, two) for which in ("first", "second")]


def test_an_async_hook_answers_with_the_async_client() -> None:
    fake = FakeWaitpoints()

    @fake.on_create
    async def answer(token: Token) -> None:
        async with fake.async_client() as waitpoints:
            await waitpoints.complete(token, "later")

    assert asyncio.run(ask_async(fake.async_client())) == Ok("later")
    with pytest.raises(TypeError, match="give it a sync hook"):
        ask(fake.client())


@pytest.mark.parametrize("error", [ValueError("mine"), AssertionError("not so"), httpx.ConnectError("down")])
def test_an_error_of_the_hook_comes_out_of_create(error: Exception) -> None:
    fake, calls = FakeWaitpoints(), list[str]()

    @fake.on_create
    def answer(token: Token) -> None:
        calls.append(token.id)
        raise error

    def raised(act: Callable[[], object]) -> BaseException:
        with pytest.raises((type(error), RuntimeError)) as caught:
            act()
        return caught.value.__cause__ or caught.value

    assert raised(lambda: ask(fake.client())) is error
    assert raised(lambda: asyncio.run(ask_async(fake.async_client()))) is error
    assert len(calls) == 2  # the client takes it for no answer that was lost


def test_a_refused_answer_is_not_lost() -> None:
    fake = FakeWaitpoints()
    fake.on_create(lambda token: fake.deliver(token.url, {"action": "approve"}))

    with pytest.raises(RuntimeError, match=r"refused with 401: .*Only a URL that a create has given out"):
        ask(fake.client(), page={"title": "Deploy?", "approvers": ["ann"]})
