"""The flows: what exists before, what happens during faults, and what must be true at the end."""

import json
from collections.abc import Callable
from typing import Any

from in_process.fakes.waits import DENIED
from tests.faults.aws import unique
from tests.faults.callers import Execution
from tests.faults.world import Ending, Timeout, World
from waitpoints.token import TokenError

Flow = Callable[[World], None]
FLOWS: dict[str, Flow] = {}
KEYED: list[str] = []
"""The flows in which another caller may act on the same keys at any moment."""

SMALL = '{"approved": true, "by": "Ünïcode"}'
LARGE = json.dumps("x" * 110_000)  # goes to the bucket, and fits into a result of Step Functions
HOUR = 3_600_000
SECRET = "the secret of a sender"
NO = TokenError("It is out of stock: Größe", "OutOfStock", "E_STOCK")


def flow(function: Flow) -> Flow:
    """States and durable functions wait in turn. In every second flow, a durable function is the first."""
    turns = len(FLOWS) % 2

    def run(world: World) -> None:
        for _ in range(turns):
            next(world.in_turn)
        function(world)

    FLOWS[function.__name__.replace("_", " ")] = run
    return function


def keyed(function: Flow) -> Flow:
    KEYED.append(function.__name__.replace("_", " "))
    return flow(function)


# Create


def goes_on_with_a_callback(world: World, token: dict[str, str], *executions: Execution) -> None:
    """The created token can be completed and waited for."""
    all_of_them = [*executions, world.wait(token)]
    world.callback(token, SMALL)
    world.come_to_rest()
    for execution in all_of_them:
        world.expect(execution, token, SMALL)


@flow
def create(world: World) -> None:
    with world.faulty():
        token = world.create()
    goes_on_with_a_callback(world, token)


@flow
def create_with_timeout(world: World) -> None:
    with world.faulty():
        token = world.create(timeout="10m")
    execution = world.wait(token)
    world.come_to_rest()
    world.pass_time(world.clock() + 600_000)
    world.expect(execution, token, Timeout())


@flow
def create_with_idempotency_key(world: World) -> None:
    key = unique("order")
    with world.faulty():
        token = world.create(idempotencyKey=key)
    assert world.create(idempotencyKey=key) == {**token, "isCached": True}
    goes_on_with_a_callback(world, token)


@flow
def create_again_with_idempotency_key(world: World) -> None:
    key = unique("order")
    first = world.create(idempotencyKey=key)
    with world.faulty():
        token = world.create(idempotencyKey=key)
    assert token == {**first, "isCached": True}
    goes_on_with_a_callback(world, token)


@flow
def create_with_expired_idempotency_key(world: World) -> None:
    key = unique("order")
    first = world.create(idempotencyKey=key, idempotencyKeyTTL="10s")
    world.clock.advance(seconds=10)
    with world.faulty():
        token = world.create(idempotencyKey=key, idempotencyKeyTTL="10s")
    assert token["id"] != first["id"]
    goes_on_with_a_callback(world, token)


@flow
def create_with_request_key(world: World) -> None:
    with world.faulty():
        token = world.create(request_key=unique("call"))
    assert not token["isCached"]
    assert world.token_ids() == [token["id"]]
    goes_on_with_a_callback(world, token)


@flow
def create_with_both_keys(world: World) -> None:
    with world.faulty():
        token = world.create(request_key=unique("call"), idempotencyKey=unique("order"))
    assert not token["isCached"]
    assert world.token_ids() == [token["id"]]
    goes_on_with_a_callback(world, token)


@flow
def create_in_a_state_that_waits(world: World) -> None:
    key = unique("order")
    with world.faulty():
        execution = world.run_wait("create_token_in_state", {"idempotencyKey": key, "timeout": "2h"})
    token = world.create(idempotencyKey=key)
    assert token["isCached"]
    goes_on_with_a_callback(world, token, execution)


@flow
def create_in_a_state_that_waits_until_the_timeout(world: World) -> None:
    key = unique("order")
    with world.faulty():
        execution = world.run_wait("create_token_in_state", {"idempotencyKey": key, "timeout": "2h", "unwrap": True})
        world.come_to_rest()
    world.pass_time(world.clock() + 2 * HOUR)
    world.expect(execution, world.create(idempotencyKey=key), Timeout(), unwrap=True)


