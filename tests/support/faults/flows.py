"""The flows: what exists before, what happens during faults, and what must be true at the end."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

from tests.support.faults.aws import unique
from tests.support.faults.callers import Execution
from tests.support.faults.world import Ending, Timeout, World
from tests.support.in_process.fakes.waits import DENIED
from waitpoints.token import TokenError, iso
from waitpoints.waiter_result import Failure

Flow = Callable[[World], None]
FLOWS: dict[str, Flow] = {}
KEYED: list[str] = []
"""The flows in which another caller may act on the same key at any moment."""
DECISIONS: list[str] = []
"""The flows in which another person may answer, and the API key may complete the token, at any moment."""

SMALL = '{"approved": true, "by": "Ünïcode"}'
LARGE = json.dumps("x" * 110_000)  # goes to the bucket, and fits into a result of Step Functions
HOUR = 3_600_000
SECRET = "the secret of a provider"
KEY = "the order of a customer"  # every flow can have the same, as each world has a table of its own
NO = TokenError("It is out of stock: Größe", "OutOfStock", "E_STOCK")


def add(name: str, function: Flow, key: str | None = None) -> None:
    """States and durable functions wait in turn. In every second flow, a durable function is the first."""
    turns = len(FLOWS) % 2

    def run(world: World) -> None:
        for _ in range(turns):
            next(world.in_turn)
        if key:
            world.say_key(key)
        function(world)

    FLOWS[name] = run
    if key:
        KEYED.append(name)


def flow(function: Flow, key: str | None = None) -> Flow:
    add(function.__name__.replace("_", " "), function, key)
    return function


def keyed(key: str) -> Callable[[Flow], Flow]:
    """A flow in which another caller may act on this key."""
    return partial(flow, key=key)


Way = tuple[bool, bool]
"""How a run waits: whether it asks for the output alone, and whether it asks for context."""

PLAIN, UNWRAPPED, WITH_CONTEXT = (False, False), (True, False), (False, True)


@contextmanager
def waiting(world: World, token: dict[str, Any], outcome: Ending, *ways: Way) -> Iterator[None]:
    """Before this, runs begin to wait for the token. After it, everything comes to rest, and they go on with the outcome."""
    executions = [(world.wait(token, *way), way) for way in ways or (PLAIN,)]
    yield
    world.come_to_rest()
    for execution, way in executions:
        world.expect(execution, token, outcome, *way)


LATE: dict[str, Any] = {"after": 600, "timeout": "10m"}
"""The act comes in the millisecond of the timeout."""


def settles(
    name: str,
    outcome: Ending,
    act: Callable[..., object],
    *what: Any,
    ways: tuple[Way, ...] = (PLAIN,),
    times: int = 1,
    after: int = 0,
    **asked: Any,
) -> None:
    """Add a plain flow: runs wait for a token, and `act(world, token, *what)` settles it during faults.

    The act happens `times` times, `after` so many seconds. The token is created with `asked`, in which a function stands for
    what it makes in the world. If it has a timeout, its timer comes in the end, and changes nothing.
    """

    def plain(world: World) -> None:
        token = world.create(**{name: value(world) if callable(value) else value for name, value in asked.items()})
        with waiting(world, token, outcome, *ways):
            world.clock.advance(seconds=after)
            with world.faulty():
                for _ in range(times):
                    act(world, token, *what)
        if "timeout" in asked:
            world.advance(HOUR)

    add(name, plain, key=asked.get("idempotencyKey"))


def waits_late(name: str, outcome: Ending, settle: Callable[..., object], *ways: Way) -> None:
    """Add a flow: `settle(world, token, outcome)`, and then runs begin to wait during faults."""

    def late(world: World) -> None:
        token = world.create()
        settle(world, token, outcome)
        with world.faulty():
            executions = [(world.wait(token, *way), way) for way in ways]
        world.come_to_rest()
        for execution, way in executions:
            world.expect(execution, token, outcome, *way)

    add(name, late)


# Create


def goes_on_with_a_callback(world: World, token: dict[str, str], *executions: Execution) -> None:
    """The created token can be completed and waited for."""
    with waiting(world, token, SMALL):
        world.deliver(token, SMALL)
    for execution in executions:
        world.expect(execution, token, SMALL)


SCHEMA: dict[str, Any] = {"payloadSchema": {"type": "object", "required": ["approved"]}}
METADATA: dict[str, Any] = {"metadata": {"order": "ord_4711"}}


def creates(name: str, is_once: bool = False, scopes: tuple[str, ...] = (), **asked: Any) -> None:
    """Add a flow: a token is created during faults, and can be completed and waited for.

    If it `is_once`, the request has a key of its own. A named key with the `scopes` sends it, if there are some.
    """

    def created(world: World) -> None:
        if scopes:
            world.take_key(*scopes)
        with world.faulty():
            token = world.create(request_key=unique("call") if is_once else None, **asked)
        if is_once:
            assert not token["isCached"]
            assert world.token_ids() == [token["id"]]
        if "idempotencyKey" in asked:
            assert world.create(idempotencyKey=KEY, metadata={"another": 1}) == {**token, "isCached": True}
        if "payloadSchema" in asked:
            world.deliver(token, "{}", status=422)
        with waiting(world, token, SMALL, WITH_CONTEXT if "metadata" in asked else PLAIN):
            world.deliver(token, SMALL)

    add(name, created)


creates("create")
creates("create with idempotency key", idempotencyKey=KEY)
creates("create with request key", is_once=True)
creates("create with both keys", is_once=True, idempotencyKey=KEY)
creates("create with schema", **SCHEMA)
creates("create with schema and key", idempotencyKey=KEY, **SCHEMA)
creates("create with metadata", **METADATA)
creates("create with metadata schema and key", idempotencyKey=KEY, **METADATA, **SCHEMA)
creates("create with a named key", is_once=True, scopes=("create", "complete"))


@flow
def create_with_timeout(world: World) -> None:
    with world.faulty():
        token = world.create(timeout="10m")
    with waiting(world, token, Timeout()):
        world.come_to_rest()
        world.advance(600_000)


@flow
def create_again_with_idempotency_key(world: World) -> None:
    first = world.create(idempotencyKey=KEY)
    with world.faulty():
        token = world.create(idempotencyKey=KEY)
    assert token == {**first, "isCached": True}
    goes_on_with_a_callback(world, token)


@flow
def create_with_expired_idempotency_key(world: World) -> None:
    first = world.create(idempotencyKey=KEY, idempotencyKeyTTL="10s")
    world.clock.advance(seconds=10)
    with world.faulty():
        token = world.create(idempotencyKey=KEY, idempotencyKeyTTL="10s")
    assert token["id"] != first["id"]
    goes_on_with_a_callback(world, token)


@flow
def create_in_a_state_that_waits(world: World) -> None:
    with world.faulty():
        execution = world.run_wait("create_token_in_state", {"idempotencyKey": KEY, "timeout": "2h"})
    token = world.create(idempotencyKey=KEY)
    assert token["isCached"]
    goes_on_with_a_callback(world, token, execution)


@flow
def create_in_a_state_that_waits_until_the_timeout(world: World) -> None:
    with world.faulty():
        execution = world.run_wait("create_token_in_state", {"idempotencyKey": KEY, "timeout": "2h", "unwrap": True})
        world.come_to_rest()
    world.advance(2 * HOUR)
    world.expect(execution, world.create(idempotencyKey=KEY), Timeout(), unwrap=True)


@flow
def create_in_a_state_that_joins_a_completed_token(world: World) -> None:
    token = world.create(idempotencyKey=KEY)
    world.deliver(token, LARGE)
    with world.faulty():
        execution = world.run_wait("create_token_in_state", {"idempotencyKey": KEY})
    world.expect(execution, token, LARGE)


# Settle

settles("callback", SMALL, World.deliver, SMALL)
settles("callback with a large payload", LARGE, World.deliver, LARGE)
settles("complete", SMALL, World.complete, SMALL)
settles("complete past the timeout", Timeout(), World.complete, SMALL, **LATE)
settles("callback for three waiters", SMALL, World.deliver, SMALL, ways=(PLAIN, UNWRAPPED, PLAIN), timeout="1h")
settles("fail", NO, World.fail, NO, ways=(PLAIN, UNWRAPPED, WITH_CONTEXT))


@flow
def complete_for_a_run_that_asks_for_context(world: World) -> None:
    token = world.create()
    with waiting(world, token, SMALL, WITH_CONTEXT), world.faulty():
        world.complete(token, SMALL)
        late = world.wait(token, *WITH_CONTEXT)
    world.expect(late, token, SMALL, *WITH_CONTEXT)


@flow
def callback_after_the_signing_key_was_rotated(world: World) -> None:
    token = world.create()
    with waiting(world, token, SMALL):
        world.rotate("SigningKey")
        with world.faulty():
            world.deliver(token, SMALL)


@flow
def fail_without_a_resume(world: World) -> None:
    token = world.create()
    with waiting(world, token, NO, PLAIN, UNWRAPPED):
        with world.without_fast_path():
            world.fail(token, NO)
        with world.faulty():
            world.come_to_rest()


waits_late("wait for a failed token", NO, World.fail, PLAIN, UNWRAPPED, WITH_CONTEXT)


# Rules

APPROVED: dict[str, Any] = {"completeWhen": "body.approved"}
LARGE_AND_APPROVED = f'{{"approved": true, "text": {LARGE}}}'


def stripe(world: World) -> dict[str, str]:
    return {"scheme": "stripe", "secret": world.make_webhook_secret(SECRET)}


def signed_callback(world: World, token: dict[str, Any], body: str) -> None:
    world.deliver(token, body, signed_with=SECRET)


RULES: dict[str, Any] = {"verify": stripe, **APPROVED, **SCHEMA}

settles("callback that is verified", SMALL, signed_callback, SMALL, times=2, verify=stripe, timeout="1h")
settles("callback that matches", SMALL, signed_callback, SMALL, times=2, timeout="1h", **APPROVED)
settles("callback that fits", SMALL, signed_callback, SMALL, times=2, timeout="1h", **SCHEMA)
settles("callback with all rules", SMALL, signed_callback, SMALL, times=2, timeout="1h", **RULES)
settles("callback with all rules and a large payload", LARGE_AND_APPROVED, signed_callback, LARGE_AND_APPROVED, **RULES)
settles("callback with rules past the timeout", Timeout(), World.deliver, SMALL, **LATE, **APPROVED)


@flow
def callback_that_is_refused_first(world: World) -> None:
    token = world.create(verify=stripe(world), **SCHEMA)
    with waiting(world, token, SMALL):
        with world.faulty():
            world.deliver(token, SMALL, status=401)
            world.deliver(token, SMALL, status=401, signed_with="another secret")
            world.deliver(token, "{}", status=422, signed_with=SECRET)
        assert world.token(token["id"]).outcome is None
        world.deliver(token, SMALL, signed_with=SECRET)


@flow
def callback_that_is_passed_over_first(world: World) -> None:
    token = world.create(**APPROVED)
    with waiting(world, token, SMALL):
        with world.faulty():
            world.deliver(token, '{"approved": false}')
        assert world.token(token["id"]).outcome is None
        world.deliver(token, SMALL)


@flow
def complete_what_has_a_schema(world: World) -> None:
    token = world.create(**SCHEMA)
    with waiting(world, token, SMALL), world.faulty():
        world.complete(token, "{}", status=422)
        assert world.token(token["id"]).outcome is None
        world.complete(token, SMALL)


@flow
def create_with_rules(world: World) -> None:
    asked = {**RULES, "verify": stripe(world)}
    with world.faulty():
        token = world.create(request_key=unique("call"), **asked)
    assert world.token_ids() == [token["id"]]
    with waiting(world, token, SMALL):
        world.deliver(token, SMALL, status=401)
        world.deliver(token, SMALL, signed_with=SECRET)


# Named keys


def complete_with_a_named_key(world: World, token: dict[str, Any], data: str) -> None:
    """The environment knows no named key yet, knows it, and reads it again."""
    world.take_key("complete")
    for _ in range(2):
        world.complete(token, data)
    world.clock.advance(seconds=60)
    world.complete(token, data)


settles("complete with a named key", SMALL, complete_with_a_named_key, SMALL)


@flow
def keep_a_completion_with_a_limited_key_and_find_it_with_another_one(world: World) -> None:
    key = world.say_key(unique("team-a:order"))
    world.take_key("complete:team-a", "create:team-a")
    with world.faulty():
        kept = world.complete_by_key(key, SMALL)
        token = world.create(idempotencyKey=key)
    assert (token["id"], token["isCached"]) == (kept["id"], True)
    with waiting(world, token, SMALL):
        pass


# Metadata

settles("callback for a run that gets metadata", SMALL, World.deliver, SMALL, ways=(WITH_CONTEXT, PLAIN), **METADATA)


@flow
def resume_a_run_that_gets_metadata_without_the_fast_path(world: World) -> None:
    token = world.create(**METADATA)
    with waiting(world, token, SMALL, WITH_CONTEXT):
        with world.without_fast_path():
            world.complete(token, SMALL)
        with world.faulty():
            world.come_to_rest()
            late = world.wait(token, *WITH_CONTEXT)
    world.expect(late, token, SMALL, *WITH_CONTEXT)


@flow
def create_with_metadata_what_is_completed(world: World) -> None:
    completed = world.complete_by_key(KEY, SMALL)
    with world.faulty():
        token = world.create(idempotencyKey=KEY, **METADATA)
    assert token["id"] == completed["id"]
    world.expect(world.wait(token, *WITH_CONTEXT), token, SMALL, *WITH_CONTEXT)


# Complete by key


def finds(token: dict[str, Any], answer: dict[str, Any]) -> bool:
    """Whether a completion by key found this token. Sent again after a lost answer, it has not settled it."""
    return answer in ({"success": True, "settled": settled, "id": token["id"], "created": False} for settled in (True, False))


def complete_by_key(world: World, token: dict[str, Any], data: str) -> None:
    assert finds(token, world.complete_by_key(KEY, data))


def fail_by_key(world: World, token: dict[str, Any], error: TokenError) -> None:
    assert finds(token, world.fail_key(KEY, error))


settles("complete by key", SMALL, complete_by_key, SMALL, idempotencyKey=KEY)
settles("complete by key with a large payload", LARGE, complete_by_key, LARGE, idempotencyKey=KEY)
settles("fail by key", NO, fail_by_key, NO, ways=(PLAIN, UNWRAPPED), idempotencyKey=KEY)


@flow
def complete_by_key_past_its_expiry(world: World) -> None:
    """A completion that is sent again after its answer was lost is kept: it may be the next one's."""
    token = world.create(idempotencyKey=KEY, idempotencyKeyTTL="10s")
    with waiting(world, token, SMALL):
        world.clock.advance(seconds=10)
        with world.faulty():
            world.complete_by_key(KEY, SMALL)


