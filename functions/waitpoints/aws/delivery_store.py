"""Recorded deliveries in the table, and their contents in the bucket.

    id                             item    content
    deliveries#<secret id>#<shard> <ULID>  a recorded delivery
    pending deliveries#<shard>     <ULID>  a mark: it is pending. Names its endpoint
    delivery event#<secret id>     <hash>  the first recorded delivery with a provider's event id
    resend#<delivery>              <hash>  a resend of it: with this idempotency key, or <ULID> without one

A delivery that has its mark is pending, and has its contents. The shard, 00 to 15, follows from
the ULID, as a partition takes 1,000 writes a second. None has a status, so the stream's filters pass over them. An object,
`deliveries/<secret id>/<ULID>`, is written before its row; it has a line of JSON (the headers and the query), then the body.

All items end together, but only the row names its contents. So TTL deletes a row only LATE after its `endsAt`, and before that
the doctor's scan deletes the contents and then the row. A row that 0.4.0 wrote has no `endsAt`: TTL may delete it first.
"""

import json
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import batched
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from waitpoints.aws.error_codes import error_code
from waitpoints.aws.items import DOCTOR, RECORDS_DELIVERIES, STATE, digest, primary_key, wire
from waitpoints.aws.table import TOGETHER, Table
from waitpoints.endpoint import DeliveryKind
from waitpoints.errors import DeliveryNotFound
from waitpoints.ids import last_of
from waitpoints.recorded_delivery import PENDING, PREFIX, Contents, DeliveryFilter, RecordedDelivery

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from waitpoints.listing import IdRange, ReadRange

SHARDS = 16
IS_FIRST = "attribute_not_exists(id) OR expiresAt <= :now"  # TTL deletes hours late
IS_RECORDED = "attribute_exists(id)"  # not deleted meanwhile
HAS_NO_KIND = "attribute_not_exists(kind)"
IS_PENDING = f"{IS_RECORDED} AND {HAS_NO_KIND}"
IS_LIVE = "(endsAt > :now OR attribute_not_exists(endsAt) AND expiresAt > :now)"
ROWS, EVENTS, RESENDS = "deliveries#", "delivery event#", "resend#"
LATE = 3 * 86_400  # seconds: time for three scans
MOST_OBJECTS = 1_000  # that one call deletes


