"""What sends to each channel of this stack, and the links in what is sent."""

import os
from typing import assert_never

from waitpoints.api.notices.dispatcher import Sender
from waitpoints.api.notices.plan import Target
from waitpoints.api.page.definition import Page
from waitpoints.aws.secrets import read_usable
from waitpoints.errors import NotSent
from waitpoints.notices import Channel
from waitpoints.token import Token
from waitpoints.wiring import services

SLACK_API = "https://slack.com/api"
SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET = "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"


def sender_of(channel: Channel) -> Sender:
    """Return what sends to a channel; it is made when it is first used. Raises NotSent if the stack does not have it."""
    sender: Sender | None = services.senders.get(channel)
    if sender is None:
        sender = services.senders[channel] = _make(channel)
    return sender


def link_of(token: Token, target: Target, page: Page) -> str | None:
    """Return the link that a target gets: a person's own, or the callback URL. Who answers a page with approvers has a link."""
    if target.person is not None:
        return services.urls.approver_url(token.id, services.api_url, target.person.id)
    return services.urls.url(token.id, services.api_url) if page.approval is None else None


def _make(channel: Channel) -> Sender:
    match channel:
        case Channel.EMAIL:
            mail_from = _parameter("MAIL_FROM")
            from waitpoints.api.notices.mail import MailChannel  # noqa: PLC0415 - only for stacks that send mails

            return MailChannel(lambda: services.ses_client, mail_from, services.brand, services.mail_domains)
        case Channel.SLACK:
            _parameter("SLACK")
            from waitpoints.api.notices.slack import SlackChannel  # noqa: PLC0415 - only for stacks with Slack

            url = os.environ.get("SLACK_API_URL", SLACK_API)
            return SlackChannel(url, services.channel_secret(SLACK_BOT_TOKEN), services.brand, _clicks_are_signed)
        case Channel.TEAMS:
            _parameter("TEAMS")
            from waitpoints.api.notices.teams import TeamsChannel  # noqa: PLC0415 - only for stacks with Teams

            return TeamsChannel(services.channel_secret, services.brand)
    assert_never(channel)


def _clicks_are_signed() -> bool:
    return read_usable(services.channel_secret(SLACK_SIGNING_SECRET)) is not None


def _parameter(variable: str) -> str:
    """Return the variable that a stack with a channel has."""
    value = os.environ.get(variable, "")
    if value in ("", "off"):
        raise NotSent(f"the stack has no {variable}")
    return value
