"""The items of tokens and their keys, and the conversion between the two. docs/internals/architecture.md lists all items.

DynamoDB bills an update by the size of the whole item. So data that is written after the token settles,
and large data that never changes, have their own items. One query on the id returns all of them.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Any, assert_never

from waitpoints.aws.short_names import OWN_EXECUTION, SHORT, with_short_names, with_whole_names
from waitpoints.json_text import present
from waitpoints.token import (
    VERSION,
    Answer,
    Attachment,
    Completed,
    CompletedBy,
    Document,
    DocumentKind,
    Failed,
    HandOver,
    IdempotencyKey,
    KeyHolder,
    KeyKind,
    OtherDeliveries,
    Outcome,
    Output,
    Reply,
    ReplyKind,
    Rules,
    Source,
    TimedOut,
    Token,
    TokenError,
    Waiter,
    WaiterKind,
)

if TYPE_CHECKING:
    from waitpoints.notices import NoticeRecord
    from waitpoints.sign_in import SignedIn

TOKEN, REPLIES, OTHERS, KEY, NOTICES = "token", "replies", "others", "key", "notices"  # and the kinds of documents
UNDELIVERED, CURSORS, OVERDUE = "undelivered", "timers", "overdue"  # ids
DOCTOR, STATE = "doctor", "state"
RECORDS_DELIVERIES = "recordsDeliveries"  # of the doctor's state: look for pending deliveries
ATTACHED = {KEY, OTHERS, NOTICES, *DocumentKind}
SINCE_VERSION = "sinceVersion"  # the first version that may settle a token. Without it, every version may
USUAL_CONTENT_TYPE, NO_FIELDS = "application/json", "{}"
LIST_SHARDS = 4  # of the indexes list and due. Each takes 1,000 writes a second in list, and a token makes two


class StoredStatus(StrEnum):
    """A token's `status` attribute. The indexes project it but not `error`, so it also tells a failed token.

    The stream's filter in template.yaml names every one but WAITING.
    """

    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"


Item = Mapping[str, Any]
"""An item, or its attributes, without DynamoDB's type descriptors."""


def primary_key(id_: str, item: str) -> dict[str, Any]:
    return {"id": {"S": id_}, "item": {"S": item}}


def token_item(token: Token, executions: str = "") -> dict[str, Any]:
    """Return a new token's item in DynamoDB JSON. `executions` is what the ARNs of the stack's executions begin with."""
    return _item(
        {
            "id": token.id,
            "item": TOKEN,
            "status": stored_status(token.outcome) if token.outcome else StoredStatus.WAITING,
            "createdAt": token.created_at,
            "timeoutAt": token.timeout_at,
            "dueAt": token.due_at,
            "soon": token.is_due_soon() or None,  # the stream's filter looks for it: a filter cannot subtract
            "tags": list(token.tags) or None,
            "idempotencyKey": token.idempotency_key,
            "idempotencyKeyExpiresAt": token.idempotency_key_expires_at,
            "waiters": {key: waiter_map(waiter, executions) for key, waiter in token.waiters.items()},
            "waiterCount": len(token.waiters),
            "deliveryRules": token.rules and token.rules.members(),
            SHORT["traceparent"]: _packed_traceparent(token),
            SHORT["createdBy"]: token.created_by,
            "pageTitle": token.page_title,
            SINCE_VERSION: token.since_version,
            "hasMetadata": token.has_metadata or None,
            "hasNotify": token.has_notify or None,  # the stream's filters look for it
            **(index_keys(token.id, token.idempotency_key) if token.early_until is None else _early_attributes(token)),
        }
    )


def index_keys(token_id: str, idempotency_key: str | None) -> dict[str, Any]:
    """Return the attributes that put a token into the indexes, where lists find it."""
    return {
        "listShard": str(zlib.crc32(token_id.encode()) % LIST_SHARDS),
        "idempotencyKeyHash": idempotency_key and digest(idempotency_key),
    }