class ContentsClient(Protocol):
    """The part of boto3's S3 client that keeps contents."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> object: ...

    def get_object(self, *, Bucket: str, Key: str) -> Any: ...

    def delete_object(self, *, Bucket: str, Key: str) -> object: ...

    def delete_objects(self, *, Bucket: str, Delete: Any) -> Any: ...


class DeliveryStore:
    """Reads are consistent, but for lists. `secret_id` is the endpoint's: the deliveries of a deleted one are found no more."""

    def __init__(self, client: "DynamoDBClient", table_name: str, make_s3: Callable[[], ContentsClient], bucket: str) -> None:
        self._table = Table(client, table_name)
        self._make_s3 = make_s3
        self._bucket = bucket

    def note_recording(self) -> None:
        """Have the doctor look for pending deliveries from now on."""
        self._table.update(primary_key(DOCTOR, STATE), {RECORDS_DELIVERIES: True})

    def begin(
        self, secret_id: str, endpoint: str, delivery: RecordedDelivery, contents: Contents, once: str | None = None
    ) -> RecordedDelivery:
        """Store a pending delivery of an endpoint, and return it, with `repeat_of` if its event was recorded before.

        With `once`, an idempotency key of a resend, returns what `find_resend` does, if that is an earlier one.
        """
        self._s3.put_object(
            Bucket=self._bucket,
            Key=_object_key(secret_id, delivery.id),
            Body=_packed(contents),
            ContentType="application/octet-stream",
        )
        row = self._put(_row_key(secret_id, delivery.id), _attributes(delivery))
        expiry = {"expiresAt": delivery.expires_at}
        mark = self._put(_mark_key(delivery.id), {"endpoint": endpoint, "secretId": secret_id, **expiry})
        key, named = _once(secret_id, delivery, once), {"delivery": delivery.id, "secretId": secret_id, **expiry}
        if key is None:
            resend = primary_key(f"{RESENDS}{delivery.resend_of}", _ulid(delivery.id))
            link = [self._put(resend, named)] if delivery.resend_of else []
            self._table.write_together(row, mark, *link)
            return delivery
        first = self._put(key, named, IS_FIRST, now=delivery.at // 1000)
        refused = self._table.write_together(first, row, mark)
        if refused is None or refused.item["delivery"] == delivery.id:  # the latter if an earlier attempt's response was lost
            return delivery
        if once is not None:
            self._delete_contents(secret_id, delivery.id)
            return self._sent(secret_id, refused.item["delivery"])
        repeat = replace(delivery, repeat_of=refused.item["delivery"])
        self._table.write_together(self._put(_row_key(secret_id, delivery.id), _attributes(repeat)), mark)
        return repeat

    def find_resend(self, secret_id: str, original: str, idempotency_key: str, now: int) -> RecordedDelivery | None:
        """Return the resend of a delivery with an idempotency key. Raises DeliveryNotFound if it was deleted."""
        found = self._table.get(_resend_once_key(original, idempotency_key))
        if found is None or found["expiresAt"] <= now // 1000:
            return None
        return self._sent(secret_id, found["delivery"])

    def resends(self, secret_id: str, delivery_id: str) -> list[RecordedDelivery]:
        """Return the resends of a delivery. 0.4.0 has noted only those with an idempotency key."""
        links = self._table.read_all(f"{RESENDS}{delivery_id}")
        found = (self.get(secret_id, link["delivery"]) for link in links)
        return [it for it in found if it is not None]

    def forget_resends(self, delivery_id: str) -> None:
        """Delete what names the resends of a delivery, which are deleted."""
        for link in self._table.read_all(f"{RESENDS}{delivery_id}"):
            self._table.take(primary_key(link["id"], link["item"]))

    def finish(self, secret_id: str, delivery: RecordedDelivery) -> bool:
        """Store what became of a pending delivery. Returns False if it was finished or deleted meanwhile."""
        known = _attributes(delivery)
        changes = {name: known.get(name) for name in ("kind", "key", "detail", "tokenId")}
        update = self._table.update_request(_row_key(secret_id, delivery.id), changes, IS_PENDING)
        finished: Any = {"Update": update}
        taken: Any = {"Delete": self._table.delete_request(_mark_key(delivery.id))}
        return self._table.write_together(finished, taken) is None

    def get(self, secret_id: str, delivery_id: str) -> RecordedDelivery | None:
        found = self._table.get(_row_key(secret_id, delivery_id))
        return _delivery(found) if found else None

    def partitions(self, secret_id: str, wanted: DeliveryFilter, now: int) -> "list[ReadRange[RecordedDelivery]]":
        """Return a reader for each shard. It may miss what changed in the last second, at half the price."""
        expression, values = _filter(wanted, now)
        return [partial(self._read, row_partition(secret_id, shard), expression, values) for shard in range(SHARDS)]

    def _read(
        self, partition: str, expression: str, values: Mapping[str, Any], within: "IdRange", limit: int
    ) -> tuple[list[RecordedDelivery], str | None]:
        found = self._table.query(
            "id = :partition AND #item BETWEEN :first AND :last",
            {**values, "partition": partition, "first": _ulid(within.first), "last": _ulid(within.last)},
            ConsistentRead=False,
            ScanIndexForward=within.ascending,
            Limit=limit,
            FilterExpression=expression,
        )
        return [_delivery(row) for row in found.items], PREFIX + found.last["item"] if found.last else None

    def contents(self, secret_id: str, delivery_id: str) -> Contents | None:
        """None if the bucket has them no more."""
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=_object_key(secret_id, delivery_id))
        except ClientError as error:
            if error_code(error) in ("NoSuchKey", "404"):
                return None
            raise
        head, _, body = found["Body"].read().partition(b"\n")
        return Contents(**json.loads(head), body=body)

    def delete(self, secret_id: str, delivery_id: str) -> RecordedDelivery | None:
        """Delete a delivery and its contents. Returns it as it was. First its mark, so that nothing processes what has none."""
        self._table.take(_mark_key(delivery_id))
        return self._take(secret_id, delivery_id)

    def first_of_shard(self, secret_id: str, shard: int, limit: int) -> list[RecordedDelivery]:
        """Return the oldest deliveries of a shard, also those that have expired."""
        found = self._table.query("id = :id", {"id": row_partition(secret_id, shard)}, Limit=limit)
        return [_delivery(row) for row in found.items]

    def delete_finished(self, secret_id: str, delivery_ids: Sequence[str]) -> int:
        """Delete up to a thousand deliveries that are not pending, and their contents. Returns how many: AWS may leave some."""
        kept = self._delete_objects([_object_key(secret_id, delivery_id) for delivery_id in delivery_ids])
        gone = [it for it in delivery_ids if _object_key(secret_id, it) not in kept]
        return self._delete_items([_row_key(secret_id, delivery_id) for delivery_id in gone])

    def delete_ended(self, live: Container[str], found: Sequence[Mapping[str, Any]], until: int) -> None:
        """Delete what had ended at `until`, of the items that a scan has `found`: rows whose time is over, and all items of an
        endpoint that is gone, as its secret id is not `live`. What AWS leaves is left to the next scan.
        """
        ended = [it for it in found if _has_ended(it, live, until)]
        rows = [it for it in ended if it["id"].startswith(ROWS)]
        kept: set[str] = set()
        for some in batched(rows, MOST_OBJECTS, strict=False):
            kept |= self._delete_objects([_object_of(row) for row in some])
        gone = [it for it in ended if not (it["id"].startswith(ROWS) and _object_of(it) in kept)]
        self._delete_items([primary_key(it["id"], it["item"]) for it in gone])

    def _delete_objects(self, keys: Sequence[str]) -> set[str]:
        """Delete up to MOST_OBJECTS. Returns those that S3 keeps."""
        objects = [{"Key": key} for key in keys]
        answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
        return {failure["Key"] for failure in answer.get("Errors", ())}

    def _delete_items(self, keys: Sequence[dict[str, Any]]) -> int:
        return sum(self._table.delete_together(some) for some in batched(keys, TOGETHER, strict=False))

    def pending(self, until: int) -> Iterator[tuple[str, str, str]]:
        """Yield the secret id, the endpoint's name and the delivery's id of what was pending at `until`."""
        last = last_of(until, prefix="")
        for shard in range(SHARDS):
            for mark in self._table.read_all(_mark_id(shard), last):
                yield mark["secretId"], mark["endpoint"], PREFIX + mark["item"]

    def drop(self, secret_id: str, delivery_id: str) -> None:
        """Delete a delivery that nothing can process. Its mark is deleted last, so that this is repeated if it fails."""
        self._take(secret_id, delivery_id)
        self._table.take(_mark_key(delivery_id))

    def _take(self, secret_id: str, delivery_id: str) -> RecordedDelivery | None:
        self._delete_contents(secret_id, delivery_id)
        deleted = self._table.take(_row_key(secret_id, delivery_id))
        return _delivery(deleted) if deleted else None

    def _sent(self, secret_id: str, delivery_id: str) -> RecordedDelivery:
        if found := self.get(secret_id, delivery_id):
            return found
        raise DeliveryNotFound(
            "The delivery that was sent with this idempotencyKey was deleted. Use another one to send it again"
        )

    def _delete_contents(self, secret_id: str, delivery_id: str) -> None:
        self._s3.delete_object(Bucket=self._bucket, Key=_object_key(secret_id, delivery_id))

    def _put(self, key: dict[str, Any], attributes: dict[str, Any], condition: str = "", **values: Any) -> Any:
        item = key | {name: wire(value) for name, value in attributes.items()}
        return {"Put": self._table.put_request(item, condition, **values)}

    @cached_property
    def _s3(self) -> ContentsClient:
        return self._make_s3()


