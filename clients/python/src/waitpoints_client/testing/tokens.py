"""The tokens of the fake, and what a stack does to them. All times are epoch milliseconds."""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from waitpoints_client.testing import approval as page_approval
from waitpoints_client.testing import notices, reminders, sign_in, times
from waitpoints_client.testing.answers import Refusal, invalid, iso, refuse_unknown, without_none
from waitpoints_client.testing.approval import Approval
from waitpoints_client.wire import write_json

FIELDS = (
    "idempotencyKey", "idempotencyKeyTTL", "timeout", "tags", "taskToken", "callbackId", "unwrap", "context", "execution",
    "verify", "completeWhen", "payloadSchema", "page", "notify", "metadata", "traceparent",
)  # fmt: skip
RULES = ("verify", "completeWhen", "payloadSchema", "page")
REQUEST_KEY_LIFETIME = 3_600_000
INLINE_LIMIT = 6_000_000  # bytes of an output, escaped twice
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID = re.compile(r"(?:waitpoint_)?([0-7][0-9a-hjkmnp-tv-z]{25})", re.ASCII)
_TRACEPARENT = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_TAKEN = "Another waitpoint holds this key. With signIn, send the page of that waitpoint unchanged, or another key"
_ERROR_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII)


@dataclass(frozen=True)
class Outcome:
    """How a token ended: the JSON text of its output or error, if it has one, and what or who ended it."""

    at: int
    source: str
    output: str | None = None
    is_error: bool = False
    status: str = "COMPLETED"
    delivery_id: str | None = None
    approver: str | None = None


@dataclass
class FakeToken:
    """A token. With `kept`, a completion by key made it, and no create has asked for it yet."""

    id: str
    created_at: int
    timeout_at: int | None = None
    tags: list[str] = field(default_factory=list)
    key: str | None = None
    key_expires_at: int | None = None
    rules: tuple[str, ...] = ()
    page: Any = None
    page_title: str | None = None
    page_actions: list[str] | None = None
    approval: Approval | None = None
    remind: tuple[int, ...] | None = None
    notify: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    traceparent: str | None = None
    waiters: list[dict[str, Any]] = field(default_factory=list)
    outcome: Outcome | None = None
    other_deliveries: int = 0
    last_delivery_at: int | None = None
    kept: bool = False

    def holds(self, now: int) -> bool:
        """Whether it still holds its key."""
        return self.key_expires_at is None or self.key_expires_at > now

    def shown(self, url: str, longest_title: int | None = None) -> dict[str, Any]:
        """Return what retrieve and list have both. A list cuts the title of the page."""
        return without_none(
            {
                "id": self.id,
                "url": url,
                "status": self.outcome.status if self.outcome else "WAITING",
                "completedAt": iso(self.outcome.at if self.outcome else None),
                "timeoutAt": iso(self.timeout_at),
                "completedAfter": iso(self.timeout_at),
                "idempotencyKey": self.key,
                "idempotencyKeyExpiresAt": iso(self.key_expires_at),
                "tags": self.tags,
                "createdAt": iso(self.created_at),
                "outputIsError": bool(self.outcome and self.outcome.is_error),
                "page": None if self.page_title is None else {"title": _cut(self.page_title, longest_title)},
            }
        )

    def retrieved(self, url: str, link_of: Callable[[str], str], now: int) -> dict[str, Any]:
        """Return what retrieve has. `link_of` returns the link of an approver."""
        text = self.outcome.output if self.outcome else None
        is_large = text is not None and len(json.dumps(json.dumps(text, ensure_ascii=False), ensure_ascii=False)) > INLINE_LIMIT
        output = self.stored_at if is_large else text
        others = {"count": self.other_deliveries, "lastAt": iso(self.last_delivery_at)} if self.other_deliveries else None
        more = {
            "type": "MANUAL",
            "userProvidedIdempotencyKey": self.key is not None,
            "output": output,
            "outputType": "application/store" if is_large else "application/json",
            "completedBy": self.outcome and self._completed_by(self.outcome),
            "otherDeliveries": others,
            "waiters": [self._waiter(waiter) for waiter in self.waiters],
            "pageActions": self.page_actions,
            "metadata": self.metadata,
            "reminders": self._reminders(now),
            "notify": self.notify,
            "notices": None if self.notify is None else [],
            "traceparent": self.traceparent,
        }
        if self.approval and self.approval.sign_in:
            more["page"] = {"title": self.page_title, "signIn": self.approval.sign_in}
        people = self.approval.shown(self.created_at, self.timeout_at, link_of) if self.approval else {}
        return {**self.shown(url), **without_none(more), **people}

    def _reminders(self, now: int) -> dict[str, Any] | None:
        if self.remind is None:
            return None
        ended_at = self.outcome.at if self.outcome else None
        return reminders.shown(self.remind, self.created_at, self.timeout_at, ended_at, now)

    def count_delivery(self, now: int) -> None:
        """Count a delivery that did not end it."""
        self.other_deliveries, self.last_delivery_at = self.other_deliveries + 1, now

    def _completed_by(self, outcome: Outcome) -> dict[str, Any]:
        override = True if self.approval and outcome.source == "complete" else None
        by = {"source": outcome.source, "at": iso(outcome.at), "deliveryId": outcome.delivery_id}
        decided = self.approval.answer_of(outcome.approver) if self.approval else None
        signed_in = decided.get("signedIn") if decided else None
        return without_none({**by, "approver": outcome.approver, "override": override, "signedIn": signed_in})

    @property
    def stored_at(self) -> str:
        """The path of a large output."""
        return f"{self.id}/{hashlib.sha256(self.id.encode()).hexdigest()[:16]}.json"

    def _waiter(self, waiter: dict[str, Any]) -> dict[str, Any]:
        if self.outcome is None:
            return {**waiter, "status": "WAITING"}
        return {**waiter, "status": "RESUMED", "resumedAt": iso(self.outcome.at), "lagMs": 0}