@flow
def create_in_a_state_that_joins_a_completed_token(world: World) -> None:
    key = unique("order")
    token = world.create(idempotencyKey=key)
    world.callback(token, LARGE)
    with world.faulty():
        execution = world.run_wait("create_token_in_state", {"idempotencyKey": key})
    world.expect(execution, token, LARGE)


# Settle


@flow
def callback(world: World) -> None:
    token = world.create()
    execution = world.wait(token)
    with world.faulty():
        world.callback(token, SMALL)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@flow
def callback_after_the_signing_key_was_rotated(world: World) -> None:
    token = world.create()
    execution = world.wait(token)
    world.rotate("SigningKey")
    with world.faulty():
        world.callback(token, SMALL)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@flow
def callback_for_three_waiters(world: World) -> None:
    token = world.create(timeout="1h")
    executions = [(world.wait(token, unwrap), unwrap) for unwrap in (False, True, False)]
    with world.faulty():
        world.callback(token, SMALL)
    world.come_to_rest()
    for execution, unwrap in executions:
        world.expect(execution, token, SMALL, unwrap)
    world.pass_time(world.clock() + HOUR)


@flow
def callback_with_a_large_payload(world: World) -> None:
    token = world.create()
    execution = world.wait(token)
    with world.faulty():
        world.callback(token, LARGE)
    world.come_to_rest()
    world.expect(execution, token, LARGE)


@flow
def complete(world: World) -> None:
    token = world.create()
    execution = world.wait(token)
    with world.faulty():
        world.complete(token, SMALL)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@flow
def complete_past_the_timeout(world: World) -> None:
    token = world.create(timeout="10m")
    execution = world.wait(token)
    world.clock.advance(seconds=600)
    with world.faulty():
        world.complete(token, SMALL)
    world.come_to_rest()
    world.expect(execution, token, Timeout())


@flow
def complete_for_a_run_that_asks_for_context(world: World) -> None:
    token = world.create()
    early = world.wait(token, context=True)
    with world.faulty():
        world.complete(token, SMALL)
        late = world.wait(token, context=True)
    world.come_to_rest()
    for execution in (early, late):
        world.expect(execution, token, SMALL, context=True)


@flow
def fail(world: World) -> None:
    token = world.create()
    waiting = [(world.wait(token, *how), how) for how in ((False, False), (True, False), (False, True))]
    with world.faulty():
        world.fail(token, NO)
    world.come_to_rest()
    for execution, (unwrap, context) in waiting:
        world.expect(execution, token, NO, unwrap, context)


@flow
def fail_without_a_resume(world: World) -> None:
    token = world.create()
    executions = {unwrap: world.wait(token, unwrap) for unwrap in (False, True)}
    with world.without_fast_path():
        world.fail(token, NO)
    with world.faulty():
        world.come_to_rest()
    for unwrap, execution in executions.items():
        world.expect(execution, token, NO, unwrap)


@flow
def wait_for_a_failed_token(world: World) -> None:
    token = world.create()
    world.fail(token, NO)
    with world.faulty():
        waiting = [(world.wait(token, *how), how) for how in ((False, False), (True, False), (False, True))]
    world.come_to_rest()
    for execution, (unwrap, context) in waiting:
        world.expect(execution, token, NO, unwrap, context)


# Rules


def rules(world: World) -> dict[str, dict[str, Any]]:
    return {
        "verify": {"verify": {"scheme": "stripe", "secret": world.make_webhook_secret(SECRET)}},
        "completeWhen": {"completeWhen": "body.approved"},
        "payloadSchema": {"payloadSchema": {"type": "object", "required": ["approved"]}},
    }


def callback_by(world: World, *names: str) -> None:
    """A delivery to a token with rules, and the same once more: it is late."""
    asked = rules(world)
    token = world.create(timeout="1h", **{name: value for rule in names for name, value in asked[rule].items()})
    execution = world.wait(token)
    with world.faulty():
        world.callback(token, SMALL, signed_with=SECRET)
        world.callback(token, SMALL, signed_with=SECRET)
    world.come_to_rest()
    world.expect(execution, token, SMALL)
    world.pass_time(world.clock() + HOUR)


