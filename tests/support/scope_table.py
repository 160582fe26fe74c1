"""Which key or session of the console may use which route (contract Q3, V10): the cells of the table, and a request for each.

The rows are the operations that take the API key. A new one is a row by itself, and if it has no scope, it must be among
ROOT_ONLY. The columns are the keys. The same cells are tried in process and over HTTP.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import waitpoints.access.operators as console
from tools.openapi.operation import Operation
from tools.openapi.operations import DELIVERIES, ENDPOINTS, OPERATIONS, TOKENS, by_id
from waitpoints.access.api_keys import new_key
from waitpoints.access.caller import Action, Caller
from waitpoints.api.api_key_request import UNTAGGED

Ask = Callable[[str, str, Any, str], tuple[int, Any]]
"""Send a request: a method, a path, a body and a key. Returns the status and the JSON of the answer."""

KEYS = "/api/v1/keys"
MINT = by_id("mint_public_token_v1").path
TAG, OTHER_TAG = "team-a", "team-b"
ENDPOINT = "scope-table"
ACTIONS = get_args(Action.__value__)
SCOPES = (*ACTIONS, *(f"{action}:{TAG}" for action in ACTIONS if action != UNTAGGED))
BOTH = ("deliveries complete", f"deliveries:{TAG} complete", f"deliveries complete:{TAG}")
SESSIONS = {
    "session read": console.READ,
    "session read create complete": console.OPERATE,
    f"session read:{TAG} create:{TAG} complete:{TAG}": console.OPERATE,
}
"""Of the console, by the scopes that they have."""
INVALID = ("unknown", "revoked", "expired", "session that has expired", "session of another stack")
ROOT_ONLY = {"create_public_token_v1", "get_public_token_claims_v1", "create_key_v1", "list_keys_v1", "revoke_key_v1"}
NOT_OF_ONE_TOKEN = {"list_waitpoint_tokens_v1", "mint_public_token_v1"}
"""They need no token with the tag: a list shows only such tokens, a public access token is checked at use."""
DELETE = "delete_waitpoint_token_v1"
CHANGES_ITS_TOKEN = {"complete_waitpoint_token_v1", "complete_waitpoint_key_v1", "move_waitpoint_token_deadline_v1", DELETE}
CLOSED = [operation for operation in OPERATIONS if "secretKey" in operation.credentials]
COMPLETE, PACKET = by_id("complete_waitpoint_token_v1"), by_id("get_packet_v1")
LARGE = '"' * 800_000  # twice as much in JSON, and four times in the JSON of an answer
FAR = 9_999_999_999_999  # epoch milliseconds
NEW_KEY_WORKS_AFTER = 5.0  # seconds, in an environment that has just read the keys


@dataclass(frozen=True)
class Cell:
    """One request. `tag` is that of the token that it is about, and what the names in it begin with."""

    operation: Operation
    holder: str
    tag: str
    status: int

    @property
    def says(self) -> str:
        """What a 403 must say."""
        if self.operation.scope is None:
            return "Only the root key may do this"
        lacks = next(_lacking(self.operation, self.holder, self.tag), None)
        return f"lacks the scope {lacks}" if lacks else "A session of the console makes no Public Access Token"


def cells(operation: Operation) -> Iterator[Cell]:
    for holder in ("root", *INVALID, *SCOPES, *BOTH, *SESSIONS):
        for tag in (TAG, OTHER_TAG) if ":" in holder else (OTHER_TAG,):
            yield Cell(operation, holder, tag, _status(operation, holder, tag))


def _status(operation: Operation, holder: str, tag: str) -> int:
    if holder == "root":
        return 200
    if operation.scope is None:
        return 401 if holder in INVALID[-2:] else 403
    if holder in INVALID:
        return 401
    if holder in SESSIONS and operation.path == MINT:
        return 403
    return 403 if any(_lacking(operation, holder, tag)) else 200


def _lacking(operation: Operation, holder: str, tag: str) -> Iterator[Action]:
    """The scopes that an operation needs and a key lacks, in the order in which they are checked: tags come last."""
    held = dict(scope.partition(":")[::2] for scope in holder.removeprefix("session").split())
    yield from (action for action in operation.scopes if action not in held)
    if operation.id not in NOT_OF_ONE_TOKEN:
        yield from (action for action in operation.scopes if held.get(action) not in ("", tag))


@dataclass
class Holders:
    """A key of every kind, on one stack. `create` makes the token that a cell is about; `advance` lets time pass."""

    ask: Ask
    root: str
    advance: Callable[..., object]
    record: Callable[[str], str]
    """Have an endpoint record a delivery. Takes the endpoint's name, and returns the delivery's id."""
    names: list[str] = field(default_factory=list)
    """Of the keys that were made, in order."""
    delivery_id: str = "none is recorded yet"

    def __post_init__(self) -> None:
        self.keys = {scopes: self.make(*scopes.split()) for scopes in (*SCOPES, *BOTH)}
        self.keys |= {
            name: self._bearer(self.root, actions, TAG if TAG in name else None) for name, actions in SESSIONS.items()
        }
        self.keys["session that has expired"] = self._bearer(self.root, console.OPERATE, expires_at=1)
        self.keys["session of another stack"] = self._bearer("another root key", console.OPERATE)
        self.keys |= {"root": self.root, "sdk": self.make("create", "complete", "read"), "unknown": new_key()}
        self.keys["expired"] = self.make(*ACTIONS, expiresIn="1s")
        self.keys["revoked"] = self.make(*ACTIONS)
        self.revoke(self.names[-1])
        self.advance(seconds=NEW_KEY_WORKS_AFTER)

    def _bearer(self, key: str, actions: tuple[Action, ...], tag: str | None = None, expires_at: int = FAR) -> str:
        person = Caller("ann@example.com", "0123456789abcdef", dict.fromkeys(actions, tag), is_person=True)
        return console.bearer(key, person, expires_at)

    def make(self, *scopes: str, **options: str) -> str:
        self.names.append(f"table-{uuid.uuid4().hex}")
        made: str = self._ask_root("POST", KEYS, {"name": self.names[-1], "scopes": scopes, **options})["key"]
        return made

    def revoke(self, name: str) -> None:
        self._ask_root("DELETE", f"{KEYS}/{name}", None)

    def mint(self, key: str, *scopes: str) -> str:
        status, answer = self.ask("POST", MINT, {"scopes": scopes}, key)
        assert status == 200, answer
        minted: str = answer["token"]
        return minted

    def create(self, tag: str, operation: Operation = COMPLETE) -> Mapping[str, str]:
        """A token that waits, or one with an output if the operation is about those: a large one, or one to delete."""
        key = f"{tag}:{uuid.uuid4().hex}"
        token = f"{TOKENS}/{self._ask_root('POST', TOKENS, {'tags': [tag], 'idempotencyKey': key})['id']}"
        if operation is PACKET or operation.id == DELETE:
            self._ask_root("POST", f"{token}/complete", {"data": LARGE})
        found = self._ask_root("GET", token, None)
        return {"id": found["id"], "key": key, "path": str(found.get("output"))}

    def shown(self, token: Mapping[str, str]) -> Any:
        return self._ask_root("GET", f"{TOKENS}/{token['id']}", None)

    def _ask_root(self, method: str, path: str, body: Any) -> Any:
        status, answer = self.ask(method, path, body, self.root)
        assert status == 200, answer
        return answer

    def try_row(self, operation: Operation) -> None:
        """Try every cell of an operation. What is refused changes nothing."""
        unchanged = {tag: self.create(tag, operation) for tag in (TAG, OTHER_TAG)}
        before = [self.shown(token) for token in unchanged.values()]
        for cell in cells(operation):
            token = unchanged[cell.tag]
            if cell.status == 200 or operation.path.startswith(DELIVERIES):
                self._prepare(operation, cell.tag)
            if cell.status == 200:
                token = self.create(cell.tag, operation) if operation.id in CHANGES_ITS_TOKEN else token
            status, answer = self.ask(*self._request(operation, token), self.keys[cell.holder])
            shown = f"{operation.route} with {cell.holder}, of a token with {cell.tag}: {status} {json.dumps(answer)[:300]}"
            assert status == cell.status, shown
            assert status != 403 or cell.says in answer["error"], shown
        assert [self.shown(token) for token in unchanged.values()] == before

    def request(self, operation: Operation) -> tuple[str, str, Any]:
        """A request that is answered 200 as often as it is sent, unless it deletes."""
        self._prepare(operation, OTHER_TAG)
        return self._request(operation, self.create(OTHER_TAG, operation))

    def _prepare(self, operation: Operation, tag: str) -> None:
        """Make the endpoint, with a recorded delivery, or the key that the operation is about."""
        if operation.path.startswith(ENDPOINTS):
            put = by_id("put_endpoint_v1")
            assert put.body is not None
            self._ask_root("PUT", put.example_path(name=ENDPOINT), {**put.body.example, "tag": tag})
        if operation.path.startswith(DELIVERIES):
            self.delivery_id = self.record(ENDPOINT)
        if operation.path.startswith(KEYS):
            self.make("read")

    def _request(self, operation: Operation, token: Mapping[str, str]) -> tuple[str, str, Any]:
        name = self.names[-1] if operation.path.startswith(KEYS) else ENDPOINT
        places = {"waitpointId": token["id"], "path": token["path"], "name": name, "deliveryId": self.delivery_id}
        body = operation.body.example if operation.body else None
        if operation.id == "complete_waitpoint_key_v1":
            body = {"idempotencyKey": token["key"], "data": 1}
        elif operation.id == "create_waitpoint_token_v1":
            name = f"{token['key']}:{uuid.uuid4().hex}"
            body = {"tags": [name], "idempotencyKey": name}
        elif operation.id == "create_key_v1":
            body = {"name": uuid.uuid4().hex, "scopes": ["read"]}
        return operation.method, operation.example_path(**places), body
