"""The DynamoDB table. Each invariant of a token is a condition expression on one item.

The life of a token, and the conditions that hold in each phase:

       created                     timeoutAt
          |--------- WAITING ---------|------- WAITING, and due ------->   until its outcome is stored:
          |  IS_WAITING, NOT_DUE      |  IS_WAITING, IS_DUE
          |     may be completed      |     may only be timed out          COMPLETED or TIMED_OUT, which is final
          |     may take a waiter     |                                          (stored as `items.StoredStatus`)

`items` describes the items.
"""

import random
import re
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, assert_never

from botocore.exceptions import ClientError

from waitpoints.aws.error_codes import error_code
from waitpoints.aws.items import (
    LIST_SHARDS,
    OTHERS,
    REPLIES,
    TOKEN,
    UNDELIVERED,
    StoredStatus,
    adopted_attributes,
    adopted_key_item,
    adopted_metadata_item,
    answer_map,
    beside,
    count_replies,
    digest,
    document_item,
    key_holder,
    key_item,
    key_primary_key,
    outcome_attributes,
    plain,
    primary_key,
    stored_status,
    token_from,
    token_item,
    waiter_map,
    wire,
    wire_values,
)
from waitpoints.errors import TokenNotFound
from waitpoints.json_text import present
from waitpoints.token import (
    MAX_WAITERS,
    Answer,
    Attachment,
    Completed,
    Document,
    DocumentKind,
    Failed,
    IdempotencyKey,
    KeyHolder,
    Origin,
    Outcome,
    Reply,
    ReplyKind,
    Status,
    Token,
    Unchecked,
    Waiter,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import (
        KeysAndAttributesTypeDef,
        PutTypeDef,
        TransactWriteItemTypeDef,
        UpdateTypeDef,
    )

    from waitpoints.listing import Filter, IdRange, ReadRange

_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}  # cancellation reasons worth a retry
_ANY_INSTANT = 10**15  # epoch milliseconds, later than every token's end
PARALLEL_READS = 16
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # the longest pause before each retry, in seconds

# See the drawing above.
IS_NEW = "attribute_not_exists(id)"
IS_WAITING = "#status = :waiting"
NOT_DUE = "(attribute_not_exists(timeoutAt) OR timeoutAt > :now)"
IS_DUE = "timeoutAt <= :now"
HAS_ROOM = "waiterCount < :maxWaiters"
IS_NEW_WAITER = "attribute_not_exists(waiters.#waiter)"
KEY_HAS_EXPIRED = "keyExpiresAt <= :now"  # TTL deletes hours late, so compare with the clock
HELD_BY_REPLACED = "tokenId = :replacedToken"
HELD_BY_REPLACED_KEPT = "tokenId = :replacedKept AND kept = :yes"  # no create has adopted it meanwhile
IS_KEPT = "keptUntil > :now"
HAS_NO_WAKE, WAKES_AS_READ = "attribute_not_exists(wakeAt)", "wakeAt = :wakeAtAsRead"
HAS_NO_TIMEOUT, TIMES_OUT_AS_READ = "attribute_not_exists(timeoutAt)", "timeoutAt = :timeoutAtAsRead"

IS_ATTACHED = "tokenId = :tokenId"
EXPIRES_EARLIER = "expiresAt < :expiresAt"  # not true of what does not expire
HAS_NO_RULES = "attribute_not_exists(deliveryRules)"
HAS_NO_DOCUMENT = "attribute_not_exists(deliveryRules.payloadSchema) AND attribute_not_exists(deliveryRules.page)"
HAS_NO_APPROVERS = "attribute_not_exists(deliveryRules.approvers)"
HAS_TAG = "contains(tags, :within)"  # of a list an element that equals it, and not true without tags
HAS_NO_ANSWERS, ANSWERED_AS_READ = "attribute_not_exists(answerCount)", "answerCount = :answersAsRead"

