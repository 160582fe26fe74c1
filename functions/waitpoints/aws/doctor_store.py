"""What the doctor reads of the table: marks, and segments of all items; and the item that is its state.

A read of a segment is cheap to parse, because it has no outputs, task tokens and texts. So it only shows which tokens may have
a waiter without a reply: fewer waiters in `replied` than `waiterCount`. One whose items lie in two reads may have all replies.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from waitpoints.aws.delivery_store import EVENTS, RESENDS, ROWS
from waitpoints.aws.items import (
    DOCTOR,
    RECORDS_DELIVERIES,
    REPLIES,
    STATE,
    TOKEN,
    UNDELIVERED,
    StoredStatus,
    attachment,
    is_endless_attachment,
    plain,
    primary_key,
    wire_values,
)
from waitpoints.aws.store import HAS_NO_TIMEOUT, IS_DUE, IS_WAITING
from waitpoints.aws.table import Added, Table, Taken
from waitpoints.scan_state import MOST_OLDEST, DoctorState, Key, ScanCursor, Waiting, oldest
from waitpoints.token import VERSION, Attachment

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

SEGMENT_BYTES = 100_000_000
MOST_SEGMENTS = 1_000_000  # Scan's TotalSegments: docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
STATE_KEY = primary_key(DOCTOR, STATE)

TIMER_IS_DUE = "dueAt <= :now"
IS_SETTLED = "#status <> :waiting AND completedAt <= :now"
HAS_WAITERS = "waiterCount > :none"
IS_REPLIES = "#item = :replies"
MAY_BE_OLDEST = "createdAt <= :youngest"
IS_ENDLESS_ATTACHMENT = "attribute_exists(tokenId) AND attribute_not_exists(expiresAt)"
IS_RECORDED = "begins_with(id, :rows) OR begins_with(id, :events) OR begins_with(id, :resends)"  # about a recorded delivery
MAY_NEED_ATTENTION = " OR ".join(
    (
        f"{IS_SETTLED} AND {HAS_WAITERS}",
        f"{IS_WAITING} AND ({IS_DUE} OR {TIMER_IS_DUE})",
        f"{IS_WAITING} AND {HAS_NO_TIMEOUT} AND {MAY_BE_OLDEST}",
        IS_REPLIES,
        IS_ENDLESS_ATTACHMENT,
        IS_RECORDED,
    )
)
SHOWN = "id, #item, #status, timeoutAt, dueAt, waiterCount, replied, tokenId, createdAt, expiresAt, endsAt, delivery, secretId"

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ScanPage:
    """One read of the table: how many items it had, and what may need the doctor.

    `unresumed` are tokens that seem to have a waiter without a reply, `overdue` those that are past their timeout or their next
    timer. `oldest` may be the oldest without a timeout. The next read of this segment goes on after `last_key`. None: the
    segment has been read to its end. `recorded` are the items of recorded deliveries.
    """

    items: int
    unresumed: list[str]
    overdue: list[str]
    attachments: list[Attachment]
    oldest: list[Waiting]
    last_key: Key | None
    recorded: list[Mapping[str, Any]] = field(default_factory=list)


class DoctorStore:
    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = Table(client, table_name)

    def read_marks(self) -> list[str]:
        """The ids of the tokens that are marked as unresumed, read consistently."""
        return [mark["item"] for mark in self._table.read_all(UNDELIVERED)]

    def count_segments(self) -> int:
        """How many segments a new scan should have. AWS updates the size about every six hours."""
        size = self._client.describe_table(TableName=self._table.name)["Table"]["TableSizeBytes"]
        return min(MOST_SEGMENTS, 1 + size // SEGMENT_BYTES)

    def read_segment(
        self, segment: int, segments: int, after: Key | None, until: int, known: tuple[Waiting, ...] = ()
    ) -> Iterator[ScanPage]:
        """Yield the reads of one of `segments` segments of the table, eventually consistent, from its start or `after` a key.

        It has the tokens that settled, or were due, at the time `until` or before. The last page has no `last_key`. A read has
        1 MB. The items of a token are adjacent, but may fall into two reads, of which each is a page.

        Of the tokens without a timeout it has those that may be among the oldest, if these are `known`. Once enough of them are
        known, a read returns only those that are older.
        """
        start: dict[str, Any] = {"ExclusiveStartKey": primary_key(*after)} if after else {}
        values = {"waiting": StoredStatus.WAITING, "now": until, "none": 0, "replies": REPLIES}
        values |= {"rows": ROWS, "events": EVENTS, "resends": RESENDS}
        while True:
            youngest = known[-1][0] if len(known) == MOST_OLDEST else until
            answer = self._client.scan(
                TableName=self._table.name,
                Segment=segment,
                TotalSegments=segments,
                FilterExpression=MAY_NEED_ATTENTION,
                ProjectionExpression=SHOWN,
                ExpressionAttributeNames={"#status": "status", "#item": "item"},
                ExpressionAttributeValues=wire_values(**values, youngest=youngest),
                **start,
            )
            last = answer.get("LastEvaluatedKey")
            last_key = (last["id"]["S"], last["item"]["S"]) if last else None
            page = self._sort(answer["ScannedCount"], answer["Items"], last_key, until)
            known = oldest(known, page.oldest)
            yield page
            if not last:
                return
            start = {"ExclusiveStartKey": last}

    def _sort(self, count: int, items: Iterable[Item], last_key: Key | None, until: int) -> ScanPage:
        page = ScanPage(count, [], [], [], [], last_key)
        for token_id, group in groupby(items, key=lambda item: str(item["id"]["S"])):
            if token_id.startswith((ROWS, EVENTS, RESENDS)):
                page.recorded.extend(map(plain, group))
                continue
            by_kind = {item["item"]["S"]: item for item in group}
            try:
                if token := by_kind.get(TOKEN):
                    if token["status"]["S"] == StoredStatus.WAITING:
                        _add_waiting(page, plain(token), until)
                    elif _count_replies(by_kind.get(REPLIES)) < int(token["waiterCount"]["N"]):
                        page.unresumed.append(token_id)
                page.attachments.extend(attachment(plain(it)) for it in by_kind.values() if is_endless_attachment(it))
            except (KeyError, TypeError, ValueError):  # it must not keep the rest of the segment from being read
                page.unresumed.append(token_id)
        return page

    def still_waiting(self, tokens: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
        """Return those of these tokens, at most a hundred, that may still wait and have no timeout, eventually consistent.

        Reads them at once, and nothing if there are none. A token that was not read may still wait.
        """
        if not tokens:
            return ()
        keys = [primary_key(token_id, TOKEN) for _, token_id in tokens]
        found, unread = self._table.read_together(keys, "id, #status, timeoutAt")
        waiting = {it["id"] for it in found if it["status"] == StoredStatus.WAITING and "timeoutAt" not in it}
        waiting |= {plain(key)["id"] for key in unread}
        return tuple(one for one in tokens if one[1] in waiting)

    def read_state(self, first: Callable[[], DoctorState]) -> DoctorState:
        """What the doctor remembers, or the `first` state if it has not run yet."""
        item = self._table.get(STATE_KEY) or {}
        records_deliveries = item.get(RECORDS_DELIVERIES, False)
        if "segments" not in item:
            return replace(first(), records_deliveries=records_deliveries)
        keys = {it["segment"]: (it["id"], it["item"]) if "id" in it else None for it in item["partial"]}
        cursor = ScanCursor(item["segments"], item["begun"], item["next"], keys)
        waiting = tuple((it["since"], it["id"]) for it in item["oldest"])
        unrepaired = frozenset(item.get("unrepaired", ()))
        last_run = item.get("lastRun")
        is_other = last_run is not None and item.get("ranAs") != _ran_as(last_run)
        return DoctorState(cursor, last_run, item["lastScan"], unrepaired, waiting, records_deliveries, is_other)

    def save_state(self, state: DoctorState) -> None:
        """Save all but `unrepaired` and `records_deliveries`.

        Two runs at once may write in any order: each says what was read.
        """
        cursor = state.cursor
        changes = {
            "segments": cursor.segments,
            "begun": cursor.begun,
            "next": cursor.next,
            "partial": [_partial(segment, key) for segment, key in cursor.partial.items()],
            "lastRun": state.last_run,
            "ranAs": _ran_as(state.last_run),
            "lastScan": state.last_scan,
            "oldest": [{"since": since, "id": token_id} for since, token_id in state.oldest],
        }
        self._table.update(STATE_KEY, changes)

    def remember(self, token_ids: Collection[str]) -> None:
        """Add to `unrepaired`."""
        self._table.update(STATE_KEY, {"unrepaired": Added(frozenset(token_ids))})

    def forget(self, token_ids: Collection[str]) -> None:
        """Take out of `unrepaired`."""
        self._table.update(STATE_KEY, {"unrepaired": Taken(frozenset(token_ids))})


def _ran_as(last_run: int | None) -> dict[str, Any] | None:
    """Return what this version writes of a run. 0.3.0 leaves that of an earlier run as it is."""
    return None if last_run is None else {"version": VERSION, "at": last_run}


def _add_waiting(page: ScanPage, token: Mapping[str, Any], until: int) -> None:
    if "timeoutAt" not in token:
        page.oldest.append((token["createdAt"], token["id"]))
    if any(token.get(name, until + 1) <= until for name in ("timeoutAt", "dueAt")):
        page.overdue.append(token["id"])


def _count_replies(replies: Item | None) -> int:
    return len(replies["replied"]["SS"]) if replies else 0


def _partial(segment: int, key: Key | None) -> dict[str, Any]:
    return {"segment": segment} | ({"id": key[0], "item": key[1]} if key else {})
