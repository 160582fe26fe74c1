"""Who is notified of a page in the fake, which has every channel and sends nothing."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from waitpoints_client.testing.answers import Refusal, invalid, unknown
from waitpoints_client.testing.approval import EMAIL_EXPECTED, Approval, Person, is_email, shown

CHANNELS = ("email", "slack", "teams")
MEMBERS = (*CHANNELS, "outcome")
MOST = 20  # addresses
_WAYS = {"email": "an email", "slack": "a slack id"}
_SLACK_NAME = re.compile(r"#[\w-]{1,80}")
_SLACK_ID = re.compile(r"[CG][A-Z0-9]{2,20}", re.ASCII)
_TEAMS_SECRET = re.compile(r"TEAMS[A-Za-z0-9_-]{0,59}")
_TEAMS = "the name of a secret that begins with TEAMS: up to 64 letters, digits, hyphens or underscores"
_SURROGATES = re.compile("[\ud800-\udfff]")
_ENCODED_WORD = re.compile(r"=\?.*\?=")  # RFC 2047
_ASCII = "mail goes to addresses in ASCII only, without encoded words. Write a domain in Punycode"
_CHANNEL = "the name of a channel, such as #deploys (up to 80 lowercase letters, digits, - and _), or its id, such as C024BE91L"


def parse(body: Mapping[str, Any], approval: Approval | None) -> dict[str, Any] | None:
    """Return the `notify` of a create, None if it has none. `approval` is that of its page. Raises Refusal."""
    if "notify" not in body:
        return None
    notify = body["notify"]
    if not isinstance(notify, dict):
        raise Refusal(400, 'Validation error: expected an object at "notify"')
    if "page" not in body:
        raise invalid("notify", "it needs a page: people are notified that it waits for their answer")
    _check_members(notify)
    _check_audience(notify, approval)
    return {name: value for name, value in notify.items() if value is not False}


def _check_members(notify: Mapping[str, Any]) -> None:
    for name in notify:
        if name not in MEMBERS:
            raise invalid("notify", unknown(_SURROGATES.sub("\ufffd", name), MEMBERS))
    if notify.keys().isdisjoint(CHANNELS):
        raise invalid("notify", f"expected at least one of {', '.join(CHANNELS)}")
    if "email" in notify and notify["email"] is not True:
        _check_addresses(notify["email"])
    if "slack" in notify and not _is_slack_channel(notify["slack"]):
        raise invalid("notify.slack", f"expected {_CHANNEL}")
    if "teams" in notify and not (isinstance(notify["teams"], str) and _TEAMS_SECRET.fullmatch(notify["teams"])):
        raise invalid("notify.teams", f"expected {_TEAMS}")
    if not isinstance(notify.get("outcome", False), bool):
        raise invalid("notify.outcome", "expected true or false")


def _check_addresses(value: Any) -> None:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST:
        raise invalid("notify.email", f"expected true, or a list of 1 to {MOST} e-mail addresses")
    seen: dict[str, str] = {}
    for number, address in enumerate(value):
        path = f"notify.email[{number}]"
        if not is_email(address):
            raise invalid(path, EMAIL_EXPECTED)
        if not _is_sendable(address):
            raise invalid(path, _ASCII)
        if address.casefold() in seen:
            raise invalid(path, f"{seen[address.casefold()]} is the same address")
        seen[address.casefold()] = path


def _is_slack_channel(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    is_name = _SLACK_NAME.fullmatch(value) is not None and value == value.lower()
    return is_name or _SLACK_ID.fullmatch(value) is not None


def _check_audience(notify: Mapping[str, Any], approval: Approval | None) -> None:
    requester = (approval and approval.requested_by) or ""
    if approval is None or approval.domains:
        if notify.get("email") is True and not (requester and notify.get("outcome")):
            raise invalid("notify.email", "without page.approvers, expected a list of e-mail addresses")
        if notify.get("outcome") and "email" not in notify:
            raise invalid("notify.outcome", "it reaches no one: it needs page.approvers, or notify.email")
        _check_requester(notify, requester)
        return
    if isinstance(notify.get("email"), list):
        raise invalid("notify.email", "with page.approvers, expected true: each of them gets a mail")
    if not _wanted(notify):
        raise invalid("notify", "with page.approvers, it needs email or slack, too: Teams reaches none of them in person")
    check_reach(notify, approval.everybody())
    _check_requester(notify, requester)


def _check_requester(notify: Mapping[str, Any], requester: str) -> None:
    if notify.get("outcome") and "email" in notify and is_email(requester) and not _is_sendable(requester):
        raise invalid("notify.outcome", f"it does not reach page.requestedBy, {shown({'id': requester})}: {_ASCII}")


def _wanted(notify: Mapping[str, Any]) -> list[str]:
    return [member for member in _WAYS if member in notify]


def check_reach(notify: Mapping[str, Any], people: Sequence[Person]) -> None:
    """Raises Refusal if a notify does not reach each of these people."""
    wanted = _wanted(notify)
    if unreached := [shown(person) for person in people if not any(member in person for member in wanted)]:
        way = " or ".join(_WAYS[member] for member in wanted)
        raise invalid("notify", f"it does not reach {', '.join(unreached)}: each approver needs {way}")
    if "email" in wanted and (foreign := [person for person in people if not _is_sendable(person.get("email", ""))]):
        raise invalid("notify.email", f"it does not reach {shown(foreign[0])}: {_ASCII}")


def _is_sendable(address: str) -> bool:
    return address.isascii() and not _ENCODED_WORD.search(address)
