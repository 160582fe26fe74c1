"""The scheme `hmac`: a row of the schemes' table that the user writes, for a provider that has none there.

A delivery is accepted only if its signed text can be read in one way: no bytes may move between its parts. So a header and the
URL's query must not contain the character that ends them (`fences`), and times have a fixed form.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from waitpoints import json_text, timeouts
from waitpoints.api.providers.schemes import Header, Item, Place, Scheme
from waitpoints.errors import InvalidVerification, WrittenLater
from waitpoints.token import Verification

MEMBERS = ("header", "separator", "prefix", "algorithm", "encoding", "secretEncoding", "timestamp", "signed")
TIMESTAMP_MEMBERS = ("header", "prefix", "unit", "tolerance")
ALGORITHMS = ("sha256", "sha1", "sha384", "sha512")
ENCODINGS = ("hex", "base64")
SECRET_ENCODINGS = ("text", "hex", "base64", "whsec")
UNITS = ("s", "ms", "iso")
DEFAULT_SIGNED = "{body}"
SEPARATORS = (",", ";", " ", "|", "&")
MAX_LENGTH, MAX_PLACEHOLDERS = 256, 8  # of `signed`
MAX_TOLERANCE = 3600  # seconds
_PLACEHOLDER = re.compile(r"(\{\{|\{[^{}]*\}?)")
_SAID = "{body}, {timestamp}, {url}, {method}, {header:NAME}, and {{ for a brace"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_PREFIX = re.compile(r"[!-~][ -~]{0,63}")


def read(verification: Verification) -> Scheme:
    """Return the row of a stored verification. Raises WrittenLater if this version does not know all of it."""
    try:
        return parse(json_text.parse(verification.signing or "{}"))
    except InvalidVerification:
        raise WrittenLater from None


def parse(members: Mapping[str, Any]) -> Scheme:
    """Return the row that a request's `verify` describes besides `scheme` and `secret`. Raises InvalidVerification."""
    _check_names(members, MEMBERS, "verify")
    header, between = header_name(members.get("header"), "verify.header"), _choice(members, "separator", ("", *SEPARATORS))
    prefix = _prefix(members, "verify", between)
    parts: dict[str, Place] = {}
    unit, tolerance = "s", 0
    if "timestamp" in members:
        parts["ts"], unit, tolerance = _timestamp(members["timestamp"], header, prefix, between)
    content, headers, fences = _signed(members.get("signed"), "ts" in parts)
    return Scheme(
        Header((header,)),
        content,
        primitive=cast(Any, f"hmac-{_choice(members, 'algorithm', ALGORITHMS)}"),
        encoding=cast(Literal["hex", "base64"], _choice(members, "encoding", ENCODINGS)),
        prefixes=(prefix,),
        between=between,
        parts=parts | headers,
        unit=cast(Literal["s", "ms", "iso"], unit),
        tolerance=tolerance,
        key_form=cast(Any, _choice(members, "secretEncoding", SECRET_ENCODINGS)),
        fences=fences,
    )


def header_name(value: Any, path: str) -> str:
    """Return the name of a header in lower case. Raises InvalidVerification."""
    if not isinstance(value, str) or not _HEADER_NAME.fullmatch(value):
        raise InvalidVerification(f'{path} must be the name of a header, such as "X-Signature"')
    return value.lower()


def _check_names(members: Mapping[str, Any], known: Sequence[str], path: str) -> None:
    for name in members:
        if name not in known:
            raise InvalidVerification(f"{path} has an unknown field: expected one of {', '.join(known)}")


def _choice(members: Mapping[str, Any], name: str, accepted: Sequence[str], path: str = "verify") -> str:
    """Return one of the `accepted`, by default the first. The first of `separator` is none."""
    value = members.get(name, accepted[0])
    if not isinstance(value, str) or value not in accepted or (name in members and not value):
        raise InvalidVerification(f"{path}.{name} must be one of {', '.join(json_text.dumps(it) for it in accepted if it)}")
    return value