settles("complete by key past the timeout", Timeout(), complete_by_key, SMALL, **LATE, idempotencyKey=KEY)


@keyed(KEY)
def complete_by_key_what_has_ended(world: World) -> None:
    token = world.create(idempotencyKey=KEY)
    with waiting(world, token, SMALL):
        world.deliver(token, SMALL)
        with world.faulty():
            answer = world.complete_by_key(KEY, "1")
        assert finds(token, answer)
        assert not answer["settled"]


@keyed(KEY)
def complete_by_key_what_has_a_schema(world: World) -> None:
    token = world.create(idempotencyKey=KEY, **SCHEMA)
    with waiting(world, token, SMALL), world.faulty():
        world.complete_by_key(KEY, "{}", status=None if world.outcomes_are_open else 422)
        world.complete_by_key(KEY, SMALL, status=None if world.outcomes_are_open else 200)


@keyed(KEY)
def complete_by_key_in_a_state(world: World) -> None:
    token = world.create(idempotencyKey=KEY)
    with waiting(world, token, '{"n":1}'), world.faulty():
        answer = world.run_task("complete_token_in_state", {"idempotencyKey": KEY, "data": {"n": 1}})
    assert finds(token, answer)


def meets(world: World, key: str, payload: Ending, completed: dict[str, Any]) -> None:
    """A create finds the completion that came first, and a run that waits for it goes on at once."""
    token = world.create(idempotencyKey=key, timeout="1h", tags=["late"])
    assert (token["id"], token["isCached"]) == (completed["id"], True)
    world.expect(world.wait(token), token, payload)
    assert world.token(token["id"]).timeout_at is None or world.outcomes_are_open


