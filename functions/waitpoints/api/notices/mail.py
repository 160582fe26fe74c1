"""Send mails with SES, each to one person, and read from its errors what may be tried again.

SES writes the headers Date and Message-ID itself, whatever a message has (Developer Guide, "Amazon SES header fields"), and
returns the part of its Message-ID before the `@`. Behind it stands `email.amazonses.com` in us-east-1 and
`<region>.amazonses.com` elsewhere. AWS shows that but nowhere promises it, so the mails to one target also name, in
`References`, an id of our own that no mail has: a client that knows only that groups them, too.

That SES has taken a mail does not mean that it arrives: bounces and complaints are events of SES's own.
"""

from collections.abc import Callable, Collection
from email import policy
from email.header import Header
from email.message import EmailMessage
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from waitpoints.api.notices import mail_content, mail_html
from waitpoints.api.notices.addresses import is_allowed, is_sendable
from waitpoints.api.notices.mail_content import MailContent
from waitpoints.api.notices.plan import Notice
from waitpoints.api.notices.summary import line
from waitpoints.aws.error_codes import error_name
from waitpoints.errors import NotSent, NotSentNow

LATER = 600  # seconds: SES asks to wait up to ten minutes (Developer Guide, "Errors related to the sending quotas")

_LATER = {"LimitExceededException", "SendingPausedException"}
_REFUSALS = {
    "AccessDenied": "the function's role or a policy of MailFrom's identity does not allow it",
    "AccessDeniedException": "the function's role or a policy of MailFrom's identity does not allow it",
    "AccountSuspendedException": "SES has ended sending for this account",
    "BadRequestException": "SES cannot read the address or the message",
    "MailFromDomainNotVerifiedException": "the custom MAIL FROM domain of MailFrom's identity is not verified",
    "MessageRejected": "SES does not accept the content",
    "NotFoundException": "what MailFrom's identity names, such as a configuration set, does not exist",
}
"""SES API v2, SendEmail, Errors. Every other error may be over later."""


class MailChannel:
    """`brand` is the stack's name, which readers see in `From`, and its colour. `domains`: see `addresses.is_allowed`."""

    def __init__(
        self, make_client: Callable[[], Any], mail_from: str, brand: tuple[str, str], domains: Collection[str] = ()
    ) -> None:
        self._make_client = make_client
        self._from = mail_from
        self._name, self._color = brand
        self._domains = domains

    def send(self, notice: Notice) -> str:
        """Send one mail, and return SES's id of it. Raises NotSentNow or NotSent."""
        to = notice.target.to
        if not is_sendable(to):
            raise NotSent("AddressRefused: SES accepts only ASCII addresses, with the domain in Punycode (xn--…)")
        if not is_allowed(to, self._domains):
            raise NotSent("AddressRefused: its domain is not among the stack's MailDomains")
        client = self._make_client()
        try:
            answer = client.send_email(
                FromEmailAddress=self._from,
                Destination={"ToAddresses": [to]},
                Content={"Raw": {"Data": self.message(notice, client.meta.region_name)}},
            )
        except (ClientError, BotoCoreError) as error:
            raise self._failure(error) from None
        return str(answer["MessageId"])

    def message(self, notice: Notice, region: str) -> bytes:
        """Return the mail as SES accepts it: in 7-bit lines of fewer than 1,000 characters."""
        content = mail_content.fitting(mail_content.write(notice, self._name), lambda one: mail_html.fits(one, self._color))
        body = EmailMessage(policy.SMTP.clone(cte_type="7bit"))
        body.set_content(mail_content.plain_text(content))
        body.add_alternative(mail_html.document(content, self._color), subtype="html")
        headers = self._headers(notice, content, region)
        written = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return written.encode("ascii", "replace") + body.as_bytes()

    def _headers(self, notice: Notice, content: MailContent, region: str) -> dict[str, str]:
        """Return the headers, encoded: no text of a caller reaches a parser of the email package, which would decode it."""
        target, ref = notice.target, notice.ref
        first = f"<{ref}@{'email' if region == 'us-east-1' else region}.amazonses.com>" if ref else None
        common = f"<{notice.token.id}.{target.key}@{self._from.rpartition('@')[2]}>"
        name = target.person.name if target.person else None
        return {
            "From": _mailbox(content.brand, self._from),
            "To": _mailbox(line(name or ""), target.to),
            "Subject": _encoded(content.subject),
            **({"In-Reply-To": first} if first else {}),
            "References": f"{common} {first}" if first else common,
            "Thread-Topic": _encoded(content.title),
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
            "Content-Language": content.language,
        }

    def _failure(self, error: ClientError | BotoCoreError) -> NotSent | NotSentNow:
        """Return what follows from an error. Its reason has nothing of SES's message, which names addresses."""
        name = error_name(error)
        message = error.response["Error"].get("Message", "") if isinstance(error, ClientError) else ""
        if name == "MessageRejected" and "not verified" in message:
            who = "MailFrom is" if self._from in message else "the account is in SES's sandbox, and this address is"
            return NotSent(f"{name}: {who} not verified in SES")
        if name in _REFUSALS:
            return NotSent(f"{name}: {_REFUSALS[name]}")
        return NotSentNow(name, LATER if name in _LATER or "Daily" in message else None)


def _mailbox(name: str, address: str) -> str:
    """Return `name <address>` for a header, or the address alone."""
    if not name:
        return address
    is_plain = name.isascii() and name.isprintable() and "=?" not in name
    quoted = '"' + name.replace("\\", r"\\").replace('"', r"\"") + '"'
    return f"{quoted if is_plain else _words(name)} <{address}>"


def _encoded(text: str) -> str:
    return text if text.isascii() and text.isprintable() and "=?" not in text else _words(text)


def _words(text: str) -> str:
    """Return a text as encoded words (RFC 2047), one on each line. A line break of the text becomes a space."""
    return Header(text, "utf-8", maxlinelen=75, header_name="Thread-Topic").encode(linesep="\r\n")
