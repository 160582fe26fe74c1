"""Who is notified of a token with a page, and the record of what was sent.

    "notify": {"email": true, "slack": "#deploys", "teams": "TEAMS_DEPLOYS"}    as a create has it

A target is where one message goes. Its key is short, and stays the same for the life of the token:

    email.<n>    the mail address of the n-th person of the page, or the n-th address of `notify.email`
    slack        the Slack channel
    slack.<n>    the direct messages of the n-th person
    teams        the Teams channel

Who asked for an answer and is none of these people has `requester` in place of a number: they only get the outcome.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Self

from waitpoints import json_text
from waitpoints.json_text import Called, Stored


class Channel(StrEnum):
    EMAIL = "email"
    SLACK = "slack"
    TEAMS = "teams"


MEMBERS = (*map(str, Channel), "outcome")


@dataclass(frozen=True, slots=True)
class Notify(Stored):
    email: Annotated[
        bool | tuple[str, ...],
        "True: its approvers, each at their address, or without them only `requestedBy`. Else the addresses.",
    ] = False
    slack: Annotated[str | None, "The name or the id of a channel."] = None
    teams: Annotated[str | None, "The name of the secret that holds a workflow's URL."] = None
    outcome: Annotated[bool, "These people, and `requestedBy`, also get the outcome."] = False

    def sends_outcome_to(self, target: str) -> bool:
        """Whether a target, by its key, gets the outcome: one of a person, and no channel."""
        return self.outcome and "." in target

    @classmethod
    def of_text(cls, text: str) -> Self:
        return cls.of(json_text.parse(text))

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> Self:
        """Read what `members` wrote."""
        email = members.get("email", False)
        addresses = tuple(email) if isinstance(email, list) else email
        return cls(addresses, members.get("slack"), members.get("teams"), members.get("outcome", False))


@dataclass(frozen=True, slots=True)
class NoticeRecord(Stored):
    """The last message to one target, as it is stored beside the token.

    `at` is when something was last sent there, or refused. `ref` is how the channel names the first message: the id of a mail,
    or "<channel>/<ts>" in Slack. `notified_last` is whether it knows that one more answer is missing, `shows` the state that an
    edited message shows (see `plan.state_of`).
    """

    at: int
    ref: str | None = None
    reminded: Annotated[
        int, Called("reminders"), "The number of the token's last reminder that was sent there. Absent before the first."
    ] = 0
    notified_last: bool = False
    notified_outcome: Annotated[bool, Called("outcome"), "The token's outcome was sent there."] = False
    shows: str | None = None
    refused: Annotated[
        str | None, Called("reason"), "Why the channel refuses it, in its own word, such as `channel_not_found`."
    ] = None
