"""How the fake answers: a refusal with the stack's own words, and values as the API writes them."""

from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from typing import Any, Final

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_USUAL: Final = {  # the code of most refusals with a status
    400: "InvalidRequest",
    401: "Unauthenticated",
    403: "NotAsked",
    404: "TokenNotFound",
    405: "MethodNotAllowed",
    409: "TokenHasEnded",
    413: "BodyTooLarge",
    422: "InvalidTimeout",
}
_OF_MEMBER: Final = {
    "page": "InvalidPage",
    "approvers": "InvalidPage",
    "notify": "InvalidNotify",
    "verify": "InvalidVerification",
    "keyTTL": "InvalidEndpoint",
    "recordDeliveries": "InvalidEndpoint",
}


class Refusal(Exception):
    """A request that the stack would refuse, with the code that is usual for the status, or another one."""

    def __init__(self, status: int, message: str, code: str | None = None, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, str] = {"error": message, "code": code or _USUAL[status], **more}


def invalid(path: str, reason: str) -> Refusal:
    """Return the refusal of a value, whose code follows from the member that it is in."""
    return Refusal(422, f"Invalid {path}: {reason}", _OF_MEMBER.get(path.partition(".")[0]))


def iso(instant: int | None) -> str | None:
    """Return epoch milliseconds as the API writes an instant."""
    if instant is None:
        return None
    return (_EPOCH + timedelta(milliseconds=instant)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(instant: datetime) -> int:
    """Return an instant as epoch milliseconds."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def without_none(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members that have a value: the API omits the others."""
    return {name: value for name, value in members.items() if value is not None}


def refuse_unknown(names: Any, known: tuple[str, ...], kind: str = "field") -> None:
    """Raises Refusal for the first name that is not known, with the nearest one."""
    for name in names:
        if name not in known:
            raise Refusal(400, f"Validation error: {unknown(name, known, kind)}")


def unknown(name: str, known: tuple[str, ...], kind: str = "field") -> str:
    """Say that a name is not known, with the nearest one."""
    near = get_close_matches(name, known, n=1, cutoff=0.75)
    return f'unknown {kind} "{name}": ' + (f'did you mean "{near[0]}"?' if near else f"expected one of {', '.join(known)}")
