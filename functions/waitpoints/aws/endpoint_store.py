"""Endpoints in the table, and the statistics of their deliveries.

    id                    item        content
    endpoints             <name>      the configuration of one endpoint
    endpoint#<secret id>  00 to 15    counts of its deliveries and the last one of each kind, from some function environments

All configurations share a partition, so listing them is one query. Statistics are spread over shards because an item takes
1,000 writes a second. They belong to the secret id, so an endpoint that is deleted and put again starts at zero. TTL removes
a shard 400 days after its last delivery. None of these items has a status, a timeout or a token, so the stream's filters and
the doctor pass over them.
"""

import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from waitpoints.aws.items import primary_key
from waitpoints.aws.table import Added, IfAbsent, Table, Updated
from waitpoints.endpoint import UNVERIFIED, DeliveryKind, Endpoint, EndpointStatistics, LastDelivery, is_name
from waitpoints.errors import EndpointNotFound
from waitpoints.token import Verification

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

PARTITION = "endpoints"
SHARDS = 16
STATISTICS_KEPT = 400 * 86_400  # seconds
EXISTS = "attribute_exists(id)"
NOT_PUT = ("name", "disabled", "is_later")

_BEFORE_EVERY_NAME = " "  # a name begins with a letter, a digit or a hyphen; DynamoDB takes no empty text in a key


class EndpointStore:
    """Reads are consistent. Each method but one makes one call."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._table = Table(client, table_name)
        self._shard = f"{random.randrange(SHARDS):02}"  # noqa: S311 - one for each function environment

    def put(self, endpoint: Endpoint) -> Endpoint:
        """Store an endpoint and return it. An existing one of its name keeps its secret id, its creation time and `disabled`.

        It is one update, so simultaneous first puts agree on one secret id.
        """
        stored = self._table.update(primary_key(PARTITION, endpoint.name), _attributes(endpoint), returns="ALL_NEW")
        return _endpoint(stored.item)

    def set_disabled(self, name: str, disabled: bool, now: int) -> Endpoint | None:
        """Disable an endpoint, or enable it, and return it. Returns None if there is none."""
        changes = {"disabled": disabled or None, "updatedAt": now}  # absent: a version that doesn't know it reads the endpoint
        changed = self._table.update(primary_key(PARTITION, name), changes, EXISTS, returns="ALL_NEW")
        return _endpoint(changed.item) if isinstance(changed, Updated) else None

    def get(self, name: str) -> Endpoint | None:
        found = self._table.get(primary_key(PARTITION, name))
        return _endpoint(found) if found else None

    def find(self, written: str) -> Endpoint:
        """Return the endpoint that a path names. Raises EndpointNotFound, without a call for what no endpoint can be called."""
        if not (is_name(written) and (found := self.get(written))):
            raise EndpointNotFound
        return found

    def list_endpoints(self, after: str | None, size: int) -> tuple[list[Endpoint], str | None]:
        """Return up to `size` endpoints by name, of those after `after`, and the `after` that continues if there are more."""
        values = {"partition": PARTITION, "after": after or _BEFORE_EVERY_NAME}
        items = self._table.query("id = :partition AND #item > :after", values, Limit=size + 1).items
        found = [_endpoint(item) for item in items]
        return found[:size], found[size - 1].name if len(found) > size else None

    def every(self) -> Iterator[Endpoint]:
        """Yield all endpoints, in as many calls as needed."""
        return map(_endpoint, self._table.read_all(PARTITION))

    def secret_ids(self) -> frozenset[str]:
        """Return the secret ids of all endpoints, in as many calls as needed."""
        return frozenset(endpoint["secretId"] for endpoint in self._table.read_all(PARTITION))

    def delete(self, name: str) -> bool:
        """Delete an endpoint. Returns whether there was one. The doctor deletes what it recorded, TTL its statistics."""
        return self._table.delete(primary_key(PARTITION, name), EXISTS)

    def count(self, secret_id: str, added: EndpointStatistics) -> None:
        """Add deliveries to this function environment's shard. `added` has at least one.

        Environments may share a shard, so an older last delivery can replace a later one of the same kind.
        """
        counts = {f"{kind}Count": Added(number) for kind, number in added.counts.items()}
        last = {f"{kind}Last": delivery.members() for kind, delivery in added.last.items()}
        expires_at = max(delivery.at for delivery in added.last.values()) // 1000 + STATISTICS_KEPT
        self._table.update(primary_key(_statistics_id(secret_id), self._shard), {**counts, **last, "expiresAt": expires_at})

    def read_statistics(self, secret_id: str) -> EndpointStatistics:
        """Return the sum of all shards."""
        items = self._table.query("id = :id", {"id": _statistics_id(secret_id)}).items
        return sum(map(_statistics, items), EndpointStatistics())


def _statistics_id(secret_id: str) -> str:
    return f"endpoint#{secret_id}"


def _attributes(endpoint: Endpoint) -> dict[str, Any]:
    """Return what a put changes. `verify` is never absent, so losing it can't open an endpoint."""
    stored = {name: getattr(endpoint, field) for field, name in Endpoint.names().items() if field not in NOT_PUT}
    return {
        **stored,
        "secretId": IfAbsent(endpoint.secret_id),
        "verify": endpoint.verify.members() if endpoint.verify else UNVERIFIED,
        "createdAt": IfAbsent(endpoint.created_at),
    }


def _endpoint(item: Mapping[str, Any]) -> Endpoint:
    """Read an endpoint. One with an attribute that this version does not know, or another `verify`, is a later version's."""
    verify = item["verify"] if isinstance(item["verify"], dict) else {}
    is_known = item.keys() <= {"id", "item", *Endpoint.names().values()} and verify.keys() <= {*Verification.names().values()}
    is_known = is_known and (bool(verify) or item["verify"] == UNVERIFIED)
    own = {"name": item["item"], "verify": Verification.of(verify) if verify else None, "isLater": not is_known}
    return Endpoint.of({**item, **own})


def _statistics(item: Mapping[str, Any]) -> EndpointStatistics:
    return EndpointStatistics(
        {kind: int(item[f"{kind}Count"]) for kind in DeliveryKind if f"{kind}Count" in item},
        {kind: LastDelivery.of(item[f"{kind}Last"]) for kind in DeliveryKind if f"{kind}Last" in item},
    )
