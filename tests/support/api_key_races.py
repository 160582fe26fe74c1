"""Named keys that are made and revoked at the same moment, on any store of them."""

from collections.abc import Callable
from functools import partial
from unittest import mock

from tests.support.fakes import api_key_store as fake
from tests.support.fakes.api_key_store import MemoryApiKeyStore
from tests.support.races import race
from waitpoints.access.api_keys import NamedKey, Scope, digest
from waitpoints.aws import api_key_store
from waitpoints.aws.api_key_store import ApiKeyStore
from waitpoints.aws.items import primary_key, wire
from waitpoints.errors import ApiKeyNameTaken, TooManyApiKeys, TryAgain

AnyApiKeyStore = ApiKeyStore | MemoryApiKeyStore
NOW = 1_800_000_000_000
RACERS = 8
FEW = 20  # a full store is slow on moto


def key(name: str, expires_at: int | None = None, secret: str = "") -> NamedKey:
    return NamedKey(name, digest(secret or name), (Scope("create", "team-a"), Scope("read")), NOW, expires_at)


def fill(store: AnyApiKeyStore, keys: list[NamedKey]) -> None:
    """Let a store have these keys and no others."""
    if isinstance(store, MemoryApiKeyStore):
        store.keys = {key.name: key for key in keys}
        return
    item = {**primary_key("api keys", "named"), "keys": wire({key.name: api_key_store._map(key) for key in keys})}
    store._table.client.put_item(TableName=store._table.name, Item=item)


def names(store: AnyApiKeyStore) -> list[str]:
    return sorted(key.name for key in store.read())


def outcome(act: Callable[[], object]) -> object:
    """What it returns, or the type of what it raises."""
    try:
        return act()
    except (ApiKeyNameTaken, TooManyApiKeys, TryAgain) as error:
        return type(error)


def first_keys_are_all_kept(store: AnyApiKeyStore) -> None:
    """The store has no keys yet, so none of the racers finds the item."""
    race([partial(store.add, key(f"key-{number}"), NOW) for number in range(RACERS)])
    assert names(store) == [f"key-{number}" for number in range(RACERS)]


def one_key_gets_a_name(store: AnyApiKeyStore) -> None:
    made = [key("ci", secret=f"secret {number}") for number in range(RACERS)]
    outcomes = race([partial(outcome, partial(store.add, one, NOW)) for one in made])
    assert (outcomes.count(None), outcomes.count(ApiKeyNameTaken)) == (1, RACERS - 1)
    assert list(store.read()) == [made[outcomes.index(None)]]


def no_more_than_fit_are_made(store: AnyApiKeyStore, expired: int) -> None:
    """Of a few, there is room for two more, and some have expired."""
    old = [key(f"old-{number}", NOW) for number in range(expired)]
    fill(store, [*(key(f"key-{number}") for number in range(FEW - 2 - expired)), *old])
    with mock.patch.object(api_key_store, "MOST", FEW), mock.patch.object(fake, "MOST", FEW):
        outcomes = race([partial(outcome, partial(store.add, key(f"new-{number}"), NOW)) for number in range(RACERS)])
    assert (outcomes.count(None), outcomes.count(TooManyApiKeys)) == (2 + expired, RACERS - 2 - expired)
    made = {f"new-{number}" for number, it in enumerate(outcomes) if it is None}
    assert {name for name in names(store) if not name.startswith("key-")} == made
    assert len(store.read()) == FEW


def a_key_is_revoked_once_and_no_other(store: AnyApiKeyStore) -> None:
    fill(store, [key("ci"), key("shop")])
    revoke: list[Callable[[], object]] = [partial(store.remove, "ci") for _ in range(RACERS)]
    make: list[Callable[[], object]] = [partial(store.add, key(f"new-{number}"), NOW) for number in range(RACERS)]
    assert race([*revoke, *make]).count(True) == 1
    assert names(store) == sorted(["shop", *(f"new-{number}" for number in range(RACERS))])