class Tokens:
    """All tokens, by id."""

    def __init__(self) -> None:
        self.all: dict[str, FakeToken] = {}
        self._by_key: dict[str, str] = {}
        self._by_request: dict[str, tuple[str, int]] = {}
        self._created_by: dict[str, str | None] = {}

    def create(
        self, body: Mapping[str, Any], request_key: str | None, now: int, parent: str | None = None
    ) -> tuple[FakeToken, bool, bool]:
        """Create a token, or find the one of its key. Returns it, `isCached`, and whether it is new. Raises Refusal.

        `parent` is the header `traceparent`.
        """
        new = _new_token(body, now, parent)
        holder = self._holder(new, request_key, now)
        if holder and holder.kept and new.approval:  # only its approvers answer it
            holder = None
            new.count_delivery(now)
        if holder is None:
            self.all[new.id] = new
            self._created_by[new.id] = request_key
            if new.key is not None:
                self._by_key[new.key] = new.id
            elif request_key:
                self._by_request[request_key] = (new.id, now + REQUEST_KEY_LIFETIME)
            return new, False, True
        if new.approval and new.approval.sign_in and holder.page != new.page:
            raise Refusal(409, _TAKEN, "KeyTaken")
        holder.waiters += new.waiters
        if holder.kept:
            holder.kept, holder.tags, holder.key_expires_at = False, new.tags, new.key_expires_at
            holder.traceparent, holder.metadata = new.traceparent, new.metadata
        return holder, self._created_by.get(holder.id) != request_key or request_key is None, False

    def _holder(self, new: FakeToken, request_key: str | None, now: int) -> FakeToken | None:
        """Return the token that already holds the key of a create, or of its request."""
        if new.key is not None:
            holder = self.of_key(new.key)
            return holder if holder and holder.holds(now) else None
        token_id, until = self._by_request.get(request_key or "", ("", 0))
        return self.all[token_id] if until > now else None

    def next_timeout(self, now: int) -> int | None:
        """Return when the next token times out, of those that wait."""
        ends = (token.timeout_at for token in self.all.values() if token.outcome is None and token.timeout_at is not None)
        return min((end for end in ends if end > now), default=None)

    def of_key(self, key: str) -> FakeToken | None:
        """Return the newest token of a key, even if the key has expired."""
        token_id = self._by_key.get(key)
        return self.all[token_id] if token_id else None

    def get(self, written_id: str, now: int) -> FakeToken:
        """Return a token as of now. Raises Refusal."""
        match = ID.fullmatch(written_id)
        token = self.all.get(f"waitpoint_{match[1]}") if match else None
        if token is None:
            raise Refusal(404, "Waitpoint not found")
        return as_of(token, now)

    def complete_key(self, key: str, outcome: Outcome, early_until: int) -> tuple[FakeToken, bool, bool]:
        """End the token of a key, or keep the outcome for it. Returns the token, and whether this ended it, or made it."""
        token = self.of_key(key)
        if token and (as_of(token, outcome.at).outcome is None or token.holds(outcome.at)):
            return token, settle(token, outcome), False
        kept = FakeToken(new_id(outcome.at), outcome.at, key=key, key_expires_at=early_until, outcome=outcome, kept=True)
        self.all[kept.id] = kept
        self._by_key[key] = kept.id
        return kept, False, True

    def forget(self, token: FakeToken) -> None:
        """Delete an early completion."""
        del self.all[token.id]
        if token.key is not None and self._by_key.get(token.key) == token.id:
            del self._by_key[token.key]


