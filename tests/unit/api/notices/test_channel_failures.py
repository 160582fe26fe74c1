"""What each failure of a channel means: refused for good, or to be tried again, after how many seconds.

Sources: botocore's service model sesv2 (SendEmail); docs.slack.dev, reference/methods/chat.postMessage and chat.update,
"Errors"; learn.microsoft.com, "Create incoming webhooks with Workflows for Microsoft Teams".
"""

from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.support import mails
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.slack import notice
from tests.unit.api.notices.test_mail import Ses
from waitpoints.api.notices import mail
from waitpoints.api.notices.mail import MailChannel
from waitpoints.api.notices.slack import SlackChannel
from waitpoints.api.notices.teams import TeamsChannel
from waitpoints.errors import NotSent, NotSentNow
from waitpoints.notices import Channel
from waitpoints_local.slack_stand_in import BOT_TOKEN, Workspace

UNVERIFIED = "Email address is not verified. The following identities failed the check in region EU-WEST-1: "
SANDBOX = "MessageRejected: the account is in SES's sandbox, and this address is not verified in SES"
FOR_GOOD = None, False
NOW, IN_TEN_MINUTES = (None, True), (600, True)
AGAIN = [
    "external_channel_migrating",
    "fatal_error",
    "internal_error",
    "message_limit_exceeded",
    "org_login_required",
    "rate_limited",
    "ratelimited",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
    "update_failed",
]
FOR_GOOD_CODES = ["channel_not_found", "invalid_auth", "is_archived", "msg_too_long", "not_in_channel", "unknown_to_us"]


def error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "SendEmail")


def check(channel: Any, asked: Any, reason: str, after: int | None, is_tried_again: bool) -> None:
    """The reason has nothing of the channel's own text, which names addresses and URLs."""
    with pytest.raises(NotSentNow if is_tried_again else NotSent) as failed:
        channel.send(asked)
    assert (str(failed.value), getattr(failed.value, "after", None)) == (reason, after)


@pytest.mark.parametrize(
    ("failure", "reason", "meaning"),
    [
        (error("MessageRejected", UNVERIFIED + mails.FROM), "MessageRejected: MailFrom is not verified in SES", FOR_GOOD),
        (error("MessageRejected", UNVERIFIED + "ann@example.com"), SANDBOX, FOR_GOOD),
        (error("MessageRejected", "for ann@example.com"), "MessageRejected: SES does not accept the content", FOR_GOOD),
        (
            error("BadRequestException", "ann@example.com"),
            "BadRequestException: SES cannot read the address or the message",
            FOR_GOOD,
        ),
        (error("TooManyRequestsException", "Maximum sending rate exceeded."), "TooManyRequestsException", NOW),
        (error("TooManyRequestsException", "Daily message quota exceeded"), "TooManyRequestsException", IN_TEN_MINUTES),
        (error("LimitExceededException"), "LimitExceededException", IN_TEN_MINUTES),
        (error("SendingPausedException", "for ann@example.com"), "SendingPausedException", IN_TEN_MINUTES),
        (error("InternalFailure", "ann@example.com"), "InternalFailure", NOW),
        (error("ServiceUnavailable"), "ServiceUnavailable", NOW),
        (error("ExpiredTokenException"), "ExpiredTokenException", NOW),
        (ReadTimeoutError(endpoint_url="https://email"), "ReadTimeoutError", NOW),
        (EndpointConnectionError(endpoint_url="https://email"), "EndpointConnectionError", NOW),
    ],
)
def test_of_mail(failure: Exception, reason: str, meaning: tuple[int | None, bool]) -> None:
    check(MailChannel(lambda: Ses(failure), mails.FROM, mails.BRAND), mails.notice(), reason, *meaning)


def test_every_error_of_ses_has_a_meaning() -> None:
    model = botocore.session.get_session().get_service_model("sesv2").operation_model("SendEmail")
    codes = {shape.name for shape in model.error_shapes}
    known = {*mail._REFUSALS, *mail._LATER, "TooManyRequestsException"} - {"AccessDenied", "AccessDeniedException"}
    assert (len(codes), codes) == (8, known)


NOT_SLACKS = [{}, {"ok": False, "error": "<script>"}, {"ok": "yes"}, {"ok": 1}, {"error": 7}]


@pytest.mark.parametrize(
    ("status", "body", "reason", "is_tried_again"),
    [
        *((200, {"ok": False, "error": code}, code, True) for code in AGAIN),
        *((200, {"ok": False, "error": code}, code, False) for code in FOR_GOOD_CODES),
        (500, {"ok": False, "error": "channel_not_found"}, "channel_not_found", True),
        *((200, body, "the answer is not Slack's", True) for body in NOT_SLACKS),
        *((502, body, "HTTP 502", True) for body in NOT_SLACKS),
        *((status, body, f"HTTP {status}", False) for status in (302, 404) for body in NOT_SLACKS),
    ],
)
def test_of_slack(workspace: Workspace, status: int, body: Any, reason: str, is_tried_again: bool) -> None:
    workspace.next_answers.append((status, {}, body))
    channel = SlackChannel(workspace.api_url, FakeSecret(BOT_TOKEN), ("", ""), lambda: True)
    check(channel, notice(), reason, None, is_tried_again)
    assert len(workspace.calls) == 1


@pytest.mark.parametrize(
    ("status", "wish", "after", "is_tried_again"),
    [
        (408, "soon", None, True),
        (429, "9", 9, True),
        (500, "", None, True),
        (503, "99999", 3_600, True),
        *((status, "9", None, False) for status in (302, 400, 410, 413)),
    ],
)
def test_of_teams(workspace: Workspace, status: int, wish: str, after: int | None, is_tried_again: bool) -> None:
    workspace.next_answers.append((status, {"retry-after": wish}, {}))
    channel = TeamsChannel(lambda _: FakeSecret(f"{workspace.url}/teams/secret"), ("", ""))
    check(channel, notice(channel=Channel.TEAMS), f"HTTP {status}", after, is_tried_again)
    assert len(workspace.calls) == 1
