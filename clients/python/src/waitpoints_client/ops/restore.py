"""Copy the items of another table, such as one restored from a backup, into a stack's own table.

An item that the stack's table has already stays as it is, so this can be run again, and on a stack in use. What belongs to a
token is written before the token: once that appears, the stream's consumers look for the replies of its waiters, and for the
notices that people have got. Within a partition a scan returns `token` last, as DynamoDB orders items by their sort key. The
endpoints come first: the doctor deletes what was recorded by one that is gone.

A token that waits is written as a create would write it now, so that the stack's timers find it: `dueAt` puts it into their
index, and `soon` has the stream send its message, because the timers may have passed its place in the index already. How far
the other stack's timers and doctor had come is not copied.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from waitpoints_client.ops.deployed import Deployed, NotFound

AT_ONCE = 16  # writes
NOTICES = "notices"  # the item that says who was notified
DOCTOR, RECORDS_DELIVERIES = "doctor", "recordsDeliveries"
PLACES = {"timers", "overdue", DOCTOR}  # the ids of items that say how far a stack's timers and doctor have come
NEAR = 900_000  # milliseconds: what is due sooner is marked with `soon`


@dataclass
class Copied:
    read: int = 0
    written: int = 0

    def __str__(self) -> str:
        return f"{self.read} items read, {self.written} copied"


def check(stack: Deployed, table: str, region: str | None = None) -> None:
    """Raises NotFound unless the table exists and, if it has items, has those of a stack."""
    source = _source(stack, region)
    try:
        found = source.scan(TableName=table, Limit=1)["Items"]
    except source.exceptions.ResourceNotFoundException:
        where = f"{region or stack.session.region_name} of this account"
        raise NotFound(f"No table {table} in {where}: check its name, and --region") from None
    if any(not {"id", "item"} <= item.keys() for item in found):
        raise NotFound(f"The table {table} is of something else: its items have not the key of a stack's table")


def clock() -> int:
    """The time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def copy(
    stack: Deployed,
    table: str,
    region: str | None = None,
    say: Callable[[str], Any] = print,
    now: Callable[[], int] = clock,
    ask_again: bool = False,
) -> Copied:
    """Copy a table of this account. `region` is the table's, if it is another than the stack's.

    With `ask_again`, without the records of notices: the pending approvers of a waiting token are then asked once more. No one
    gets an outcome again.
    """
    source = _source(stack, region)
    target, own = stack.client("dynamodb"), stack.outputs["TableName"]
    copied = Copied()

    def put(item: Any) -> bool:
        try:
            target.put_item(TableName=own, Item=timed(item, now()), ConditionExpression="attribute_not_exists(id)")
        except target.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for endpoint in _endpoints(source, table):
            put(endpoint)
        for page in source.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            if any(RECORDS_DELIVERIES in item for item in page["Items"] if item["id"]["S"] == DOCTOR):
                _look_for_deliveries(target, own)
            found = [item for item in page["Items"] if item["id"]["S"] not in PLACES]
            found = [item for item in found if not (ask_again and is_of_questions(item))]
            tokens = [item for item in found if item["item"]["S"] == "token"]
            others = [item for item in found if item["item"]["S"] != "token"]
            for items in (others, tokens):
                copied.written += sum(pool.map(put, items))
            copied.read += len(found)
            if "LastEvaluatedKey" in page:
                say(str(copied))
    return copied


def _endpoints(source: Any, table: str) -> Iterator[Any]:
    pages = source.get_paginator("query").paginate(
        TableName=table,
        ConsistentRead=True,
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": {"S": "endpoints"}},
    )
    return (item for page in pages for item in page["Items"])


def _look_for_deliveries(target: Any, table: str) -> None:
    """Have the doctor look for pending deliveries, as the old stack's did."""
    target.update_item(
        TableName=table,
        Key={"id": {"S": DOCTOR}, "item": {"S": "state"}},
        UpdateExpression=f"SET {RECORDS_DELIVERIES} = :yes",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
    )


def is_of_questions(item: dict[str, Any]) -> bool:
    """Whether an item says who was notified of a token, and of no outcome."""
    return item["item"]["S"] == NOTICES and not any("notifiedOutcome" in target.get("M", {}) for target in item.values())


def timed(item: dict[str, Any], now: int) -> dict[str, Any]:
    """Return an item as it is, or a token that waits with its timer. `now` is in epoch milliseconds."""
    if item.get("status") != {"S": "WAITING"} or "dueAt" not in item:
        return item
    new = {name: value for name, value in item.items() if name != "soon"}
    return new | {"soon": {"BOOL": True}} if int(item["dueAt"]["N"]) - now <= NEAR else new


def _source(stack: Deployed, region: str | None) -> Any:
    return stack.session.client("dynamodb", region_name=region, **stack.endpoint)
