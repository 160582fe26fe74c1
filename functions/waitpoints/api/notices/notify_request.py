"""The create field `notify`: who is notified of a page, and over which of the stack's channels (contract M5).

    "email": true                    each approver at their address; without approvers: ["ann@example.com", …]
    "slack": "#deploys"              a channel's name or id; approvers with a Slack id get a direct message, too
    "teams": "TEAMS_DEPLOYS"         the name of the secret that holds a workflow's URL; it begins with TEAMS
    "outcome": true                  these people, and who asked, are also sent how it ended. So a page on which people of some
                                     domains sign in may have `"email": true`: only who asked gets a mail

The create request fails if an approver cannot be reached, or a channel cannot be used.
"""

import re
from collections.abc import Sequence
from typing import Any

from waitpoints import json_text
from waitpoints.api.notices.addresses import is_allowed, is_sendable
from waitpoints.api.page.approver_checks import EMAIL_EXPECTED, requester_of
from waitpoints.api.page.markup import printable
from waitpoints.api.request_model import SECRET_NAME
from waitpoints.approvers import Approval, Approver, is_email
from waitpoints.errors import InvalidNotify
from waitpoints.notices import MEMBERS, Channel, Notify
from waitpoints.unknown_names import shown, unknown
from waitpoints.wiring import services

MAX_ADDRESSES = 20
PARAMETERS = {Channel.EMAIL: "MailFrom", Channel.SLACK: "Slack=on", Channel.TEAMS: "Teams=on"}
# A name has up to 80 lowercase letters, of any script, numbers, hyphens and underscores: see "Naming" in
# docs.slack.dev/reference/methods/conversations.create. An id of a channel begins with C, of an older private one with G.
_SLACK_NAME = re.compile(r"#[\w-]{1,80}")
_SLACK_ID = re.compile(r"[CG][A-Z0-9]{2,20}", re.ASCII)
# "The email address string must be 7-bit ASCII": the service model of SES, Destination.
_NO_ASCII = "mail goes to addresses in ASCII only, without encoded words. Write a domain in Punycode"


def check_notify(value: dict[str, Any], approval: Approval | None) -> str:
    """Return the JSON text of a `notify` for a page with these people. Raises InvalidNotify.

    Checks once in five minutes whether each channel's secret exists, without reading it. Raises ClientError if that fails.
    """
    notify = _parse(value)
    _check_audience(notify, approval)
    for channel in Channel:
        if channel in value and channel not in services.channels:
            raise InvalidNotify(f"notify.{channel}", f"this stack was deployed without the parameter {PARAMETERS[channel]}")
    if notify.slack is not None:
        _check_secret("notify.slack", "SLACK_BOT_TOKEN")
    if notify.teams is not None:
        _check_secret("notify.teams", notify.teams)
    return json_text.dumps(notify.members())


def _parse(value: dict[str, Any]) -> Notify:
    for name in value:
        if name not in MEMBERS:
            raise InvalidNotify("notify", unknown(printable(name), MEMBERS))
    if value.keys().isdisjoint(Channel):
        raise InvalidNotify("notify", f"expected at least one of {', '.join(Channel)}")
    email = _addresses(value["email"]) if "email" in value else False
    slack, teams = value.get("slack"), value.get("teams")
    is_name = isinstance(slack, str) and _SLACK_NAME.fullmatch(slack) and slack == slack.lower()
    if "slack" in value and not (is_name or (isinstance(slack, str) and _SLACK_ID.fullmatch(slack))):
        expected = "the name of a channel, such as #deploys (up to 80 lowercase letters, digits, - and _), or its id"
        raise InvalidNotify("notify.slack", f"expected {expected}, such as C024BE91L")
    if "teams" in value and not (isinstance(teams, str) and SECRET_NAME.fullmatch(teams) and teams.startswith("TEAMS")):
        expected = "the name of a secret that begins with TEAMS: up to 64 letters, digits, hyphens or underscores"
        raise InvalidNotify("notify.teams", f"expected {expected}")
    outcome = value.get("outcome", False)
    if not isinstance(outcome, bool):
        raise InvalidNotify("notify.outcome", "expected true or false")
    return Notify(email, slack, teams, outcome)


def _addresses(value: Any) -> bool | tuple[str, ...]:
    if value is True:
        return True
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ADDRESSES:
        raise InvalidNotify("notify.email", f"expected true, or a list of 1 to {MAX_ADDRESSES} e-mail addresses")
    seen: dict[str, str] = {}
    for number, address in enumerate(value):
        path = f"notify.email[{number}]"
        if not is_email(address):
            raise InvalidNotify(path, EMAIL_EXPECTED)
        if reason := _why_no_mail(address):
            raise InvalidNotify(path, reason)
        if address.casefold() in seen:
            raise InvalidNotify(path, f"{seen[address.casefold()]} is the same address")
        seen[address.casefold()] = path
    return tuple(value)


def _check_audience(notify: Notify, approval: Approval | None) -> None:
    """Check that it fits who may answer. Raises InvalidNotify."""
    if approval is None or approval.is_open:
        requester = requester_of(approval) if approval and notify.outcome else None
        if notify.email is True and requester is None:
            raise InvalidNotify("notify.email", "without page.approvers, expected a list of e-mail addresses")
        if notify.outcome and not notify.email:
            raise InvalidNotify("notify.outcome", "it reaches no one: it needs page.approvers, or notify.email")
        _check_requester(requester)
        return
    if isinstance(notify.email, tuple):
        raise InvalidNotify("notify.email", "with page.approvers, expected true: each of them gets a mail")
    if not notify.email and notify.slack is None:
        raise InvalidNotify("notify", "with page.approvers, it needs email or slack, too: Teams reaches none of them in person")
    check_reach(notify, approval.everybody())
    _check_requester(requester_of(approval) if notify.outcome and notify.email else None)


def check_reach(notify: Notify, people: Sequence[Approver]) -> None:
    """Raises InvalidNotify if a notify does not reach each of these people."""
    unreached = [one for one in people if not (notify.email and one.email) and not (notify.slack and one.slack)]
    if unreached:
        names, ways = ", ".join(shown(one.shown) for one in unreached), {"an email": notify.email, "a slack id": notify.slack}
        needed = " or ".join(way for way, is_wanted in ways.items() if is_wanted)
        raise InvalidNotify("notify", f"it does not reach {names}: each approver needs {needed}")
    for person in people if notify.email else ():
        if person.email and (reason := _why_no_mail(person.email)):
            raise InvalidNotify("notify.email", f"it does not reach {shown(person.shown)}: {reason}")


def _check_requester(requester: Approver | None) -> None:
    """Check that mail with the outcome may go to who asked. Raises InvalidNotify."""
    if requester and requester.email and (reason := _why_no_mail(requester.email)):
        raise InvalidNotify("notify.outcome", f"it does not reach page.requestedBy, {shown(requester.shown)}: {reason}")


def _why_no_mail(address: str) -> str | None:
    if not is_sendable(address):
        return _NO_ASCII
    domains = services.mail_domains
    return None if is_allowed(address, domains) else f"this stack sends mail only to {', '.join(domains)}"


def _check_secret(path: str, name: str) -> None:
    """Raises InvalidNotify if there is no such secret."""
    full_name = services.channel_secret_name(name)
    if not services.existing_secrets.has(full_name):
        raise InvalidNotify(path, f'Secrets Manager has no secret "{full_name}"; store it: waitpoints secrets put {name}')