def as_of(token: FakeToken, now: int) -> FakeToken:
    """Return a token after asking further approvers, and after timing it out, if that is due."""
    if token.outcome is None and token.approval:
        token.approval.escalate(token.created_at, now if token.timeout_at is None else min(now, token.timeout_at - 1))
    if token.outcome is None and token.timeout_at is not None and token.timeout_at <= now:
        error = {"code": "TRIGGER_WAITPOINT_TIMEOUT", "message": f"Waitpoint timed out at {iso(token.timeout_at)}"}
        token.outcome = Outcome(token.timeout_at, "timeout", write_json(error), True, "TIMED_OUT")
    return token


def settle(token: FakeToken, outcome: Outcome) -> bool:
    """End a token. Returns False, and changes nothing, if it has ended before."""
    if as_of(token, outcome.at).outcome is not None:
        return False
    token.outcome = outcome
    return True


def requested(body: Mapping[str, Any], now: int, delivery_id: str | None = None) -> Outcome:
    """Return the outcome that a request to complete asks for. Raises Refusal."""
    refuse_unknown(body, ("data", "error"))
    if "error" not in body:
        return Outcome(now, "complete", write_json(body["data"]) if "data" in body else None, delivery_id=delivery_id)
    if "data" in body:
        raise Refusal(400, 'Validation error: expected "data" or "error", not both')
    return Outcome(now, "complete", write_json(_error(body["error"])), is_error=True, delivery_id=delivery_id)


def _error(error: Any) -> dict[str, str]:
    if not isinstance(error, dict):
        raise Refusal(400, 'Validation error: "error" must be an object with a "message"')
    refuse_unknown(error, ("message", "name", "code"))
    full = {"name": "WaitpointFailedError", "code": "WAITPOINT_FAILED", "message": "", **error}
    for member, limit in (("message", 4096), ("code", 128)):
        if not isinstance(full[member], str) or not 0 < len(full[member].encode()) <= limit:
            raise Refusal(400, f'Validation error: "error.{member}" must be a string of 1 to {limit} bytes of UTF-8')
    if not isinstance(full["name"], str) or not _ERROR_NAME.fullmatch(full["name"]):
        raise Refusal(400, 'Validation error: "error.name" must be 1 to 64 letters and digits and start with a letter')
    if full["name"] == "WaitpointTimeoutError":
        raise Refusal(400, f'Validation error: "error.name" must not be {full["name"]}: the stack raises this error itself')
    return full


def key_text(key: Any) -> str:
    """Return a key. Raises Refusal."""
    if not isinstance(key, str):
        raise Refusal(400, 'Validation error: "idempotencyKey" must be a string of 1 to 2,048 characters')
    if not key:
        raise Refusal(400, 'Validation error: idempotencyKey must not be empty at "idempotencyKey"')
    if len(key) > 2048:
        raise Refusal(400, 'Validation error: idempotencyKey must be 2048 characters or less at "idempotencyKey"')
    return key


def new_id(now: int) -> str:
    """Return an id for a token that is created now. Ids sort by the time of creation."""
    number = now << 80 | secrets.randbits(80)
    return "waitpoint_" + "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(26)))


