"""The channels of this stack, and the links in what they send."""

from functools import partial
from typing import Protocol, assert_never

from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.aws.services.secrets import read_usable
from waitpoints.errors import NotSent
from waitpoints.notices import Channel
from waitpoints.wiring import services

SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET = "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"
_VARIABLES = {Channel.EMAIL: "MAIL_FROM", Channel.SLACK: "SLACK", Channel.TEAMS: "TEAMS"}


class NoticeChannel(Protocol):
    def send(self, notice: Notice) -> str | None:
        """Send or edit a message in one call. Returns the channel's name of it. Raises NotSentNow or NotSent."""


def channel_of(channel: Channel) -> NoticeChannel:
    """Raises NotSent if the stack does not have the channel, as after its parameter was taken away."""
    if channel not in services.channels:
        raise NotSent(f"the stack has no {_VARIABLES[channel]}")
    match channel:
        case Channel.EMAIL:
            from waitpoints.api.notices.mail import MailChannel

            return MailChannel(lambda: services.ses_client, services.mail_from, services.brand, services.mail_domains)
        case Channel.SLACK:
            from waitpoints.api.notices.slack import SlackChannel

            token = services.channel_secret(SLACK_BOT_TOKEN)
            return SlackChannel(services.slack_api_url, token, services.brand, _clicks_are_signed)
        case Channel.TEAMS:
            from waitpoints.api.notices.teams import TeamsChannel

            return TeamsChannel(services.channel_secret, services.brand)
    assert_never(channel)


def link_of(notice: Notice) -> str | None:
    """Return the link by which its reader answers, if there is one. The outcome has none: there is nothing to answer."""
    if notice.kind is NoticeKind.OUTCOME:
        return None
    approval, link_of = notice.page.approval, partial(services.urls.url, notice.token.id, services.api_url)
    return approval.link(notice.target.person, link_of) if approval else link_of()


def _clicks_are_signed() -> bool:
    return read_usable(services.channel_secret(SLACK_SIGNING_SECRET)) is not None