def _prefix(members: Mapping[str, Any], path: str, between: str) -> str:
    if "prefix" not in members:
        return ""
    value = members["prefix"]
    if not isinstance(value, str) or not _PREFIX.fullmatch(value) or (between and between in value):
        accepted = "1 to 64 printable ASCII characters, without a space at the start and without the separator"
        raise InvalidVerification(f'{path}.prefix must be {accepted}, such as "v1="')
    return value


def _timestamp(value: Any, signature: str, prefix: str, between: str) -> tuple[Place, str, int]:
    """Return where the time is, its unit, and how many seconds it may be off."""
    path = "verify.timestamp"
    if not isinstance(value, dict):
        raise InvalidVerification(f"{path} must be an object with any of {', '.join(TIMESTAMP_MEMBERS)}")
    _check_names(value, TIMESTAMP_MEMBERS, path)
    header = header_name(value["header"], f"{path}.header") if "header" in value else signature
    own = _prefix(value, path, between)
    overlap = prefix and own and (prefix.startswith(own) or own.startswith(prefix))
    if header == signature and (not between or not own or overlap):
        beside = 'a time in the signature\'s header needs verify.separator, and a prefix of its own, such as "t="'
        raise InvalidVerification(f"{path}.prefix: {beside}; else give {path}.header")
    unit, place = _choice(value, "unit", UNITS, path), Item(own, Header((header,))) if own else Header((header,))
    return place, unit, _tolerance(value.get("tolerance", "5m"), f"{path}.tolerance")


def _tolerance(value: Any, path: str) -> int:
    seconds = timeouts.maybe_duration(value) // 1000
    if not 1 <= seconds <= MAX_TOLERANCE:
        raise InvalidVerification(f'{path} must be a duration from "1s" to "1h", such as "5m"')
    return seconds


def _signed(value: Any, has_time: bool) -> tuple[str, dict[str, Place], dict[str, str]]:
    """Return the content as a row has it, the headers in it, and the fences."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_LENGTH or any("\ud800" <= it <= "\udfff" for it in value):
        raise InvalidVerification(f"verify.signed must be a text of 1 to {MAX_LENGTH} characters with {_SAID}")
    pieces = _PLACEHOLDER.split(value)  # texts, and in between placeholders
    names = pieces[1::2]
    if len(names) > MAX_PLACEHOLDERS:
        raise InvalidVerification(f"verify.signed must have at most {MAX_PLACEHOLDERS} of {_SAID}")
    if names.count("{body}") != 1:
        raise InvalidVerification("verify.signed must have {body} exactly once")
    if ("{timestamp}" in names) != has_time:
        raise InvalidVerification("verify.signed must have {timestamp} if there is a verify.timestamp, and only then")
    headers: dict[str, Place] = {}
    fences: dict[str, str] = {}
    is_after_body = False
    for at in range(1, len(pieces), 2):
        named = pieces[at]
        pieces[at] = _stored(named, headers)
        is_after_body |= named == "{body}"
        if named == "{url}" or named.startswith("{header:"):
            fences[pieces[at][1:-1]] = _fence(pieces, at, named, is_after_body)
    return "".join(pieces), headers, fences


def _stored(placeholder: str, headers: dict[str, Place]) -> str:
    """Return a placeholder as a row has it, and add its header. Raises InvalidVerification."""
    if placeholder.startswith("{header:") and placeholder.endswith("}"):
        part = f"h{len(headers)}"
        headers[part] = Header((header_name(placeholder[8:-1], "verify.signed: NAME in {header:NAME}"),))
        return f"{{{part}}}"
    if placeholder not in ("{body}", "{timestamp}", "{url}", "{method}", "{{"):
        raise InvalidVerification(f"verify.signed has a brace that begins none of {_SAID}")
    return "{ts}" if placeholder == "{timestamp}" else placeholder


def _fence(pieces: Sequence[str], at: int, named: str, is_after_body: bool) -> str:
    """Return the character on the side of the body that ends a part, which has text, or nothing at all, on both sides."""
    before, after = pieces[at - 1], pieces[at + 1]
    starts, ends = at == 1 and not before, at == len(pieces) - 2 and not after
    if (not before and not starts) or (not after and not ends):
        raise InvalidVerification(f"verify.signed must have text between {named} and what is beside it, such as a dot")
    return before[-1] if is_after_body else after[0]
