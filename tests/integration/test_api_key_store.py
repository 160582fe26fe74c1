"""Named keys in the table."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.stub import Stubber

from tests.support.access_tokens import forged
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.event_sources import Stream
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.stores import KeyStore, fill
from tests.support.races import race
from waitpoints.access.api_keys import MOST, NamedKey, Scope, digest, new_key
from waitpoints.aws import api_key_store
from waitpoints.aws.api_key_store import USED_KEPT, USED_KEPT_EXPIRED, ApiKeyStore
from waitpoints.aws.items import DOCTOR, OVERDUE
from waitpoints.errors import ApiKeyNameTaken, TooManyApiKeys, TryAgain
from waitpoints.wiring import services

NOW = 1_800_000_000_000
RACERS = 8
FEW = 20  # a full store is slow on moto


def key(name: str, expires_at: int | None = None, secret: str = "") -> NamedKey:
    return NamedKey(name, digest(secret or name), (Scope("create", "team-a"), Scope("read")), NOW, expires_at)


def names(store: ApiKeyStore) -> list[str]:
    return sorted(key.name for key in store.read())


def outcome(act: Callable[[], object]) -> object:
    """What it returns, or the type of what it raises."""
    try:
        return act()
    except (ApiKeyNameTaken, TooManyApiKeys, TryAgain) as error:
        return type(error)


@pytest.fixture
def store(stack: MotoStack) -> ApiKeyStore:
    return KeyStore()


def refusing(code: str, message: str = "") -> Any:
    """A client each of whose updates is refused."""
    client: Any = boto3.client("dynamodb")
    stubber = Stubber(client)
    stubber.add_client_error("update_item", code, message)
    stubber.activate()
    return client


class TestAKey:
    def test_without_scopes_comes_back_as_it_was_written(self, store: ApiKeyStore) -> None:
        written = replace(key("all"), scopes=())
        store.add(written, NOW)
        assert list(store.read()) == [written]

    def test_that_was_added_is_added_again_when_the_answer_was_lost(self, store: ApiKeyStore) -> None:
        store.add(key("ci"), NOW)
        store.add(key("ci"), NOW)
        assert names(store) == ["ci"]


class TestFiveHundredKeys:
    def full(self, **expired: int) -> list[NamedKey]:
        return [*(key(f"key-{number}") for number in range(MOST - len(expired))), *(key(*it) for it in expired.items())]

    def test_make_room_where_one_has_expired(self, store: ApiKeyStore) -> None:
        fill(store, self.full(old=NOW, short=NOW + 1))
        store.add(key("new"), NOW)
        assert {"old", "short", "new"} & set(names(store)) == {"short", "new"}
        with pytest.raises(TooManyApiKeys):
            store.add(key("newer"), NOW)
        store.add(key("short", secret="another"), NOW + 1)  # in its own place
        assert len(store.read()) == MOST

    def test_with_the_longest_names_and_tags_fit_into_one_item(self, store: ApiKeyStore) -> None:
        scopes = (*(Scope(action, "t" * 128) for action in ("create", "complete", "read", "notify")), Scope("endpoints"))
        keys = [replace(key(f"{number:064}", NOW + number + 1), scopes=scopes) for number in range(MOST)]
        fill(store, keys[1:])
        store.add(keys[0], NOW)
        assert len(store.read()) == MOST

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ("Item size to update has exceeded the maximum allowed size", TooManyApiKeys),
            ("Invalid UpdateExpression: Expression size has exceeded the maximum allowed size", ClientError),
        ],
    )
    def test_are_fewer_if_their_tags_are_long_in_utf_8(self, said: str, expected: type[Exception]) -> None:
        """The limit is then that of an item, 400 KB. moto checks it for whole attributes, and so not here."""
        with pytest.raises(expected):
            ApiKeyStore(refusing("ValidationException", said), "table").add(key("ci"), NOW)


class TestAtOnce:
    def test_the_first_keys_are_all_kept(self, store: ApiKeyStore) -> None:
        """The store has no keys yet, so none of the racers finds the item."""
        race([partial(store.add, key(f"key-{number}"), NOW) for number in range(RACERS)])
        assert names(store) == [f"key-{number}" for number in range(RACERS)]

    @pytest.mark.parametrize("before", [[], [key("ci", NOW)]], ids=["free", "expired"])
    def test_one_key_gets_a_name(self, store: ApiKeyStore, before: list[NamedKey]) -> None:
        fill(store, before)
        made = [key("ci", secret=f"secret {number}") for number in range(RACERS)]
        outcomes = race([partial(outcome, partial(store.add, one, NOW)) for one in made])
        assert (outcomes.count(None), outcomes.count(ApiKeyNameTaken)) == (1, RACERS - 1)
        assert list(store.read()) == [made[outcomes.index(None)]]

    @pytest.mark.parametrize("expired", [0, 3])
    def test_no_more_than_fit_are_made(self, store: ApiKeyStore, expired: int) -> None:
        """Of a few, there is room for two more, and some have expired."""
        old = [key(f"old-{number}", NOW) for number in range(expired)]
        fill(store, [*(key(f"key-{number}") for number in range(FEW - 2 - expired)), *old])
        with mock.patch.object(api_key_store, "MOST", FEW):
            outcomes = race([partial(outcome, partial(store.add, key(f"new-{number}"), NOW)) for number in range(RACERS)])
        assert (outcomes.count(None), outcomes.count(TooManyApiKeys)) == (2 + expired, RACERS - 2 - expired)
        made = {f"new-{number}" for number, it in enumerate(outcomes) if it is None}
        assert {name for name in names(store) if not name.startswith("key-")} == made
        assert len(store.read()) == FEW

    def test_a_key_is_revoked_once_and_no_other(self, store: ApiKeyStore) -> None:
        fill(store, [key("ci"), key("shop")])
        revoke: list[Callable[[], object]] = [partial(store.remove, "ci") for _ in range(RACERS)]
        make: list[Callable[[], object]] = [partial(store.add, key(f"new-{number}"), NOW) for number in range(RACERS)]
        assert race([*revoke, *make]).count(True) == 1
        assert names(store) == sorted(["shop", *(f"new-{number}" for number in range(RACERS))])


def test_the_first_key_of_another_program_is_kept(stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made after this program has seen that there is none, and before it makes the item."""
    store, other = KeyStore(), KeyStore()
    update = store._table.update

    def update_later(place: Any, changes: Any, *arguments: Any, **named: Any) -> Any:
        if api_key_store.KEYS in changes:
            other.add(key("first"), NOW)
        return update(place, changes, *arguments, **named)

    monkeypatch.setattr(store._table, "update", update_later)
    store.add(key("second"), NOW)
    assert names(store) == ["first", "second"]


