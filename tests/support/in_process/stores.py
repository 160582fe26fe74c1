"""The stores of the stack on moto, with what a test may see, change and break there."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.in_process.moto_shortcut import the_stack
from tests.support.in_process.moto_stack import client_of
from waitpoints.access.api_keys import NamedKey, Scope, digest, new_key
from waitpoints.aws.api_key_store import ApiKeyStore, _map
from waitpoints.aws.delivery_store import ROWS, DeliveryStore
from waitpoints.aws.due_index import DueIndex
from waitpoints.aws.endpoint_store import PARTITION, EndpointStore
from waitpoints.aws.items import NOTICES, SINCE_VERSION, TOKEN, plain, primary_key, token_from, wire
from waitpoints.aws.notice_store import NoticeStore
from waitpoints.aws.store import Store
from waitpoints.notices import NoticeRecord
from waitpoints.ports import Cursor
from waitpoints.recorded_delivery import PREFIX, Contents, RecordedDelivery
from waitpoints.token import VERSION, Token

RETENTION = 30 * 86_400  # seconds


def place() -> tuple[Any, str]:
    """The table's client and name."""
    return client_of("dynamodb"), the_stack().table


def bucket() -> str:
    return the_stack().resources["OutputBucket"]["Ref"]


def items(partitions: str = "") -> list[dict[str, Any]]:
    """The items of the partitions whose names begin so."""
    return [plain(item) for item in the_stack().every_item() if item["id"]["S"].startswith(partitions)]


class TokenStore(Store):
    """`reads` counts the reads of whole tokens."""

    def __init__(self) -> None:
        super().__init__(*place(), RETENTION)
        self.reads = 0
        self._tokens: tuple[tuple[int, ...], dict[str, Token]] = (), {}

    def find(self, token_id: str) -> Token | None:
        self.reads += 1
        return super().find(token_id)

    @property
    def tokens(self) -> dict[str, Token]:
        """Every token as it is now, by its id. They are read anew if anything was written."""
        if self._tokens[0] != (version := the_stack().version()):
            found: dict[str, dict[str, Any]] = {}
            for item in items("waitpoint_"):
                found.setdefault(item["id"], {})[item["item"]] = item
            self._tokens = version, {id_: token_from(kinds[TOKEN], kinds) for id_, kinds in found.items() if TOKEN in kinds}
        return dict(self._tokens[1])

    def change(self, token_id: str, item: str = TOKEN, /, **attributes: Any) -> None:
        """Set attributes of a token's item, or with None remove them."""
        self._table.update(primary_key(token_id, item), attributes)

    def make_later(self, token_id: str) -> None:
        """As if a later version had written it, which alone may settle it."""
        self.change(token_id, **{SINCE_VERSION: VERSION + 1})

    def remove(self, token_id: str) -> None:
        """As TTL does."""
        self._table.take(primary_key(token_id, TOKEN))


class KeyStore(ApiKeyStore):
    """`reads` counts the reads, `failure` is raised by each if it is set."""

    def __init__(self) -> None:
        super().__init__(*place())
        self.reads = 0
        self.failure: Exception | None = None

    @property
    def keys(self) -> dict[str, NamedKey]:
        return {key.name: key for key in super().read()}

    def read(self) -> Sequence[NamedKey]:
        self.reads += 1
        if self.failure:
            raise self.failure
        return super().read()

    def make(self, name: str, *scopes: str, expires_at: int | None = None) -> str:
        """Make a key, in the place of one with its name, and return it."""
        key = new_key()
        fill(self, [*self.keys.values(), NamedKey(name, digest(key), tuple(map(Scope.of, scopes)), 0, expires_at)])
        return key


def fill(store: ApiKeyStore, keys: list[NamedKey]) -> None:
    """Let a store have these keys and no others."""
    item = {**primary_key("api keys", "named"), "keys": wire({key.name: _map(key) for key in keys})}
    store._table.client.put_item(TableName=store._table.name, Item=item)


class Endpoints(EndpointStore):
    def __init__(self) -> None:
        super().__init__(*place())

    def make_later(self, name: str) -> None:
        """As if a later version had written it, with a setting of its own."""
        self._table.update(primary_key(PARTITION, name), {"later": True})


class Deliveries(DeliveryStore):
    def __init__(self) -> None:
        super().__init__(*place(), lambda: client_of("s3"), bucket())

    @property
    def rows(self) -> list[RecordedDelivery]:
        """Of every endpoint."""
        of = [(row["id"].removeprefix(ROWS).partition("#")[0], PREFIX + row["item"]) for row in items(ROWS)]
        return [row for row in (self.get(*one) for one in of) if row]

    @property
    def kept(self) -> list[Contents]:
        """The contents that the bucket has."""
        names = [name.split("/")[1:] for name in the_stack().objects() if name.startswith("deliveries/")]
        return [found for secret_id, ulid in names if (found := self.contents(secret_id, PREFIX + ulid))]

    def change(self, delivery_id: str, **attributes: Any) -> None:
        self._table.update(_row_key(delivery_id), attributes)

    def lose_row(self, delivery_id: str) -> None:
        """As TTL did with what 0.4.0 wrote."""
        self._table.take(_row_key(delivery_id))

    def lose_contents(self) -> None:
        """As the bucket's lifecycle rule does."""
        the_stack().empty_bucket()


def _row_key(delivery_id: str) -> dict[str, Any]:
    [key] = [primary_key(row["id"], row["item"]) for row in items(ROWS) if PREFIX + row["item"] == delivery_id]
    return key


class Index(DueIndex):
    def __init__(self) -> None:
        super().__init__(*place())

    @staticmethod
    def of_one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on."""
        monkeypatch.setattr("waitpoints.aws.items.LIST_SHARDS", 1)
        monkeypatch.setattr("waitpoints.aws.store.LIST_SHARDS", 1)
        monkeypatch.setattr("waitpoints.aws.due_index.DueIndex.shards", 1)

    @property
    def cursor(self) -> Cursor:
        """That of the only shard."""
        [only] = self.cursors()
        return only

    @cursor.setter
    def cursor(self, cursor: Cursor) -> None:
        self._table.update(primary_key(self._cursors, "0"), {"dueAt": cursor.due_at, "after": cursor.after})


class NoticeRecords(NoticeStore):
    """`fails` are the errors of its next calls, by method."""

    def __init__(self) -> None:
        super().__init__(*place())
        self.fails: dict[str, list[Exception]] = {}

    def claim(self, token: Token, now: int) -> int | None:
        self._fail("claim")
        return super().claim(token, now)

    def record(self, token_id: str, target: str, record: NoticeRecord) -> bool:
        self._fail("record")
        return super().record(token_id, target, record)

    def free(self, token_id: str, claim: int) -> None:
        self._fail("free")
        super().free(token_id, claim)

    def remove(self, token_id: str) -> None:
        self._table.take(primary_key(token_id, NOTICES))

    def is_claimed(self, token_id: str) -> bool:
        return "claimedUntil" in (self._table.get(primary_key(token_id, NOTICES)) or {})

    def _fail(self, method: str) -> None:
        if self.fails.get(method):
            raise self.fails[method].pop(0)