def row_partition(secret_id: str, shard: int) -> str:
    return f"{ROWS}{secret_id}#{shard:02}"


def _row_key(secret_id: str, delivery_id: str) -> dict[str, Any]:
    return primary_key(row_partition(secret_id, _shard(delivery_id)), _ulid(delivery_id))


def _mark_key(delivery_id: str) -> dict[str, Any]:
    return primary_key(_mark_id(_shard(delivery_id)), _ulid(delivery_id))


def _mark_id(shard: int) -> str:
    return f"pending deliveries#{shard:02}"


def _once(secret_id: str, delivery: RecordedDelivery, idempotency_key: str | None) -> dict[str, Any] | None:
    """Return the key of the item that only the first delivery of its kind writes, if this one has any."""
    if idempotency_key is not None:
        assert delivery.resend_of is not None, "only a resend is sent with a key"
        return _resend_once_key(delivery.resend_of, idempotency_key)
    if delivery.delivery_id is not None and delivery.resend_of is None:
        return primary_key(f"{EVENTS}{secret_id}", digest(delivery.delivery_id))
    return None


def _resend_once_key(original: str, idempotency_key: str) -> dict[str, Any]:
    return primary_key(f"{RESENDS}{original}", digest(idempotency_key))


def _has_ended(item: Mapping[str, Any], live: Container[str], until: int) -> bool:
    """Whether an item that a scan has read had ended at `until`. What a function may still be writing has not."""
    kind, _, rest = item["id"].partition("#")
    is_row = f"{kind}#" == ROWS
    if (_ulid(item["delivery"]) if not is_row else item["item"]) > last_of(until, prefix=""):
        return False
    is_over = is_row and _ends_at(item) * 1000 <= until
    secret_id = item.get("secretId") if f"{kind}#" == RESENDS else rest.partition("#")[0]
    return is_over or (secret_id is not None and secret_id not in live)


