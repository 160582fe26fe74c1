"""The table, and every invariant of a token as one condition expression on one item.

    id                  item          what it holds
    waitpoint_<ulid>    token         the token: status, timeout, tags, output, waiters
    waitpoint_<ulid>    deliveries    which of its waiters Step Functions has answered for
    idempotency#<hash>  key           the live token of an idempotency key, and until when

A token's life against the clock, and the conditions that hold in each part of it:

       created                     timeoutAt
          |--------- WAITING ---------|------- WAITING, and due ------->   until somebody writes its outcome:
          |  IS_WAITING, NOT_DUE      |  IS_WAITING, IS_DUE
          |     may be completed      |     may only be timed out          COMPLETED or TIMED_OUT, for ever
          |     may take a waiter     |

Deliveries are an item of their own because an update is billed by the size of the whole item: recording that a waiter
was resumed must not pay for the token's output again. One query brings both.
"""

import base64
import hashlib
import random
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self, TypedDict

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from waitpoints.errors import TokenNotFound
from waitpoints.listing import Filter, IdRange, ReadRange
from waitpoints.token import Answer, Delivery, Outcome, Output, Status, Token, Waiter

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import PutTypeDef, TransactWriteItemTypeDef

TOKEN, DELIVERIES, KEY = "token", "deliveries", "key"
MAX_WAITERS = 100
_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}  # reasons to try once more
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # seconds at most before each further attempt
LIST_SHARDS = 4  # each takes 1,000 writes a second in the list index; a token makes two

# When each part holds is drawn above. `status` is a reserved word of DynamoDB, hence `#status`.
IS_NEW = "attribute_not_exists(id)"
IS_WAITING = "#status = :waiting"
NOT_DUE = "(attribute_not_exists(timeoutAt) OR timeoutAt > :now)"
IS_DUE = "timeoutAt <= :now"
HAS_ROOM = "waiterCount < :maxWaiters"
IS_NEW_WAITER = "attribute_not_exists(waiters.#waiter)"
KEY_IS_FREE = f"{IS_NEW} OR keyExpiresAt <= :now"  # TTL deletes hours late, so the clock judges
KEY_OUTLIVED_ITS_HOLDER = "tokenId = :removedToken"

MAY_BE_COMPLETED = f"{IS_WAITING} AND {NOT_DUE}"
MAY_BE_TIMED_OUT = f"{IS_WAITING} AND {IS_DUE}"
MAY_TAKE_WAITER = f"{IS_WAITING} AND {NOT_DUE} AND {HAS_ROOM} AND {IS_NEW_WAITER}"


_SETTLE = "SET #status = :settled, expiresAt = :expiresAt"


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A name under which at most one live token exists, until `expires_at` (epoch milliseconds) or for ever.

    `request` identifies one call across its own retries: a retry of the call that made the token is told what that
    call was told.
    """

    name: str
    expires_at: int | None
    request: str | None = None

    @classmethod
    def of_user(cls, key: str, expires_at: int | None, request: str | None) -> Self:
        return cls(f"idempotency#{_digest(key)}", expires_at, request and _digest(request))

    @classmethod
    def of_request(cls, request: str, expires_at: int) -> Self:
        return cls(f"request#{_digest(request)}", expires_at, _digest(request))


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The token that already holds an idempotency key, since when, and whether this very call made it."""

    token_id: str
    since: int
    same_request: bool


class _FilterArguments(TypedDict, total=False):
    FilterExpression: str
    ExpressionAttributeNames: dict[str, str]