def comes_first(name: str, outcome: Ending, act: Callable[..., dict[str, Any]]) -> None:
    """Add a flow: `act(world, KEY, outcome)` completes the key during faults, before the create."""

    def first(world: World) -> None:
        with world.faulty():
            completed = act(world, KEY, outcome)
        assert world.token_ids() == [completed["id"]]
        meets(world, KEY, outcome, completed)

    add(name, first, KEY)


comes_first("complete by key before the create", SMALL, World.complete_by_key)
comes_first("complete by key with a large payload before the create", LARGE, World.complete_by_key)
comes_first("fail by key before the create", NO, World.fail_key)


@flow
def complete_by_key_after_an_earlier_token_has_ended_and_its_key_has_expired(world: World) -> None:
    earlier = world.create(idempotencyKey=KEY, idempotencyKeyTTL="10s")
    world.deliver(earlier, "1")
    world.clock.advance(seconds=10)
    with world.faulty():
        completed = world.complete_by_key(KEY, SMALL)
    assert completed["id"] != earlier["id"]
    meets(world, KEY, SMALL, completed)


@flow
def complete_by_key_after_an_earlier_completion_was_kept_in_vain(world: World) -> None:
    earlier = world.complete_by_key(KEY, "1", idempotencyKeyTTL="10s")
    world.clock.advance(seconds=10)
    with world.faulty():
        completed = world.complete_by_key(KEY, SMALL)
    assert completed["id"] != earlier["id"]
    meets(world, KEY, SMALL, completed)