def _early_attributes(token: Token) -> dict[str, Any]:
    """Return what an early completion has in place of the indexes' keys: its outcome, and its end."""
    assert isinstance(token.outcome, (Completed, Failed)), "only a completion is kept"
    assert token.early_until is not None
    early = {"earlyUntil": token.early_until, "expiresAt": token.early_until // 1000 + 1}
    return {"completedAt": token.outcome.at, **outcome_attributes(token.outcome), **early}


def key_primary_key(key: IdempotencyKey) -> dict[str, Any]:
    return primary_key(f"{key.kind}#{digest(key.text)}", KEY)


def key_item(key: IdempotencyKey, token: Token, now: int, retention: int) -> dict[str, Any]:
    """Return, in DynamoDB JSON, the item that assigns a key to a token. `now` is in epoch milliseconds.

    The item of a user's key lives as long as its token, because a completion by key looks the token up in it even after the
    key has expired.
    """
    named = {
        "tokenId": token.id,
        "createdAt": now,
        "keyExpiresAt": key.expires_at,
        "expiresAt": _end_of_key_item(key, token, retention),
        "request": key.request and digest(key.request),
        "early": True if token.early_until is not None else None,
    }
    return key_primary_key(key) | _item(named)


def claimed_key_item(key: IdempotencyKey, holder: KeyHolder, expires_at: int) -> dict[str, Any]:
    """Return the item of a key whose early completion a create claims: from now on it lives as the create's `key` does.

    It names no request, so every retry of the create gets the same answer: the token existed. `expires_at` is the token's.
    """
    named = {
        "tokenId": holder.token_id,
        "createdAt": holder.since,
        "keyExpiresAt": key.expires_at,
        "expiresAt": expires_at,
    }
    return key_primary_key(key) | _item(named)


def claimed_attributes(token_id: str, wanted: Token, expires_at: int) -> dict[str, Any]:
    """Return what an early completion gets from the token that a create `wanted`. None removes an attribute."""
    return {
        **index_keys(token_id, wanted.idempotency_key),
        "idempotencyKey": wanted.idempotency_key,
        "idempotencyKeyExpiresAt": wanted.idempotency_key_expires_at,
        "tags": list(wanted.tags) or None,
        SHORT["traceparent"]: _packed_traceparent(wanted),
        SHORT["createdBy"]: wanted.created_by,
        "hasMetadata": wanted.has_metadata or None,
        "expiresAt": expires_at,
    }


def _end_of_key_item(key: IdempotencyKey, token: Token, retention: int) -> int | None:
    """Return when TTL may remove a key's item, in epoch seconds. None: the doctor removes it after its token."""
    if key.expires_at is None:
        return None
    end_of_key = key.expires_at // 1000 + 1
    if key.kind is KeyKind.REQUEST or token.early_until is not None:
        return end_of_key
    return None if token.timeout_at is None else max(end_of_key, token.timeout_at // 1000 + retention)


def key_holder(item: Item, key: IdempotencyKey) -> KeyHolder:
    """Return the token that holds a key. The caller's `key` shows whether the same request created the token."""
    same_request = key.request is not None and item.get("request") == digest(key.request)
    return KeyHolder(item["tokenId"], item["createdAt"], same_request, item.get("keyExpiresAt"), item.get("early", False))


def document_item(token: Token, document: Document, retention: int) -> dict[str, Any]:
    """Return a document's item in DynamoDB JSON.

    If the token has no timeout, the item has no expiry: the doctor deletes it later.
    """
    expires_at = None if token.timeout_at is None else token.timeout_at // 1000 + retention
    return _document_item(token.id, token.created_at, document, expires_at)


def claimed_metadata_item(holder: KeyHolder, text: str, expires_at: int) -> dict[str, Any]:
    """Return the item of the metadata that a claimed completion gets. It ends with its token, at `expires_at`."""
    return _document_item(holder.token_id, holder.since, Document(DocumentKind.METADATA, text), expires_at)


def _document_item(token_id: str, created_at: int, document: Document, expires_at: int | None) -> dict[str, Any]:
    named = {"tokenId": token_id, "createdAt": created_at, document.kind: document.text, "expiresAt": expires_at}
    return primary_key(token_id, document.kind) | _item({**named, "notify": document.notify})


def beside(token: Token) -> list[dict[str, Any]]:
    """Return the primary keys of the items that expire after a token's timeout: what is stored beside it, and its key's."""
    rules, key = token.rules, token.idempotency_key
    kinds: list[str] = [DocumentKind.SCHEMA] if rules and rules.has_schema else []
    kinds += [DocumentKind.PAGE] if rules and rules.has_page else []
    kinds += [DocumentKind.METADATA] if token.has_metadata else []
    keys = [key_primary_key(IdempotencyKey(key))] if key and token.idempotency_key_expires_at is not None else []
    return [*(primary_key(token.id, kind) for kind in kinds), *keys]


def attachment(item: Item) -> Attachment:
    """Return the attachment in an item for which `is_endless_attachment` is true."""
    return Attachment(item["id"], item["item"], item["tokenId"], int(item["createdAt"]))


def is_endless_attachment(item: Item) -> bool:
    """Whether an item, in DynamoDB JSON, is an attachment without an expiry. A later version may have kinds of its own."""
    return item["item"]["S"] in ATTACHED and "tokenId" in item and "expiresAt" not in item


def waiter_map(waiter: Waiter, executions: str) -> dict[str, Any]:
    packed = {"handle": _packed(waiter.handle), "registeredAt": waiter.registered_at}
    kind = None if waiter.kind is WaiterKind.STEP_FUNCTIONS else waiter.kind
    is_own = executions and waiter.execution and waiter.execution.startswith(executions)
    execution = {OWN_EXECUTION if is_own else "execution": waiter.execution and waiter.execution.removeprefix(executions)}
    return with_short_names(
        {**packed, **present({"unwrap": waiter.unwrap or None, "context": waiter.context or None, **execution, "kind": kind})}
    )


def stored_status(outcome: Outcome) -> StoredStatus:
    match outcome:
        case Completed():
            return StoredStatus.COMPLETED
        case Failed():
            return StoredStatus.FAILED
        case TimedOut():
            return StoredStatus.TIMED_OUT
    assert_never(outcome)


def outcome_attributes(outcome: Completed | Failed) -> dict[str, Any]:
    """Return the attributes that a settling write sets besides status and time."""
    attributes: dict[str, Any]
    match outcome:
        case Completed(_, Output(json, stored_at)):
            attributes = {"output": json if stored_at is None else None, "outputStoredAt": stored_at}
        case Failed(_, error):
            attributes = {"error": error.members()}
        case _:
            assert_never(outcome)
    attributes["completedBy"] = outcome.completed_by and _completed_by_map(outcome.completed_by)
    return with_short_names(present(attributes))


def _completed_by_map(by: CompletedBy) -> dict[str, str]:
    """Return one as it is stored: the usual content type as an empty text, which keeps most items within a write unit."""
    members = by.members()
    usual = {"contentType": ""} if members.get("contentType") == USUAL_CONTENT_TYPE else {}
    return with_short_names(members | usual)


def _completed_by(stored: Item) -> CompletedBy:
    stored = with_whole_names(stored)
    usual = {"contentType": USUAL_CONTENT_TYPE} if stored.get("contentType") == "" else {}
    return CompletedBy.of({**stored, **usual, "source": Source(stored["source"])})


def token_from(item: Item, siblings: Mapping[str, Item] = {}, executions: str = "", outcome: Outcome | None = None) -> Token:
    """Return the token in an item or in an index's projection, which has no output, error or waiters.

    `siblings` are the other items with its id, by kind. `executions` is what the ARNs of the stack's executions begin with.
    `outcome` ended the token after the item was read.
    """
    item = with_whole_names(item)
    found = {name: read(item[name]) for name, read in _READ.items() if name in item}
    if siblings:
        found |= _beside(siblings)
    if "deliveryRules" in item:
        found["rules"] = Rules.of(item["deliveryRules"])
    found["outcome"] = outcome or _outcome(item)
    found["waiters"] = {key: _waiter(stored, executions) for key, stored in item.get("waiters", {}).items()}
    found["isLater"] = item.get(SINCE_VERSION, 0) > VERSION
    return Token.of({**item, **found})


def _beside(siblings: Mapping[str, Item]) -> dict[str, Any]:
    """Return the members of a token that the items beside it have."""
    return {
        "replies": _replies(siblings[REPLIES]) if REPLIES in siblings else {},
        "otherDeliveries": OtherDeliveries.of(siblings[OTHERS]) if OTHERS in siblings else None,
        "page": _document(siblings, DocumentKind.PAGE),
        "metadata": _document(siblings, DocumentKind.METADATA),
        "notify": siblings.get(DocumentKind.PAGE, {}).get("notify"),
        "notices": _notices(siblings[NOTICES]) if NOTICES in siblings else {},
    }


def _waiter(stored: Item, executions: str) -> Waiter:
    stored = with_whole_names(stored)
    own = {"execution": executions + stored[OWN_EXECUTION]} if OWN_EXECUTION in stored else {}
    kind = WaiterKind(stored.get("kind", WaiterKind.STEP_FUNCTIONS))
    handle = stored["handle"]
    text = handle if isinstance(handle, str) else base64.b64encode(bytes(handle)).decode()
    return Waiter.of({**own, **stored, "handle": text, "kind": kind})


def _replies(item: Item) -> dict[str, Reply]:
    named = {key: value for key, value in item.items() if isinstance(value, dict)}
    return {key: Reply(ReplyKind(value["answer"]), int(value["at"])) for key, value in named.items()}


def _document(siblings: Mapping[str, Item], kind: DocumentKind) -> str | None:
    return siblings[kind][kind] if kind in siblings else None


def _notices(item: Item) -> "dict[str, NoticeRecord]":
    from waitpoints.notices import NoticeRecord

    return {target: NoticeRecord.of(value) for target, value in item.items() if isinstance(value, dict)}


def answer_map(answer: Answer) -> dict[str, Any]:
    """Return an approver's answer as it is stored in the token's list `answers`."""
    fields = {} if answer.fields == NO_FIELDS else {"fields": answer.fields}
    signed_in = {"signedIn": present(asdict(answer.signed_in))} if answer.signed_in else {}
    return with_short_names({"approver": answer.approver, "action": answer.action, **fields, "at": answer.at, **signed_in})


def _answer(stored: Item) -> Answer:
    stored = with_whole_names(stored)
    return Answer(stored["approver"], stored["action"], stored.get("fields", NO_FIELDS), int(stored["at"]), _signed_in(stored))


def _signed_in(stored: Item) -> "SignedIn | None":
    if "signedIn" not in stored:
        return None
    from waitpoints.sign_in import SignedIn

    found = stored["signedIn"]
    return SignedIn(found["issuer"], found["subject"], found.get("email"), int(found["at"]))


def hand_over_map(hand_over: HandOver) -> dict[str, Any]:
    """Return a hand-over as it is stored in the token's list `handOvers`."""
    added, removed = list(hand_over.added), list(hand_over.removed)
    return present({"added": added or None, "removed": removed or None, "at": hand_over.at, "key": hand_over.key})


def _hand_over(stored: Item) -> HandOver:
    added, removed = tuple(stored.get("added", ())), tuple(stored.get("removed", ()))
    return HandOver(added, removed, int(stored["at"]), stored.get("key"))


def is_settled(item: Mapping[str, Any]) -> bool:
    """Whether a token's item, in DynamoDB JSON, has its outcome."""
    return bool(item["status"]["S"] != StoredStatus.WAITING)


def waiter_count(item: Mapping[str, Any]) -> int:
    """How many waiters a token's item has. The item is in DynamoDB JSON."""
    return int(item["waiterCount"]["N"])


def count_replies(item: Mapping[str, Any]) -> int:
    """How many replies are in a `replies` item."""
    return sum(isinstance(value, dict) for value in item.values())


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def wire(value: Any) -> dict[str, Any]:
    """Return a text, a whole number, a boolean, bytes, or a dict or list of them, or a set of texts in DynamoDB JSON."""
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case dict():
            return {"M": {name: wire(member) for name, member in value.items()}}
        case list():
            return {"L": [wire(member) for member in value]}
        case frozenset():
            return {"SS": sorted(value)}
    raise TypeError(f"no item holds a {type(value).__name__}")


def wire_values(**values: Any) -> dict[str, Any]:
    """Return an expression's attribute values, each name prefixed with a colon, in DynamoDB JSON."""
    return {f":{name}": wire(value) for name, value in values.items()}


def plain(item: Item) -> dict[str, Any]:
    """Return an item in DynamoDB JSON without its type descriptors."""
    return {name: _plain(value) for name, value in item.items()}


def _plain(value: Item) -> Any:
    [(kind, content)] = value.items()
    match kind:
        case "N":
            return int(content)
        case "M":
            return plain(content)
        case "L":
            return [_plain(member) for member in content]
    return content


def _outcome(item: Item) -> Outcome | None:
    status = StoredStatus(item["status"])
    if status is StoredStatus.WAITING:
        return None
    at, by = int(item["completedAt"]), _completed_by(item["completedBy"]) if "completedBy" in item else None
    match status:
        case StoredStatus.COMPLETED:
            return Completed(at, Output(item.get("output"), item.get("outputStoredAt")), by)
        case StoredStatus.FAILED:
            return Failed(at, TokenError(**item.get("error", {"message": ""})), by)
        case StoredStatus.TIMED_OUT:
            return TimedOut(at)
        case unknown:
            assert_never(unknown)


def is_later(item: Mapping[str, Any]) -> bool:
    """Whether only a later version may settle the token of an item in DynamoDB JSON."""
    return SINCE_VERSION in item and _plain(item[SINCE_VERSION]) > VERSION


def _item(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: wire(value) for name, value in present(attributes).items()}


def _packed(handle: str) -> bytes | str:
    """Store a waiter's handle as raw bytes if it is valid base64 (25 % smaller), else unchanged."""
    try:
        packed = base64.b64decode(handle, validate=True)
    except ValueError:
        return handle
    return packed if base64.b64encode(packed).decode() == handle else handle


def _packed_traceparent(token: Token) -> bytes | None:
    """Return the traceparent of a token's create as raw bytes: 26 instead of 55."""
    return bytes.fromhex(token.traceparent.replace("-", "")) if token.traceparent else None


def _traceparent(packed: bytes | str) -> str:
    """Read what `_packed_traceparent` returned. It is base64 in an event from the table's stream."""
    digits = (base64.b64decode(packed) if isinstance(packed, str) else packed).hex()
    return "-".join((digits[:2], digits[2:34], digits[34:50], digits[50:]))


_READ: dict[str, Callable[[Any], Any]] = {
    "tags": tuple,
    "traceparent": _traceparent,
    "answers": lambda answers: tuple(map(_answer, answers)),
    "handOvers": lambda hand_overs: tuple(map(_hand_over, hand_overs)),
}
"""How a member of a token is read from the attribute with its name."""