def _new_token(body: Mapping[str, Any], now: int, parent: str | None) -> FakeToken:
    refuse_unknown(body, FIELDS)
    ttl, key = body.get("idempotencyKeyTTL"), None
    if "idempotencyKey" in body:
        key = key_text(body["idempotencyKey"])
    elif ttl is not None:
        raise Refusal(400, "Validation error: idempotencyKeyTTL needs an idempotencyKey")
    rules = tuple(name for name in RULES if name in body)
    if "page" in rules and len(rules) > 1:
        reason = "a page says itself which bodies complete the token"
        raise invalid("page", f"{rules[0]} is not accepted with it: {reason}")
    approval, remind = page_approval.parse(body.get("page")), reminders.parse(body.get("page"))
    sign_in.check(body.get("page") or {}, approval)
    notify = notices.parse(body, approval)
    timeout_at = times.timeout_at(body.get("timeout"), now)
    begins = {"page.remind": remind[0] if remind else None, "page.escalate.after": approval.after if approval else None}
    reminders.refuse_late(begins, None if timeout_at is None else timeout_at - now)
    return FakeToken(
        new_id(now),
        now,
        timeout_at=timeout_at,
        tags=_tags(body.get("tags")),
        key=key,
        key_expires_at=times.key_expires_at(ttl, now),
        rules=rules,
        page=page_approval.without_requester(body.get("page")),
        page_title=_page_title(body["page"]) if "page" in rules else None,
        page_actions=_page_actions(body["page"]) if "page" in rules else None,
        approval=approval,
        remind=remind,
        notify=notify,
        metadata=_metadata(body["metadata"]) if "metadata" in body else None,
        traceparent=_traceparent(body, parent),
        waiters=_waiters(body, now),
    )


def _traceparent(body: Mapping[str, Any], parent: str | None) -> str | None:
    text = body.get("traceparent", "")
    if not isinstance(text, str):
        raise Refusal(400, 'Validation error: expected a text at "traceparent"')
    return next((sent for sent in (text, parent) if sent and _TRACEPARENT.fullmatch(sent)), None)


def _metadata(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refusal(400, 'Validation error: expected an object at "metadata"')
    if len(write_json(value).encode()) > 4096:
        raise Refusal(400, 'Validation error: expected an object of at most 4,096 bytes of JSON at "metadata"')
    return value


def _cut(title: str, longest: int | None) -> str:
    return title if longest is None or len(title) <= longest else f"{title[: longest - 1]}…"


def _page_title(page: Mapping[str, Any]) -> Any:
    """Return the title, in the first of several languages."""
    title, language = page.get("title"), page.get("language")
    first = language[0] if isinstance(language, list) else language
    return title.get(first) if isinstance(title, dict) else title


def _page_actions(page: Mapping[str, Any]) -> list[str]:
    return [action["id"] for action in page.get("actions", [{"id": "submit"}])]


def _tags(tags: Any) -> list[str]:
    tags = [tags] if isinstance(tags, str) else tags or []
    if not isinstance(tags, list):
        raise Refusal(400, 'Validation error: Tags must be a string or a list of strings at "tags"')
    if wrong := [place for place, tag in enumerate(tags, start=1) if not isinstance(tag, str)]:
        raise Refusal(400, f'Validation error: Tag {wrong[0]} must be a string at "tags"')
    if any(len(tag) > 128 for tag in tags):
        raise Refusal(400, 'Validation error: Tags must be 128 characters or less at "tags"')
    if len(tags) > 10:
        raise Refusal(422, f"Waitpoints can only have 10 tags, you're trying to set {len(tags)}.", "TooManyTags")
    return tags


def _waiters(body: Mapping[str, Any], now: int) -> list[dict[str, Any]]:
    kinds = {"taskToken": "STEP_FUNCTIONS", "callbackId": "DURABLE_FUNCTION"}
    given = [(kind, body[name]) for name, kind in kinds.items() if name in body]
    if len(given) > 1:
        raise Refusal(
            400, "Validation error: taskToken and callbackId exclude each other: a state waits, or a durable function"
        )
    if not given:
        if lonely := [name for name in ("execution", "unwrap", "context") if body.get(name)]:
            raise Refusal(400, f"Validation error: {lonely[0]} needs a taskToken or a callbackId")
        return []
    [(kind, handle)] = given
    waiter_id = hashlib.sha256(str(handle).encode()).hexdigest()[:16]
    return [without_none({"id": waiter_id, "kind": kind, "registeredAt": iso(now), "execution": body.get("execution")})]
