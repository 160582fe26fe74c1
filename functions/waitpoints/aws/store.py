"""The DynamoDB table. Each invariant of a token is a condition expression on one item.

The life of a token, and the conditions that hold in each phase:

       created                     timeoutAt
          |--------- WAITING ---------|------- WAITING, and due ------->   until its outcome is stored:
          |  IS_WAITING, NOT_DUE      |  IS_WAITING, IS_DUE
          |     may be completed      |     may only be timed out          COMPLETED or TIMED_OUT, which is final
          |     may take a waiter     |                                          (stored as `items.StoredStatus`)

`items` describes the items.
"""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from waitpoints.aws.items import (
    LIST_SHARDS,
    OTHERS,
    REPLIES,
    SINCE_VERSION,
    TOKEN,
    UNDELIVERED,
    StoredStatus,
    answer_map,
    beside,
    claimed_attributes,
    claimed_key_item,
    claimed_metadata_item,
    count_replies,
    digest,
    document_item,
    hand_over_map,
    key_holder,
    key_item,
    key_primary_key,
    outcome_attributes,
    primary_key,
    stored_status,
    token_from,
    token_item,
    waiter_map,
)
from waitpoints.aws.table import Added, Changes, Expression, IfAbsent, Refused, Returned, Table, Updated
from waitpoints.errors import TokenNotFound
from waitpoints.token import (
    MAX_WAITERS,
    SINCE,
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
    Outcome,
    Reply,
    ReplyKind,
    Rule,
    Status,
    Token,
    Waiter,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from waitpoints.listing import Filter, IdRange, ReadRange

_ANY_INSTANT = 10**15  # epoch milliseconds, later than every token's end
PARALLEL_READS = 16

# See the drawing above.
IS_NEW = "attribute_not_exists(id)"
IS_WAITING = "#status = :waiting"
IS_OF_THIS_VERSION = "(attribute_not_exists(sinceVersion) OR sinceVersion <= :version)"  # of every change to a waiting token
NOT_DUE = "(attribute_not_exists(timeoutAt) OR timeoutAt > :now)"
IS_DUE = "timeoutAt <= :now"
IS_SETTLED = "attribute_exists(completedAt) AND #status <> :waiting"
WAITERS_AS_READ = "waiterCount = :waitersAsRead"
HAS_ROOM = "waiterCount < :maxWaiters"
IS_NEW_WAITER = "attribute_not_exists(waiters.#waiter)"
KEY_HAS_EXPIRED = "keyExpiresAt <= :now"  # TTL deletes hours late, so compare with the clock
HELD_BY_REPLACED = "tokenId = :replaced"
HELD_BY_REPLACED_EARLY = f"{HELD_BY_REPLACED} AND early = :yes"  # no create has claimed it meanwhile
IS_EARLY = "earlyUntil > :now"
IS_UNCLAIMED = "attribute_exists(earlyUntil)"
HAS_NO_DUE_AT, DUE_AT_AS_READ = "attribute_not_exists(dueAt)", "dueAt = :dueAtAsRead"
HAS_NO_TIMEOUT, TIMES_OUT_AS_READ = "attribute_not_exists(timeoutAt)", "timeoutAt = :timeoutAtAsRead"

IS_ATTACHED = "tokenId = :tokenId"
EXPIRES_EARLIER = "expiresAt < :expiresAt"  # not true of what does not expire
HAS_NO_RULES = "attribute_not_exists(deliveryRules)"
HAS_NO_RULE = "attribute_not_exists(deliveryRules.{})"
HAS_TAG = "contains(tags, :onlyTag)"  # of a list an element that equals it, and not true without tags
HAS_NO_ANSWERS, ANSWERED_AS_READ = "attribute_not_exists(answerCount)", "answerCount = :answersAsRead"
HAS_NO_HAND_OVERS, HANDED_OVER_AS_READ = "attribute_not_exists(handOverCount)", "handOverCount = :handOversAsRead"

CREATE_MAY_CLAIM_KEY = HELD_BY_REPLACED_EARLY

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

MAY_BE_CHANGED = f"{IS_WAITING} AND {IS_OF_THIS_VERSION}"
MAY_BE_COMPLETED = f"{MAY_BE_CHANGED} AND {NOT_DUE}"
MAY_BE_TIMED_OUT = f"{MAY_BE_CHANGED} AND {IS_DUE}"
MAY_TAKE_WAITER = f"{MAY_BE_COMPLETED} AND {HAS_ROOM} AND {IS_NEW_WAITER}"
MAY_BE_DELETED = f"{IS_SETTLED} AND {WAITERS_AS_READ}"


class Store:
    """Tokens in one DynamoDB table. Each method makes one call, except the list of undelivered tokens, `keep_longer` and
    `delete_beside`.
    A transaction that conflicts is retried.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        retention_seconds: int,
        pause: Callable[[float], None] = time.sleep,
        executions: str = "",
    ) -> None:
        """`executions` is what the ARNs of the stack's executions begin with."""
        self._table = Table(client, table_name, pause)
        self._executions = executions
        self.retention = retention_seconds

    def create(
        self,
        token: Token,
        key: IdempotencyKey | None,
        now: int,
        *,
        document: Document | None = None,
        replaced: KeyHolder | None = None,
    ) -> KeyHolder | None:
        """Write a new token, or return the token that already holds `key` (invariant 3: one key, one live token).

        `document` and its metadata are written with it. The key of `replaced` is free: retention has removed this holder, or it
        is an early completion that ended or that the create does not accept. It is not free if another create has claimed it
        meanwhile.
        """
        item, metadata = (
            token_item(token, self._executions),
            None if token.metadata is None else Document(DocumentKind.METADATA, token.metadata),
        )
        documents = [document_item(token, it, self.retention) for it in (document, metadata) if it is not None]
        together = [self._put(item, IS_NEW), *map(self._put, documents)]
        if key is not None:
            return self._write_with_key(KEY_HAS_EXPIRED, key, token, now, replaced, together)
        # If the id exists, an earlier attempt of this call wrote it and its response was lost.
        if documents:
            self._table.write_together(*together)
        else:
            self._table.put(item, IS_NEW)
        return None

    def _put(self, item: dict[str, Any], condition: str = "", **values: Any) -> "TransactWriteItemTypeDef":
        return {"Put": self._table.put_request(item, condition, **values)}

    def put_early(self, token: Token, key: IdempotencyKey, now: int, *, replaced: KeyHolder | None = None) -> KeyHolder | None:
        """Write a completed token that no create has asked for, or return the token that already holds `key` (invariant 5).

        Unlike `create`, an expired key is not free: its token may still be waiting. `replaced` is a holder that has ended, or
        that retention has removed.
        """
        return self._write_with_key("", key, token, now, replaced, [self._put(token_item(token, self._executions), IS_NEW)])

    def _write_with_key(
        self,
        or_if: str,
        key: IdempotencyKey,
        token: Token,
        now: int,
        replaced: KeyHolder | None,
        together: "list[TransactWriteItemTypeDef]",
    ) -> KeyHolder | None:
        """Write a token's items with its key's, or return the token that holds the key (invariants 3 and 5)."""
        held = HELD_BY_REPLACED_EARLY if replaced and replaced.is_early else HELD_BY_REPLACED if replaced else ""
        condition = " OR ".join(filter(None, (IS_NEW, held, or_if)))
        values = {"replaced": replaced and replaced.token_id, "yes": True, "now": now}
        put_key = self._put(key_item(key, token, now, self.retention), condition, **values)
        refused = self._table.write_together(put_key, *together)
        if refused is None or refused.item["tokenId"] == token.id:  # the latter if an earlier attempt's response was lost
            return None
        return key_holder(refused.item, key)

    def find_key_holder(self, key: IdempotencyKey) -> KeyHolder | None:
        """The token that holds a key, even after the key has expired, read consistently."""
        found = self._table.get(key_primary_key(key))
        return key_holder(found, key) if found else None

    def claim(self, holder: KeyHolder, token: Token, key: IdempotencyKey, now: int) -> bool:
        """Make an early completion a token like any other, with the tags and metadata of `token` and `key`'s lifetime.

        Returns whether the holder exists: False if it has ended. Claiming it again changes nothing.
        """
        expires_at = self._expires_at(holder.since)
        item = claimed_key_item(key, holder, expires_at)
        put_key = self._put(item, CREATE_MAY_CLAIM_KEY, replaced=holder.token_id, yes=True)
        changes = {"earlyUntil": None, **claimed_attributes(holder.token_id, token, expires_at)}
        update_token = self._table.update_request(primary_key(holder.token_id, TOKEN), changes, IS_EARLY, now=now)
        beside = [] if token.metadata is None else [self._put(claimed_metadata_item(holder, token.metadata, expires_at))]
        try:
            refused = self._table.write_together(put_key, {"Update": update_token}, *beside)
        except self._table.client.exceptions.TransactionCanceledException as error:
            reasons: Any = error.response["CancellationReasons"]
            if reasons[1]["Code"] == "ConditionalCheckFailed":
                return False
            raise
        return refused is None or refused.item.get("tokenId") == holder.token_id  # the latter if another one claimed it

    def release_early(self, token: Token) -> bool:
        """Free an early completion's key, so that no create claims it any more. Returns False if one has, or if it is gone."""
        assert token.idempotency_key is not None, "an early completion has a key"
        key = key_primary_key(IdempotencyKey(token.idempotency_key))
        held = self._table.delete_request(key, HELD_BY_REPLACED_EARLY, replaced=token.id, yes=True)
        if self._table.write_together({"Delete": held}) is None:
            return True
        return "earlyUntil" in (self._table.get(primary_key(token.id, TOKEN)) or {})

    def delete_early(self, token_id: str) -> bool:
        """Delete an early completion, and what was counted beside it, once its key is free. Returns whether there was one."""
        others: Any = {"Delete": self._table.delete_request(primary_key(token_id, OTHERS))}
        unclaimed = self._table.delete_request(primary_key(token_id, TOKEN), IS_UNCLAIMED)
        return self._table.write_together({"Delete": unclaimed}, others) is None

    def delete(self, token: Token, *, holds_key: bool) -> bool:
        """Delete a settled token that has the waiters of `token`, and in the same transaction its key (invariant 8).

        Returns False if it is gone, has not settled, or no longer `holds_key`.
        """
        values = {"waiting": StoredStatus.WAITING, "waitersAsRead": len(token.waiters)}
        if not holds_key:
            return self._table.delete(primary_key(token.id, TOKEN), MAY_BE_DELETED, **values)
        assert token.idempotency_key is not None, "it holds one"
        key = key_primary_key(IdempotencyKey(token.idempotency_key))
        deleted = self._table.delete_request(primary_key(token.id, TOKEN), MAY_BE_DELETED, **values)
        released = self._table.delete_request(key, IS_ATTACHED, tokenId=token.id)
        try:
            return self._table.write_together({"Delete": deleted}, {"Delete": released}) is None
        except self._table.client.exceptions.TransactionCanceledException as error:
            reasons: Any = error.response["CancellationReasons"]
            if reasons[1]["Code"] == "ConditionalCheckFailed":
                return False
            raise

    def delete_beside(self, token_id: str) -> bool:
        """Delete what is stored beside a token that is gone, and its mark. Returns False if AWS has left some."""
        kinds = [it["item"] for it in self._table.query("id = :id", {"id": token_id}).items if it["item"] != TOKEN]
        keys = [*(primary_key(token_id, kind) for kind in kinds), primary_key(UNDELIVERED, token_id)]
        return self._table.delete_together(keys) == len(keys)

    def get(self, token_id: str) -> Token:
        """The token with its replies and its other deliveries, read consistently. Raises TokenNotFound."""
        found = self.find(token_id)
        if found is None:
            raise TokenNotFound
        return found

    def find(self, token_id: str) -> Token | None:
        """As `get`. None: there is no such token."""
        items = {item["item"]: item for item in self._table.query("id = :id", {"id": token_id}).items}
        return token_from(items[TOKEN], items, self._executions) if TOKEN in items else None

    def peek(self, token_id: str) -> Token:
        """The token without its replies and its other deliveries, read consistently. Raises TokenNotFound."""
        found = self._table.get(primary_key(token_id, TOKEN))
        if found is None:
            raise TokenNotFound
        return token_from(found, {}, self._executions)

    def read_document(self, token_id: str, kind: DocumentKind) -> str | None:
        """The JSON text of a token's payloadSchema, page or metadata."""
        found = self._table.get(primary_key(token_id, kind))
        return found[kind] if found else None

    def release(self, attachment: Attachment) -> bool:
        """Delete an attachment if it still belongs to its token. Returns whether it did."""
        return self._table.delete(primary_key(attachment.id, attachment.item), IS_ATTACHED, tokenId=attachment.token_id)

    def partitions(self, wanted: "Filter", now: int) -> "list[ReadRange[Token]]":
        """Return a reader for each partition of the index that suits the filter best."""
        if wanted.undelivered:
            return [partial(self._read_unresumed, wanted.only_tag)]
        if wanted.idempotency_key is not None:
            return [self._partition("idempotencyKey", "idempotencyKeyHash", digest(wanted.idempotency_key), wanted, now)]
        return [self._partition("list", "listShard", str(shard), wanted, now) for shard in range(LIST_SHARDS)]

    def _partition(self, index: str, attribute: str, partition: str, wanted: "Filter", now: int) -> "ReadRange[Token]":
        expression, values = _filter(wanted, now)

        def read(within: "IdRange", limit: int) -> tuple[list[Token], str | None]:
            found = self._table.query(
                f"{attribute} = :partition AND id BETWEEN :first AND :last",
                {**values, "partition": partition, "first": within.first, "last": within.last},
                index,
                ScanIndexForward=within.ascending,
                Limit=limit,
                **({"FilterExpression": expression} if expression else {}),
            )
            return [token_from(item) for item in found.items], found.last.get("id")

        return read

    def _read_unresumed(self, tag: str | None, within: "IdRange", limit: int) -> tuple[list[Token], str | None]:
        """Read marks, and then each of their tokens, because a mark may outlive what it says. It does not say the tags."""
        found = self._table.query(
            "id = :undelivered AND #item BETWEEN :first AND :last",
            {"undelivered": UNDELIVERED, "first": within.first, "last": within.last},
            ScanIndexForward=within.ascending,
            Limit=limit,
        )
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            tokens = list(pool.map(self.find, [item["item"] for item in found.items]))
        unresumed = [token for token in tokens if token and token.outcome and token.unresumed()]
        return [token for token in unresumed if tag is None or tag in token.tags], found.last.get("item")

    def complete(
        self, token_id: str, outcome: Completed | Failed, checked: frozenset[Rule], only_tag: str | None = None
    ) -> tuple[bool, Token]:
        """Settle a waiting token that has no rule but those `checked`, and has the tag `only_tag` if it is given (invariant 1).

        Returns whether it did, and the token with its outcome, if it has one.
        """
        condition = _may_be_completed(checked) + ("" if only_tag is None else f" AND {HAS_TAG}")
        return self._update(token_id, self._settled(outcome), condition, outcome, now=outcome.at, onlyTag=only_tag)

    def answer(self, token: Token, answer: Answer, outcome: Completed | None) -> tuple[bool, Token]:
        """Add an answer to a waiting token that has the answers and hand-overs of `token` and no other (invariant 6).

        With an outcome, the answer settles the token. Returns whether it was added, and the token as it is now.
        """
        changes = {
            "answers": Expression("list_append(if_not_exists(answers, :none), :added)"),
            "answerCount": len(token.answers) + 1,
            **(self._settled(outcome) if outcome else {}),
        }
        won, was = self._add_as_read(token, changes, answer_map(answer), answer.at)
        return won, replace(was, answers=(*was.answers, answer), outcome=outcome) if won else was

    def hand_over(self, token: Token, hand_over: HandOver) -> bool:
        """Add a hand-over to a waiting token that has the answers and hand-overs of `token` and no other (invariant 6).

        Returns False if it no longer waits so.
        """
        changes = {
            "handOvers": Expression("list_append(if_not_exists(handOvers, :none), :added)"),
            "handOverCount": len(token.hand_overs) + 1,
            SINCE_VERSION: max(token.since_version or 0, SINCE["handOvers"]),
        }
        return self._add_as_read(token, changes, hand_over_map(hand_over), hand_over.at)[0]

    def _add_as_read(self, token: Token, changes: Changes, added: Any, now: int) -> tuple[bool, Token]:
        """Add to the answers or hand-overs of a token that waits with those that were read. So each knows all before it.

        Returns as `_update` does.
        """
        answered, handed_over = len(token.answers), len(token.hand_overs)
        as_read = (ANSWERED_AS_READ if answered else HAS_NO_ANSWERS, HANDED_OVER_AS_READ if handed_over else HAS_NO_HAND_OVERS)
        values: dict[str, Any] = {"none": [], "added": [added], "answersAsRead": answered, "handOversAsRead": handed_over}
        return self._update(token.id, changes, " AND ".join((MAY_BE_COMPLETED, *as_read)), now=now, **values)

    def _settled(self, outcome: Completed | Failed) -> Changes:
        """Return what an outcome changes of its token."""
        ended = {"status": stored_status(outcome), "completedAt": outcome.at, "expiresAt": self._expires_at(outcome.at)}
        return {**ended, **outcome_attributes(outcome)}

    def time_out(self, token_id: str, now: int) -> tuple[bool, Token]:
        """Settle a due token as timed out (invariant 1). Returns whether it did, and the token as it is now."""
        changes = {
            "status": StoredStatus.TIMED_OUT,
            "completedAt": Expression("timeoutAt"),
            "expiresAt": self._expires_at(now),
        }
        won, was = self._update(token_id, changes, MAY_BE_TIMED_OUT, now=now)
        return won, replace(was, outcome=was.outcome_at(now)) if won else was

    def keep_longer(self, token: Token, timeout_at: int | None) -> None:
        """Let what is stored beside a token, and expires after its timeout, outlive this one. Nothing expires earlier.

        Each item in an update of its own. The key may by now name another token, whose item then stays as it is.
        """
        expires_at = None if timeout_at is None else self._expires_at(timeout_at)
        condition = IS_ATTACHED if expires_at is None else f"{IS_ATTACHED} AND {EXPIRES_EARLIER}"
        for key in beside(token):
            self._table.update(key, {"expiresAt": expires_at}, condition, tokenId=token.id, expiresAt=expires_at)

    def remind(self, token: Token, asked: Token) -> bool:
        """Record a waiting token's reminder or escalation, as `asked` says, and when it is due next.

        Returns False if it no longer waits as `token` says, or is gone. Answers are not in the condition, so an answer at the
        same moment fails neither itself nor this.
        """
        reminded = {"remindedCount": asked.reminded_count, "remindedAt": asked.reminded_at, "escalatedAt": asked.escalated_at}
        noted = {name: value for name, value in reminded.items() if value}
        return self._change_as_read(token, {**noted, "dueAt": asked.due_at})

    def move_deadline(self, token: Token, timeout_at: int | None, due_at: int | None, now: int) -> bool:
        """Give a waiting token another timeout, or none. Returns False if it no longer waits as `token` says, is due, or is
        gone.
        """
        moved = {"timeoutAt": timeout_at, "dueAt": due_at}
        if token.has_notify:
            moved["movedAt"] = now  # the stream shows no more than the new item
        return self._change_as_read(token, moved, NOT_DUE, now=now)

    def _change_as_read(self, token: Token, changes: Changes, *more: str, **values: Any) -> bool:
        """Change a token that waits with the instants that were read, so that no change undoes another.

        Returns False if it does not, also because it is gone. Raises WrittenLater.
        """
        due = HAS_NO_DUE_AT if token.due_at is None else DUE_AT_AS_READ
        times_out = HAS_NO_TIMEOUT if token.timeout_at is None else TIMES_OUT_AS_READ
        as_read: dict[str, Any] = {
            "waiting": StoredStatus.WAITING,
            "version": VERSION,
            "dueAtAsRead": token.due_at,
            "timeoutAtAsRead": token.timeout_at,
        }
        condition = " AND ".join((MAY_BE_CHANGED, due, times_out, *more))
        result = self._table.update(primary_key(token.id, TOKEN), changes, condition, **as_read, **values)
        if isinstance(result, Refused) and result.item:
            token_from(result.item).check_version()
        return isinstance(result, Updated)

    def add_waiter(self, token_id: str, waiter: Waiter, now: int) -> Token | None:
        """Store a waiter on a waiting token (invariant 2). Returns None, or the token if that does not take the waiter."""
        changes: Changes = {("waiters", waiter.key): waiter_map(waiter, self._executions), "waiterCount": Added(1)}
        values: dict[str, Any] = {"names": {"waiter": waiter.key}, "now": now, "maxWaiters": MAX_WAITERS}
        result = self._write(token_id, changes, MAY_TAKE_WAITER, "NONE", values)
        return None if isinstance(result, Updated) else self._token(result.item)

    def mark_unresumed(self, token_id: str, now: int) -> None:
        """Mark a settled token with a waiter that could not be resumed, so that a list finds it.

        The mark expires after its token, which settled before `now`. Marking again changes nothing.
        """
        self._table.update(primary_key(UNDELIVERED, token_id), {"expiresAt": IfAbsent(self._expires_at(now))})

    def unmark_unresumed(self, token_id: str) -> None:
        """Remove the mark, if there is one."""
        self._table.client.delete_item(TableName=self._table.name, Key=primary_key(UNDELIVERED, token_id))

    def record_replies(self, token_id: str, replies: Mapping[str, Reply], now: int) -> None:
        """Record AWS's replies for some of a token's waiters.

        Recording a reply twice is harmless. GONE never replaces RESUMED: if two calls resume the same waiter, the slower
        one gets GONE.
        """
        recorded = {waiter: _recorded(reply) for waiter, reply in replies.items()}
        changes = {**recorded, "expiresAt": self._expires_at(now), "replied": Added(frozenset(replies))}
        self._table.update(primary_key(token_id, REPLIES), changes)

    def count_replies(self, token_ids: Collection[str]) -> Mapping[str, int]:
        """How many waiters of each of these tokens, at most a hundred, have a recorded reply.

        Reads all of them at once and may miss the latest replies. Tokens whose keys DynamoDB leaves unread are left out.
        """
        found, _ = self._table.read_together([primary_key(token_id, REPLIES) for token_id in token_ids])
        return {item["id"]: count_replies(item) for item in found}

    def count_delivery(self, token_id: str, outcome: Outcome | None, by: CompletedBy, now: int) -> None:
        """Count a delivery that did not settle its token."""
        changes: dict[str, Any] = {
            "count": Added(1),
            "tokenId": token_id,
            "createdAt": IfAbsent(now),
            "lastAt": now,
            "lastIp": by.ip,
            "lastDeliveryId": by.delivery_id,
        }
        if outcome is not None:
            changes["expiresAt"] = self._expires_at(max(outcome.at, now))
        self._table.update(primary_key(token_id, OTHERS), changes)

    def _expires_at(self, now: int) -> int:
        """When TTL may remove a token settled at `now`, in epoch seconds."""
        return now // 1000 + self.retention

    def _update(
        self, token_id: str, changes: Changes, condition: str, outcome: Outcome | None = None, **values: Any
    ) -> tuple[bool, Token]:
        """Change a token. Returns whether the condition held, and the token as it was before: DynamoDB's smallest answer.

        If the condition held, the token has the `outcome` that the change gives it. Raises TokenNotFound, and WrittenLater.
        """
        result = self._write(token_id, changes, condition, "ALL_OLD", values)
        won = isinstance(result, Updated)
        return won, self._token(result.item, outcome if won else None)

    def _write(
        self, token_id: str, changes: Changes, condition: str, returns: Returned, values: dict[str, Any]
    ) -> Updated | Refused:
        values |= {"waiting": StoredStatus.WAITING, "version": VERSION}
        return self._table.update(primary_key(token_id, TOKEN), changes, condition, returns=returns, **values)

    def _token(self, item: dict[str, Any], outcome: Outcome | None = None) -> Token:
        if not item:
            raise TokenNotFound
        found = token_from(item, {}, self._executions, outcome)
        found.check_version()
        return found


def _may_be_completed(checked: frozenset[Rule]) -> str:
    if not checked:
        return f"{MAY_BE_COMPLETED} AND {HAS_NO_RULES}"
    return " AND ".join((MAY_BE_COMPLETED, *(HAS_NO_RULE.format(rule) for rule in Rule if rule not in checked)))


def _filter(wanted: "Filter", now: int) -> tuple[str, dict[str, Any]]:
    """Return a filter's expression and its values. A due token counts as timed out even before that is stored."""
    parts: list[str] = []
    values: dict[str, Any] = {"now": now, "onlyTag": wanted.only_tag} | {status.lower(): status for status in StoredStatus}
    if wanted.statuses:
        parts.append(" OR ".join(_has_status(status) for status in sorted(wanted.statuses)))
    if wanted.output_is_error is not None:
        parts.append(HAS_ERROR if wanted.output_is_error else HAS_NO_ERROR)
    if wanted.completed_from is not None or wanted.completed_to is not None:
        parts.append(ENDED_WITHIN)
        ended_to = _ANY_INSTANT if wanted.completed_to is None else wanted.completed_to
        values |= {"endedFrom": wanted.completed_from or 0, "endedTo": ended_to}
    if wanted.tags:
        tags = {f"tag{number}": tag for number, tag in enumerate(sorted(wanted.tags))}
        parts.append(" OR ".join(f"contains(tags, :{name})" for name in tags))
        values |= tags
    if wanted.only_tag is not None:
        parts.append(HAS_TAG)
    return " AND ".join(f"({part})" for part in parts), values


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


def _recorded(reply: Reply) -> Any:
    """Return the new value of a waiter's reply: RESUMED replaces an earlier reply, GONE does not."""
    stored = {"answer": reply.kind, "at": reply.at}
    match reply.kind:
        case ReplyKind.RESUMED:
            return stored
        case ReplyKind.GONE:
            return IfAbsent(stored)
    assert_never(reply.kind)