@keyed(KEY)
def create_what_is_completed(world: World) -> None:
    completed = world.complete_by_key(KEY, SMALL)
    with world.faulty():
        token = world.create(idempotencyKey=KEY, tags=["late"])
    assert (token["id"], token["isCached"]) == (completed["id"], True)
    assert world.token(token["id"]).tags == ("late",) or world.outcomes_are_open
    world.expect(world.wait(token), token, SMALL)


@keyed(KEY)
def create_in_a_state_what_is_completed(world: World) -> None:
    world.complete_by_key(KEY, LARGE)
    with world.faulty():
        execution = world.run_wait("create_token_in_state", {"idempotencyKey": KEY})
    world.expect(execution, world.create(idempotencyKey=KEY), LARGE)


@keyed(KEY)
def create_with_a_schema_that_a_kept_completion_does_not_fit(world: World) -> None:
    world.complete_by_key(KEY, "1")
    with world.faulty():
        token = world.create(idempotencyKey=KEY, payloadSchema={"type": "object"})
        with waiting(world, token, SMALL):
            assert world.complete_by_key(KEY, SMALL)["id"] == token["id"]


@flow
def create_after_a_completion_was_kept_in_vain(world: World) -> None:
    completed = world.complete_by_key(KEY, "1", idempotencyKeyTTL="10s")
    world.clock.advance(seconds=10)
    with world.faulty():
        token = world.create(idempotencyKey=KEY)
    assert token["id"] != completed["id"]
    goes_on_with_a_callback(world, token)