COMPLETION_MAY_TAKE_KEY = f"{IS_NEW} OR {HELD_BY_REPLACED} OR {HELD_BY_REPLACED_KEPT}"
CREATE_MAY_TAKE_KEY = f"{COMPLETION_MAY_TAKE_KEY} OR {KEY_HAS_EXPIRED}"
CREATE_MAY_ADOPT_KEY = HELD_BY_REPLACED_KEPT

# What a list filters by. The indexes project neither `error` nor `output`.
IS_COMPLETED = "#status = :completed"
IS_FAILED = "#status = :failed"
IS_TIMED_OUT = f"#status = :timed_out OR {IS_WAITING} AND {IS_DUE}"
STILL_WAITS = f"{IS_WAITING} AND {NOT_DUE}"
HAS_ERROR = f"{IS_FAILED} OR {IS_TIMED_OUT}"
HAS_NO_ERROR = f"{IS_COMPLETED} OR {STILL_WAITS}"
ENDED_WITHIN = (
    "completedAt >= :endedFrom AND completedAt <= :endedTo"
    f" OR {IS_WAITING} AND {IS_DUE} AND timeoutAt >= :endedFrom AND timeoutAt <= :endedTo"
)

MAY_BE_COMPLETED = f"{IS_WAITING} AND {NOT_DUE}"
MAY_BE_TIMED_OUT = f"{IS_WAITING} AND {IS_DUE}"
MAY_TAKE_WAITER = f"{IS_WAITING} AND {NOT_DUE} AND {HAS_ROOM} AND {IS_NEW_WAITER}"
_STATUS = {"#status": "status"}  # a reserved word in DynamoDB
_SETTLE = "SET #status = :settled, expiresAt = :expiresAt"


class _Names(TypedDict, total=False):
    ExpressionAttributeNames: Mapping[str, str]


class _FilterArguments(TypedDict, total=False):
    FilterExpression: str
    ExpressionAttributeNames: dict[str, str]


