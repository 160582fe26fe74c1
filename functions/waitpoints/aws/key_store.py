"""Named keys in the table.

    id         item       content
    keys       named      all keys: a map from name to digest, scopes and times. One read returns them
    keys used  <digest>   when a key was last used. Written without a condition, at most once an hour by each environment

An item has at most 400 KB: a key takes at most about 600 bytes. None of these items has a status, a timeout or a token, so the
stream's filters and the doctor pass over them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from waitpoints import telemetry
from waitpoints.aws.items import plain, primary_key, wire_values
from waitpoints.named_keys import NamedKey, Scope
from waitpoints.token import present

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

PARTITION, ITEM = "keys", "named"
USED = "keys used"
USED_KEPT = 400 * 86_400  # seconds

IS_FREE = "(attribute_not_exists(#keys.#name) OR #keys.#name.expiresAt <= :now)"  # an expired key may be replaced
HAS_ROOM = "size(#keys) < :most"
EXISTS = "attribute_exists(#keys.#name)"
MAY_BE_MADE = f"{IS_FREE} AND {HAS_ROOM}"


class KeyStore:
    """`read` reads consistently. Simultaneous makes and revocations of different keys do not disturb each other."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name

    def read(self) -> Sequence[NamedKey]:
        key = primary_key(PARTITION, ITEM)
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return [_named_key(name, stored) for name, stored in plain(found)["keys"].items()] if found else []

    def note_used(self, key: NamedKey, now: int) -> None:
        """Failures are only logged: they must not fail the request."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=primary_key(USED, key.digest),
                UpdateExpression="SET usedAt = :now, expiresAt = :expiresAt",
                ExpressionAttributeValues=wire_values(now=now, expiresAt=now // 1000 + USED_KEPT),
            )
        except Exception as error:
            telemetry.logger.warning("Use of a key not noted", key=key.name, error=type(error).__name__)

    def add(self, key: NamedKey, now: int) -> bool:
        """Store a new key. Returns False if a live one has its name, or if there are MOST."""
        raise NotImplementedError

    def remove(self, name: str) -> bool:
        """Take a key away. Returns whether there was one."""
        raise NotImplementedError

    def read_used(self) -> Mapping[str, int]:
        """Return when each key was last used, by its digest."""
        raise NotImplementedError


def _map(key: NamedKey) -> dict[str, Any]:
    named = {"digest": key.digest, "scopes": [str(scope) for scope in key.scopes], "createdAt": key.created_at}
    return present({**named, "expiresAt": key.expires_at})


def _named_key(name: str, stored: Mapping[str, Any]) -> NamedKey:
    scopes = tuple(Scope.of(text) for text in stored["scopes"])
    return NamedKey(name, stored["digest"], scopes, stored["createdAt"], stored.get("expiresAt"))
