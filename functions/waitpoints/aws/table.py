"""One DynamoDB table: reads, and writes that may hold a condition.

In a condition, `:name` is one of the write's `values`, of which those that it does not use are not sent, as DynamoDB requires.
`#name` is the attribute of that name, unless `names` says another one.
"""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from waitpoints.aws.error_codes import error_code
from waitpoints.aws.items import plain, wire

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}  # cancellation reasons worth a retry
TOGETHER = 25  # items that one call deletes
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # the longest pause before each retry, in seconds

type Changes = Mapping[Any, Any]
"""The new value of each attribute, or of what is at a path, a tuple of texts. None removes it."""

type Returned = Literal["NONE", "ALL_OLD", "ALL_NEW"]


@dataclass(frozen=True, slots=True)
class Updated:
    """`item` is the new one or the old one, or empty, as the update returns it."""

    item: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """The condition did not hold. `item` is the item as it is, or empty if there is none."""

    item: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """A new value that DynamoDB computes, of attributes and `values`."""

    text: str


@dataclass(frozen=True, slots=True)
class IfAbsent:
    """A new value that replaces no other."""

    value: Any


@dataclass(frozen=True, slots=True)
class Added:
    """What is added to a number or a set."""

    value: Any


@dataclass(frozen=True, slots=True)
class Taken:
    """What is taken out of a set."""

    value: Any


class Table:
    def __init__(self, client: "DynamoDBClient", name: str, pause: Callable[[float], None] = time.sleep) -> None:
        self.client = client
        self.name = name
        self._pause = pause

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Read an item consistently."""
        found = self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")
        return plain(found) if found else None

    def query(self, condition: str, values: Mapping[str, Any], index: str = "", **options: Any) -> "Found":
        """Read one page of a partition, consistently unless it is an index's. `options` are the call's own."""
        where = {"IndexName": index} if index else {"ConsistentRead": True}
        expressions = f"{condition} {options.get('FilterExpression', '')}"
        arguments = {**where, **options, **_placeholders(expressions, {}, values)}
        answer = self.client.query(TableName=self.name, KeyConditionExpression=condition, **arguments)
        return Found([plain(item) for item in answer["Items"]], plain(answer.get("LastEvaluatedKey", {})))

    def read_all(self, partition: str, until: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield every item of a partition, or those up to an `item`, read consistently."""
        condition = "id = :id" if until is None else "id = :id AND #item <= :until"
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression=condition,
            ConsistentRead=True,
            **_placeholders(condition, {}, {"id": partition, "until": until}),
        )
        return (plain(item) for page in pages for item in page["Items"])

    def read_together(self, keys: list[Any], shown: str = "") -> tuple[list[dict[str, Any]], list[Any]]:
        """Read up to a hundred items in one call, eventually consistently, at half the price. `shown` names their attributes.

        Returns what was found, and the keys that DynamoDB left unread, since the items are large, or throttled.
        """
        attributes = {"ProjectionExpression": shown, **_placeholders(shown, {}, {})} if shown else {}
        wanted: Any = {self.name: {"Keys": keys, **attributes}}
        answer = self.client.batch_get_item(RequestItems=wanted)
        unread = answer["UnprocessedKeys"].get(self.name, {"Keys": []})["Keys"]
        return [plain(item) for item in answer["Responses"].get(self.name, [])], list(unread)

    def put_request(self, item: Mapping[str, Any], condition: str = "", **values: Any) -> Any:
        return {"TableName": self.name, "Item": item, **_conditional(condition), **_placeholders(condition, {}, values)}

    def update_request(
        self,
        key: Mapping[str, Any],
        changes: Changes,
        condition: str = "",
        *,
        names: Mapping[str, str] = {},
        **values: Any,
    ) -> Any:
        known, used = dict(names), dict(values)
        parts = [(path,) if isinstance(path, str) else path for path in changes]
        for number, (path, change) in enumerate(zip(parts, changes.values(), strict=True)):
            known.update(zip(_numbered(number, len(path)), path, strict=True))
            used[f"{number}"] = getattr(change, "value", change)
        update = _update(tuple(map(len, parts)), tuple(map(_kind, changes.values())))
        arguments = {**_conditional(condition), **_placeholders(f"{update} {condition}", known, used)}
        return {"TableName": self.name, "Key": key, "UpdateExpression": update, **arguments}

    def update(
        self, key: Mapping[str, Any], changes: Changes, condition: str = "", *, returns: Returned = "NONE", **values: Any
    ) -> Updated | Refused:
        """Change an item in one call; without a condition, also make it. `returns`: which item the answer has, if it holds."""
        request = self.update_request(key, changes, condition, **values)
        return _written(self.client.update_item, {**request, "ReturnValues": returns})

    def put(self, item: Mapping[str, Any], condition: str, **values: Any) -> Updated | Refused:
        return _written(self.client.put_item, self.put_request(item, condition, **values))

    def delete_request(self, key: Mapping[str, Any], condition: str = "", **values: Any) -> Any:
        conditional = {"ConditionExpression": condition} if condition else {}
        return {"TableName": self.name, "Key": key, **conditional, **_placeholders(condition, {}, values)}

    def delete(self, key: Mapping[str, Any], condition: str, **values: Any) -> bool:
        """Delete an item. Returns whether the condition held."""
        return isinstance(_written(self.client.delete_item, self.delete_request(key, condition, **values)), Updated)

    def take(self, key: Mapping[str, Any]) -> dict[str, Any]:
        """Delete an item. Returns it as it was, or nothing if there was none."""
        return plain(self.client.delete_item(TableName=self.name, Key=key, ReturnValues="ALL_OLD").get("Attributes", {}))

    def delete_together(self, keys: Sequence[Any]) -> int:
        """Delete up to TOGETHER items in one call. Returns how many: DynamoDB leaves some when it is throttled."""
        answer = self.client.batch_write_item(RequestItems={self.name: [{"DeleteRequest": {"Key": key}} for key in keys]})
        return len(keys) - len(answer["UnprocessedItems"].get(self.name, ()))

    def write_together(self, first: "TransactWriteItemTypeDef", *others: "TransactWriteItemTypeDef") -> Refused | None:
        """Write all items or none. Refused if the condition on `first` does not hold.

        DynamoDB cancels a transaction that conflicts with another one on the same item, as concurrent creates with one
        key do. botocore does not retry that, so this method does.
        """
        for longest_pause in (*_PAUSES, None):
            try:
                self.client.transact_write_items(TransactItems=[first, *others])
            except self.client.exceptions.TransactionCanceledException as error:
                reasons: Any = error.response["CancellationReasons"]
                if reasons[0]["Code"] == "ConditionalCheckFailed":
                    return Refused(plain(reasons[0].get("Item", {})))
                if longest_pause is None or not {reason["Code"] for reason in reasons} & _PASSING:
                    raise
                self._pause(random.uniform(0, longest_pause))  # noqa: S311 - jitter
            else:
                return None
        raise AssertionError("the last attempt returns or raises")