class Store:
    """Tokens in one DynamoDB table. Each method makes one call, except the list of undelivered tokens and `keep_longer`.
    A transaction that conflicts is retried.
    """

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
        self,
        token: Token,
        key: IdempotencyKey | None,
        now: int,
        *,
        document: Document | None = None,
        replaced: KeyHolder | None = None,
    ) -> KeyHolder | None:
        put_token: PutTypeDef = {
            "TableName": self._table,
            "Item": token_item(token),
            "ConditionExpression": IS_NEW,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        metadata = None if token.metadata is None else Document(DocumentKind.METADATA, token.metadata)
        together: list[TransactWriteItemTypeDef] = [{"Put": put_token}]
        together += [self._put(document_item(token, it, self.retention)) for it in (document, metadata) if it is not None]
        if key is not None:
            return self._write_with_key(CREATE_MAY_TAKE_KEY, {"now": now}, key, token, now, replaced, together)
        # If the id exists, an earlier attempt of this call wrote it and its response was lost.
        if len(together) > 1:
            self._write_together(*together)
        else:
            with suppress(self._client.exceptions.ConditionalCheckFailedException):
                self._client.put_item(**put_token)
        return None

    def _put(self, item: dict[str, Any]) -> "TransactWriteItemTypeDef":
        return {"Put": {"TableName": self._table, "Item": item}}

    def keep(self, token: Token, key: IdempotencyKey, now: int, *, replaced: KeyHolder | None = None) -> KeyHolder | None:
        put_token: PutTypeDef = {"TableName": self._table, "Item": token_item(token), "ConditionExpression": IS_NEW}
        return self._write_with_key(COMPLETION_MAY_TAKE_KEY, {}, key, token, now, replaced, [{"Put": put_token}])

    def _write_with_key(
        self,
        condition: str,
        values: dict[str, Any],
        key: IdempotencyKey,
        token: Token,
        now: int,
        replaced: KeyHolder | None,
        together: "list[TransactWriteItemTypeDef]",
    ) -> KeyHolder | None:
        """Write a token's items with its key's, or return the token that holds the key (invariants 3 and 5)."""
        put_key: PutTypeDef = {
            "TableName": self._table,
            "Item": key_item(key, token, now, self.retention),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": wire_values(**_replaced(replaced), **values),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        held = self._write_together({"Put": put_key}, *together)
        if held is None or held["tokenId"] == token.id:  # the latter if an earlier attempt's response was lost
            return None
        return key_holder(held, key)

    def find_key_holder(self, key: IdempotencyKey) -> KeyHolder | None:
        found = self._client.get_item(TableName=self._table, Key=key_primary_key(key), ConsistentRead=True).get("Item")
        return key_holder(plain(found), key) if found else None

    def adopt(self, holder: KeyHolder, token: Token, key: IdempotencyKey, now: int) -> bool:
        expires_at = self._expires_at(holder.since)
        put_key: PutTypeDef = {
            "TableName": self._table,
            "Item": adopted_key_item(key, holder, expires_at),
            "ConditionExpression": CREATE_MAY_ADOPT_KEY,
            "ExpressionAttributeValues": wire_values(replacedKept=holder.token_id, yes=True),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        attributes = adopted_attributes(holder.token_id, token, expires_at)
        values = present(attributes)
        absent = ["keptUntil", *(name for name in attributes if name not in values)]
        update_token: UpdateTypeDef = {
            "TableName": self._table,
            "Key": primary_key(holder.token_id, TOKEN),
            "UpdateExpression": f"SET {', '.join(f'{name} = :{name}' for name in values)} REMOVE {', '.join(absent)}",
            "ConditionExpression": IS_KEPT,
            "ExpressionAttributeValues": wire_values(now=now, **values),
        }
        beside = [] if token.metadata is None else [self._put(adopted_metadata_item(holder, token.metadata, expires_at))]
        try:
            held = self._write_together({"Put": put_key}, {"Update": update_token}, *beside)
        except self._client.exceptions.TransactionCanceledException as error:
            reasons: Any = error.response["CancellationReasons"]
            if reasons[1]["Code"] == "ConditionalCheckFailed":
                return False
            raise
        return held is None or held.get("tokenId") == holder.token_id  # the latter if another create has adopted it

    def _write_together(self, first: "TransactWriteItemTypeDef", *others: "TransactWriteItemTypeDef") -> dict[str, Any] | None:
        """Write all items or none. If the condition on `first` fails, return the item as it is, or {} if it does not exist.

        DynamoDB cancels a transaction that conflicts with another one on the same item, as concurrent creates with one
        key do. botocore does not retry that, so this method does.
        """
        for longest_pause in (*_PAUSES, None):
            try:
                self._client.transact_write_items(TransactItems=[first, *others])
            except self._client.exceptions.TransactionCanceledException as error:
                reasons: Any = error.response["CancellationReasons"]
                if reasons[0]["Code"] == "ConditionalCheckFailed":
                    return plain(reasons[0].get("Item", {}))
                if longest_pause is None or not {reason["Code"] for reason in reasons} & _PASSING:
                    raise
                self._pause(random.uniform(0, longest_pause))  # noqa: S311 - jitter
            else:
                return None
        raise AssertionError("the last attempt returns or raises")

    def get(self, token_id: str) -> Token:
        """Return the token with its replies, from a consistent read. Raises TokenNotFound."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues=wire_values(id=token_id),
            ConsistentRead=True,
        )
        items = {item["item"]["S"]: plain(item) for item in answer["Items"]}
        if TOKEN not in items:
            raise TokenNotFound
        return token_from(items[TOKEN], items)

    def peek(self, token_id: str) -> Token:
        found = self._client.get_item(TableName=self._table, Key=primary_key(token_id, TOKEN), ConsistentRead=True).get("Item")
        if found is None:
            raise TokenNotFound
        return token_from(plain(found))

    def read_document(self, token_id: str, kind: DocumentKind) -> str | None:
        """Return the JSON text of a token's document. Reads consistently, to find it right after the create."""
        key = primary_key(token_id, kind)
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return found[kind]["S"] if found else None

    def release(self, attachment: Attachment) -> bool:
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=primary_key(attachment.id, attachment.item),
                ConditionExpression=IS_ATTACHED,
                ExpressionAttributeValues=wire_values(tokenId=attachment.token_id),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def partitions(self, wanted: "Filter", now: int) -> "list[ReadRange]":
        """Return a reader for each partition of the index that suits the filter best."""
        if wanted.undelivered:
            return [partial(self._read_unresumed, wanted.within)]
        if wanted.idempotency_key is not None:
            return [self._partition("idempotencyKey", "idempotencyKeyHash", digest(wanted.idempotency_key), wanted, now)]
        return [self._partition("list", "listShard", str(shard), wanted, now) for shard in range(LIST_SHARDS)]

    def _partition(self, index: str, attribute: str, partition: str, wanted: "Filter", now: int) -> "ReadRange":
        expression, values = _filter(wanted, now)

        def read(within: "IdRange", limit: int) -> tuple[list[Token], str | None]:
            answer = self._client.query(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression=f"{attribute} = :partition AND id BETWEEN :first AND :last",
                ExpressionAttributeValues=wire_values(partition=partition, first=within.first, last=within.last, **values),
                ScanIndexForward=within.ascending,
                Limit=limit,
                **expression,
            )
            stopped_at = answer.get("LastEvaluatedKey", {}).get("id", {}).get("S")
            return [token_from(plain(item)) for item in answer["Items"]], stopped_at

        return read

    def _read_unresumed(self, tag: str | None, within: "IdRange", limit: int) -> tuple[list[Token], str | None]:
        """Read marks, and then each of their tokens, because a mark may outlive what it says. It does not say the tags."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="id = :undelivered AND #item BETWEEN :first AND :last",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues=wire_values(undelivered=UNDELIVERED, first=within.first, last=within.last),
            ScanIndexForward=within.ascending,
            ConsistentRead=True,
            Limit=limit,
        )
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            tokens = list(pool.map(self._get_or_none, [item["item"]["S"] for item in answer["Items"]]))
        stopped_at = answer.get("LastEvaluatedKey", {}).get("item", {}).get("S")
        unresumed = [token for token in tokens if token and token.outcome and token.unresumed()]
        return [token for token in unresumed if tag is None or tag in token.tags], stopped_at

    def _get_or_none(self, token_id: str) -> Token | None:
        try:
            return self.get(token_id)
        except TokenNotFound:
            return None

    def complete(
        self, token_id: str, outcome: Completed | Failed, unchecked: Unchecked, within: str | None = None
    ) -> tuple[bool, Token]:
        update, names, values = self._settle(outcome)
        condition = _may_be_completed(unchecked)
        if within is not None:
            condition, values = f"{condition} AND {HAS_TAG}", values | {"within": within}
        won, token = self._update(token_id, update, condition, names=names, values=values)
        return won, replace(token, outcome=outcome) if won else token

    def answer(self, token: Token, answer: Answer, outcome: Completed | None) -> tuple[bool, Token]:
        """Record an approver's answer (invariant 6), which settles the token if there is an outcome."""
        answered = len(token.answers)
        values: dict[str, Any] = {"none": [], "answer": [answer_map(answer)], "answered": answered + 1}
        condition = f"{MAY_BE_COMPLETED} AND {HAS_NO_ANSWERS}"
        if answered:
            condition, values = f"{MAY_BE_COMPLETED} AND {ANSWERED_AS_READ}", values | {"answersAsRead": answered}
        record = "answers = list_append(if_not_exists(answers, :none), :answer), answerCount = :answered"
        if outcome is None:
            values |= {"waiting": StoredStatus.WAITING, "now": answer.at}
            return self._update(token.id, f"SET {record}", condition, names=_STATUS, values=values)
        update, names, of_outcome = self._settle(outcome)
        won, now = self._update(token.id, f"{update}, {record}", condition, names=names, values=values | of_outcome)
        return won, replace(now, outcome=outcome) if won else now

    def _settle(self, outcome: Completed | Failed) -> tuple[str, dict[str, str], dict[str, Any]]:
        """Return the update that stores an outcome, its attributes' names, and its values and those of MAY_BE_COMPLETED."""
        attributes = outcome_attributes(outcome)
        update = f"{_SETTLE}, completedAt = :now" + "".join(f", #{name} = :{name}" for name in attributes)
        values = {
            "waiting": StoredStatus.WAITING,
            "now": outcome.at,
            "settled": stored_status(outcome),
            "expiresAt": self._expires_at(outcome.at),
        }
        return update, _STATUS | {f"#{name}": name for name in attributes}, values | attributes

    def time_out(self, token_id: str, now: int) -> tuple[bool, Token]:
        """Settle a due token as timed out (invariant 1). Returns True and the settled token, or False and the token as is."""
        return self._update(
            token_id,
            f"{_SETTLE}, completedAt = timeoutAt",
            MAY_BE_TIMED_OUT,
            names=_STATUS,
            values={
                "waiting": StoredStatus.WAITING,
                "now": now,
                "settled": StoredStatus.TIMED_OUT,
                "expiresAt": self._expires_at(now),
            },
        )

    def set_wake(self, token: Token, wake_at: int | None) -> bool:
        condition, values = _waits_as_read(token)
        if wake_at is None:
            return self._write_if(token.id, "REMOVE wakeAt", condition, values)
        return self._write_if(token.id, "SET wakeAt = :wakeAt", condition, values | {"wakeAt": wake_at})

    def keep_longer(self, token: Token, timeout_at: int | None) -> None:
        """Each item in an update of its own. The key may by now name another token, whose item then stays as it is."""
        values: dict[str, Any] = {"tokenId": token.id}
        update, condition = "REMOVE expiresAt", IS_ATTACHED
        if timeout_at is not None:
            values |= {"expiresAt": self._expires_at(timeout_at)}
            update, condition = "SET expiresAt = :expiresAt", f"{IS_ATTACHED} AND {EXPIRES_EARLIER}"
        for key in beside(token):
            with suppress(self._client.exceptions.ConditionalCheckFailedException):
                self._client.update_item(
                    TableName=self._table,
                    Key=key,
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=wire_values(**values),
                )

    def ask_again(self, token: Token, asked: Token) -> bool:
        """Answers are not in the condition, so an answer at the same moment fails neither itself nor this."""
        condition, values = _waits_as_read(token)
        noted = {
            "remindedCount": asked.reminded_count or None,
            "remindedAt": asked.reminded_at,
            "escalatedAt": asked.escalated_at,
            "wakeAt": asked.wake_at,
        }
        given = present(noted)
        update = f"SET {', '.join(f'{name} = :{name}' for name in given)}" + ("" if "wakeAt" in given else " REMOVE wakeAt")
        return self._write_if(token.id, update, condition, values | given)

    def move_deadline(self, token: Token, timeout_at: int | None, wake_at: int | None, now: int) -> bool:
        condition, values = _waits_as_read(token)
        moved: dict[str, int | None] = {"timeoutAt": timeout_at, "wakeAt": wake_at}
        given = present(moved)
        gone = [name for name in moved if name not in given]
        assignments = [f"{name} = :{name}" for name in given]
        assignments += ["movedAt = :now"] if token.has_notify else []  # the stream shows no more than the new item
        update = (f"SET {', '.join(assignments)}" if assignments else "") + (f" REMOVE {', '.join(gone)}" if gone else "")
        return self._write_if(token.id, update, f"{condition} AND {NOT_DUE}", values | given | {"now": now})

    def add_waiter(self, token_id: str, waiter: Waiter, now: int) -> tuple[bool, Token]:
        """Store a waiter on a waiting token (invariant 2). Returns True and the new token, or False and the token as is."""
        return self._update(
            token_id,
            "SET waiters.#waiter = :waiter, waiterCount = waiterCount + :one",
            MAY_TAKE_WAITER,
            names=_STATUS | {"#waiter": waiter.key},
            values={
                "waiting": StoredStatus.WAITING,
                "now": now,
                "waiter": waiter_map(waiter),
                "one": 1,
                "maxWaiters": MAX_WAITERS,
            },
        )

    def mark_unresumed(self, token_id: str, now: int) -> None:
        """The mark expires after its token, which settled before `now`. Marking again changes nothing."""
        self._client.update_item(
            TableName=self._table,
            Key=primary_key(UNDELIVERED, token_id),
            UpdateExpression="SET expiresAt = if_not_exists(expiresAt, :expiresAt)",
            ExpressionAttributeValues=wire_values(expiresAt=self._expires_at(now)),
        )

    def unmark_unresumed(self, token_id: str) -> None:
        self._client.delete_item(TableName=self._table, Key=primary_key(UNDELIVERED, token_id))

    def record_replies(self, token_id: str, replies: Mapping[str, Reply], now: int) -> None:
        """Record AWS's replies for some of a token's waiters.

        Recording a reply twice is harmless. GONE never replaces RESUMED: if two calls resume the same waiter, the slower
        one gets GONE.
        """
        names, assignments = {}, ["expiresAt = :expiresAt"]
        values = wire_values(expiresAt=self._expires_at(now), told=frozenset(replies))
        for number, (waiter, reply) in enumerate(replies.items()):
            names[f"#{number}"], values[f":{number}"] = waiter, wire({"answer": reply.kind, "at": reply.at})
            assignments.append(f"#{number} = {_recorded(reply.kind, number)}")
        self._client.update_item(
            TableName=self._table,
            Key=primary_key(token_id, REPLIES),
            UpdateExpression=f"SET {', '.join(assignments)} ADD told :told",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )

    def count_replies(self, token_ids: Collection[str]) -> Mapping[str, int]:
        """Read eventually consistently, at half the price. DynamoDB may leave keys unprocessed; their tokens are left out."""
        wanted: KeysAndAttributesTypeDef = {"Keys": [primary_key(token_id, REPLIES) for token_id in token_ids]}
        answer = self._client.batch_get_item(RequestItems={self._table: wanted})
        return {item["id"]["S"]: count_replies(item) for item in answer["Responses"].get(self._table, [])}

    def count_delivery(self, token_id: str, outcome: Outcome | None, origin: Origin, now: int) -> None:
        """Count a delivery that did not settle its token, in one small write that never touches the token's item."""
        last = {"lastAt": now, "lastIp": origin.ip, "lastDeliveryId": origin.delivery_id}
        expires_at = None if outcome is None else self._expires_at(max(outcome.at, now))
        values = present({**last, "tokenId": token_id, "expiresAt": expires_at})
        absent = [name for name in last if name not in values]
        assignments = [f"{name} = :{name}" for name in values] + ["createdAt = if_not_exists(createdAt, :lastAt)"]
        self._client.update_item(
            TableName=self._table,
            Key=primary_key(token_id, OTHERS),
            UpdateExpression=f"ADD #count :one SET {', '.join(assignments)}"
            + (f" REMOVE {', '.join(absent)}" if absent else ""),
            ExpressionAttributeNames={"#count": "count"},
            ExpressionAttributeValues=wire_values(one=1, **values),
        )

    def _expires_at(self, now: int) -> int:
        """When TTL may remove a token settled at `now`, in epoch seconds."""
        return now // 1000 + self.retention

    def _write_if(self, token_id: str, update: str, condition: str, values: dict[str, Any]) -> bool:
        """Update a token. Returns False if the condition does not hold, also because the token is gone."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=primary_key(token_id, TOKEN),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=_STATUS,
                ExpressionAttributeValues=wire_values(**values),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _update(
        self, token_id: str, update: str, condition: str, *, names: Mapping[str, str], values: dict[str, Any]
    ) -> tuple[bool, Token]:
        named: _Names = {"ExpressionAttributeNames": names} if names else {}  # DynamoDB rejects an empty map
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=primary_key(token_id, TOKEN),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=wire_values(**values),
                **named,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            response: Any = error.response
            if "Item" not in response:
                raise TokenNotFound from None
            return False, token_from(plain(response["Item"]))
        return True, token_from(plain(answer["Attributes"]))


def _replaced(holder: KeyHolder | None) -> dict[str, Any]:
    """The values of HELD_BY_REPLACED and HELD_BY_REPLACED_KEPT: one of both names the holder."""
    replaced, kept = ("", holder.token_id) if holder and holder.is_kept else (holder.token_id if holder else "", "")
    return {"replacedToken": replaced, "replacedKept": kept, "yes": True}


def _waits_as_read(token: Token) -> tuple[str, dict[str, Any]]:
    """Return the condition that a token waits with the instants that were read, so that no change undoes another, and its
    values.
    """
    wakes = HAS_NO_WAKE if token.wake_at is None else WAKES_AS_READ
    times_out = HAS_NO_TIMEOUT if token.timeout_at is None else TIMES_OUT_AS_READ
    values = present({"wakeAtAsRead": token.wake_at, "timeoutAtAsRead": token.timeout_at})
    return f"{IS_WAITING} AND {wakes} AND {times_out}", {"waiting": StoredStatus.WAITING, **values}


def _may_be_completed(unchecked: Unchecked) -> str:
    match unchecked:
        case Unchecked.ANY:
            return f"{MAY_BE_COMPLETED} AND {HAS_NO_RULES}"
        case Unchecked.DOCUMENT:
            return f"{MAY_BE_COMPLETED} AND {HAS_NO_DOCUMENT}"
        case Unchecked.APPROVERS:
            return f"{MAY_BE_COMPLETED} AND {HAS_NO_APPROVERS}"
        case Unchecked.NONE:
            return MAY_BE_COMPLETED
    assert_never(unchecked)


def _filter(wanted: "Filter", now: int) -> tuple[_FilterArguments, dict[str, Any]]:
    """Return a filter as query arguments and their values. A due token counts as timed out even before that is stored."""
    parts: list[str] = []
    known: dict[str, Any] = {"now": now} | {status.lower(): status for status in StoredStatus}
    if wanted.statuses:
        parts.append(" OR ".join(_has_status(status) for status in sorted(wanted.statuses)))
    if wanted.output_is_error is not None:
        parts.append(HAS_ERROR if wanted.output_is_error else HAS_NO_ERROR)
    if wanted.completed_from is not None or wanted.completed_to is not None:
        parts.append(ENDED_WITHIN)
        ended_to = _ANY_INSTANT if wanted.completed_to is None else wanted.completed_to
        known |= {"endedFrom": wanted.completed_from or 0, "endedTo": ended_to}
    if wanted.tags:
        tags = {f"tag{number}": tag for number, tag in enumerate(sorted(wanted.tags))}
        parts.append(" OR ".join(f"contains(tags, :{name})" for name in tags))
        known |= tags
    if wanted.within is not None:
        parts.append(HAS_TAG)
        known |= {"within": wanted.within}
    if not parts:
        return {}, {}
    expression = " AND ".join(f"({part})" for part in parts)
    used = set(re.findall(r":(\w+)", expression))  # DynamoDB refuses values that an expression does not use
    arguments: _FilterArguments = {"FilterExpression": expression}
    if "#status" in expression:
        arguments["ExpressionAttributeNames"] = {"#status": "status"}
    return arguments, {name: value for name, value in known.items() if name in used}


def _has_status(status: Status) -> str:
    """Return the condition for tokens that every reader sees with this status."""
    match status:
        case Status.WAITING:
            return STILL_WAITS
        case Status.COMPLETED:
            return f"{IS_COMPLETED} OR {IS_FAILED}"
        case Status.TIMED_OUT:
            return IS_TIMED_OUT
    assert_never(status)


def _recorded(kind: ReplyKind, number: int) -> str:
    """Return the new value of a waiter's reply: RESUMED replaces an earlier reply, GONE does not."""
    match kind:
        case ReplyKind.RESUMED:
            return f":{number}"
        case ReplyKind.GONE:
            return f"if_not_exists(#{number}, :{number})"
    assert_never(kind)
