"""Call the hooks of the fake. An answer of theirs that was refused, or an error, must not be lost in the code under test."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import isawaitable

import httpx

from waitpoints_client.models import Token

_PENDING: ContextVar[list[Awaitable[object]] | None] = ContextVar("_PENDING", default=None)
"""What the hooks of a request of an async client have left to be awaited."""


def call(hook: Callable[[Token], object], token: Token) -> None:
    """Raises what the hook raises, TypeError if it is async and the client is not, and RuntimeError for a refused answer."""
    with _errors():
        result = hook(token)
        pending = _PENDING.get()
        if not isawaitable(result):
            _check(result)
        elif pending is not None:
            pending.append(result)
        else:
            if isinstance(result, Coroutine):
                result.close()
            raise TypeError("The hook of on_create is async, and a sync client has created the token: give it a sync hook")


async def finish(answer: Callable[[], httpx.Response]) -> httpx.Response:
    """Answer a request of an async client, and await what its hooks have left."""
    pending: list[Awaitable[object]] = []
    before = _PENDING.set(pending)
    try:
        answered = answer()
    finally:
        _PENDING.reset(before)
    for result in pending:
        with _errors():
            _check(await result)
    return answered


@contextmanager
def _errors() -> Iterator[None]:
    """Let the client raise what a hook raises: it would take an error of httpx for one of its own, and try again."""
    try:
        yield
    except httpx.RequestError as error:
        raise RuntimeError(f"The hook of on_create failed: {error!r}") from error


def _check(result: object) -> None:
    if isinstance(result, httpx.Response) and result.is_error:
        raise RuntimeError(f"The answer of the on_create hook was refused with {result.status_code}: {result.text}")
