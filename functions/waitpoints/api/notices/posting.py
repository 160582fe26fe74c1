"""POST JSON to the HTTPS API of a channel, in one short call. The URL may be a secret, so no error names it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3

from waitpoints import https, json_text
from waitpoints.api.notices.addresses import is_stand_ins
from waitpoints.errors import NotSent, NotSentNow

MAX_WAIT = 3_600  # seconds that a channel can ask for
SENDING = urllib3.Timeout(connect=2, read=5)


@dataclass(frozen=True, slots=True)
class ChannelResponse(https.HttpsAnswer):
    @property
    def retry_after(self) -> int | None:
        """For how many seconds the channel wants no further call."""
        text = self.headers.get("retry-after", "")
        return min(int(text), MAX_WAIT) if text.isascii() and text.isdigit() and len(text) < 10 else None

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
        answer = https.call("POST", url, headers, timeout, content)
    except https.NoAnswer as error:
        raise NotSentNow(str(error)) from None
    return ChannelResponse(answer.status, answer.body, answer.headers)


def may_call(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.scheme == "https" or is_stand_ins(url))
    except ValueError:
        return False
