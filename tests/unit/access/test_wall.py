"""A key that is limited to a tag writes names within the tag only: its tags, and the idempotency keys of its requests.

Whether a completion and its create meet is decided by the key's name, and not by which of them came first.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import permutations, product
from typing import Any

import pytest

import complete_token_in_state
import create_token_in_state
from tests.support.in_process.api_gateway import COMPLETE_BY_KEY, TOKENS, Api, HttpAnswer
from tests.support.in_process.template import Context, Template
from tests.support.in_process.world import World
from tests.support.options.table import rows
from waitpoints.access.api_key_cache import LOOK_AGAIN_AFTER
from waitpoints.aws.services.outputs import IN_ITEM_LIMIT
from waitpoints.waiter_result import Success

NAMES = """
name            | team-a | team | team:sub
order           | 403    | 403  | 403
orders:1        | 403    | 403  | 403
team-a          | 200    | 403  | 403
team-a:         | 200    | 403  | 403
team-a:1        | 200    | 403  | 403
team-a:orders:1 | 200    | 403  | 403
team-a-1        | 403    | 403  | 403
TEAM-A:1        | 403    | 403  | 403
x:team-a:1      | 403    | 403  | 403
team            | 403    | 200  | 403
team:x          | 403    | 200  | 403
team:sub        | 403    | 200  | 200
team:sub:1      | 403    | 200  | 200
team:subway:1   | 403    | 200  | 403
"""
"""What a key answers that is limited to a tag, by the name that it writes. Everybody else may write each name."""

DELIVERIES = """
provider                      | endpoint | tag    | key
endpoint orders               | orders   |        | orders:1
endpoint team-a               | team-a   |        | team-a:1
endpoint orders, tag team-a   | orders   | team-a | team-a:orders:1
endpoint sub, tag team        | sub      | team   | team:sub:1
"""
"""The key that a delivery to an endpoint completes."""

LIMITS = ("team-a", "team", "team:sub")
ALLOWED = {(row["name"], limit): row[limit] == "200" for row in rows(NAMES) for limit in LIMITS}
UNLIMITED = ("IAM", "no limit")
PROVIDERS = {row["provider"]: row for row in rows(DELIVERIES)}
EVENT = "what happened"


class Stack:
    """A stack on moto, and those who write names: one of UNLIMITED, the tag that limits a key, or an endpoint."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = World()
        self.world.install(monkeypatch)
        monkeypatch.setenv("API_URL", "https://api.example.com")
        self.api = Api(Template.load(), self.world.api_key.read_current())
        scopes = {limit: [f"{action}:{limit}" for action in ("create", "complete", "read")] for limit in (*LIMITS, "team-b")}
        scopes |= {"no limit": ["create", "complete"], "both": ["create:team", "complete:team-a"]}
        self._keys = {who: self.world.api_key_store.make(f"key-{n}", *it) for n, (who, it) in enumerate(scopes.items())}
        self.world.advance(LOOK_AGAIN_AFTER)

    def post(self, writer: str, path: str, body: Any) -> HttpAnswer:
        return self.api.post(path, body, self.headers(writer))

    def headers(self, writer: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {self._keys[writer]}", "content-type": "application/json"}

    def create(self, writer: str, name: str, **body: Any) -> HttpAnswer:
        payload = {"idempotencyKey": name, **body}
        return _invoked(create_token_in_state, payload) if writer == "IAM" else self.post(writer, TOKENS, payload)

    def complete(self, writer: str, name: str, data: Any = EVENT) -> HttpAnswer:
        if writer in PROVIDERS:
            return self.deliver(PROVIDERS[writer]["endpoint"], PROVIDERS[writer]["tag"], data)
        payload = {"idempotencyKey": name, "data": data}
        return _invoked(complete_token_in_state, payload) if writer == "IAM" else self.post(writer, COMPLETE_BY_KEY, payload)

    def deliver(self, endpoint: str, tag: str, data: Any) -> HttpAnswer:
        """Deliver to an endpoint, which it makes or leaves as it is."""
        made = self.api.put_endpoint(endpoint, output="body.data", **({"tag": tag} if tag else {}))
        return self.api.deliver(made, {"id": 1, "data": data})

    def has_nothing(self) -> bool:
        return not self.world.store.tokens and not self.world.objects

    def resumed(self, task: str) -> Any:
        """The output that a task has been resumed with, or None."""
        result = self.world.step_functions.result(task)
        assert result is None or isinstance(result, Success)
        return result and json.loads(result.json)["output"]


def _invoked(function: Any, payload: Any) -> HttpAnswer:
    return HttpAnswer(200, {}, json.dumps(function.handler(payload, Context("InState"))))


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    return Stack(monkeypatch)


def is_refused(answer: HttpAnswer, action: str, limit: str, field: str) -> None:
    """It names the scope, the field, and what is accepted."""
    assert (answer.status, answer.json["code"]) == (403, "unauthorized")
    assert answer.error == (
        f"This key lacks the scope {action} for this value of {field}: it has {action}:{limit}, "
        f'which accepts "{limit}" and what begins with "{limit}:"'
    )


class TestAName:
    """It is refused before anything is stored, or accepted, in each field that a limited key writes."""

    @pytest.mark.parametrize(("name", "limit"), ALLOWED)
    def test_that_is_a_tag(self, stack: Stack, name: str, limit: str) -> None:
        for tags in (name, [name], [limit, name], [name, limit]):
            answer = stack.post(limit, TOKENS, {"tags": tags})
            if ALLOWED[name, limit]:
                assert {name, limit} == {*stack.world.store.tokens[answer.json["id"]].tags}
            else:
                is_refused(answer, "create", limit, "tags")
                assert stack.has_nothing()

    @pytest.mark.parametrize(("name", "limit"), ALLOWED)
    def test_that_a_create_has_as_its_key(self, stack: Stack, name: str, limit: str) -> None:
        answer = stack.create(limit, name, taskToken=stack.world.step_functions.start_task())
        if ALLOWED[name, limit]:
            assert stack.world.store.tokens[answer.json["id"]].tags == (limit,)
        else:
            is_refused(answer, "create", limit, "idempotencyKey")
            assert stack.has_nothing()

    @pytest.mark.parametrize(("name", "limit"), ALLOWED)
    @pytest.mark.parametrize("data", [1, "x" * IN_ITEM_LIMIT], ids=["small", "large"])
    def test_that_a_completion_has_as_its_key(self, stack: Stack, name: str, limit: str, data: Any) -> None:
        answer = stack.complete(limit, name, data)
        if ALLOWED[name, limit]:
            assert (answer.status, answer.json["created"]) == (200, True)
        else:
            is_refused(answer, "complete", limit, "idempotencyKey")
            assert stack.has_nothing()

    def test_is_held_to_the_scope_of_its_route(self, stack: Stack) -> None:
        for name, create, complete in (("team:x", 200, 403), ("team-a:x", 403, 200)):
            assert (stack.create("both", name).status, stack.complete("both", name).status) == (create, complete)


@dataclass(frozen=True)
class Pair:
    """A completion by key, and a create with the key."""

    name: str
    completer: str
    creator: str

    @property
    def accepted(self) -> dict[str, bool]:
        writers = {"complete": self.completer, "create": self.creator}
        return {step: ALLOWED.get((self.name, writer), True) for step, writer in writers.items()}

    @property
    def tags(self) -> dict[str, list[str]]:
        """The tags of the create. Those of a key without a limit decide nothing."""
        return {"tags": ["team-b"]} if self.creator in UNLIMITED else {}


def pairs(name: str) -> Iterator[Pair]:
    """Yield everybody who completes a name, with everybody who creates with it."""
    providers = [provider for provider, row in PROVIDERS.items() if row["key"] == name]
    for completer, creator in product((*UNLIMITED, *LIMITS, *providers), (*UNLIMITED, *LIMITS)):
        yield Pair(name, completer, creator)


class TestAPair:
    """Both meet in one token, or one of them is refused. Which came first decides nothing, and nothing is kept unseen."""

    @pytest.mark.parametrize("name", [row["name"] for row in rows(NAMES)])
    def test_ends_the_same_in_either_order(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        for pair, order in product(pairs(name), permutations(("complete", "create"))):
            stack = Stack(monkeypatch)
            task = stack.world.step_functions.start_task()
            steps = {
                "complete": partial(stack.complete, pair.completer, name),
                "create": partial(stack.create, pair.creator, name, taskToken=task, **pair.tags),
            }
            statuses = {step: steps[step]().status for step in order}
            assert {step: status == 200 for step, status in statuses.items()} == pair.accepted, (pair, order)
            assert {*statuses.values()} <= {200, 403}
            assert stack.resumed(task) == (EVENT if all(pair.accepted.values()) else None), (pair, order)
            assert len(stack.world.store.tokens) == any(pair.accepted.values()), (pair, order)
            self._waits_for_who_may(stack, pair)

    def _waits_for_who_may(self, stack: Stack, pair: Pair) -> None:
        """What was accepted alone meets the other half once a caller who may sends it."""
        accepted, task = pair.accepted, stack.world.step_functions.start_task()
        if accepted["create"] and not accepted["complete"]:
            assert stack.complete("IAM", pair.name, "later").json["settled"]
        if any(accepted.values()):
            assert stack.create("IAM", pair.name, taskToken=task).json["isCached"]
            assert stack.resumed(task) == ("later" if not accepted["complete"] else EVENT), pair


class TestTheKeyOfARequest:
    """A retry sends it again. It is no name: each API key has its own."""

    def test_finds_only_what_the_same_api_key_has_created(self, stack: Stack) -> None:
        def create(headers: Mapping[str, str]) -> str:
            return str(stack.api.post(TOKENS, {}, {**headers, "x-trigger-request-idempotency-key": "call-1"}).json["id"])

        callers = [stack.api.authorized, *(stack.headers(writer) for writer in ("no limit", "team-a", "team-b"))]
        made = [create(headers) for headers in callers]
        assert [create(headers) for headers in callers] == made
        assert len({*made}) == len(callers)
