"""The table's items, and the conversion between items and tokens.

    id                  item       content
    waitpoint_<ulid>    token      the token: status, timeout, tags, output, waiters
    waitpoint_<ulid>    replies    Step Functions' reply for each of its waiters
    idempotency#<hash>  key        the token that holds an idempotency key, and until when
    request#<hash>      key        the same, for the key that the SDK sends with each retry of one request

Replies have their own item because DynamoDB bills an update by the size of the whole item: recording a reply must not
pay for the token's output again. One query on the id returns both items.
"""

import base64
import hashlib
import zlib
from collections.abc import Mapping
from typing import Any, assert_never

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from waitpoints.token import (
    Completed,
    EndlessKey,
    IdempotencyKey,
    KeyHolder,
    Outcome,
    Output,
    Reply,
    ReplyKind,
    Status,
    TimedOut,
    Token,
    Waiter,
)

TOKEN, REPLIES, KEY = "token", "replies", "key"
LIST_SHARDS = 4  # each allows 1,000 writes per second in the list index; a token needs two

Item = Mapping[str, Any]
"""An item, or its attributes, without DynamoDB's type descriptors."""


def primary_key(id_: str, item: str) -> dict[str, Any]:
    return {"id": {"S": id_}, "item": {"S": item}}


def token_item(token: Token) -> dict[str, Any]:
    """Return a new token's item in DynamoDB JSON."""
    return _item(
        {
            "id": token.id,
            "item": TOKEN,
            "status": Status.WAITING,
            "createdAt": token.created_at,
            "timeoutAt": token.timeout_at,
            "tags": list(token.tags) or None,
            "idempotencyKey": token.idempotency_key,
            "idempotencyKeyHash": token.idempotency_key and digest(token.idempotency_key),
            "idempotencyKeyExpiresAt": token.idempotency_key_expires_at,
            "waiters": {key: waiter_map(waiter) for key, waiter in token.waiters.items()},
            "waiterCount": len(token.waiters),
            "listShard": str(zlib.crc32(token.id.encode()) % LIST_SHARDS),
        }
    )


def key_item(key: IdempotencyKey, token_id: str, now: int) -> dict[str, Any]:
    """Return the item in DynamoDB JSON that gives an idempotency key to a token. `now` is in epoch milliseconds."""
    return _item(
        {
            "id": f"{key.kind}#{digest(key.text)}",
            "item": KEY,
            "tokenId": token_id,
            "createdAt": now,
            "keyExpiresAt": key.expires_at,
            "expiresAt": None if key.expires_at is None else key.expires_at // 1000 + 1,
            "request": key.request and digest(key.request),
        }
    )


def key_holder(item: Item, key: IdempotencyKey) -> KeyHolder:
    """Return the token that holds a key's item. `key` is the caller's, and tells whether the same request made the token."""
    same_request = key.request is not None and item.get("request") == digest(key.request)
    return KeyHolder(item["tokenId"], int(item["createdAt"]), same_request)


def endless_key(item: Item) -> EndlessKey:
    """Return the key in an item that has no expiry."""
    return EndlessKey(item["id"], item["tokenId"], int(item["createdAt"]))


def waiter_map(waiter: Waiter) -> dict[str, Any]:
    return {"taskToken": _packed(waiter.task_token), "registeredAt": waiter.registered_at, "unwrap": waiter.unwrap}


def token_from(item: Item, replies: Item | None = None) -> Token:
    """Return the token from its item, or from its projection in an index."""
    return Token(
        id=item["id"],
        created_at=int(item["createdAt"]),
        timeout_at=_optional_int(item.get("timeoutAt")),
        tags=tuple(item.get("tags", ())),
        idempotency_key=item.get("idempotencyKey"),
        idempotency_key_expires_at=_optional_int(item.get("idempotencyKeyExpiresAt")),
        outcome=_outcome(item),
        waiters={
            key: Waiter(_unpacked(waiter["taskToken"]), int(waiter["registeredAt"]), waiter["unwrap"])
            for key, waiter in item.get("waiters", {}).items()
        },
        replies={
            key: Reply(ReplyKind(value["answer"]), int(value["at"]))
            for key, value in (replies or {}).items()
            if isinstance(value, dict)
        },
    )


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def wire(value: Any) -> Any:
    """Return a value in DynamoDB JSON."""
    return _serializer.serialize(value)


def wire_values(**values: Any) -> dict[str, Any]:
    """Return an expression's attribute values, each name prefixed with a colon, in DynamoDB JSON."""
    return {f":{name}": wire(value) for name, value in values.items()}


def plain(item: Item) -> dict[str, Any]:
    """Return an item in DynamoDB JSON without its type descriptors."""
    return {name: _deserializer.deserialize(value) for name, value in item.items()}


def _outcome(item: Item) -> Outcome | None:
    match Status(item["status"]):
        case Status.WAITING:
            return None
        case Status.COMPLETED:
            return Completed(int(item["completedAt"]), Output(item.get("output"), item.get("outputStoredAt")))
        case Status.TIMED_OUT:
            return TimedOut(int(item["completedAt"]))
        case unknown:
            assert_never(unknown)


def _item(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: wire(value) for name, value in attributes.items() if value is not None}


def _packed(task_token: str) -> bytes | str:
    """Store the task token as raw bytes if it is valid base64 (25 % smaller), else unchanged."""
    try:
        packed = base64.b64decode(task_token, validate=True)
    except ValueError:
        return task_token
    return packed if base64.b64encode(packed).decode() == task_token else task_token


def _unpacked(task_token: Any) -> str:
    return task_token if isinstance(task_token, str) else base64.b64encode(bytes(task_token)).decode()


def _optional_int(number: Any) -> int | None:
    return None if number is None else int(number)


_serializer, _deserializer = TypeSerializer(), TypeDeserializer()
