"""`waitpoints outbox`."""

import json
import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waitpoints_client import local_stacks
from waitpoints_client.cli import show, stacks
from waitpoints_client.cli.commands import Printed, printing
from waitpoints_client.cli.options import add, argument, option
from waitpoints_client.cli.problems import USAGE, CommandProblem, browse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage

    from waitpoints_client import Token, Waitpoints

RECENT = timedelta(minutes=1)
"""A token that is older has its mails."""
PATIENCE, PAUSE = 10.0, 0.2  # seconds
COLUMNS = ("MAIL", "SENT", "TO", "SUBJECT")
NO_MAILS = (
    "No mails yet. They are sent for tokens with `notify`, if the stack sends mails: "
    "`waitpoints up --parameters MailFrom=waitpoints@example.com`"
)


@printing
def outbox(
    number: Annotated[int | None, argument("[MAIL]", "The mail's number. Its text is printed.")] = None,
    opens: Annotated[bool, option("--open", help="Open the link of MAIL in the browser, or of the newest mail.")] = False,
    html: Annotated[
        str | None, option("--html", metavar="FILE", help="Write the HTML of MAIL, or of the newest mail; --open opens it.")
    ] = None,
) -> Printed:
    """Show the mails that the local stack has sent.

    They are kept on this machine, and are not sent. Numbers count from the first mail. A stack in AWS keeps no mails.
    """
    path = stacks.find_local("This shows the mails of a local stack")
    with stacks.read_local_client(path) as waitpoints:
        _wait_for_new(waitpoints)
    mails = read_mails(local_stacks.read(path))
    if number is None and not opens and html is None:
        return _listed(mails[::-1])
    mail = _find(mails, number)
    written = None if html is None else _write(mail, html)
    if opens:
        browse(written or _link_of(mail))
    if opens or written:
        return Printed(mail.as_value())
    fields = {"to": mail.to, "subject": mail.subject, "sent": show.instant(mail.sent_at)}
    return Printed(mail.as_value(), fields, f"\n{mail.text}")


@dataclass(frozen=True)
class Mail:
    number: int
    to: str
    subject: str
    sent_at: datetime
    text: str
    html: str
    links: tuple[str, ...]
    """Every link in it, in their order."""
    link: str | None
    """That of the token."""
    token_id: str

    def as_value(self) -> dict[str, Any]:
        sent = self.sent_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        value = {"mail": self.number, "to": self.to, "subject": self.subject, "sentAt": sent, "text": self.text}
        return {**value, "link": self.link} if self.link else value


def _wait_for_new(waitpoints: "Waitpoints") -> None:
    """Wait until the mails of tokens that were just created are sent, which takes the stack a moment."""
    until, since = time.monotonic() + PATIENCE, datetime.now(timezone.utc) - RECENT
    due = [waitpoints.get(token) for token in waitpoints.list(status="WAITING", created_from=since)]
    while (due := [token for token in due if _has_mails_to_come(token)]) and time.monotonic() < until:
        time.sleep(PAUSE)
        due = [waitpoints.get(token) for token in due]


def _has_mails_to_come(token: "Token") -> bool:
    email = token.notify.email if token.notify and token.status == "WAITING" else None
    to = [person.email for person in token.approvers if person.email] if email is True else email
    return len(to or ()) > sum(notice.channel == "email" for notice in token.notices)


def read_mails(described: "Mapping[str, Any]") -> list[Mail]:
    """Return the mails that a local stack has sent, the first one first. Raises CommandProblem if it has ended."""
    sent = [record for records in _read(described).values() for record in records if "Raw" in record]
    sent.sort(key=lambda record: record["Timestamp"])
    return [_mail(number, record, described.get("public_url", described["api_url"])) for number, record in enumerate(sent, 1)]


def _read(described: "Mapping[str, Any]") -> "Mapping[str, Any]":
    """Return what the emulator has kept, for each account."""
    try:
        with local_stacks.ask_emulator(described, "/_ministack/ses/messages") as answer:
            kept: Mapping[str, Any] = json.load(answer)["messages"]
            return kept
    except OSError:
        raise CommandProblem(f"The local stack at {described['endpoint_url']} has ended") from None


def _mail(number: int, record: "Mapping[str, Any]", api_url: str) -> Mail:
    import base64
    from email import message_from_bytes, policy

    message: EmailMessage = message_from_bytes(base64.b64decode(record["Raw"]), policy=policy.default)
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    text, html = (body.get_content().rstrip().replace("\r\n", "\n") if body else "" for body in bodies)
    links = tuple(dict.fromkeys(re.findall(r"https?://\S+", text)))
    of_token = re.compile(re.escape(api_url) + r"/api/v1/waitpoints/tokens/\w+/callback/")
    sent_at = datetime.fromtimestamp(record["Timestamp"], timezone.utc)
    to, subject, references = (str(message[name] or "") for name in ("To", "Subject", "References"))
    link, token_id = next(filter(of_token.match, links), None), next(iter(re.findall(r"waitpoint_\w+", references)), "")
    return Mail(number, to, subject, sent_at, text, html, links, link, token_id)


def _listed(mails: list[Mail]) -> Printed:
    rows = [(str(it.number), show.instant(it.sent_at), it.to, it.subject) for it in mails]
    return Printed([it.as_value() for it in mails], table=(COLUMNS, rows)) if mails else Printed([], note=NO_MAILS)


def _find(mails: list[Mail], number: int | None) -> Mail:
    if not mails:
        raise CommandProblem(NO_MAILS)
    if number is None:
        return mails[-1]
    if not 1 <= number <= len(mails):
        raise CommandProblem(f"There is no mail {number}: the outbox has 1 to {len(mails)}", USAGE)
    return mails[number - 1]


def _write(mail: Mail, file: str) -> str:
    """Write the HTML of a mail to a file. Returns the file's URL. Raises CommandProblem."""
    if not mail.html:
        raise CommandProblem(f"Mail {mail.number} has no HTML")
    try:
        Path(file).write_text(mail.html, encoding="utf-8")
    except OSError as error:
        raise CommandProblem(f"{file} cannot be written: {error.strerror}", USAGE) from None
    return Path(file).resolve().as_uri()


def _link_of(mail: Mail) -> str:
    if mail.link is None:
        raise CommandProblem(f"Mail {mail.number} has no link of a token")
    return mail.link


def add_to(program: typer.Typer) -> None:
    add(program, (outbox,), "Tokens")
