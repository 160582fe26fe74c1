"""The index `due`, which has the tokens in the order of `dueAt`, and the cursors of those who read it.

Every token with a timeout is in the index until TTL deletes it: a settle does not change `dueAt`, so it costs no unit more.
The index may lag behind the table. That is harmless while it lags by less than twelve minutes: a token that is not in it yet is
due in more than 15 minutes, or has a message of its own, and no cursor is more than three minutes ahead of the clock.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from waitpoints.aws.items import CURSORS, LIST_SHARDS, TOKEN, StoredStatus, primary_key, wire
from waitpoints.aws.table import Table, Updated
from waitpoints.errors import TimersNotStarted
from waitpoints.ports import Cursor, Timer

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

INDEX = "due"
IS_FIRST = "attribute_not_exists(id)"
IS_AS_READ = "dueAt = :dueAtAsRead AND #after = :afterAsRead"


class DueIndex:
    """The index and the cursors in one table. `find_waiting` may make several calls, and every other method makes one."""

    shards = LIST_SHARDS

    def __init__(self, client: "DynamoDBClient", table_name: str, cursors: str = CURSORS) -> None:
        """`cursors` is the id of the cursors: the timers and the doctor have their own."""
        self._table = Table(client, table_name)
        self._cursors = cursors

    def read(self, shard: int, start: Cursor, until: int, limit: int) -> tuple[list[Timer], Cursor]:
        """Return at most `limit` entries behind `start` up to the instant `until`, and where this read ended."""
        key = {**primary_key(start.after, TOKEN), "listShard": wire(str(shard)), "dueAt": wire(start.due_at)}
        begin: dict[str, Any] = {"ExclusiveStartKey": key} if start.after else {}
        condition = "listShard = :shard AND dueAt BETWEEN :first AND :until"
        values = {"shard": str(shard), "first": start.due_at, "until": until}
        found = self._table.query(condition, values, INDEX, Limit=limit, **begin)
        end = Cursor(found.last["dueAt"], found.last["id"]) if found.last else Cursor(until + 1)
        return [Timer(item["id"], item["dueAt"]) for item in found.items], end

    def find_waiting(self, token_ids: Sequence[str]) -> set[str]:
        """Return which of these tokens, at most a hundred, may still wait. The others have ended or are gone.

        Reads eventually consistently, at half the price: a token that has ended may be returned, which is harmless. Raises
        TimersNotStarted if it cannot tell for each of them.
        """
        waiting: set[str] = set()
        keys: list[Any] = [primary_key(token_id, TOKEN) for token_id in token_ids]
        while keys:
            found, unread = self._table.read_together(keys, "id, #status")
            waiting |= {item["id"] for item in found if item.get("status") == StoredStatus.WAITING}
            if len(unread) == len(keys):
                raise TimersNotStarted(f"{len(unread)} keys were not read")
            keys = unread
        return waiting

    def cursors(self) -> list[Cursor]:
        """Return every shard's cursor, read consistently. That of a new stack is at 0, so what is copied into it is found."""
        items = self._table.query("id = :cursors", {"cursors": self._cursors}).items
        found = {item["item"]: Cursor(item["dueAt"], item["after"]) for item in items}
        return [found.get(str(shard), Cursor()) for shard in range(self.shards)]

    def move_cursor(self, shard: int, start: Cursor, end: Cursor) -> bool:
        """Move a shard's cursor forwards. Returns False if it is not at `start`: another run has moved it.

        True if this call moved it and lost the answer.
        """
        condition = IS_FIRST if start == Cursor() else IS_AS_READ
        moved = {"dueAt": end.due_at, "after": end.after}
        key = primary_key(self._cursors, str(shard))
        result = self._table.update(key, moved, condition, dueAtAsRead=start.due_at, afterAsRead=start.after)
        return isinstance(result, Updated) or moved.items() <= result.item.items()