class Store:
    """Tokens in one DynamoDB table. Every method is one call to AWS, but for `scan`; `create` repeats it when creates meet."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        retention_seconds: int,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table_name
        self.retention = retention_seconds
        self._pause = pause

    def create(
        self, token: Token, key: IdempotencyKey | None, now: int, *, removed_token: str | None = None
    ) -> KeyHolder | None:
        """Write a new token, or say which token holds `key` already (invariant 3: one key, one live token).

        `removed_token` is the id of a holder that retention has removed: its key is free.
        """
        put_token: PutTypeDef = {"TableName": self._table, "Item": _token_item(token), "ConditionExpression": IS_NEW}
        if key is None:
            # Nobody else can have made this id. So if it is there, an earlier attempt of this call has lost its answer.
            with suppress(self._client.exceptions.ConditionalCheckFailedException):
                self._client.put_item(**put_token)
            return None
        put_key: PutTypeDef = {
            "TableName": self._table,
            "Item": _key_item(key, token.id, now),
            "ConditionExpression": f"{KEY_IS_FREE} OR {KEY_OUTLIVED_ITS_HOLDER}",
            "ExpressionAttributeValues": _values(now=now, removedToken=removed_token or ""),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        held = self._write_together({"Put": put_key}, {"Put": put_token})
        if held is None or held["tokenId"] == token.id:  # the latter when an earlier attempt has lost its answer
            return None
        same_request = key.request is not None and held.get("request") == key.request
        return KeyHolder(held["tokenId"], int(held["createdAt"]), same_request)

    def _write_together(self, first: "TransactWriteItemTypeDef", *others: "TransactWriteItemTypeDef") -> dict[str, Any] | None:
        """Write all or nothing; returns what stands in the way of the first when its condition does not hold.

        DynamoDB cancels a transaction that meets another one on the same item, as creates with one key do when they
        come at once, and botocore does not repeat it.
        """
        for longest_pause in (*_PAUSES, None):
            try:
                self._client.transact_write_items(TransactItems=[first, *others])
            except self._client.exceptions.TransactionCanceledException as error:
                reasons: Any = error.response["CancellationReasons"]
                if reasons[0]["Code"] == "ConditionalCheckFailed":
                    return _plain(reasons[0]["Item"])
                if longest_pause is None or not {reason["Code"] for reason in reasons} & _PASSING:
                    raise
                self._pause(random.uniform(0, longest_pause))  # noqa: S311 - it only spreads the attempts
            else:
                return None
        raise AssertionError("the last attempt returns or raises")

    def get(self, token_id: str) -> Token:
        """The token with its deliveries, read consistently. Raises TokenNotFound."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues=_values(id=token_id),
            ConsistentRead=True,
        )
        items = {item["item"]["S"]: _plain(item) for item in answer["Items"]}
        if TOKEN not in items:
            raise TokenNotFound
        return _token(items[TOKEN], items.get(DELIVERIES, {}))

    def scan(self) -> Iterator[Token]:
        """Every token with its deliveries, eventually consistent, a megabyte a call."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._table)
        items = (_plain(item) for page in pages for item in page["Items"])
        for _, group in groupby(items, key=lambda item: item["id"]):  # a token's items stand next to each other
            by_kind = {item["item"]: item for item in group}
            if TOKEN in by_kind:
                yield _token(by_kind[TOKEN], by_kind.get(DELIVERIES, {}))

    def partitions(self, wanted: Filter, now: int) -> list[ReadRange]:
        """The partitions of the index that answers a filter best, each ready to be read range by range."""
        if wanted.idempotency_key is not None:
            return [self._partition("idempotencyKey", "idempotencyKeyHash", _digest(wanted.idempotency_key), wanted, now)]
        return [self._partition("list", "listShard", str(shard), wanted, now) for shard in range(LIST_SHARDS)]

    def _partition(self, index: str, attribute: str, partition: str, wanted: Filter, now: int) -> ReadRange:
        expression, values = _filter(wanted, now)

        def read(within: IdRange, limit: int) -> tuple[list[Token], str | None]:
            answer = self._client.query(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression=f"{attribute} = :partition AND id BETWEEN :first AND :last",
                ExpressionAttributeValues=_values(partition=partition, first=within.first, last=within.last, **values),
                ScanIndexForward=within.backward,
                Limit=limit,
                **expression,
            )
            stopped_at = answer.get("LastEvaluatedKey", {}).get("id", {}).get("S")
            return [_token(_plain(item)) for item in answer["Items"]], stopped_at

        return read

    def complete(self, token_id: str, output: Output, now: int) -> tuple[bool, Token]:
        """Settle a waiting token as completed (invariant 1). True and the settled token, or False and what it was."""
        attributes = {"output": output.json} if output.stored_at is None else {"outputStoredAt": output.stored_at}
        present = {name: value for name, value in attributes.items() if value is not None}
        won, token = self._update(
            token_id,
            f"{_SETTLE}, completedAt = :now" + "".join(f", #{name} = :{name}" for name in present),
            MAY_BE_COMPLETED,
            names={f"#{name}": name for name in present},
            values={"now": now, "settled": Status.COMPLETED, "expiresAt": self._expires_at(now), **present},
        )
        return won, replace(token, settled=Outcome(Status.COMPLETED, now, output)) if won else token

    def time_out(self, token_id: str, now: int) -> tuple[bool, Token]:
        """Settle a due token as timed out (invariant 1). True and the settled token, or False and what it was."""
        return self._update(
            token_id,
            f"{_SETTLE}, completedAt = timeoutAt",
            MAY_BE_TIMED_OUT,
            values={"now": now, "settled": Status.TIMED_OUT, "expiresAt": self._expires_at(now)},
        )

    def add_waiter(self, token_id: str, waiter: Waiter, now: int) -> tuple[bool, Token]:
        """Keep a waiter on a waiting token (invariant 2). True and the token with it, or False and what it was."""
        return self._update(
            token_id,
            "SET waiters.#waiter = :waiter, waiterCount = waiterCount + :one",
            MAY_TAKE_WAITER,
            names={"#waiter": waiter.key},
            values={
                "now": now,
                "waiter": _waiter_map(waiter),
                "one": 1,
                "maxWaiters": MAX_WAITERS,
            },
        )

    def record_deliveries(self, token_id: str, deliveries: Mapping[str, Delivery], now: int) -> None:
        """Record what Step Functions answered for some of a token's waiters.

        Recording twice is harmless. That a waiter was resumed outlives a later answer that it is gone, which is what
        the slower of two resumers of the same waiter hears.
        """
        names, values, assignments = {}, {":expiresAt": _wire(self._expires_at(now))}, ["expiresAt = :expiresAt"]
        for number, (waiter, delivery) in enumerate(deliveries.items()):
            names[f"#{number}"], values[f":{number}"] = waiter, _wire({"answer": delivery.answer, "at": delivery.at})
            once = delivery.answer is Answer.GONE
            assignments.append(f"#{number} = " + (f"if_not_exists(#{number}, :{number})" if once else f":{number}"))
        self._client.update_item(
            TableName=self._table,
            Key=_key(token_id, DELIVERIES),
            UpdateExpression="SET " + ", ".join(assignments),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )

    def _expires_at(self, now: int) -> int:
        """When TTL may remove what was settled at `now`, in epoch seconds."""
        return now // 1000 + self.retention

    def _update(
        self, token_id: str, update: str, condition: str, values: dict[str, Any], names: dict[str, str] | None = None
    ) -> tuple[bool, Token]:
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(token_id, TOKEN),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#status": "status", **(names or {})},
                ExpressionAttributeValues=_values(waiting=Status.WAITING, **values),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            response: Any = error.response
            if "Item" not in response:
                raise TokenNotFound from None
            return False, _token(_plain(response["Item"]))
        return True, _token(_plain(answer["Attributes"]))


def _filter(wanted: Filter, now: int) -> tuple[_FilterArguments, dict[str, Any]]:
    """The filter as arguments of a query and the values they need. Due tokens are timed out, written or not."""
    parts: list[str] = []
    values: dict[str, Any] = {}
    if wanted.statuses:
        conditions = {
            Status.WAITING: f"{IS_WAITING} AND {NOT_DUE}",
            Status.COMPLETED: "#status = :completed",
            Status.TIMED_OUT: f"#status = :timedOut OR {IS_WAITING} AND {IS_DUE}",
        }
        parts.append(" OR ".join(conditions[status] for status in sorted(wanted.statuses)))
        needed = {"now": now, "waiting": Status.WAITING, "completed": Status.COMPLETED, "timedOut": Status.TIMED_OUT}
        values |= {name: value for name, value in needed.items() if f":{name}" in parts[0]}
    if wanted.tags:
        tags = {f"tag{number}": tag for number, tag in enumerate(sorted(wanted.tags))}
        parts.append(" OR ".join(f"contains(tags, :{name})" for name in tags))
        values |= tags
    arguments: _FilterArguments = {}
    if parts:
        arguments["FilterExpression"] = " AND ".join(f"({part})" for part in parts)
    if wanted.statuses:
        arguments["ExpressionAttributeNames"] = {"#status": "status"}
    return arguments, values


def _key(token_id: str, item: str) -> dict[str, Any]:
    return {"id": {"S": token_id}, "item": {"S": item}}


def _token_item(token: Token) -> dict[str, Any]:
    attributes = {
        "id": token.id,
        "item": TOKEN,
        "status": Status.WAITING,
        "createdAt": token.created_at,
        "timeoutAt": token.timeout_at,
        "tags": list(token.tags) or None,
        "idempotencyKey": token.idempotency_key,
        "idempotencyKeyHash": token.idempotency_key and _digest(token.idempotency_key),
        "idempotencyKeyExpiresAt": token.idempotency_key_expires_at,
        "waiters": {key: _waiter_map(waiter) for key, waiter in token.waiters.items()},
        "waiterCount": len(token.waiters),
        "listShard": str(zlib.crc32(token.id.encode()) % LIST_SHARDS),
    }
    return {name: _wire(value) for name, value in attributes.items() if value is not None}


def _key_item(key: IdempotencyKey, token_id: str, now: int) -> dict[str, Any]:
    attributes = {
        "id": key.name,
        "item": KEY,
        "tokenId": token_id,
        "createdAt": now,
        "keyExpiresAt": key.expires_at,
        "expiresAt": None if key.expires_at is None else key.expires_at // 1000 + 1,
        "request": key.request,
    }
    return {name: _wire(value) for name, value in attributes.items() if value is not None}


def _waiter_map(waiter: Waiter) -> dict[str, Any]:
    return {
        "taskToken": _packed(waiter.task_token),
        "registeredAt": waiter.registered_at,
        "unwrap": waiter.unwrap,
    }


def _packed(task_token: str) -> bytes | str:
    """A task token as the bytes that its base64 stands for, a quarter less to pay for; as it is when it is no base64."""
    try:
        packed = base64.b64decode(task_token, validate=True)
    except ValueError:
        return task_token
    return packed if base64.b64encode(packed).decode() == task_token else task_token


def _unpacked(task_token: Any) -> str:
    return task_token if isinstance(task_token, str) else base64.b64encode(bytes(task_token)).decode()


def _token(item: Mapping[str, Any], deliveries: Mapping[str, Any] | None = None) -> Token:
    settled = None
    if item["status"] != Status.WAITING:
        output = Output(item.get("output"), item.get("outputStoredAt"))
        settled = Outcome(Status(item["status"]), int(item["completedAt"]), output)
    return Token(
        id=item["id"],
        created_at=int(item["createdAt"]),
        timeout_at=_optional_int(item.get("timeoutAt")),
        tags=tuple(item.get("tags", ())),
        idempotency_key=item.get("idempotencyKey"),
        idempotency_key_expires_at=_optional_int(item.get("idempotencyKeyExpiresAt")),
        settled=settled,
        waiters={
            key: Waiter(_unpacked(waiter["taskToken"]), int(waiter["registeredAt"]), waiter["unwrap"])
            for key, waiter in item.get("waiters", {}).items()
        },
        deliveries={
            key: Delivery(Answer(value["answer"]), int(value["at"]))
            for key, value in (deliveries or {}).items()
            if isinstance(value, dict)
        },
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _optional_int(number: Any) -> int | None:
    return None if number is None else int(number)


_serializer, _deserializer = TypeSerializer(), TypeDeserializer()


def _wire(value: Any) -> Any:
    return _serializer.serialize(value)


def _values(**values: Any) -> dict[str, Any]:
    return {f":{name}": _wire(value) for name, value in values.items()}


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _deserializer.deserialize(value) for name, value in item.items()}