@keyed(KEY)
def complete_by_key_then_create_then_wait(world: World) -> None:
    with world.faulty():
        completed = world.complete_by_key(KEY, SMALL)
        token = world.create(idempotencyKey=KEY)
        assert (token["id"], token["isCached"]) == (completed["id"], True)
        execution = world.wait(token)
        world.come_to_rest()
    world.expect(execution, token, SMALL)


@keyed(KEY)
def create_then_wait_then_complete_by_key(world: World) -> None:
    with world.faulty():
        token = world.create(idempotencyKey=KEY)
        with waiting(world, token, SMALL):
            assert world.complete_by_key(KEY, SMALL)["id"] == token["id"]


# Endpoints

RESULT = '{"approved":true,"by":"Ünïcode"}'
ENDPOINT, ENDPOINT_KEY = "stripe", "stripe:1"
EVENT = f'{{"id": 1, "done": true, "result": {RESULT}}}'


def an_endpoint(world: World, **settings: Any) -> dict[str, Any]:
    """An endpoint that asks for everything. EVENT completes its key."""
    rules = {"verify": stripe(world), "completeWhen": "body.done", "output": "body.result"}
    return world.put_endpoint_again(ENDPOINT, key="body.id", **rules, **settings)


@keyed(ENDPOINT_KEY)
def delivery_to_an_endpoint(world: World) -> None:
    """It comes twice."""
    endpoint = an_endpoint(world)
    token = world.create(idempotencyKey=ENDPOINT_KEY)
    with waiting(world, token, RESULT), world.faulty():
        world.deliver(endpoint, EVENT, signed_with=SECRET)
        world.deliver(endpoint, EVENT, signed_with=SECRET)


@keyed(ENDPOINT_KEY)
def delivery_to_an_endpoint_with_a_large_payload(world: World) -> None:
    endpoint = world.put_endpoint_again(ENDPOINT, key="body.id", verify="none", output="body.text")
    token = world.create(idempotencyKey=ENDPOINT_KEY)
    with waiting(world, token, LARGE), world.faulty():
        world.deliver(endpoint, f'{{"id": "1", "text": {LARGE}}}')


@keyed(ENDPOINT_KEY)
def delivery_to_an_endpoint_that_comes_first(world: World) -> None:
    endpoint = an_endpoint(world)
    with world.faulty():
        world.deliver(endpoint, EVENT, signed_with=SECRET)
    [kept] = world.token_ids()
    meets(world, ENDPOINT_KEY, RESULT, {"id": kept})


@keyed(ENDPOINT_KEY)
def delivery_to_an_endpoint_that_is_not_kept(world: World) -> None:
    endpoint = an_endpoint(world, keyTTL="0s")
    with world.faulty():
        world.deliver(endpoint, EVENT, signed_with=SECRET)
        token = world.create(idempotencyKey=ENDPOINT_KEY)
        execution = world.wait(token)
        world.deliver(endpoint, EVENT, signed_with=SECRET)
    world.come_to_rest()
    world.expect(execution, token, RESULT)


@keyed(ENDPOINT_KEY)
def delivery_to_an_endpoint_that_completes_nothing(world: World) -> None:
    """Not signed, not matching, without a key, without an output: each is counted, and the token still waits."""
    endpoint = an_endpoint(world)
    token = world.create(idempotencyKey=ENDPOINT_KEY)
    with waiting(world, token, RESULT):
        with world.faulty():
            world.deliver(endpoint, EVENT, status=401)
            for event in ('{"id": 1}', '{"done": true}', '{"id": 1, "done": true, "result": ' + "[" * 600 + "]" * 600 + "}"):
                world.deliver(endpoint, event, signed_with=SECRET)
        assert world.token(token["id"]).outcome is None or world.outcomes_are_open
        world.deliver(endpoint, EVENT, signed_with=SECRET)


@keyed(ENDPOINT_KEY)
def delivery_to_an_endpoint_for_what_has_a_schema(world: World) -> None:
    endpoint = an_endpoint(world)
    token = world.create(idempotencyKey=ENDPOINT_KEY, **SCHEMA)
    with waiting(world, token, RESULT), world.faulty():
        world.deliver(endpoint, '{"id": 1, "done": true, "result": {}}', signed_with=SECRET)
        world.deliver(endpoint, EVENT, signed_with=SECRET)


@flow
def put_endpoint(world: World) -> None:
    """An endpoint that is put again keeps its URL, so a retry of the first put does."""
    settings: dict[str, Any] = {"key": "body.id", "verify": stripe(world)}
    with world.faulty():
        endpoint = world.put_endpoint_again(ENDPOINT, **settings)
        changed = world.put_endpoint_again(ENDPOINT, **settings, output="body.result")
    assert changed["url"] == endpoint["url"]
    token = world.create(idempotencyKey=ENDPOINT_KEY)
    with waiting(world, token, RESULT):
        world.deliver(endpoint, EVENT, signed_with=SECRET)


