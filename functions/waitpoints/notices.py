"""Who is to be told of a token with a page, and what each of them has got.

    "notify": {"email": true, "slack": "#deploys", "teams": "TEAMS_DEPLOYS"}    as a create has it

A place is where one message goes. Its key is short, and stays the same for the life of the token:

    email.<n>    the mail address of the n-th person of the page, or the n-th address of `notify.email`
    slack        the Slack channel
    slack.<n>    the direct messages of the n-th person
    teams        the Teams channel
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class Channel(StrEnum):
    EMAIL = "email"
    SLACK = "slack"
    TEAMS = "teams"


@dataclass(frozen=True, slots=True)
class Notify:
    """`email` is True for the approvers' own addresses. `slack` is a channel, `teams` the name of a secret that holds a URL."""

    email: bool | tuple[str, ...] = False
    slack: str | None = None
    teams: str | None = None

    def members(self) -> dict[str, Any]:
        """Return it as the table and the API have it."""
        email = list(self.email) if isinstance(self.email, tuple) else self.email or None
        return _given(email=email, slack=self.slack, teams=self.teams)

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> Self:
        """Read what `members` wrote."""
        email = members.get("email", False)
        return cls(tuple(email) if isinstance(email, list) else email, members.get("slack"), members.get("teams"))


@dataclass(frozen=True, slots=True)
class Notice:
    """What one place has got, as it is recorded beside the token.

    `at` is when something was last sent there, or refused. `ref` is how the channel names the message: the id of a mail, or
    "<channel>/<ts>" in Slack. `reminded` is the number of the token's reminders that it knows of. `told_last`: that one more
    answer is missing. `shows` is the state that a message which is edited shows (see `plan.state_of`). `refused` is why the
    channel takes nothing for this place: retrying won't fix it.
    """

    at: int
    ref: str | None = None
    reminded: int = 0
    told_last: bool = False
    shows: str | None = None
    refused: str | None = None

    def members(self) -> dict[str, Any]:
        """Return it as the table has it."""
        reminded, told_last = self.reminded or None, self.told_last or None
        return _given(at=self.at, ref=self.ref, reminded=reminded, toldLast=told_last, shows=self.shows, refused=self.refused)

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> Self:
        """Read what `members` wrote."""
        return cls(
            int(members["at"]),
            members.get("ref"),
            int(members.get("reminded", 0)),
            members.get("toldLast", False),
            members.get("shows"),
            members.get("refused"),
        )


def _given(**members: Any) -> dict[str, Any]:
    """Leave out what has no value. `token.present` does the same, but a token has notices."""
    return {name: value for name, value in members.items() if value is not None}