@flow
def callback_that_is_verified(world: World) -> None:
    callback_by(world, "verify")


@flow
def callback_that_matches(world: World) -> None:
    callback_by(world, "completeWhen")


@flow
def callback_that_fits(world: World) -> None:
    callback_by(world, "payloadSchema")


@flow
def callback_with_all_rules(world: World) -> None:
    callback_by(world, "verify", "completeWhen", "payloadSchema")


@flow
def callback_with_all_rules_and_a_large_payload(world: World) -> None:
    payload = '{"approved": true, "text": ' + LARGE + "}"
    token = world.create(**{name: value for rule in rules(world).values() for name, value in rule.items()})
    execution = world.wait(token)
    with world.faulty():
        world.callback(token, payload, signed_with=SECRET)
    world.come_to_rest()
    world.expect(execution, token, payload)


@flow
def callback_with_rules_past_the_timeout(world: World) -> None:
    token = world.create(timeout="10m", completeWhen="body.approved")
    execution = world.wait(token)
    world.clock.advance(seconds=600)
    with world.faulty():
        world.callback(token, SMALL)
    world.come_to_rest()
    world.expect(execution, token, Timeout())


@flow
def callback_that_is_refused_first(world: World) -> None:
    asked = rules(world)
    token = world.create(**asked["verify"], **asked["payloadSchema"])
    execution = world.wait(token)
    with world.faulty():
        world.callback(token, SMALL, status=401)
        world.callback(token, SMALL, status=401, signed_with="another secret")
        world.callback(token, "{}", status=422, signed_with=SECRET)
    assert world.token(token["id"]).outcome is None
    world.callback(token, SMALL, signed_with=SECRET)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@flow
def callback_that_is_passed_over_first(world: World) -> None:
    token = world.create(completeWhen="body.approved")
    execution = world.wait(token)
    with world.faulty():
        world.callback(token, '{"approved": false}')
    assert world.token(token["id"]).outcome is None
    world.callback(token, SMALL)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@flow
def complete_what_has_a_schema(world: World) -> None:
    token = world.create(**rules(world)["payloadSchema"])
    execution = world.wait(token)
    with world.faulty():
        world.complete(token, "{}", status=422)
        assert world.token(token["id"]).outcome is None
        world.complete(token, SMALL)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@flow
def create_with_rules(world: World) -> None:
    asked = {name: value for rule in rules(world).values() for name, value in rule.items()}
    with world.faulty():
        token = world.create(request_key=unique("call"), **asked)
    assert world.token_ids() == [token["id"]]
    execution = world.wait(token)
    world.callback(token, SMALL, status=401)
    world.callback(token, SMALL, signed_with=SECRET)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@flow
def create_with_schema(world: World) -> None:
    with world.faulty():
        token = world.create(**rules(world)["payloadSchema"])
    world.callback(token, "{}", status=422)
    goes_on_with_a_callback(world, token)


@flow
def create_with_schema_and_key(world: World) -> None:
    key, asked = unique("order"), rules(world)["payloadSchema"]
    with world.faulty():
        token = world.create(idempotencyKey=key, **asked)
    assert world.create(idempotencyKey=key, **asked) == {**token, "isCached": True}
    world.callback(token, "{}", status=422)
    goes_on_with_a_callback(world, token)


# Complete by key


def a_key(world: World) -> str:
    return world.say_key(unique("order"))


@keyed
def complete_by_key(world: World) -> None:
    key = a_key(world)
    token = world.create(idempotencyKey=key)
    execution = world.wait(token)
    with world.faulty():
        assert world.complete_key(key, SMALL) == {"success": True, "id": token["id"], "created": False}
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@keyed
def complete_by_key_with_a_large_payload(world: World) -> None:
    key = a_key(world)
    token = world.create(idempotencyKey=key)
    execution = world.wait(token)
    with world.faulty():
        world.complete_key(key, LARGE)
    world.come_to_rest()
    world.expect(execution, token, LARGE)