@keyed(ENDPOINT_KEY)
def disable_endpoint(world: World) -> None:
    endpoint = an_endpoint(world)
    token = world.create(idempotencyKey=ENDPOINT_KEY)
    with waiting(world, token, RESULT):
        with world.faulty():
            world.disable_endpoint(endpoint, True)
            answer = world.http_once("POST", endpoint["url"], EVENT.encode(), {})
            assert answer is None or answer.status == 503
            assert world.token(token["id"]).outcome is None or world.outcomes_are_open
            world.disable_endpoint(endpoint, False)
        world.clock.advance(seconds=60)
        world.deliver(endpoint, EVENT, signed_with=SECRET)


@flow
def delete_endpoint(world: World) -> None:
    endpoint = an_endpoint(world)
    token = world.create(idempotencyKey=world.say_key(ENDPOINT_KEY))
    with world.faulty():
        world.delete_endpoint(endpoint)
    world.deliver(endpoint, EVENT, status=401, signed_with=SECRET)
    settings = {name: endpoint[name] for name in ("key", "verify", "completeWhen", "output")}
    again = world.put_endpoint_again(ENDPOINT, **settings)
    assert again["url"] != endpoint["url"]
    world.deliver(endpoint, EVENT, status=401, signed_with=SECRET)
    with waiting(world, token, RESULT):
        world.deliver(again, EVENT, signed_with=SECRET)


# Pages

PAGE = {
    "title": "Deploy?",
    "actions": [{"id": "approve", "label": "Approve"}, {"id": "reject", "label": "Reject"}],
    "fields": {"properties": {"reason": {"type": "string", "maxLength": 5}}, "required": ["reason"]},
}
CHOICE = [("action", "approve"), ("field.reason", "fine")]
CHOSEN = '{"action":"approve","fields":{"reason":"fine"}}'

# The second time, the browser is shown the decision.
settles("choose on a page", CHOSEN, World.choose, *CHOICE, times=2, page=PAGE, timeout="1h")
settles("choose on a page as a program", CHOSEN, World.deliver, CHOSEN, times=2, page=PAGE)


@flow
def choose_on_a_page_what_does_not_fit_first(world: World) -> None:
    token = world.create(page=PAGE)
    status = None if world.outcomes_are_open else 422
    with waiting(world, token, CHOSEN):
        with world.faulty():
            world.choose(token, ("action", "approve"), ("field.reason", "too long"), status=status)
            world.deliver(token, '{"action": "approve"}', status=status)
            world.deliver(token, SMALL, status=status)
        assert world.token(token["id"]).outcome is None or world.outcomes_are_open
        world.choose(token, *CHOICE)


@keyed(KEY)
def complete_by_key_what_has_a_page(world: World) -> None:
    token = world.create(idempotencyKey=KEY, page=PAGE)
    with waiting(world, token, CHOSEN), world.faulty():
        world.complete_by_key(KEY, SMALL, status=None if world.outcomes_are_open else 422)
        world.complete_by_key(KEY, CHOSEN)


settles("choose on a page past the timeout", Timeout(), World.choose, *CHOICE, **LATE, page=PAGE)


@flow
def look_at_a_page(world: World) -> None:
    """It settles nothing, whoever looks how often."""
    token = world.create(page=PAGE)
    with waiting(world, token, CHOSEN):
        with world.faulty():
            assert "Deploy?" in world.look(token).text
        assert world.token(token["id"]).outcome is None or world.outcomes_are_open
        world.choose(token, *CHOICE)
        with world.faulty():
            assert "Deploy?" in world.look(token).text


@flow
def create_with_page(world: World) -> None:
    with world.faulty():
        token = world.create(page=PAGE, idempotencyKey=KEY)
    with waiting(world, token, CHOSEN):
        world.deliver(token, "{}", status=422)
        world.choose(token, *CHOICE)


SIGNED = {"title": "Deploy?", "approvers": ["ann@example.com"], "signIn": True}
ISSUER = {"OIDC_ISSUER": "https://issuer.example.com", "OIDC_CLIENT_ID": "waitpoints"}


@flow
def create_with_a_sign_in_for_a_key_that_another_page_holds(world: World) -> None:
    token = world.create(page=PAGE, idempotencyKey=KEY)
    with mock.patch.dict(os.environ, ISSUER), world.faulty():
        execution = world.run_wait("create_token_in_state", {"idempotencyKey": KEY, "page": SIGNED})
    results = [execution.waits.result(handle) for handle in execution.handles]
    assert {it.error for it in results if isinstance(it, Failure)} == {"KeyTaken"}
    assert not {waiter.handle for waiter in world.token(token["id"]).waiters.values()} & {*execution.handles}
    with waiting(world, token, CHOSEN):
        world.choose(token, *CHOICE)


# Decisions

DECISION = {
    **PAGE,
    "approvers": ["ann", "bo", "cy", "dee"],
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
}
REJECTED = CHOSEN.replace("approve", "reject")


