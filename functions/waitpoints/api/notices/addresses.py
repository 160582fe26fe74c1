"""Where messages may be sent: which addresses of mail, and which URL on this machine."""

import os
import re
from collections.abc import Collection
from urllib.parse import urlsplit

_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_ENCODED_WORD = re.compile(r"=\?.*\?=")  # RFC 2047: a reader's client would decode it


def is_sendable(address: str) -> bool:
    """Whether SES accepts an address that a page may have: it knows only ASCII, with a domain in Punycode.

    SES API v2, `Destination`: no SMTPUTF8 (RFC 6531). The domain is not converted here: there are two standards for that, by
    which "straße.example" has two owners.
    """
    return address.isascii() and not _ENCODED_WORD.search(address)


def is_allowed(address: str, domains: Collection[str]) -> bool:
    """Whether mail may go to an ASCII address: at `example.com` itself, or below it for `.example.com`. No domains: to any."""
    domain = address.rpartition("@")[2].lower()
    is_within = any(domain == one or (one.startswith(".") and domain.endswith(one)) for one in domains)
    return not domains or (is_within and bool(_DOMAIN.fullmatch(domain)))


def is_stand_ins(url: str) -> bool:
    """Whether a URL is at the stand-in for Slack and Teams, which SLACK_API_URL names.

    The template sets no such variable: on AWS there is none, and loopback is Lambda's own.
    """
    address = urlsplit(os.environ.get("SLACK_API_URL", ""))
    return bool(address.netloc) and url.startswith(f"{address.scheme}://{address.netloc}/")