@keyed
def fail_by_key(world: World) -> None:
    key = a_key(world)
    token = world.create(idempotencyKey=key)
    executions = {unwrap: world.wait(token, unwrap) for unwrap in (False, True)}
    with world.faulty():
        world.fail_key(key, NO)
    world.come_to_rest()
    for unwrap, execution in executions.items():
        world.expect(execution, token, NO, unwrap)


@flow
def complete_by_key_past_its_expiry(world: World) -> None:
    """A completion that is sent again after its answer was lost is kept: it may be the next one's."""
    key = unique("order")
    token = world.create(idempotencyKey=key, idempotencyKeyTTL="10s")
    execution = world.wait(token)
    world.clock.advance(seconds=10)
    with world.faulty():
        world.complete_key(key, SMALL)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@keyed
def complete_by_key_past_the_timeout(world: World) -> None:
    key = a_key(world)
    token = world.create(idempotencyKey=key, timeout="10m")
    execution = world.wait(token)
    world.clock.advance(seconds=600)
    with world.faulty():
        assert world.complete_key(key, SMALL)["id"] == token["id"]
    world.come_to_rest()
    world.expect(execution, token, Timeout())


@keyed
def complete_by_key_what_has_ended(world: World) -> None:
    key = a_key(world)
    token = world.create(idempotencyKey=key)
    execution = world.wait(token)
    world.callback(token, SMALL)
    with world.faulty():
        assert world.complete_key(key, "1") == {"success": True, "id": token["id"], "created": False}
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@keyed
def complete_by_key_what_has_a_schema(world: World) -> None:
    key = a_key(world)
    token = world.create(idempotencyKey=key, **rules(world)["payloadSchema"])
    execution = world.wait(token)
    with world.faulty():
        world.complete_key(key, "{}", status=None if world.outcomes_are_open else 422)
        world.complete_key(key, SMALL, status=None if world.outcomes_are_open else 200)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@keyed
def complete_by_key_in_a_state(world: World) -> None:
    key = a_key(world)
    token = world.create(idempotencyKey=key)
    execution = world.wait(token)
    with world.faulty():
        answer = world.run_task("complete_token_in_state", {"idempotencyKey": key, "data": {"n": 1}})
    assert answer == {"success": True, "id": token["id"], "created": False}
    world.come_to_rest()
    world.expect(execution, token, '{"n":1}')


def meets(world: World, key: str, payload: Ending, completed: dict[str, Any]) -> None:
    """A create finds the completion that came first, and a run that waits for it goes on at once."""
    token = world.create(idempotencyKey=key, timeout="1h", tags=["late"])
    assert (token["id"], token["isCached"]) == (completed["id"], True)
    world.expect(world.wait(token), token, payload)
    assert world.token(token["id"]).timeout_at is None or world.outcomes_are_open


@keyed
def complete_by_key_before_the_create(world: World) -> None:
    key = a_key(world)
    with world.faulty():
        completed = world.complete_key(key, SMALL)
    assert world.token_ids() == [completed["id"]]
    meets(world, key, SMALL, completed)


@keyed
def complete_by_key_with_a_large_payload_before_the_create(world: World) -> None:
    key = a_key(world)
    with world.faulty():
        completed = world.complete_key(key, LARGE)
    meets(world, key, LARGE, completed)


@keyed
def fail_by_key_before_the_create(world: World) -> None:
    key = a_key(world)
    with world.faulty():
        completed = world.fail_key(key, NO)
    meets(world, key, NO, completed)


@flow
def complete_by_key_after_an_earlier_token_has_ended_and_its_key_has_expired(world: World) -> None:
    key = unique("order")
    earlier = world.create(idempotencyKey=key, idempotencyKeyTTL="10s")
    world.callback(earlier, "1")
    world.clock.advance(seconds=10)
    with world.faulty():
        completed = world.complete_key(key, SMALL)
    assert completed["id"] != earlier["id"]
    meets(world, key, SMALL, completed)


