"""POST JSON to the HTTPS API of a channel: one short call, no redirect, and an answer of bounded size.

The URL may be a secret, so no error names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from waitpoints import json_text
from waitpoints.api.notices.addresses import is_stand_ins
from waitpoints.errors import NotSent, NotSentNow

MAX_ANSWER = 262_144  # bytes; what is longer is not read
MAX_WAIT = 3_600  # seconds that a channel can ask for
SENDING = urllib3.Timeout(connect=2, read=5)


@dataclass(frozen=True, slots=True)
class ChannelResponse:
    """`retry_after` is for how many seconds the channel wants no further call."""

    status: int
    body: bytes
    retry_after: int | None = None

    @property
    def members(self) -> dict[str, Any]:
        """The JSON object in the body; empty if there is none."""
        try:
            value = json_text.parse(self.body.decode())
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def check(self) -> None:
        """Raises NotSentNow or NotSent unless the status says that all went well."""
        if self.status in (408, 429) or self.status >= 500:
            raise NotSentNow(f"HTTP {self.status}", self.retry_after)
        if not 200 <= self.status < 300:
            raise NotSent(f"HTTP {self.status}")


def post(url: str, body: Any, headers: Mapping[str, str], timeout: urllib3.Timeout = SENDING) -> ChannelResponse:
    """Raises NotSentNow if no answer comes, and NotSent unless the URL is https, or the stand-in's."""
    if not may_call(url):
        raise NotSent("not an https URL")
    content = json_text.dumps(body).encode()
    headers = {"content-type": "application/json; charset=utf-8", **headers}
    try:
        answer = _pool().request(
            "POST", url, body=content, headers=headers, timeout=timeout, retries=False, redirect=False, preload_content=False
        )
        try:
            read = answer.read(MAX_ANSWER, decode_content=True)
            answer.drain_conn() if len(read) < MAX_ANSWER else answer.close()
        finally:
            answer.release_conn()
    except (HTTPError, OSError) as error:
        raise NotSentNow(type(error).__name__) from None
    return ChannelResponse(answer.status, read, _seconds(answer.headers.get("retry-after", "")))


def may_call(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.scheme == "https" or is_stand_ins(url))
    except ValueError:
        return False


def _seconds(text: str) -> int | None:
    return min(int(text), MAX_WAIT) if text.isascii() and text.isdigit() and len(text) < 10 else None


@cache
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager()