def _ends_at(row: Mapping[str, Any]) -> int:
    return int(row.get("endsAt", row["expiresAt"]))


def _object_of(row: Mapping[str, Any]) -> str:
    return _object_key(row["id"].split("#")[1], row["item"])


def _shard(delivery_id: str) -> int:
    return sum(delivery_id.encode()) % SHARDS


def _ulid(delivery_id: str) -> str:
    return delivery_id.removeprefix(PREFIX)


def _object_key(secret_id: str, delivery_id: str) -> str:
    return f"deliveries/{secret_id}/{_ulid(delivery_id)}"


def _packed(contents: Contents) -> bytes:
    head = json.dumps({"headers": dict(contents.headers), "raw_query": contents.raw_query})
    return head.encode() + b"\n" + contents.body


def _filter(wanted: DeliveryFilter, now: int) -> tuple[str, dict[str, Any]]:
    """Return a filter's expression and its values. TTL deletes hours late, so what has expired is left out."""
    parts, values = [IS_LIVE], {"now": now // 1000, "key": wanted.key, "deliveryId": wanted.delivery_id}
    if wanted.kinds:
        kinds = {f"kind{number}": kind for number, kind in enumerate(sorted(wanted.kinds - {PENDING}))}
        one_of = [f"kind IN ({', '.join(f':{name}' for name in kinds)})"] if kinds else []
        parts.append(f"({' OR '.join([*one_of, *([HAS_NO_KIND] if PENDING in wanted.kinds else [])])})")
        values |= kinds
    if wanted.key is not None:
        parts.append("#key = :key")
    if wanted.delivery_id is not None:
        parts.append("deliveryId = :deliveryId")
    return " AND ".join(parts), values


def _attributes(delivery: RecordedDelivery) -> dict[str, Any]:
    members = {name: value for name, value in delivery.members().items() if name != "id"}
    return {**members, "endsAt": delivery.expires_at, "expiresAt": delivery.expires_at + LATE}


def _delivery(row: dict[str, Any]) -> RecordedDelivery:
    kind: Any = row.get("kind")
    known = DeliveryKind(kind) if kind in DeliveryKind else kind
    return RecordedDelivery.of({**row, "id": PREFIX + row["item"], "kind": known, "expiresAt": _ends_at(row)})