def decides(name: str, *answers: tuple[str, str], ways: tuple[Way, ...] = (PLAIN,), **asked: Any) -> None:
    """Add a flow: people answer one after the other during faults, and runs go on with what they have decided."""

    def decided(world: World) -> None:
        token = world.create(page=DECISION, **asked)
        executions = [(world.wait(token, *way), way) for way in ways]
        with world.faulty():
            for person, choice in answers:
                world.answer(token, person, choice)
        world.come_to_rest()
        outcome = world.decision_of(token, [person for person, _ in answers])
        for execution, way in executions:
            world.expect(execution, token, outcome, *way)

    add(name, decided)
    DECISIONS.append(name)


decides("answer that decides", ("cy", REJECTED), ways=(UNWRAPPED, WITH_CONTEXT))
decides("answers of which the last decides", ("ann", CHOSEN), ("bo", CHOSEN), timeout="1h")


@flow
def answer_that_does_not_decide(world: World) -> None:
    token = world.create(page=DECISION)
    execution = world.wait(token)
    with world.faulty():
        world.answer(token, "ann", CHOSEN)
        world.answer(token, "ann", REJECTED)
        world.deliver(token, CHOSEN, status=None if world.outcomes_are_open else 403)
    assert world.token(token["id"]).outcome is None or world.outcomes_are_open
    world.answer(token, "bo", CHOSEN)
    world.come_to_rest()
    world.expect(execution, token, world.decision_of(token, ["ann", "bo"]))


DECISIONS.append("answer that does not decide")


@flow
def answer_what_differs_from_the_others(world: World) -> None:
    token = world.create(page={**DECISION, "sameFields": ["reason"]})
    execution = world.wait(token)
    world.answer(token, "ann", CHOSEN)
    with world.faulty():
        world.answer(token, "cy", CHOSEN.replace("fine", "good"), status=None if world.outcomes_are_open else 422)
        world.answer(token, "bo", CHOSEN)
    world.come_to_rest()
    world.expect(execution, token, world.decision_of(token, ["ann", "bo"]))


DECISIONS.append("answer what differs from the others")


@flow
def hand_over(world: World) -> None:
    """Who was removed answers nothing, and who was added decides, with others."""
    token = world.create(page=DECISION)
    execution = world.wait(token)
    with world.faulty():
        is_done = world.hand_over(token, ["ed"], ["ann"], *([200, 409] if world.outcomes_are_open else [200]))
    if is_done:
        [url] = [one["url"] for one in token["links"] if one["approver"] == "ann"]
        assert world.http("POST", url, REJECTED.encode(), {"content-type": "application/json"}).status == 403
        world.answer(token, "ed", CHOSEN)
    world.answer(token, "bo", CHOSEN)
    world.answer(token, "cy", REJECTED)
    world.come_to_rest()
    world.expect(execution, token, world.decision_of(token, ["ed", "bo"]))
    assert [one.removed for one in world.token(token["id"]).hand_overs] == [("ann",)] * is_done


@flow
def answer_after_a_hand_over(world: World) -> None:
    token = world.create(page=DECISION)
    execution = world.wait(token)
    is_done = world.hand_over(token, ["ed"], ["ann", "cy"], 200)
    assert is_done
    with world.faulty():
        world.answer(token, "ed", REJECTED)
    world.come_to_rest()
    world.expect(execution, token, world.decision_of(token, ["ed"]))


DECISIONS += ["hand over", "answer after a hand over"]

LATER: dict[str, Any] = {"page": DECISION, "ways": (UNWRAPPED, WITH_CONTEXT)}
settles("answer past the timeout", Timeout(), World.answer, "cy", REJECTED, **LATE, **LATER)
settles("complete in place of the approvers", CHOSEN, World.complete, CHOSEN, page=DECISION)
settles("fail in place of the approvers", NO, World.fail, NO, **LATER)
DECISIONS += ["answer past the timeout", "complete in place of the approvers", "fail in place of the approvers"]


@flow
def create_with_approvers_what_is_completed(world: World) -> None:
    world.complete_by_key(KEY, CHOSEN)
    with world.faulty():
        token = world.create(page=DECISION, idempotencyKey=KEY)
    assert not world.token(token["id"]).outcome or world.outcomes_are_open
    execution = world.wait(token)
    world.answer(token, "cy", REJECTED)
    world.come_to_rest()
    world.expect(execution, token, world.decision_of(token, ["cy"]))


# Move the timeout


def moves(name: str, before: str, timeout: str | None, **asked: Any) -> None:
    """Add a flow: a run waits, and the token's timeout is moved or removed during faults. Then that comes, or a callback."""

    def move(world: World) -> None:
        token = world.create(timeout=before, **asked)
        with waiting(world, token, Timeout() if timeout else SMALL):
            with world.faulty():
                answer = world.move_deadline(token, timeout, *([200, 409] if world.outcomes_are_open else [200]))
            now = world.token(token["id"])
            assert now.outcome or answer.status == 200, "it was moved or has ended"
            if now.outcome is None:
                assert answer.json.get("timeoutAt") == (now.timeout_at and iso(now.timeout_at))
            world.advance(now.timeout_at - world.clock.now if now.timeout_at else 2 * HOUR)
            if timeout is None:
                world.deliver(token, SMALL, status=None if world.outcomes_are_open else 200)

    add(name, move, key=asked.get("idempotencyKey"))