@dataclass(frozen=True, slots=True)
class Found:
    """The items of one page, and the key of the last one that was examined, which is empty at the partition's end."""

    items: list[dict[str, Any]]
    last: dict[str, Any]


@cache
def _numbered(number: int, levels: int) -> tuple[str, ...]:
    """Return names for the parts of a change's path."""
    return tuple(f"{number}_{level}" if level else f"{number}" for level in range(levels))


def _kind(change: Any) -> tuple[str, str]:
    """Return the clause of a change, and its text for a `path` and a `value`."""
    match change:
        case None:
            return "REMOVE", "{path}"
        case Added():
            return "ADD", "{path} {value}"
        case Taken():
            return "DELETE", "{path} {value}"
        case IfAbsent():
            return "SET", "{path} = if_not_exists({path}, {value})"
        case Expression(text):
            return "SET", f"{{path}} = {text}"
    return "SET", "{path} = {value}"


@lru_cache
def _update(levels: tuple[int, ...], kinds: tuple[tuple[str, str], ...]) -> str:
    """Return the update of these kinds of changes. A function makes few of them, again and again."""
    clauses: dict[str, list[str]] = {}
    for number, (many, (clause, text)) in enumerate(zip(levels, kinds, strict=True)):
        path = ".".join(f"#{name}" for name in _numbered(number, many))
        clauses.setdefault(clause, []).append(text.format(path=path, value=f":{number}"))
    return " ".join(f"{clause} {', '.join(texts)}" for clause, texts in clauses.items())


def _conditional(condition: str) -> dict[str, str]:
    return {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"} if condition else {}


def _placeholders(expression: str, names: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names and values that an expression uses. DynamoDB refuses others, and an empty map."""
    named, valued = _read(expression)
    used = {f"#{name}": names.get(name, name) for name in named}
    given = {f":{name}": wire(values[name]) for name in valued}
    return ({"ExpressionAttributeNames": used} if used else {}) | ({"ExpressionAttributeValues": given} if given else {})


@lru_cache
def _read(expression: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names and the values that an expression uses, each once. A function sends few expressions, again and again."""
    named, valued = re.findall(r"#(\w+)", expression), re.findall(r":(\w+)", expression)
    return tuple(dict.fromkeys(named)), tuple(dict.fromkeys(valued))


def _written(write: Callable[..., Any], request: Mapping[str, Any]) -> Updated | Refused:
    try:
        answer = write(**request)
    except ClientError as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise
        response: Any = error.response
        return Refused(plain(response.get("Item", {})))
    return Updated(plain(answer.get("Attributes", {})))