@flow
def complete_by_key_after_an_earlier_completion_was_kept_in_vain(world: World) -> None:
    key = unique("order")
    earlier = world.complete_key(key, "1", idempotencyKeyTTL="10s")
    world.clock.advance(seconds=10)
    with world.faulty():
        completed = world.complete_key(key, SMALL)
    assert completed["id"] != earlier["id"]
    meets(world, key, SMALL, completed)


@keyed
def create_what_is_completed(world: World) -> None:
    key = a_key(world)
    completed = world.complete_key(key, SMALL)
    with world.faulty():
        token = world.create(idempotencyKey=key, tags=["late"])
    assert (token["id"], token["isCached"]) == (completed["id"], True)
    assert world.token(token["id"]).tags == ("late",) or world.outcomes_are_open
    world.expect(world.wait(token), token, SMALL)


@keyed
def create_in_a_state_what_is_completed(world: World) -> None:
    key = a_key(world)
    world.complete_key(key, LARGE)
    with world.faulty():
        execution = world.run_wait("create_token_in_state", {"idempotencyKey": key})
    world.expect(execution, world.create(idempotencyKey=key), LARGE)


@keyed
def create_with_a_schema_that_a_kept_completion_does_not_fit(world: World) -> None:
    key = a_key(world)
    world.complete_key(key, "1")
    with world.faulty():
        token = world.create(idempotencyKey=key, payloadSchema={"type": "object"})
        execution = world.wait(token)
        assert world.complete_key(key, SMALL)["id"] == token["id"]
        world.come_to_rest()
    world.expect(execution, token, SMALL)


@flow
def create_after_a_completion_was_kept_in_vain(world: World) -> None:
    key = unique("order")
    completed = world.complete_key(key, "1", idempotencyKeyTTL="10s")
    world.clock.advance(seconds=10)
    with world.faulty():
        token = world.create(idempotencyKey=key)
    assert token["id"] != completed["id"]
    goes_on_with_a_callback(world, token)


@keyed
def complete_by_key_then_create_then_wait(world: World) -> None:
    key = a_key(world)
    with world.faulty():
        completed = world.complete_key(key, SMALL)
        token = world.create(idempotencyKey=key)
        assert (token["id"], token["isCached"]) == (completed["id"], True)
        execution = world.wait(token)
        world.come_to_rest()
    world.expect(execution, token, SMALL)


@keyed
def create_then_wait_then_complete_by_key(world: World) -> None:
    key = a_key(world)
    with world.faulty():
        token = world.create(idempotencyKey=key)
        execution = world.wait(token)
        assert world.complete_key(key, SMALL)["id"] == token["id"]
        world.come_to_rest()
    world.expect(execution, token, SMALL)


# Endpoints

RESULT = '{"approved":true,"by":"Ünïcode"}'
EVENT = f'{{"id": 1, "done": true, "result": {RESULT}}}'


def an_endpoint(world: World, **settings: Any) -> tuple[dict[str, Any], str]:
    """An endpoint that asks for everything, and the key that EVENT completes."""
    verify = {"scheme": "stripe", "secret": world.make_webhook_secret(SECRET)}
    endpoint = world.put_endpoint(verify=verify, completeWhen="body.done", output="body.result", **settings)
    return endpoint, world.say_key(f"{endpoint['name']}:1")


@keyed
def delivery_to_an_endpoint(world: World) -> None:
    """It comes twice."""
    endpoint, key = an_endpoint(world)
    token = world.create(idempotencyKey=key)
    execution = world.wait(token)
    with world.faulty():
        world.deliver(endpoint, EVENT, signed_with=SECRET)
        world.deliver(endpoint, EVENT, signed_with=SECRET)
    world.come_to_rest()
    world.expect(execution, token, RESULT)


@keyed
def delivery_to_an_endpoint_with_a_large_payload(world: World) -> None:
    endpoint = world.put_endpoint(output="body.text")
    token = world.create(idempotencyKey=world.say_key(f"{endpoint['name']}:1"))
    execution = world.wait(token)
    with world.faulty():
        world.deliver(endpoint, f'{{"id": "1", "text": {LARGE}}}')
    world.come_to_rest()
    world.expect(execution, token, LARGE)


@keyed
def delivery_to_an_endpoint_that_comes_first(world: World) -> None:
    endpoint, key = an_endpoint(world)
    with world.faulty():
        world.deliver(endpoint, EVENT, signed_with=SECRET)
    [kept] = world.token_ids()
    meets(world, key, RESULT, {"id": kept})


@keyed
def delivery_to_an_endpoint_that_is_not_kept(world: World) -> None:
    endpoint, key = an_endpoint(world, keyTTL="0s")
    with world.faulty():
        world.deliver(endpoint, EVENT, signed_with=SECRET)
        token = world.create(idempotencyKey=key)
        execution = world.wait(token)
        world.deliver(endpoint, EVENT, signed_with=SECRET)
    world.come_to_rest()
    world.expect(execution, token, RESULT)


@keyed
def delivery_to_an_endpoint_that_completes_nothing(world: World) -> None:
    """Not signed, not matching, without a key, without an output: each is counted, and the token still waits."""
    endpoint, key = an_endpoint(world)
    token = world.create(idempotencyKey=key)
    execution = world.wait(token)
    with world.faulty():
        world.deliver(endpoint, EVENT, status=401)
        for event in ('{"id": 1}', '{"done": true}', '{"id": 1, "done": true, "result": ' + "[" * 600 + "]" * 600 + "}"):
            world.deliver(endpoint, event, signed_with=SECRET)
    assert world.token(token["id"]).outcome is None or world.outcomes_are_open
    world.deliver(endpoint, EVENT, signed_with=SECRET)
    world.come_to_rest()
    world.expect(execution, token, RESULT)


@keyed
def delivery_to_an_endpoint_for_what_has_a_schema(world: World) -> None:
    endpoint, key = an_endpoint(world)
    token = world.create(idempotencyKey=key, **rules(world)["payloadSchema"])
    execution = world.wait(token)
    with world.faulty():
        world.deliver(endpoint, '{"id": 1, "done": true, "result": {}}', signed_with=SECRET)
        world.deliver(endpoint, EVENT, signed_with=SECRET)
    world.come_to_rest()
    world.expect(execution, token, RESULT)


@flow
def put_endpoint(world: World) -> None:
    """An endpoint that is put again keeps its URL, so a retry of the first put does."""
    name = unique("endpoint")
    settings = {"key": "body.id", "verify": {"scheme": "stripe", "secret": world.make_webhook_secret(SECRET)}}
    with world.faulty():
        endpoint = world.put_endpoint_again(name, **settings)
        changed = world.put_endpoint_again(name, **settings, output="body.result")
    assert changed["url"] == endpoint["url"]
    token = world.create(idempotencyKey=f"{name}:1")
    execution = world.wait(token)
    world.deliver(endpoint, EVENT, signed_with=SECRET)
    world.come_to_rest()
    world.expect(execution, token, RESULT)


@flow
def delete_endpoint(world: World) -> None:
    endpoint, key = an_endpoint(world)
    token = world.create(idempotencyKey=key)
    with world.faulty():
        world.delete_endpoint(endpoint)
    world.deliver(endpoint, EVENT, status=401, signed_with=SECRET)
    settings = {name: endpoint[name] for name in ("key", "verify", "completeWhen", "output")}
    again = world.put_endpoint_again(endpoint["name"], **settings)
    assert again["url"] != endpoint["url"]
    world.deliver(endpoint, EVENT, status=401, signed_with=SECRET)
    execution = world.wait(token)
    world.deliver(again, EVENT, signed_with=SECRET)
    world.come_to_rest()
    world.expect(execution, token, RESULT)


# Pages

PAGE = {
    "title": "Deploy?",
    "actions": [{"id": "approve", "label": "Approve"}, {"id": "reject", "label": "Reject"}],
    "fields": {"properties": {"reason": {"type": "string", "maxLength": 5}}, "required": ["reason"]},
}
CHOICE = [("action", "approve"), ("field.reason", "fine")]
CHOSEN = '{"action":"approve","fields":{"reason":"fine"}}'


@flow
def choose_on_a_page(world: World) -> None:
    """Twice: the second time the browser is shown the decision."""
    token = world.create(page=PAGE, timeout="1h")
    execution = world.wait(token)
    with world.faulty():
        world.choose(token, *CHOICE)
        world.choose(token, *CHOICE)
    world.come_to_rest()
    world.expect(execution, token, CHOSEN)


@flow
def choose_on_a_page_as_a_program(world: World) -> None:
    token = world.create(page=PAGE)
    execution = world.wait(token)
    with world.faulty():
        world.callback(token, CHOSEN)
        world.callback(token, CHOSEN)
    world.come_to_rest()
    world.expect(execution, token, CHOSEN)


@flow
def choose_on_a_page_what_does_not_fit_first(world: World) -> None:
    token = world.create(page=PAGE)
    execution = world.wait(token)
    status = None if world.outcomes_are_open else 422
    with world.faulty():
        world.choose(token, ("action", "approve"), ("field.reason", "too long"), status=status)
        world.callback(token, '{"action": "approve"}', status=status)
        world.callback(token, SMALL, status=status)
    assert world.token(token["id"]).outcome is None or world.outcomes_are_open
    world.choose(token, *CHOICE)
    world.come_to_rest()
    world.expect(execution, token, CHOSEN)


@keyed
def complete_by_key_what_has_a_page(world: World) -> None:
    key = a_key(world)
    token = world.create(idempotencyKey=key, page=PAGE)
    execution = world.wait(token)
    with world.faulty():
        world.complete_key(key, SMALL, status=None if world.outcomes_are_open else 422)
        world.complete_key(key, CHOSEN)
    world.come_to_rest()
    world.expect(execution, token, CHOSEN)


@flow
def choose_on_a_page_past_the_timeout(world: World) -> None:
    token = world.create(page=PAGE, timeout="10m")
    execution = world.wait(token)
    world.clock.advance(seconds=600)
    with world.faulty():
        world.choose(token, *CHOICE)
    world.come_to_rest()
    world.expect(execution, token, Timeout())


@flow
def look_at_a_page(world: World) -> None:
    """It settles nothing, whoever looks how often."""
    token = world.create(page=PAGE)
    execution = world.wait(token)
    with world.faulty():
        assert "Deploy?" in world.look(token).text
    assert world.token(token["id"]).outcome is None or world.outcomes_are_open
    world.choose(token, *CHOICE)
    with world.faulty():
        assert "Deploy?" in world.look(token).text
    world.come_to_rest()
    world.expect(execution, token, CHOSEN)


@flow
def create_with_page(world: World) -> None:
    with world.faulty():
        token = world.create(page=PAGE, idempotencyKey=unique("order"))
    execution = world.wait(token)
    world.callback(token, "{}", status=422)
    world.choose(token, *CHOICE)
    world.come_to_rest()
    world.expect(execution, token, CHOSEN)


# Wait


@flow
def wait(world: World) -> None:
    token = world.create()
    with world.faulty():
        execution = world.wait(token)
    world.callback(token, SMALL)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@flow
def wait_for_a_completed_token(world: World) -> None:
    token = world.create()
    world.callback(token, SMALL)
    with world.faulty():
        execution = world.wait(token)
    world.come_to_rest()
    world.expect(execution, token, SMALL)


@flow
def wait_for_a_large_payload_that_is_there(world: World) -> None:
    token = world.create()
    world.callback(token, LARGE)
    with world.faulty():
        execution = world.wait(token, unwrap=True)
    world.come_to_rest()
    world.expect(execution, token, LARGE, unwrap=True)


@flow
def wait_past_the_timeout(world: World) -> None:
    token = world.create(timeout="10m")
    early = world.wait(token)
    world.clock.advance(seconds=600)
    with world.faulty():
        late = world.wait(token, unwrap=True)
    world.come_to_rest()
    world.expect(early, token, Timeout())
    world.expect(late, token, Timeout(), unwrap=True)


# Time out


@flow
def arm_a_short_timer(world: World) -> None:
    tokens = [world.create(timeout="10m") for _ in range(2)]
    executions = [world.wait(token) for token in tokens]
    with world.faulty():
        world.come_to_rest()
    world.pass_time(world.clock() + 600_000)
    for execution, token in zip(executions, tokens, strict=True):
        world.expect(execution, token, Timeout())


