"""Send a notice to Slack: one call of chat.postMessage or chat.update, and what its answer means.

Source: docs.slack.dev, reference/methods/chat.postMessage and chat.update, "Errors", and apis/web-api/rate-limits.
"""

import re
from collections.abc import Callable
from typing import Any

from waitpoints.api.notices import posting, slack_message
from waitpoints.api.notices.credential import call_with
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.errors import NotSent, NotSentNow
from waitpoints.ports import Secret

AGAIN = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "message_limit_exceeded",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "update_failed",
        "external_channel_migrating",  # and other work of Slack's own that ends
        "org_login_required",
        "team_added_to_org",
    }
)
OTHER_TOKEN = frozenset({"invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive"})
GONE = "message_not_found"
_CODE = re.compile(r"[a-z0-9_]{1,64}")


class SlackChannel:
    """`token` is the app's bot token. `has_buttons` says whether there is a signing secret, without which no click counts."""

    def __init__(self, api_url: str, token: Secret, brand: tuple[str, str], has_buttons: Callable[[], bool]) -> None:
        self._api_url = api_url.rstrip("/")
        self._token = token
        self._name, _ = brand
        self._has_buttons = has_buttons

    def send(self, notice: Notice) -> str | None:
        """Returns "<channel>/<ts>" of the message. An edit of a deleted message counts as done."""
        channel, _, ts = (notice.ref or "").partition("/")
        if notice.kind is NoticeKind.EDIT:
            try:
                self._call("chat.update", {"channel": channel, "ts": ts, **self._message(notice)})
            except NotSent as error:
                if str(error) != GONE:
                    raise
            return notice.ref
        if notice.kind is NoticeKind.FIRST or not ts:
            return self._post({"channel": notice.target.to, **self._message(notice)})
        broadcast = {"reply_broadcast": True} if notice.target.person is None else {}
        return self._post({"channel": channel, "thread_ts": ts, **broadcast, **slack_message.reply(notice)})

    def _message(self, notice: Notice) -> dict[str, Any]:
        return slack_message.message(notice, self._name, self._has_buttons)

    def _post(self, arguments: dict[str, Any]) -> str | None:
        quiet = {"unfurl_links": False, "unfurl_media": False, "mrkdwn": False}
        answer = self._call("chat.postMessage", {**arguments, **quiet})
        channel, ts = answer.get("channel"), answer.get("ts")
        return f"{channel}/{ts}" if isinstance(channel, str) and isinstance(ts, str) else None

    def _call(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return call_with(self._token, lambda token: self._call_with(token, method, arguments), OTHER_TOKEN)

    def _call_with(self, token: str, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        body = {**arguments, "parse": "none", "link_names": False}
        answer = posting.post(f"{self._api_url}/{method}", body, {"authorization": f"Bearer {token}"})
        found = answer.members
        if found.get("ok") is True:
            return found
        code = found.get("error")
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            answer.check()
            raise NotSentNow("the answer is not Slack's", answer.retry_after)
        if code in AGAIN or answer.status == 429 or answer.status >= 500:
            raise NotSentNow(code, answer.retry_after)
        raise NotSent(code)