def test_a_key_that_is_always_beaten_is_asked_for_again(stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApiKeyStore, "_try_to_add", lambda *_: {})
    with pytest.raises(TryAgain):
        KeyStore().add(key("ci"), NOW)


class TestLastUse:
    def test_is_the_last_one_of_each_key(self, store: ApiKeyStore) -> None:
        assert store.read_used() == {}
        for name, at in (("ci", NOW), ("shop", NOW + 1), ("ci", NOW + 2)):
            store.note_used(key(name), at)
        assert store.read_used() == {digest("ci"): NOW + 2, digest("shop"): NOW + 1}

    @pytest.mark.parametrize(
        ("expires_at", "kept_until"),
        [
            (None, NOW // 1000 + USED_KEPT),
            (NOW + 60_000, NOW // 1000 + 60 + USED_KEPT_EXPIRED),
            (NOW + 380 * 86_400_000, NOW // 1000 + USED_KEPT),
        ],
    )
    def test_is_removed_by_ttl(self, stack: MotoStack, expires_at: int | None, kept_until: int) -> None:
        KeyStore().note_used(key("ci", expires_at), NOW)
        [item] = stack.every_item()
        assert int(item["expiresAt"]["N"]) == kept_until

    def test_that_cannot_be_noted_is_logged_by_its_name(self, log: io.StringIO) -> None:
        ApiKeyStore(refusing("ThrottlingException"), "table").note_used(key("ci"), NOW)
        [line] = [json.loads(line) for line in log.getvalue().splitlines()]
        shown = {name: line[name] for name in ("level", "message", "apiKey", "error", "awsCode")}
        assert shown == {
            "level": "WARNING",
            "message": "Use of an API key not noted",
            "apiKey": "ci",
            "error": "ThrottlingException",
            "awsCode": "ThrottlingException",
        }
        assert digest("ci") not in log.getvalue()


def test_a_request_goes_on_if_the_use_of_its_key_cannot_be_noted(api: Api, stack: MotoStack, clock: FakeClock) -> None:
    shown, events = new_key(), services.dynamodb_client.meta.events
    KeyStore().add(NamedKey("ci", digest(shown), (Scope("read"),), clock()), clock())
    tried: list[Any] = []

    def fail(**given: Any) -> None:
        tried.append(given)
        raise ConnectTimeoutError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com/")

    events.register("before-call.dynamodb.UpdateItem", fail)
    try:
        statuses = [api.get(TOKENS, {"authorization": f"Bearer {shown}"}).status for _ in range(2)]
    finally:
        events.unregister("before-call.dynamodb.UpdateItem", fail)
    assert (statuses, len(tried)) == ([200, 200], 1)
    assert KeyStore().read_used() == {}


def test_the_doctor_passes_over_keys_and_their_last_use(stack: MotoStack) -> None:
    store = KeyStore()
    for name in ("ci", "token", "replies"):
        store.add(key(name, NOW), NOW)
        store.note_used(key(name), NOW)
    before = stack.every_item()
    answer = stack.call("doctor", {})
    assert (answer["repaired"], answer["unrepaired"]) == (0, 0)
    assert [item for item in stack.every_item() if item["id"]["S"] not in (DOCTOR, OVERDUE)] == before


def test_no_stream_passes_keys_and_their_last_use_on(stack: MotoStack) -> None:
    stream, store = Stream(stack), KeyStore()
    store.add(key("ci", NOW), NOW)
    store.note_used(key("ci"), NOW)
    store.remove("ci")
    assert len(stack.every_item()) == 2
    consumers = [name for name, it in stack.functions().items() if "dynamodb" in str(it.properties.get("Events")).lower()]
    assert {"resume_waiters", "schedule_timeouts"} <= set(consumers)
    assert [stream.records(name) for name in consumers] == [[]] * len(consumers)


def test_a_leaked_item_gives_no_key(api: Api, stack: MotoStack, clock: FakeClock) -> None:
    """No text that can be read in the table, nor what could be made of one, is accepted anywhere."""
    shown = new_key()
    KeyStore().add(NamedKey("ci", digest(shown), (Scope("read"), Scope("complete")), clock()), clock())
    token = api.create()
    path = f"{TOKENS}/{token['id']}"
    assert api.get(path, {"authorization": f"Bearer {shown}"}).status == 200
    leaked = set(texts([item for item in stack.every_item() if item["id"]["S"].startswith("api keys")]))
    assert {"ci", digest(shown), "read", "complete"} <= leaked
    assert not any(shown[11:] in text for text in leaked)
    for guess in [guess for text in leaked for guess in (text, f"tr_prod_sk_{text}", f"tr_prod_sk_{text[:24]}", text[:16])]:
        assert api.get(path, {"authorization": f"Bearer {guess}"}).status == 401
    public = {"authorization": f"Bearer {forged(digest(shown), token['id'])}"}
    assert api.post(f"{path}/complete", {}, public).status == 401


def texts(value: Any) -> list[str]:
    """Every text in a JSON value, also the names of members."""
    match value:
        case dict():
            return [text for pair in value.items() for one in pair for text in texts(one)]
        case list():
            return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []
