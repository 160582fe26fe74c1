"""What is kept of a request's headers and query: nothing whose name says that it is secret, and of a URL no credential.

A name is read in words: `clientKey`, `client_key` and `client-key` are one.
"""

import re
from urllib.parse import quote, unquote_plus

_SECRET_NAME = re.compile(
    r"secret|token|password|passwd|passphrase|passcode|pwd|signature|hmac|auth(?!ors?\b)|cookie|credential|jwt|bearer|principal"
    r"|session-?id|dpop|verification|assertion|saml|(key|(?<!de)(?<!as)sign|mac|digest)\d*$"  # unseparated, as in clientkey
    r"|\b(keys?|sign|mac|digest|sas|sig|pass|otp|pin|verify|verifier)\d*\b"
    r"|^(x-)?(k|sid|session|code|hash|checksum|private|ticket)$"
)
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_.\s]+")
_USER = re.compile(r"(?<=//)[^\s/?#<>\"]*@")
_AFTER_PATH = re.compile(r"(//[^\s?#<>\"]*)(?:[?#][^\s<>\"]*)?|[?#][^\s?#=&<>\"]+=[^\s<>\"]*")
_ENCODED = 3  # times that a URL in a value may be encoded


def is_secret(name: str) -> bool:
    """Whether a header or parameter has a name of secrets."""
    return _SECRET_NAME.search(_WORD_ENDS.sub("-", name).lower()) is not None


def query_without_secrets(raw_query: str, needed: frozenset[str] = frozenset()) -> str:
    """Return the query without secrets. Parameters whose names are `needed` stay as they were sent."""
    kept = []
    for parameter in raw_query.split("&") if raw_query else ():
        name, equals, value = parameter.partition("=")
        if (decoded := unquote_plus(name)) in needed:
            kept.append(parameter)
        elif not is_secret(decoded):
            kept.append(name + equals + value_without_secrets(value))
    return "&".join(kept)


def value_without_secrets(value: str) -> str:
    """Return a value without the user, query and fragment of each URL in it, also if that is encoded."""
    text = value
    for times in range(_ENCODED + 1):
        kept = _AFTER_PATH.sub(r"\1", _USER.sub("", text))
        if kept != text:
            value = quote(kept, safe="/:", errors="replace") if times else kept
        text = unquote_plus(kept)
    return value
