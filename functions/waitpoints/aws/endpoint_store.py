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
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from waitpoints.aws.items import plain, primary_key, wire_values
from waitpoints.endpoint import UNVERIFIED, DeliveryKind, Endpoint, EndpointStatistics, LastDelivery
from waitpoints.json_text import present
from waitpoints.token import Verification

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

PARTITION = "endpoints"
SHARDS = 16
STATISTICS_KEPT = 400 * 86_400  # seconds
EXISTS = "attribute_exists(id)"

_BEFORE_EVERY_NAME = " "  # a name begins with a letter, a digit or a hyphen; DynamoDB takes no empty text in a key
_KEPT = ("secretId", "createdAt")  # a put of an existing endpoint does not change these


class EndpointStore:
    """Each method makes one call, and reads consistently."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name
        self._shard = f"{random.randrange(SHARDS):02}"  # noqa: S311 - one for each function environment

    def put(self, endpoint: Endpoint) -> Endpoint:
        """Store an endpoint and return it. An existing one of its name keeps its secret id and its creation time.

        It is one update, so simultaneous first puts agree on one secret id.
        """
        attributes = _attributes(endpoint)
        values = present(attributes)
        absent = [f"#{name}" for name in attributes if name not in values]
        answer = self._client.update_item(
            TableName=self._table,
            Key=primary_key(PARTITION, endpoint.name),
            UpdateExpression="SET " + ", ".join(map(_assignment, values)) + (f" REMOVE {', '.join(absent)}" if absent else ""),
            ExpressionAttributeNames={f"#{name}": name for name in attributes},
            ExpressionAttributeValues=wire_values(**values),
            ReturnValues="ALL_NEW",
        )
        return _endpoint(plain(answer["Attributes"]))

    def get(self, name: str) -> Endpoint | None:
        found = self._client.get_item(TableName=self._table, Key=primary_key(PARTITION, name), ConsistentRead=True).get("Item")
        return _endpoint(plain(found)) if found else None

    def list_endpoints(self, after: str | None, size: int) -> tuple[list[Endpoint], str | None]:
        """Return up to `size` endpoints by name, of those after `after`, and the `after` that continues if there are more."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="id = :partition AND #item > :after",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues=wire_values(partition=PARTITION, after=after or _BEFORE_EVERY_NAME),
            Limit=size + 1,
            ConsistentRead=True,
        )
        found = [_endpoint(plain(item)) for item in answer["Items"]]
        return found[:size], found[size - 1].name if len(found) > size else None

    def delete(self, name: str) -> bool:
        """Delete an endpoint. Returns whether there was one. TTL removes its statistics later."""
        try:
            self._client.delete_item(TableName=self._table, Key=primary_key(PARTITION, name), ConditionExpression=EXISTS)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def count(self, secret_id: str, added: EndpointStatistics) -> None:
        """Add deliveries to this function environment's shard. `added` has at least one.

        Environments may share a shard, so an older last delivery can replace a later one of the same kind.
        """
        counts = {f"{kind}Count": number for kind, number in added.counts.items()}
        last = {f"{kind}Last": delivery.members() for kind, delivery in added.last.items()}
        expires_at = max(delivery.at for delivery in added.last.values()) // 1000 + STATISTICS_KEPT
        self._client.update_item(
            TableName=self._table,
            Key=primary_key(_statistics_id(secret_id), self._shard),
            UpdateExpression="ADD "
            + ", ".join(f"{name} :{name}" for name in counts)
            + " SET "
            + ", ".join(f"{name} = :{name}" for name in (*last, "expiresAt")),
            ExpressionAttributeValues=wire_values(**counts, **last, expiresAt=expires_at),
        )

    def read_statistics(self, secret_id: str) -> EndpointStatistics:
        """Return the sum of all shards."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues=wire_values(id=_statistics_id(secret_id)),
            ConsistentRead=True,
        )
        return sum((_statistics(plain(item)) for item in answer["Items"]), EndpointStatistics())


def _statistics_id(secret_id: str) -> str:
    return f"endpoint#{secret_id}"


def _assignment(name: str) -> str:
    return f"#{name} = if_not_exists(#{name}, :{name})" if name in _KEPT else f"#{name} = :{name}"


def _attributes(endpoint: Endpoint) -> dict[str, Any]:
    """Return the attributes; None for an absent one. `verify` is never absent, so losing it can't open an endpoint."""
    return {
        "secretId": endpoint.secret_id,
        "key": endpoint.key,
        "verify": endpoint.verify.members() if endpoint.verify else UNVERIFIED,
        "completeWhen": endpoint.complete_when,
        "output": endpoint.output,
        "keyTtl": endpoint.key_ttl,
        "tag": endpoint.tag,
        "createdAt": endpoint.created_at,
        "updatedAt": endpoint.updated_at,
    }


def _endpoint(item: Mapping[str, Any]) -> Endpoint:
    verify = item["verify"]
    return Endpoint(
        name=item["item"],
        secret_id=item["secretId"],
        key=item["key"],
        verify=None if verify == UNVERIFIED else Verification(**verify),
        complete_when=item.get("completeWhen"),
        output=item["output"],
        key_ttl=item["keyTtl"],
        tag=item.get("tag"),
        created_at=int(item["createdAt"]),
        updated_at=int(item["updatedAt"]),
    )


def _statistics(item: Mapping[str, Any]) -> EndpointStatistics:
    return EndpointStatistics(
        {kind: int(item[f"{kind}Count"]) for kind in DeliveryKind if f"{kind}Count" in item},
        {kind: LastDelivery.of(item[f"{kind}Last"]) for kind in DeliveryKind if f"{kind}Last" in item},
    )
