"""Named keys in the table.

    id             item       content
    api keys       named      all keys: a map from name to digest, scopes and times. One read returns them
    api keys used  <digest>   when a key was last used: each environment writes it without a condition, at most once an hour

An item has at most 400 KB: a key takes at most about 600 bytes. None of these items has a status, a timeout or a token, so the
stream's filters and the doctor pass over them.
"""

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from waitpoints import telemetry
from waitpoints.access.api_keys import MOST, NamedKey, Scope
from waitpoints.aws.error_codes import error_code
from waitpoints.aws.failures import AWS_FAILURES
from waitpoints.aws.items import Item, primary_key
from waitpoints.aws.table import IfAbsent, Table, Updated
from waitpoints.errors import ApiKeyNameTaken, TooManyApiKeys, attempts
from waitpoints.json_text import present

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEYS, KEYS_ITEM = "keys", primary_key("api keys", "named")
USED = "api keys used"
USED_KEPT = 400 * 86_400  # seconds, after the last use
USED_KEPT_EXPIRED = 30 * 86_400  # seconds, after the key expires
TOO_LARGE = "Item size"  # "… to update has exceeded the maximum allowed size": of an item over 400 KB

IS_MADE = "attribute_exists(#keys)"
IS_FREE = "(attribute_not_exists(#keys.#name) OR #keys.#name.expiresAt <= :now)"  # an expired key may be replaced
HAS_ROOM = "(size(#keys) < :most OR attribute_exists(#keys.#name))"
OTHER_HAS_EXPIRED = "#keys.#other.expiresAt <= :now"
EXISTS = "attribute_exists(#keys.#name)"

MAY_ADD = f"{IS_MADE} AND {IS_FREE} AND {HAS_ROOM}"
MAY_REPLACE = f"{IS_FREE} AND {OTHER_HAS_EXPIRED}"


class ApiKeyStore:
    """`read` reads consistently. Simultaneous makes and revocations of different keys do not disturb each other."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._table = Table(client, table_name)

    def read(self) -> Sequence[NamedKey]:
        return list(_named_keys(self._table.get(KEYS_ITEM)).values())

    def note_used(self, key: NamedKey, now: int) -> None:
        """Failures are only logged: they must not fail the request."""
        kept_until = now // 1000 + USED_KEPT
        if key.expires_at is not None:
            kept_until = min(kept_until, key.expires_at // 1000 + USED_KEPT_EXPIRED)
        try:
            self._table.update(primary_key(USED, key.digest), {"usedAt": now, "expiresAt": kept_until})
        except AWS_FAILURES as error:
            telemetry.logger.warning(
                "Use of an API key not noted", apiKey=key.name, error=type(error).__name__, awsCode=error_code(error)
            )

    def add(self, key: NamedKey, now: int) -> None:
        """Store a new key, in the place of an expired one if there are MOST. Raises ApiKeyNameTaken or TooManyApiKeys.

        Each try that fails means that another key was made or revoked meanwhile, or that the first one makes the item.
        """
        expired: str | None = None
        for _ in attempts("Too many keys are made at once: send the same request again"):
            held = self._try_to_add(key, now, expired)
            if held is None or held.get(key.name) == key:  # the latter: boto3 repeated a call whose answer was lost
                return
            expired = _replaceable(held, key.name, now)

    def _try_to_add(self, key: NamedKey, now: int, expired: str | None) -> Mapping[str, NamedKey] | None:
        """Add a key, in the place of an expired one if it is named. Returns None, or the keys that were in the way."""
        changes: dict[tuple[str, ...], Any] = {(KEYS, key.name): _map(key)}
        if expired is not None:
            changes[KEYS, expired] = None
        names, condition = {"name": key.name, "other": expired or ""}, MAY_REPLACE if expired else MAY_ADD
        try:
            result = self._table.update(KEYS_ITEM, changes, condition, names=names, now=now, most=MOST)
        except ClientError as error:
            if error_code(error) == "ValidationException" and TOO_LARGE in str(error):
                raise TooManyApiKeys from None
            raise
        if isinstance(result, Updated):
            return None
        if not result.item:
            self._table.update(KEYS_ITEM, {KEYS: IfAbsent({})})
        return _named_keys(result.item)

    def remove(self, name: str) -> bool:
        """Take a key away. Returns whether there was one. TTL removes when it was last used."""
        return isinstance(self._table.update(KEYS_ITEM, {(KEYS, name): None}, EXISTS, names={"name": name}), Updated)

    def read_used(self) -> Mapping[str, int]:
        """Return when each key was last used, by its digest, also of keys that were taken away. TTL removes the oldest."""
        return {item["item"]: item["usedAt"] for item in self._table.read_all(USED)}


def _replaceable(held: Mapping[str, NamedKey], name: str, now: int) -> str | None:
    """Return the expired key that a new one replaces, None if there is room. Raises ApiKeyNameTaken or TooManyApiKeys."""
    if name in held and not held[name].has_expired(now):
        raise ApiKeyNameTaken
    if len(held) < MOST or name in held:
        return None
    expired = [key.name for key in held.values() if key.has_expired(now)]
    if not expired:
        raise TooManyApiKeys
    return random.choice(expired)  # noqa: S311 - so that two that are made at once seldom choose the same


def _map(key: NamedKey) -> dict[str, Any]:
    named = {"digest": key.digest, "scopes": [str(scope) for scope in key.scopes], "createdAt": key.created_at}
    return present({**named, "expiresAt": key.expires_at})


def _named_keys(item: Item | None) -> dict[str, NamedKey]:
    return {name: _named_key(name, stored) for name, stored in item[KEYS].items()} if item else {}


def _named_key(name: str, stored: Mapping[str, Any]) -> NamedKey:
    scopes = tuple(Scope.of(text) for text in stored["scopes"])
    return NamedKey(name, stored["digest"], scopes, stored["createdAt"], stored.get("expiresAt"))
