"""The tokens of the fake, as the API shows them."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote

from waitpoints_client.errors import TIMEOUT_CODE
from waitpoints_client.wire import instant, read_duration, read_instant, write_json

STACK: Final = "the fixture `waitpoints_stack` of waitpoints-testing runs a stack that does"
_KINDS = {"taskToken": "STEP_FUNCTIONS", "callbackId": "DURABLE_FUNCTION"}
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class FakeToken:
    """A token. `listed` is what a list has of it, and `more` what retrieve has besides."""

    def __init__(
        self, token_id: str, url: str, asked: Mapping[str, Any], now: datetime, ends: Mapping[str, datetime | None]
    ) -> None:
        """`asked` is the body of its create, with when its `timeout` and its `idempotencyKeyTTL` end."""
        self.id, self.url = token_id, url
        self.timeout_at, self.key_expires_at = ends["timeout"], ends["idempotencyKeyTTL"]
        tags = asked.get("tags", [])
        self.listed: dict[str, Any] = {"id": token_id, "url": url, "status": "WAITING", "createdAt": instant(now)}
        self.listed |= {
            "outputIsError": False,
            "tags": [tags] if isinstance(tags, str) else [*tags],
            **_given(asked, "idempotencyKey"),
        }
        times = {"timeoutAt": self.timeout_at, "idempotencyKeyExpiresAt": self.key_expires_at}
        self.listed |= {name: instant(time) for name, time in times.items() if time}
        waiter = {"status": "WAITING", "registeredAt": instant(now), **_given(asked, "execution")}
        waiters = [{"id": _digest(asked[it])[:16], "kind": _KINDS[it], **waiter} for it in _KINDS if it in asked]
        self.more: dict[str, Any] = {"type": "MANUAL", "outputType": "application/json", "waiters": waiters}
        self.more |= {"userProvidedIdempotencyKey": "idempotencyKey" in asked, **_given(asked, "metadata", "traceparent")}
        self.more |= {"notify": asked["notify"], "notices": []} if "notify" in asked else {}
        self.links: list[dict[str, str]] = []
        if "page" in asked:
            self._show_page(asked["page"])

    def _show_page(self, page: Mapping[str, Any]) -> None:
        actions, title = page.get("actions", [{"id": "submit"}]), page["title"]
        self.listed["page"] = {"title": title if isinstance(title, str) else next(iter(title.values()))}
        self.more |= {"page": {**self.listed["page"], **_given(page, "signIn")}, "pageActions": [it["id"] for it in actions]}
        if {"approvers", "signIn"}.isdisjoint(page):
            return
        people = [_person(it) for it in page.get("approvers", ())]
        later = [_person(it) for it in page.get("escalate", {}).get("to", ())]
        self.links = [{"approver": it["id"], "url": self._link(page, it["id"])} for it in (*people, *later)]
        self.more |= {"approvers": people, "needs": {it["id"]: it.get("needs", 1) for it in actions}, "links": self.links}
        self.more |= {"answers": [], **_given(page, "requestedBy")}

    def _link(self, page: Mapping[str, Any], approver: str) -> str:
        """Return the link of an approver. Where people sign in, it is the callback URL."""
        if "signIn" in page:
            return self.url
        own = _digest(f"{self.url} {approver}")
        return f"{self.url[:-64]}{own}?approver={quote(approver, safe='')}"

    @property
    def waits(self) -> bool:
        return bool(self.listed["status"] == "WAITING")

    @property
    def has_sign_in(self) -> bool:
        return "signIn" in self.more.get("page", {})

    def settle(
        self, at: datetime, source: str, output: str | None, *, is_error: bool = False, status: str = "COMPLETED", **by: Any
    ) -> bool:
        """`output` is the JSON text of its output or error. Returns False, and changes nothing, if it has settled before."""
        if not self.as_of(at).waits:
            return False
        self.listed |= {"status": status, "completedAt": instant(at), "outputIsError": is_error}
        override = {"override": True} if source == "complete" and "approvers" in self.more else {}
        self.more |= {"completedBy": {"source": source, "at": instant(at), **by, **override}}
        self.more |= {} if output is None else {"output": output}
        for waiter in self.more["waiters"]:
            waiter |= {"status": "RESUMED", "resumedAt": instant(at), "lagMs": 0}
        return True

    def answer(self, at: datetime, approver: str, action: Any, fields: Any) -> None:
        """Let an approver's answer settle it."""
        signed_in = {"issuer": "https://issuer.test", "subject": approver, "email": approver, "at": instant(at)}
        by: dict[str, Any] = {"approver": approver, **({"signedIn": signed_in} if self.has_sign_in else {})}
        chosen = {"action": action, "fields": fields}
        answers = [{**chosen, **by, "at": instant(at)}]
        output = write_json({**chosen, "approver": approver, "answers": answers})
        if self.settle(at, "callback", output, **by) and "approvers" in self.more:
            self.more["answers"] = answers

    def as_of(self, now: datetime) -> "FakeToken":
        """Return this token, timed out if it is time."""
        if (end := self.timeout_at) and end <= now and self.waits:
            self.timeout_at = None
            error = {"code": TIMEOUT_CODE, "message": f"Waitpoint timed out at {instant(end)}"}
            self.settle(end, "timeout", write_json(error), is_error=True, status="TIMED_OUT")
        return self

    def passes(self, name: str, text: str, now: datetime) -> bool:
        """Whether it passes a filter of a list. Raises NotImplementedError for one that is unknown here."""
        match name.removeprefix("filter[").rstrip("]").split("]["):
            case ["status"]:
                return self.listed["status"] in text.split(",")
            case ["tags"]:
                return not {*text.split(",")}.isdisjoint(self.listed["tags"])
            case ["idempotencyKey"]:
                return bool(self.listed.get("idempotencyKey") == text)
            case ["outputIsError"]:
                return str(self.listed["outputIsError"]).lower() == text
            case ["undelivered"]:
                return False  # every waiter counts as resumed
            case [("createdAt" | "completedAt") as when, "from"]:
                return when in self.listed and read_instant(self.listed[when]) >= read_instant(text)
            case [("createdAt" | "completedAt") as when, "to"]:
                return when in self.listed and read_instant(self.listed[when]) <= read_instant(text)
            case [("createdAt" | "completedAt") as when, "period"]:
                return when in self.listed and read_instant(self.listed[when]) >= now - read_duration(text)
        raise unsupported(f"know the filter {name}")


def output_of(body: bytes) -> str:
    """Return the output that a delivery gives: its JSON as it is, else its text as a string. An empty one gives {}.

    Raises NotImplementedError for bytes that are no text.
    """
    try:
        text = body.decode()
        json.loads(text or "{}")
    except UnicodeDecodeError:
        raise unsupported("keep bytes that are no text") from None
    except ValueError:
        return write_json(text)
    return text or "{}"


def unsupported(what: str) -> NotImplementedError:
    """Say who does what the fake does not."""
    return NotImplementedError(f"FakeWaitpoints does not {what}: {STACK}")


def new_id(now: datetime) -> str:
    """Return an id for a token that is created now."""
    number = (now - _EPOCH) // timedelta(milliseconds=1) << 80 | secrets.randbits(80)
    return "waitpoint_" + "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(26)))


def _person(written: Any) -> dict[str, Any]:
    if not isinstance(written, str):
        return {**written}
    return {"id": written, **({"email": written} if "@" in written else {})}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _given(asked: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: asked[name] for name in names if name in asked}