@flow
def arm_a_long_timer(world: World) -> None:
    token = world.create(timeout="20d")
    execution = world.wait(token)
    with world.faulty():
        world.come_to_rest()
    world.pass_time(world.clock() + 20 * 24 * HOUR)
    world.expect(execution, token, Timeout())


@flow
def arm_a_timer_for_years(world: World) -> None:
    token = world.create(timeout="800d")
    execution, start = world.wait(token), world.clock()
    with world.faulty():
        world.come_to_rest()
    for days in (365, 730, 800):
        world.pass_time(start + days * 24 * HOUR)
    world.expect(execution, token, Timeout())


@flow
def delay_a_timer_that_comes_early(world: World) -> None:
    token = world.create(timeout="1h")
    execution = world.wait(token)
    timeout_at = world.clock() + HOUR
    world.come_to_rest()
    world.clock.now = timeout_at - 60_000
    with world.faulty():
        world.come_to_rest()
    world.pass_time(timeout_at)
    world.expect(execution, token, Timeout())


@flow
def expire(world: World) -> None:
    tokens = [world.create(timeout="10m") for _ in range(2)]
    executions = [(world.wait(token, unwrap), token, unwrap) for token in tokens for unwrap in (False, True)]
    world.come_to_rest()
    world.clock.advance(seconds=601)
    with world.faulty():
        world.queues["expire_tokens"].pass_on()
    world.pass_time(world.clock() + 121_000)
    for execution, token, unwrap in executions:
        world.expect(execution, token, Timeout(), unwrap)


# Resume: the fast path resumed no waiter


def settled_without_a_resume(world: World, *payloads: str) -> list[tuple[Execution, dict[str, str], str]]:
    waiting = []
    for payload in payloads:
        token = world.create()
        waiting += [(world.wait(token), token, payload) for _ in range(2)]
        with world.without_fast_path():
            world.callback(token, payload)
    return waiting


@flow
def resume(world: World) -> None:
    waiting = settled_without_a_resume(world, SMALL, "null")
    with world.faulty():
        world.come_to_rest()
    for execution, token, payload in waiting:
        world.expect(execution, token, payload)


@flow
def resume_with_a_large_payload(world: World) -> None:
    waiting = settled_without_a_resume(world, LARGE)
    with world.faulty():
        world.come_to_rest()
    for execution, token, payload in waiting:
        world.expect(execution, token, payload)


@flow
def resume_what_is_not_recorded(world: World) -> None:
    token = world.create()
    execution = world.wait(token)
    with world.without_records():
        world.callback(token, SMALL)
    with world.faulty():
        world.come_to_rest()
    world.expect(execution, token, SMALL)


@flow
def resume_what_is_denied(world: World) -> None:
    token = world.create()
    denied, other = world.wait(token), world.wait(token)
    denied.waits.fail_next(DENIED, times=1_000, handle=denied.handles[-1])
    with world.faulty():
        world.callback(token, SMALL)
        world.come_to_rest()
    assert set(world.dead_letters()) == {(token["id"], "AccessDeniedException")}
    assert world.lost() == [f"{token['id']} has 1 waiters without a record"]
    denied.waits.fail_no_more()
    assert world.lambdas.invoke("resume_waiters", {"waitpointIds": [token["id"]]}) == {"undelivered": 0}
    world.expect(denied, token, SMALL)
    world.expect(other, token, SMALL)


@flow
def resume_a_part_of_a_batch(world: World) -> None:
    """The stream's next batch has tokens whose waiters are resumed already, and others."""
    payloads = (SMALL, "null", LARGE)
    done = [(world.create(), payload) for payload in payloads]
    waiting = [(world.wait(token), token, payload) for token, payload in done]
    for token, payload in done:
        world.callback(token, payload)
    waiting += settled_without_a_resume(world, SMALL)
    with world.faulty():
        world.come_to_rest()
    for execution, token, payload in waiting:
        world.expect(execution, token, payload)
