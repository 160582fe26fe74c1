"""What the doctor reads of the table: marks, and parts of all items; and the item in which it keeps its place.

A read of a part is cheap to parse, because it has no outputs, task tokens and texts. So it only shows which tokens may have a
waiter without a reply: fewer waiters in `replied` than `waiterCount`. Some of them have all replies. They were recorded by a
version that knows no `replied`, or lie in two reads.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from waitpoints.aws.items import (
    DOCTOR,
    PLACE,
    REPLIES,
    TOKEN,
    UNDELIVERED,
    StoredStatus,
    attachment,
    is_endless_attachment,
    plain,
    primary_key,
    wire_values,
)
from waitpoints.aws.store import HAS_NO_DUE_AT, HAS_NO_TIMEOUT, IS_DUE, IS_WAITING
from waitpoints.ports import Page
from waitpoints.scan_state import MOST_OLDEST, Key, Place, Progress, Waiting, oldest

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import KeysAndAttributesTypeDef

type CountReplies = Callable[[Collection[str]], Mapping[str, int]]

PART_BYTES = 100_000_000
MOST_PARTS = 1_000_000  # Scan's TotalSegments: docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
BATCH = 100  # BatchGetItem takes no more keys

TIMER_IS_DUE = "dueAt <= :now"
IS_SETTLED = "#status <> :waiting AND completedAt <= :now"
HAS_WAITERS = "waiterCount > :none"
HAS_TIMEOUT = "attribute_exists(timeoutAt)"
IS_REPLIES = "#item = :replies"
MAY_BE_OLDEST = "createdAt <= :youngest"
IS_ENDLESS_ATTACHMENT = "attribute_exists(tokenId) AND attribute_not_exists(expiresAt)"
MAY_NEED_ATTENTION = " OR ".join(
    (
        f"{IS_SETTLED} AND {HAS_WAITERS}",
        f"{IS_WAITING} AND ({IS_DUE} OR {TIMER_IS_DUE})",
        f"{IS_WAITING} AND {HAS_TIMEOUT} AND {HAS_NO_DUE_AT}",
        f"{IS_WAITING} AND {HAS_NO_TIMEOUT} AND {MAY_BE_OLDEST}",
        IS_REPLIES,
        IS_ENDLESS_ATTACHMENT,
    )
)
SHOWN = "id, #item, #status, timeoutAt, dueAt, waiterCount, replied, tokenId, createdAt, expiresAt"

Item = Mapping[str, Any]


class DoctorStore:
    def __init__(self, client: "DynamoDBClient", table_name: str, count_replies: CountReplies) -> None:
        """`count_replies` is the store's: it reads whole replies."""
        self._client = client
        self._table = table_name
        self._count_replies = count_replies

    def read_marks(self) -> list[str]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="id = :undelivered",
            ExpressionAttributeValues=wire_values(undelivered=UNDELIVERED),
            ConsistentRead=True,
        )
        return [item["item"]["S"] for page in pages for item in page["Items"]]

    def count_parts(self) -> int:
        """AWS updates the size about every six hours."""
        size = self._client.describe_table(TableName=self._table)["Table"]["TableSizeBytes"]
        return min(MOST_PARTS, 1 + size // PART_BYTES)

    def read_part(
        self, part: int, parts: int, after: Key | None, until: int, known: tuple[Waiting, ...] = ()
    ) -> Iterator[Page]:
        """Yield reads of 1 MB. The items of a token are adjacent, but may fall into two reads, of which each is a page.

        Once enough of the oldest tokens are known, a read returns only those that are older.
        """
        start: dict[str, Any] = {"ExclusiveStartKey": primary_key(*after)} if after else {}
        values = {"waiting": StoredStatus.WAITING, "now": until, "none": 0, "replies": REPLIES}
        while True:
            youngest = known[-1][0] if len(known) == MOST_OLDEST else until
            answer = self._client.scan(
                TableName=self._table,
                Segment=part,
                TotalSegments=parts,
                FilterExpression=MAY_NEED_ATTENTION,
                ProjectionExpression=SHOWN,
                ExpressionAttributeNames={"#status": "status", "#item": "item"},
                ExpressionAttributeValues=wire_values(**values, youngest=youngest),
                **start,
            )
            stopped_at = answer.get("LastEvaluatedKey")
            page = self._sort(answer["ScannedCount"], answer["Items"], _key(stopped_at), until)
            known = oldest(known, page.oldest)
            yield page
            if not stopped_at:
                return
            start = {"ExclusiveStartKey": stopped_at}

    def _sort(self, count: int, items: Iterable[Item], stopped_at: Key | None, until: int) -> Page:
        page = Page(count, [], [], [], [], [], stopped_at)
        waiters: dict[str, int] = {}
        replied: dict[str, int | None] = {}
        for token_id, group in groupby(items, key=lambda item: str(item["id"]["S"])):
            by_kind = {item["item"]["S"]: item for item in group}
            try:
                if token := by_kind.get(TOKEN):
                    if token["status"]["S"] == StoredStatus.WAITING:
                        _add_waiting(page, plain(token), until)
                    else:
                        waiters[token_id] = int(token["waiterCount"]["N"])
                        replied[token_id] = _size(by_kind.get(REPLIES))
                page.attachments.extend(attachment(plain(it)) for it in by_kind.values() if is_endless_attachment(it))
            except (KeyError, TypeError, ValueError):  # it must not keep the rest of the part from being read
                page.unresumed.append(token_id)
        unsure = [token_id for token_id, size in replied.items() if size is None]
        replied |= self._count_all(unsure)
        page.unresumed.extend(token_id for token_id, count in waiters.items() if (replied[token_id] or 0) < count)
        return page

    def _count_all(self, token_ids: list[str]) -> dict[str, int]:
        """Count the replies that were recorded by a version that knows no `replied`."""
        counted: dict[str, int] = {}
        for first in range(0, len(token_ids), BATCH):
            counted |= self._count_replies(token_ids[first : first + BATCH])
        return dict.fromkeys(token_ids, 0) | counted

    def still_waiting(self, tokens: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
        """Read them at once, and nothing if there are none. A token that was not read may still wait."""
        if not tokens:
            return ()
        wanted: KeysAndAttributesTypeDef = {
            "Keys": [primary_key(token_id, TOKEN) for _, token_id in tokens],
            "ProjectionExpression": "id, #status, timeoutAt",
            "ExpressionAttributeNames": {"#status": "status"},
        }
        answer = self._client.batch_get_item(RequestItems={self._table: wanted})
        found = map(plain, answer["Responses"].get(self._table, []))
        waiting = {it["id"] for it in found if it["status"] == StoredStatus.WAITING and "timeoutAt" not in it}
        unread = answer["UnprocessedKeys"]
        waiting |= {plain(key)["id"] for key in unread[self._table]["Keys"]} if self._table in unread else set()
        return tuple(one for one in tokens if one[1] in waiting)

    def complete_replied(self, token_id: str, waiters: Collection[str]) -> None:
        """Does nothing if TTL has deleted the replies."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=primary_key(token_id, REPLIES),
                UpdateExpression="ADD replied :replied",
                ConditionExpression="attribute_exists(id)",
                ExpressionAttributeValues=wire_values(replied=frozenset(waiters)),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def read_progress(self) -> Progress | None:
        found = self._client.get_item(TableName=self._table, Key=primary_key(DOCTOR, PLACE), ConsistentRead=True).get("Item")
        item = plain(found or {})
        if "parts" not in item:
            return None
        keys = {it["part"]: (it["id"], it["item"]) if "id" in it else None for it in item["open"]}
        place = Place(item["parts"], item["begun"], item["next"], keys)
        waiting = tuple((it["since"], it["id"]) for it in item.get("oldest", ()))  # none of 0.2.0
        return Progress(place, item.get("lastRound"), item["lastPass"], frozenset(item.get("undone", ())), waiting)

    def save_progress(self, progress: Progress) -> None:
        place = progress.place
        values = {
            "parts": place.parts,
            "begun": place.begun,
            "next": place.next,
            "open": [_open(part, key) for part, key in place.open.items()],
            "lastRound": progress.last_round,
            "lastPass": progress.last_pass,
            "oldest": [{"since": since, "id": token_id} for since, token_id in progress.oldest],
        }
        self._client.update_item(
            TableName=self._table,
            Key=primary_key(DOCTOR, PLACE),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues=wire_values(**values),
        )

    def remember_undone(self, token_ids: Collection[str]) -> None:
        self._change_undone("ADD", token_ids)

    def forget_undone(self, token_ids: Collection[str]) -> None:
        self._change_undone("DELETE", token_ids)

    def _change_undone(self, change: str, token_ids: Collection[str]) -> None:
        self._client.update_item(
            TableName=self._table,
            Key=primary_key(DOCTOR, PLACE),
            UpdateExpression=f"{change} undone :ids",
            ExpressionAttributeValues=wire_values(ids=frozenset(token_ids)),
        )


def _add_waiting(page: Page, token: Mapping[str, Any], until: int) -> None:
    if "timeoutAt" not in token:
        page.oldest.append((token["createdAt"], token["id"]))
    if any(token.get(name, until + 1) <= until for name in ("timeoutAt", "dueAt")):
        page.overdue.append(token["id"])
    elif "timeoutAt" in token:
        page.without_due_at.append(token["id"])


def _size(replies: Item | None) -> int | None:
    """How many waiters have a reply. None: a version that knows no `replied` recorded all of them."""
    if replies is None:
        return 0
    return len(replies["replied"]["SS"]) if "replied" in replies else None


def _key(key: Item | None) -> Key | None:
    return (key["id"]["S"], key["item"]["S"]) if key else None


def _open(part: int, key: Key | None) -> dict[str, Any]:
    return {"part": part} | ({"id": key[0], "item": key[1]} if key else {})