moves("move a timeout away", "10m", "2h", idempotencyKey=KEY, idempotencyKeyTTL="1m", page=PAGE)
moves("move a timeout near", "2h", "2m")
moves("remove a timeout", "10m", None, payloadSchema={"type": "object"})


# Wait


@flow
def wait(world: World) -> None:
    token = world.create()
    with world.faulty():
        execution = world.wait(token)
    world.deliver(token, SMALL)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


waits_late("wait for a completed token", SMALL, World.deliver, PLAIN)
waits_late("wait for a large payload that is there", LARGE, World.deliver, UNWRAPPED)


@flow
def wait_past_the_timeout(world: World) -> None:
    token = world.create(timeout="10m")
    with waiting(world, token, Timeout()):
        world.clock.advance(seconds=600)
        with world.faulty():
            late = world.wait(token, *UNWRAPPED)
    world.expect(late, token, Timeout(), *UNWRAPPED)


# Time out


@flow
def arm_a_short_timer(world: World) -> None:
    one, other = world.create(timeout="10m"), world.create(timeout="10m")
    with waiting(world, one, Timeout()), waiting(world, other, Timeout()):
        with world.faulty():
            world.come_to_rest()
        world.advance(600_000)


@flow
def start_a_long_timer(world: World) -> None:
    """A round finds what time has brought near."""
    one, other = world.create(timeout="2h"), world.create(timeout="2h")
    due_at = world.clock() + 2 * HOUR
    with waiting(world, one, Timeout()), waiting(world, other, Timeout()):
        world.come_to_rest()
        world.clock.now = due_at - 122_000
        with world.faulty():
            world.come_to_rest()
        world.advance(due_at - world.clock.now)


@flow
def delay_a_timer_that_comes_early(world: World) -> None:
    token, timeout_at = world.create(timeout="10m"), world.clock() + 600_000
    with waiting(world, token, Timeout()):
        world.look_at(token)
        with world.faulty():
            world.queues["expire_tokens"].pass_on()
        world.advance(timeout_at - world.clock.now)


@flow
def expire(world: World) -> None:
    one, other = world.create(timeout="10m"), world.create(timeout="10m")
    with (
        waiting(world, one, Timeout(), PLAIN, UNWRAPPED),
        waiting(world, other, Timeout(), PLAIN, UNWRAPPED),
    ):
        world.come_to_rest()
        world.clock.advance(seconds=601)
        with world.faulty():
            world.queues["expire_tokens"].pass_on()
        world.advance(121_000)


# Resume: the fast path resumed no waiter


def settled_without_a_resume(world: World, *payloads: str) -> None:
    """Two runs wait for each token, and must go on with its payload."""
    for payload in payloads:
        token = world.create()
        executions = [world.wait(token) for _ in range(2)]
        with world.without_fast_path():
            world.deliver(token, payload)
        for execution in executions:
            world.expect(execution, token, payload)


def resumes(name: str, *payloads: str) -> None:
    """Add a flow: tokens are settled, and their runs go on by what is done during faults."""

    def resume(world: World) -> None:
        settled_without_a_resume(world, *payloads)
        with world.faulty():
            world.come_to_rest()

    add(name, resume)


resumes("resume", SMALL, "null")
resumes("resume with a large payload", LARGE)


@flow
def resume_what_is_not_recorded(world: World) -> None:
    token = world.create()
    with waiting(world, token, SMALL):
        with world.without_records():
            world.deliver(token, SMALL)
        with world.faulty():
            world.come_to_rest()


@flow
def resume_what_is_denied(world: World) -> None:
    token = world.create()
    denied, other = world.wait(token), world.wait(token)
    denied.waits.fail_next(DENIED, times=1_000, handle=denied.handles[-1])
    with world.faulty():
        world.deliver(token, SMALL)
        world.come_to_rest()
    assert set(world.dead_letters()) == {(token["id"], "AccessDeniedException")}
    assert world.lost() == [f"{token['id']} has 1 waiters without a record"]
    denied.waits.fail_no_more()
    assert world.lambdas.invoke("resume_waiters", {"command": "resume", "waitpointIds": [token["id"]]}) == {"undelivered": 0}
    world.expect(denied, token, SMALL)
    world.expect(other, token, SMALL)


@flow
def resume_a_part_of_a_batch(world: World) -> None:
    """The stream's next batch has tokens whose waiters are resumed already, and others."""
    for payload in (SMALL, "null", LARGE):
        token = world.create()
        world.expect(world.wait(token), token, payload)
        world.deliver(token, payload)
    settled_without_a_resume(world, SMALL)
    with world.faulty():
        world.come_to_rest()
