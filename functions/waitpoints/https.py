"""One short HTTPS call: no redirect, no repetition, and an answer of bounded size.

The URL may be a secret, so no error names it.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from waitpoints import json_text

MAX_ANSWER = 262_144  # bytes; what is longer is not read


class NoAnswer(Exception):
    """No answer came in time. The message is the name of what went wrong."""


@dataclass(frozen=True, slots=True)
class HttpsAnswer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def members(self) -> dict[str, Any]:
        """The JSON object in the body; empty if there is none."""
        try:
            value = json_text.parse(self.body.decode())
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def call(method: str, url: str, headers: Mapping[str, str], timeout: urllib3.Timeout, body: bytes | None = None) -> HttpsAnswer:
    """Raises NoAnswer. `timeout` is for the connection and for each read."""
    try:
        answer = _pool().request(
            method, url, body=body, headers=headers, timeout=timeout, retries=False, redirect=False, preload_content=False
        )
        try:
            read = answer.read(MAX_ANSWER, decode_content=True)
            answer.drain_conn() if len(read) < MAX_ANSWER else answer.close()
        finally:
            answer.release_conn()
    except (HTTPError, OSError) as error:
        raise NoAnswer(type(error).__name__) from None
    return HttpsAnswer(answer.status, read, answer.headers)


def within[Found](seconds: float, work: Callable[[], Found]) -> Found:
    """Return what a call returns, or raise what it raises. Raises NoAnswer if it takes longer, however it spends the time.

    A socket's timeout begins anew with each byte. The call goes on in a thread of its own until its socket's timeout.
    """
    future = Future[Found]()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    wait([future], seconds)
    if not future.done():
        raise NoAnswer("TooSlow")
    return future.result()


@cache
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager()
