"""Each permission of each function is needed: take it away, and a request is no longer served.

REQUESTS has the requests to each function. A permission that none of them needs fails the test, and so does a call that the
template does not permit.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, product
from typing import Any
from unittest import mock
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.support.example_requests import record_delivery
from tests.support.faults.aws import client, unique
from tests.support.faults.callers import COMPLETE_KEY, Execution
from tests.support.faults.flows import CHOICE, CHOSEN, LARGE, NO, PAGE, SECRET, SMALL
from tests.support.faults.roles import WITH_ALL, Permission, enforced, label, of_key, permissions
from tests.support.faults.sign_in import CLIENT_SECRET
from tests.support.faults.wire import Killed
from tests.support.faults.world import World
from tests.support.in_process.approval_page import page_of
from tests.support.in_process.event_sources import receive_all
from tests.support.in_process.fakes import issuer
from tests.support.in_process.fakes.issuer import FakeIssuer
from tests.support.in_process.fakes.waits import DENIED
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import CHANNELS, SIGN_IN, STACK_NAME, Template
from tests.support.webhook_signer import sign
from tools.openapi.operations import ENDPOINTS, KEYS, TOKENS
from waitpoints.access.sessions import BEGIN, CONSOLE, CONSOLE_SESSION, OWN_BEGIN, OWN_PAGES, SIGN_OUT
from waitpoints.api.notices import posting
from waitpoints.aws.delivery_store import DeliveryStore
from waitpoints.aws.items import TOKEN, UNDELIVERED, primary_key
from waitpoints.timers.due import Timers
from waitpoints.token import Token, WaiterKind, iso
from waitpoints.tokens import Tokens
from waitpoints.wiring import services
from waitpoints_local import slack_stand_in

Ask = Callable[[World], None]
"""Makes a request and checks that it is served."""

SCHEMA = {"type": "string"}
REQUESTS: dict[str, list[Ask]] = {function.name: [] for function in Template.load(WITH_ALL).functions().values()}


def of(function: str) -> Callable[[Ask], Ask]:
    def add(ask: Ask) -> Ask:
        REQUESTS[function].append(ask)
        return ask

    return add


def api(world: World, method: str, path: str, body: Any = None) -> Any:
    answer = world.http(method, path, b"" if body is None else json.dumps(body).encode(), world.authorized())
    assert answer.status == 200, answer
    return answer.json


def four_waits(world: World, token: dict[str, Any]) -> list[Execution]:
    """A state and a durable function, each of which waits for a result with context and for a success."""
    return [world.wait(token, unwrap, not unwrap, waits=waits) for waits in world.waits.values() for unwrap in (False, True)]


def check_told(executions: list[Execution]) -> None:
    assert all(it.waits.result(it.handles[-1]) is not None for it in executions)


# Past its timeout, a token is timed out by whoever looks first, and all its waiters are resumed at once


def finds_it_due(function: str, look: Callable[[World, dict[str, Any], str], object]) -> None:
    def ask(world: World) -> None:
        endpoint = world.put_endpoint()
        key = f"{endpoint['name']}:1"
        token = world.create(timeout="10m", idempotencyKey=key, metadata={"order": 1}) | {"endpoint": endpoint}
        executions = four_waits(world, token)
        world.clock.advance(seconds=700)
        look(world, token, key)
        check_told(executions)

    ask.__name__ = f"{function}_finds_it_due"
    of(function)(ask)


def late_waiter(world: World) -> str:
    return world.waits[WaiterKind.STEP_FUNCTIONS].start()


finds_it_due(
    "create_token", lambda world, _, key: api(world, "POST", TOKENS, {"idempotencyKey": key, "taskToken": late_waiter(world)})
)
finds_it_due("create_token_in_state", lambda world, _, key: world.run_wait("create_token_in_state", {"idempotencyKey": key}))
finds_it_due("delete_token", lambda world, token, _: world.delete_token(token))
finds_it_due("complete_token", lambda world, token, _: world.complete(token, SMALL))
finds_it_due("complete_by_key", lambda world, _, key: world.complete_by_key(key, SMALL))
finds_it_due("accept_callback", lambda world, token, _: world.deliver(token, SMALL))
finds_it_due("accept_delivery", lambda world, token, _: world.deliver(token["endpoint"], '{"id": 1}'))
finds_it_due(
    "resend_delivery", lambda world, token, _: api(world, "POST", resend_path(world, token["endpoint"], '{"id": 1}'), {})
)
finds_it_due(
    "complete_token_in_state",
    lambda world, token, _: world.run_task("complete_token_in_state", {"waitpointId": token["id"], "data": 1}),
)
finds_it_due("wait_for_token", lambda world, token, _: world.wait(token))
finds_it_due("expire_tokens", lambda world, token, _: expire(world, token))
finds_it_due("doctor", lambda world, *_: examine(world))


def expire(world: World, token: dict[str, Any]) -> None:
    world.look_at(token)
    world.queues["expire_tokens"].pass_on()


def examine(world: World, **event: Any) -> None:
    assert world.lambdas.invoke("doctor", event)["unrepaired"] == 0


# Create


def create_by(world: World, function: str, **body: Any) -> Any:
    return api(world, "POST", TOKENS, body) if function == "create_token" else world.run_task(function, body)


for creates in ("create_token", "create_token_in_state"):

    @of(creates)
    def ask_for_a_token_whose_provider_signs(world: World, creates: str = creates) -> None:
        create_by(world, creates, verify={"scheme": "stripe", "secret": world.make_webhook_secret(SECRET)})

    @of(creates)
    def ask_for_a_token_that_was_completed_by_what_does_not_fit(world: World, creates: str = creates) -> None:
        for output in (SMALL, LARGE):
            key = unique("order")
            world.complete_by_key(key, output)
            create_by(world, creates, idempotencyKey=key, payloadSchema={"type": "number"})


# Complete


for completes, send in {
    "complete_token": lambda world, token, _, data: world.complete(token, data),
    "complete_by_key": lambda world, _, key, data: world.complete_by_key(key, data),
    "accept_callback": lambda world, token, _, data: world.deliver(token, data),
    "accept_delivery": lambda world, token, _, data: world.deliver(token["endpoint"], f'{{"id": 1, "data": {data}}}'),
    "complete_token_in_state": lambda world, _, key, data: world.run_task(
        "complete_token_in_state", {"idempotencyKey": key, "data": json.loads(data)}
    ),
}.items():

    @of(completes)
    def complete_with_a_large_output_that_fits(world: World, send: Callable[..., object] = send) -> None:
        endpoint = world.put_endpoint(output="body.data")
        key = f"{endpoint['name']}:1"
        token = world.create(idempotencyKey=key, payloadSchema=SCHEMA) | {"endpoint": endpoint}
        executions = four_waits(world, token)
        send(world, token, key, LARGE)
        check_told(executions)


@of("complete_by_key")
@of("complete_token_in_state")
@of("accept_delivery")
def complete_what_nobody_has_created(world: World) -> None:
    world.complete_by_key(unique("order"), SMALL)
    world.run_task("complete_token_in_state", {"idempotencyKey": unique("order"), "data": 1})
    verify = {"scheme": "stripe", "secret": world.make_webhook_secret(SECRET)}
    world.deliver(world.put_endpoint(verify=verify), '{"id": 1}', signed_with=SECRET)


@of("accept_callback")
def send_a_signed_callback(world: World) -> None:
    token = world.create(verify={"scheme": "stripe", "secret": world.make_webhook_secret(SECRET)})
    world.deliver(token, SMALL, signed_with=SECRET)


@of("accept_callback")
@of("show_callback")
def choose_on_a_page(world: World) -> None:
    names = [f"part{number}" for number in range(11)]  # together they are too large for the item
    fields = {"properties": {name: {"type": "string", "maxLength": 10_000} for name in names}}
    token = world.create(page={**PAGE, "fields": fields})
    world.look(token)
    world.choose(token, CHOICE[0], *((f"field.{name}", "x" * 10_000) for name in names))
    assert world.http("POST", token["url"], CHOSEN.encode(), {"content-type": "application/json"}).status == 200
    assert "Approve" in world.look(token).text
    world.choose(world.create(page=PAGE), CHOICE[0], status=422)


@of("move_deadline")
def move_a_deadline_near(world: World) -> None:
    token = world.create(timeout="1h")
    moved = api(world, "PATCH", f"{TOKENS}/{token['id']}", {"timeout": "10m"})
    assert moved["timeoutAt"] == iso(world.clock() + 600_000)
    assert delayed(world) == "1"


@of("move_deadline")
def hand_a_page_over(world: World) -> None:
    token = world.create(page={"title": "Go?", "approvers": ["ann", "bo"]})
    handed_over = api(world, "PATCH", f"{TOKENS}/{token['id']}", {"approvers": {"add": ["cy"], "remove": ["ann"]}})
    assert [link["approver"] for link in handed_over["links"]] == ["cy"]


# Read


@of("wait_for_token")
def wait_for_a_large_output_that_is_there(world: World) -> None:
    token = world.create()
    world.deliver(token, LARGE)
    check_told(four_waits(world, token))


@of("retrieve_token")
@of("list_tokens")
@of("get_packet")
def look_at_a_large_output(world: World) -> None:
    token = world.create()
    world.deliver(token, LARGE)
    shown = api(world, "GET", f"{TOKENS}/{token['id']}")
    assert shown["output"] == LARGE
    assert [it["id"] for it in api(world, "GET", TOKENS)["data"]] == [token["id"]]
    api(world, "GET", f"/api/v1/packets/{stored_at(token['id'])}")


def stored_at(token_id: str) -> str:
    """The key of a token's output in the bucket."""
    found = client("s3").list_objects_v2(Bucket=os.environ["OUTPUT_BUCKET"], Prefix=token_id)["Contents"]
    return str(found[0]["Key"])


@of("public_token_claims")
@of("create_public_token")
def ask_for_public_tokens(world: World) -> None:
    api(world, "POST", "/api/v1/auth/jwt/claims")
    api(world, "POST", "/api/v1/auth/jwt", {"claims": {"scopes": ["write:waitpoints:waitpoint_1"]}})


@of("mint_public_token")
def mint_a_public_token(world: World) -> None:
    world.take_key("complete")
    api(world, "POST", "/api/v1/auth/public-tokens", {"scopes": ["write:waitpoints"]})
    assert list(services.api_key_store.read_used().values()) == [world.clock()]


@of("list_tokens")
def list_what_is_undelivered(world: World) -> None:
    token, _ = undelivered(world)
    assert [it["id"] for it in api(world, "GET", f"{TOKENS}?filter[undelivered]=true")["data"]] == [token["id"]]


# The root key makes and revokes named keys


@of("create_api_key")
@of("list_api_keys")
@of("revoke_api_key")
def make_list_and_revoke_a_key(world: World) -> None:
    made = api(world, "POST", KEYS, {"name": unique("job"), "scopes": ["read"]})
    world.secrets.add(key := made.pop("key"))
    assert world.http("GET", TOKENS, b"", {"authorization": f"Bearer {key}"}).status == 200
    assert {"lastUsedAt": iso(world.clock()), **made} in api(world, "GET", KEYS)["data"]
    api(world, "DELETE", f"{KEYS}/{made['name']}")
    assert api(world, "GET", KEYS)["data"] == []


# Endpoints


@of("put_endpoint")
@of("list_endpoints")
@of("retrieve_endpoint")
@of("try_endpoint")
@of("delete_endpoint")
def keep_an_endpoint(world: World) -> None:
    endpoint = world.put_endpoint(verify={"scheme": "stripe", "secret": world.make_webhook_secret(SECRET)})
    path = f"{ENDPOINTS}/{endpoint['name']}"
    world.create(idempotencyKey=f"{endpoint['name']}:1")
    body = '{"id": 1}'
    headers = sign("stripe", body.encode(), endpoint["url"], time.time(), SECRET).headers
    assert api(world, "POST", f"{path}/test", {"body": body, "headers": headers})["outcome"] == "completed"
    world.deliver(endpoint, body, signed_with=SECRET)
    assert endpoint["name"] in [it["name"] for it in api(world, "GET", ENDPOINTS)["data"]]
    assert api(world, "GET", path)["deliveries"]["completed"]["count"] == 1
    assert api(world, "PATCH", path, {"disabled": True})["disabled"] is True
    world.delete_endpoint(endpoint)


def recording_endpoint(world: World, **settings: Any) -> dict[str, Any]:
    verify = {"scheme": "stripe", "secret": world.make_webhook_secret(SECRET)}
    return world.put_endpoint(verify=verify, recordDeliveries="7d", output="body.data", **settings)


@of("put_endpoint")
@of("accept_delivery")
def record_deliveries(world: World) -> None:
    """The second one is deleted meanwhile, and what it has kept goes with it."""
    endpoint = recording_endpoint(world)
    world.deliver(endpoint, '{"id": 1, "data": 1}', signed_with=SECRET)
    kept = set(world.token_ids())
    with mock.patch.multiple(DeliveryStore, finish=lambda *_: False, get=lambda *_: None):
        world.deliver(endpoint, f'{{"id": 2, "data": {LARGE}}}', signed_with=SECRET)
    [withdrawn] = set(world.token_ids()) - kept
    assert services.store.find(withdrawn) is None
    assert "Contents" not in client("s3").list_objects_v2(Bucket=os.environ["OUTPUT_BUCKET"], Prefix=withdrawn)


@of("doctor")
def process_what_is_pending(world: World) -> None:
    """A token waits for the first one, the second comes first, and the last one's endpoint is gone."""
    endpoint, other = recording_endpoint(world), recording_endpoint(world)
    executions = four_waits(world, world.create(idempotencyKey=f"{endpoint['name']}:1"))
    for of, number in ((endpoint, 1), (endpoint, 2), (other, 3)):
        leave_pending(world, of, f'{{"id": {number}, "data": {LARGE}}}')
    world.delete_endpoint(other)
    world.clock.advance(seconds=61)
    examine(world)
    check_told(executions)
    assert list(services.deliveries.pending(world.clock())) == []


@of("doctor")
def delete_what_a_deleted_endpoint_recorded(world: World) -> None:
    endpoint = having_recorded(world)
    secret_id = endpoint["url"].rsplit("/", 1)[1][:24]
    world.delete_endpoint(endpoint)
    world.clock.advance(seconds=61)
    examine(world)
    assert "Contents" not in client("s3").list_objects_v2(Bucket=os.environ["OUTPUT_BUCKET"], Prefix=f"deliveries/{secret_id}")


@of("resend_delivery")
def send_a_delivery_again(world: World) -> None:
    """Once, though the second request does not see the first one at first; and to a token that it names."""
    endpoint = recording_endpoint(world)
    executions = four_waits(world, world.create(idempotencyKey=f"{endpoint['name']}:1", payloadSchema=SCHEMA))
    resend = resend_path(world, endpoint, f'{{"id": 1, "data": {LARGE}}}')
    sent = api(world, "POST", resend, {"idempotencyKey": "again"})
    assert sent["kind"] == "completed"
    check_told(executions)
    with mock.patch.object(DeliveryStore, "find_resend", return_value=None):
        assert api(world, "POST", resend, {"idempotencyKey": "again"}) == sent
    assert api(world, "POST", resend, {"tokenId": world.create()["id"]})["kind"] == "completed"


def resend_path(world: World, endpoint: Mapping[str, Any], body: str) -> str:
    """The path that sends a delivery again, which is recorded now."""
    secret_id = endpoint["url"].rsplit("/", 1)[1][:24]
    delivery = record_delivery(secret_id, body.encode())
    return f"{ENDPOINTS}/{endpoint['name']}/deliveries/{delivery.id}/resend"


def leave_pending(world: World, endpoint: dict[str, Any], body: str) -> None:
    """The function is killed before it processes the delivery."""
    headers = {
        "content-type": "application/json",
        **sign("stripe", body.encode(), endpoint["url"], time.time(), SECRET).headers,
    }
    with mock.patch("waitpoints.api.endpoints.endpoint_delivery.process", side_effect=Killed):
        assert world.http_once("POST", endpoint["url"], body.encode(), headers) is None


@of("list_deliveries")
@of("retrieve_delivery")
def read_a_recorded_delivery(world: World) -> None:
    path = f"{ENDPOINTS}/{having_recorded(world)['name']}/deliveries"
    [listed] = api(world, "GET", path)["data"]
    assert api(world, "GET", f"{path}/{listed['id']}")["body"] == '{"id": 1, "data": 1}'


@of("delete_deliveries")
def delete_recorded_deliveries(world: World) -> None:
    """The first has kept what is in the bucket. The second is pending, and has kept its completion, too."""
    endpoint = recording_endpoint(world)
    path = f"{ENDPOINTS}/{endpoint['name']}/deliveries"
    world.deliver(endpoint, f'{{"id": 1, "data": {LARGE}}}', signed_with=SECRET)
    [kept] = api(world, "GET", path)["data"]
    assert api(world, "POST", f"{path}/{kept['id']}/resend", {})["kind"] == "repeated"
    assert api(world, "DELETE", f"{path}/{kept['id']}") == {"success": True}
    with mock.patch.object(DeliveryStore, "finish", return_value=False):
        world.deliver(endpoint, '{"id": 2, "data": 1}', signed_with=SECRET)
    [pending] = api(world, "GET", path)["data"]
    assert pending["kind"] == "pending"
    world.deliver(endpoint, '{"id": 3, "data": 1}', signed_with=SECRET)
    assert api(world, "DELETE", path) == {"deleted": 2, "done": True}
    assert {services.store.find(token_id) for token_id in world.token_ids()} == {None}
    recorded = services.endpoints.get(endpoint["name"])
    assert recorded is not None
    for prefix in (f"deliveries/{recorded.secret_id}", *world.token_ids()):
        assert "Contents" not in client("s3").list_objects_v2(Bucket=os.environ["OUTPUT_BUCKET"], Prefix=prefix)


@of("delete_token")
def delete_a_token(world: World) -> None:
    """A recorded delivery has settled it, and one that was sent again is pending."""
    endpoint = recording_endpoint(world)
    token = world.create(idempotencyKey=f"{endpoint['name']}:1", metadata={"order": 1})
    world.deliver(endpoint, f'{{"id": 1, "data": {LARGE}}}', signed_with=SECRET)
    path = f"{ENDPOINTS}/{endpoint['name']}/deliveries"
    [record] = api(world, "GET", path)["data"]
    with mock.patch.object(DeliveryStore, "finish", return_value=False):
        api(world, "POST", f"{path}/{record['id']}/resend", {})
    world.delete_token(token)
    assert api(world, "GET", path)["data"] == []
    assert "Contents" not in client("s3").list_objects_v2(Bucket=os.environ["OUTPUT_BUCKET"], Prefix=token["id"])


@of("delete_token")
def delete_a_token_by_force(world: World) -> None:
    for has_settled in (False, True):
        token = world.create(metadata={"order": 1})
        executions = four_waits(world, token)
        with world.without_fast_path():
            if has_settled:
                world.deliver(token, LARGE)
        world.delete_token(token, "?force=true")
        check_told(executions)


def having_recorded(world: World) -> dict[str, Any]:
    """Make an endpoint, and have it record a delivery."""
    endpoint = recording_endpoint(world)
    world.deliver(endpoint, '{"id": 1, "data": 1}', signed_with=SECRET)
    return endpoint


# Named keys


@of("create_token")
@of("retrieve_token")
@of("move_deadline")
@of("list_tokens")
@of("complete_token")
@of("complete_by_key")
@of("get_packet")
@of("put_endpoint")
@of("list_endpoints")
@of("retrieve_endpoint")
@of("try_endpoint")
@of("delete_endpoint")
@of("list_deliveries")
@of("retrieve_delivery")
@of("resend_delivery")
@of("delete_deliveries")
@of("delete_token")
def use_a_named_key(world: World) -> None:
    """Every invocation is a cold start, so each reads the keys, and notes that the key was used."""
    world.take_key("create", "complete", "read", "delete", "endpoints", "deliveries")

    def use(method: str, path: str, body: Any = None) -> Any:
        world.clock.advance(seconds=1)
        answer = api(world, method, path, body)
        assert list(services.api_key_store.read_used().values()) == [world.clock()]
        return answer

    token = f"{TOKENS}/{use('POST', TOKENS, {})['id']}"
    use("PATCH", token, {"timeout": "2h"})
    use("POST", f"{token}/complete", {"data": "x" * 110_000})
    use("GET", token)
    use("GET", TOKENS)
    use("POST", COMPLETE_KEY, {"idempotencyKey": "order"})
    use("GET", f"/api/v1/packets/{stored_at(token.rpartition('/')[2])}")
    endpoint = use("PUT", f"{ENDPOINTS}/orders", {"key": "body.id", "verify": "none"})
    use("POST", resend_path(world, endpoint, '{"id": 1}'), {})
    use("GET", ENDPOINTS)
    use("GET", f"{ENDPOINTS}/orders")
    use("POST", f"{ENDPOINTS}/orders/test", {"body": "{}"})
    recorded = f"{ENDPOINTS}/{having_recorded(world)['name']}/deliveries"
    [delivery] = use("GET", recorded)["data"]
    use("GET", f"{recorded}/{delivery['id']}")
    use("DELETE", recorded)
    use("DELETE", f"{ENDPOINTS}/orders")
    use("DELETE", token)


@of("create_token")
@of("get_packet")
def use_a_key_that_is_limited_to_a_tag(world: World) -> None:
    world.take_key("create:team-a", "complete:team-a", "read:team-a")
    key = unique("team-a:order")
    world.complete_by_key(key, LARGE)
    token = world.create(idempotencyKey=key)
    assert token["isCached"]
    api(world, "GET", f"/api/v1/packets/{stored_at(token['id'])}")


# Streams and timers


@of("resume_waiters")
@of("doctor")
def resume_what_was_left(world: World) -> None:
    by: list[Callable[[], None]] = [lambda: world.pass_on_once("resume_waiters"), lambda: examine(world, command="scanAll")]
    settle: list[Callable[[Any], None]] = [lambda token: world.fail(token, NO), lambda token: world.deliver(token, LARGE)]
    for resume, end in product(by, settle):
        token = world.create()
        executions = four_waits(world, token)
        with world.without_fast_path():
            end(token)
        world.clock.advance(seconds=61)
        resume()
        check_told(executions)


@of("resume_waiters")
def see_at_once_that_nothing_is_left_to_resume(world: World) -> None:
    for _ in range(2):
        token = world.create()
        world.wait(token)
        world.deliver(token, SMALL)
    with world.faulty():
        world.pass_on_once("resume_waiters")
    assert world.wire.calls == ["dynamodb.BatchGetItem"]


def undelivered(world: World) -> tuple[dict[str, Any], Execution]:
    """A token whose waiter cannot be resumed, and the waiter."""
    token = world.create()
    execution = world.wait(token)
    execution.waits.fail_next(DENIED, times=100)
    world.deliver(token, SMALL)
    world.pass_on_once("resume_waiters")
    return token, execution


def is_marked(world: World, token: dict[str, Any]) -> bool:
    key = primary_key(UNDELIVERED, token["id"])
    return "Item" in client("dynamodb").get_item(TableName=world.table, Key=key, ConsistentRead=True)


@of("resume_waiters")
@of("doctor")
def resume_what_could_not_be_resumed(world: World) -> None:
    by: list[Callable[[Any], None]] = [lambda token: resume_again(world, token), lambda _: examine(world)]
    for resume in by:
        token, execution = undelivered(world)
        assert token["id"] in [token_id for token_id, _ in world.dead_letters()]
        assert is_marked(world, token)
        execution.waits.fail_no_more()
        world.clock.advance(seconds=61)
        resume(token)
        assert not is_marked(world, token)


def resume_again(world: World, token: dict[str, Any]) -> None:
    assert world.lambdas.invoke("resume_waiters", {"command": "resume", "waitpointIds": [token["id"]]}) == {"undelivered": 0}


@of("resume_waiters")
def publish(world: World) -> None:
    with suppress(client("events").exceptions.ResourceAlreadyExistsException):
        client("events").create_event_bus(Name=WITH_ALL["EventBusName"])
    with mock.patch.dict(os.environ, {"EVENT_BUS_NAME": WITH_ALL["EventBusName"]}):
        for token in (world.create(), world.create(metadata={"order": 1})):
            world.deliver(token, SMALL)
            world.pass_on_once("resume_waiters")
    assert world.dead_letters() == []


@of("schedule_timeouts")
def start_timers_that_are_due_soon(world: World) -> None:
    world.create(timeout="10m")
    world.pass_on_once("schedule_timeouts")
    assert delayed(world) == "1"


@of("start_timers")
def start_timers_in_a_round(world: World) -> None:
    world.create(timeout="1h")
    world.clock.advance(seconds=3500)
    assert world.lambdas.invoke("start_timers", {}) == {"messages": 1}


@of("expire_tokens")
def look_at_a_token_before_its_time(world: World) -> None:
    for timeout, messages in ("1h", "0"), ("10m", "1"):
        expire(world, world.create(timeout=timeout))
        assert delayed(world) == messages


@of("doctor")
def find_a_token_whose_deadline_was_moved(world: World) -> None:
    token, look = world.create(timeout="10m"), Timers.fire
    world.clock.advance(seconds=700)

    def move_first(timers: Timers, token_id: str) -> None:
        world.clock.advance(seconds=-600)  # as in the function that moves it, whose clock is behind
        look(timers, token_id)

    with mock.patch.object(Timers, "fire", move_first):
        examine(world)
    assert delayed(world) == "1"
    assert services.store.get(token["id"]).outcome is None


def delayed(world: World) -> str:
    """How many messages of the timer queue are not to be received yet."""
    queue = client("sqs").get_queue_attributes(QueueUrl=world.timer_queue, AttributeNames=["All"])["Attributes"]
    return str(queue["ApproximateNumberOfMessagesDelayed"])


@of("expire_tokens")
def come_again_soon_after_a_failure(world: World) -> None:
    with mock.patch.object(Tokens, "expire", side_effect=ClientError({}, "UpdateItem")):
        expire(world, world.create(timeout="10m"))
    world.clock.advance(seconds=2)
    assert client("sqs").receive_message(QueueUrl=world.timer_queue)["Messages"]


@of("schedule_timeouts")
def keep_a_record_that_cannot_be_read(world: World) -> None:
    token = world.create(timeout="10m")
    item = client("dynamodb").get_item(TableName=world.table, Key=primary_key(token["id"], TOKEN))["Item"]
    change = {"Keys": {"id": item["id"]}, "NewImage": {**item, "deliveryRules": {"S": "no map"}}, "SequenceNumber": "1"}
    record: dict[str, Any] = {"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": change}
    record["dynamodb"]["ApproximateCreationDateTime"] = 1
    assert world.lambdas.invoke("schedule_timeouts", {"Records": [record]}) == {"batchItemFailures": []}
    assert [token_id for token_id, _ in world.dead_letters()] == [token["id"]]


# People who are told

ASKED = {name: value for name, value in PAGE.items() if name != "fields"}
TOLD = {**ASKED, "approvers": [{"id": "ann", "email": "ann@example.com", "slack": "U0ANN"}]}
TEAMS = "https://teams.example.com/workflow"
POSTED = "waitpoints.api.notices.posting.post"
WORKS = posting.ChannelResponse(200, b"{}")


def ask_for_an_answer(world: World, page: Any = TOLD, timeout: str = "1h", **notify: Any) -> dict[str, Any]:
    with suppress(client("sesv2").exceptions.AlreadyExistsException):
        client("sesv2").create_email_identity(EmailIdentity=CHANNELS["MailFrom"])
    make_channel_secrets(world)
    return world.create(page=page, notify=notify, timeout=timeout)


def make_channel_secrets(world: World) -> None:
    for name, value in (("TEAMS", TEAMS), ("SLACK_BOT_TOKEN", "xoxb-1"), ("SLACK_SIGNING_SECRET", SECRET)):
        world.secrets.add(value)
        with suppress(client("secretsmanager").exceptions.ResourceExistsException):
            client("secretsmanager").create_secret(Name=services.channel_secret_name(name), SecretString=value)


for creates in ("create_token", "create_token_in_state"):

    @of(creates)
    def ask_for_a_token_of_which_a_channel_tells(world: World, creates: str = creates) -> None:
        make_channel_secrets(world)
        create_by(world, creates, page=ASKED, notify={"slack": "#deploys", "teams": "TEAMS"})


def looks_asked_for(world: World) -> int:
    return len(receive_all(world.queue_urls["NoticeQueue"]))


@of("create_token")
@of("schedule_timeouts")
@of("resume_waiters")
def have_people_told_of_a_token(world: World) -> None:
    token = ask_for_an_answer(world, email=True)
    world.pass_on_once("schedule_timeouts")
    assert looks_asked_for(world) == 1
    world.fail(token, NO)
    world.pass_on_once("resume_waiters")
    assert looks_asked_for(world) == 1


@of("send_notices")
def tell_people_by_mail_and_in_teams(world: World) -> None:
    token = ask_for_an_answer(world, email=True, teams="TEAMS")
    world.pass_on_once("schedule_timeouts")
    with mock.patch(POSTED, return_value=WORKS):
        assert world.queues["send_notices"].pass_on()
    told = services.tokens.find(token["id"]).notices
    assert {place: notice.refused for place, notice in told.items()} == {"email.0": None, "teams": None}


@of("send_notices")
def keep_what_a_channel_refuses(world: World) -> None:
    token = ask_for_an_answer(world, email=True, teams="TEAMS")
    world.pass_on_once("schedule_timeouts")
    with mock.patch(POSTED, return_value=posting.ChannelResponse(400, b"")):
        assert world.queues["send_notices"].pass_on()
    assert [token_id for token_id, _ in world.dead_letters()] == [token["id"]]


@of("send_notices")
def come_again_when_the_channel_takes_calls_again(world: World) -> None:
    ask_for_an_answer(world, email=True, teams="TEAMS")
    world.pass_on_once("schedule_timeouts")
    with mock.patch(POSTED, return_value=posting.ChannelResponse(429, b"", {"retry-after": "30"})):
        assert world.queues["send_notices"].pass_on()
    world.clock.advance(seconds=35)
    assert looks_asked_for(world) == 1


def click(world: World, token: dict[str, Any], action: str) -> None:
    """Click as the approver does in Slack."""
    pressed = {"type": "button", "action_id": f"waitpoints:{action}", "value": token["id"]}
    payload = {
        "type": "block_actions",
        "user": {"id": "U0ANN", "name": "ann"},
        "container": {"channel_id": "C0DEPLOYS", "message_ts": "1700000000.1"},
        "actions": [pressed],
        "response_url": "https://hooks.slack.com/actions/1",
    }
    with mock.patch(POSTED, return_value=WORKS):
        answer = world.http("POST", "/api/v1/slack", *slack_stand_in.signed(payload, time.time(), SECRET))
    assert answer.status == 200, answer


@of("answer_slack")
def answer_in_slack(world: World) -> None:
    token = ask_for_an_answer(world, email=True, slack="#deploys")
    executions = four_waits(world, token)
    for _ in range(2):  # on a message whose record was lost
        click(world, token, CHOICE[0][1])
        check_told(executions)
        assert looks_asked_for(world) == 1


@of("answer_slack")
def find_it_due_while_it_is_answered(world: World) -> None:
    token = ask_for_an_answer(world, ASKED, timeout="10m", slack="#deploys")
    executions, find = four_waits(world, token), Tokens.find

    def find_just_in_time(tokens: Tokens, token_id: str) -> Token:
        found = find(tokens, token_id)
        world.clock.advance(seconds=700)
        return found

    with mock.patch.object(Tokens, "find", find_just_in_time):
        click(world, token, "approve")
    check_told(executions)


# People who sign in

OF_SIGN_IN = {
    "BASE_URL": SIGN_IN["PublicBaseUrl"],
    "OIDC_CLIENT_ID": SIGN_IN["OidcClientId"],
    "OIDC_EMAIL_CLAIM": "email",
    "OIDC_SCOPES": "openid email",
    "SESSION_KEY_SECRET": f"{STACK_NAME}-SessionKey",
    "SIGN_IN_HOURS": "8",
    "CONSOLE_OPERATORS": issuer.ANN["email"],
    "CONSOLE_OPERATORS_TAG": "",
    "CONSOLE_READERS": "",
    "CONSOLE_READERS_TAG": "",
    "SIGN_INS_PER_SECOND": "5",
}


@contextmanager
def at_an_issuer(world: World) -> Iterator[FakeIssuer]:
    """An issuer with which people sign in at the stack."""
    secrets = client("secretsmanager")
    with ExitStack() as ending:
        for name, value in ((f"{STACK_NAME}-SessionKey", SECRET), (CLIENT_SECRET, issuer.SECRET)):
            world.secrets.add(value)
            with suppress(secrets.exceptions.ResourceExistsException):  # of a stack with an issuer, in the same process
                secrets.create_secret(Name=name, SecretString=value)
                ending.callback(secrets.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True)
        idp = ending.enter_context(issuer.issuer())
        ending.enter_context(mock.patch.dict(os.environ, {**OF_SIGN_IN, "OIDC_ISSUER": idp.url}))
        yield idp


def sign_in(world: World, idp: FakeIssuer, page: str) -> str:
    """Sign Ann in. Returns the cookie of her session."""
    begin = OWN_BEGIN if page in OWN_PAGES else BEGIN
    begun = world.http("GET", f"{begin}?to={page}", b"", {"accept": "text/html"})
    assert begun.status == 303
    headers = {"accept": "text/html", "cookie": begun.cookies[0].partition(";")[0]}
    done = world.http("GET", idp.sign_in(begun.headers["location"]), b"", headers)
    assert done.status == 303
    return done.cookies[0].partition(";")[0]


@of("begin_sign_in")
@of("finish_sign_in")
@of("sign_out")
def begin_and_end_a_session(world: World) -> None:
    with at_an_issuer(world) as idp:
        page = urlsplit(world.create()["url"]).path
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "sec-fetch-site": "same-origin",
            "cookie": sign_in(world, idp, page),
        }
        assert world.http("POST", SIGN_OUT, urlencode({"to": page}).encode(), headers).status == 303


@of("console_session")
def use_the_console(world: World) -> None:
    with at_an_issuer(world) as idp:
        cookie = sign_in(world, idp, urlsplit(world.create()["url"]).path)
        headers = {"sec-fetch-site": "same-origin", "origin": SIGN_IN["PublicBaseUrl"], "cookie": cookie}
        shown = world.http("GET", CONSOLE_SESSION, b"", headers).json
        traded = world.http("POST", CONSOLE_SESSION, json.dumps({"formToken": shown["formToken"]}).encode(), headers)
        assert world.http("GET", TOKENS, b"", {"authorization": f"Bearer {traded.json['bearer']}"}).status == 200


@of("begin_session")
def begin_a_session_without_a_page(world: World) -> None:
    with at_an_issuer(world) as idp:
        assert sign_in(world, idp, CONSOLE)


@of("show_callback")
@of("accept_callback")
def answer_a_page_signed_in(world: World) -> None:
    with at_an_issuer(world) as idp:
        url = world.create(page={"title": "Go?", "approvers": [issuer.ANN["email"]], "signIn": True})["url"]
        form = {"accept": "text/html", "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
        headers = {**form, "cookie": sign_in(world, idp, urlsplit(url).path)}
        shown = page_of(world.http("GET", url, b"", headers))
        answer = {"action": "submit", **{name: value for name, value in shown.fields if name == "session"}}
        assert world.http("POST", url, urlencode(answer).encode(), headers).status == 200


[(_, _, DYNAMODB)] = of_key("dynamodb:Query")
NO_HANDLER_NEEDS = [
    # Without it, S3 answers 403 for an object that is gone. moto does not
    *product(("retrieve_delivery", "resend_delivery", "delete_deliveries", "doctor"), ("s3:ListBucket",)),
    ("schedule_timeouts", "kms:Decrypt", DYNAMODB),  # Lambda does, for the stream
    *product(("send_notices",), ("ses:SendEmail", "ses:SendRawEmail"), ("configuration-set/*",)),  # SES does, if there is one
]


def is_needed_by_its_handler(permission: Permission) -> bool:
    known = [
        (permission.function, permission.action),
        (permission.function, permission.action, permission.resource.split(":")[-1]),
        (permission.function, permission.action, *permission.ids),
    ]
    return not any(named in NO_HANDLER_NEEDS for named in known)


def served(stack: MotoStack, ask: Ask, without: int | None = None) -> bool:
    world = World(MotoStack(Template.load(WITH_ALL), stack.resources))
    channels = {
        "MAIL_FROM": CHANNELS["MailFrom"],
        "SLACK": "on",
        "TEAMS": "on",
        "NOTICE_QUEUE_URL": world.queue_urls["NoticeQueue"],
    }
    with (
        mock.patch.dict(os.environ, channels),
        world.alive(),
        mock.patch("tests.support.faults.callers.PATIENCE", 2),
        enforced(world, without),
    ):
        ask(world)
    return True


@pytest.mark.parametrize("ask", dict.fromkeys(chain(*REQUESTS.values())), ids=lambda it: it.__name__)
def test_every_request_is_served_by_what_the_template_permits(stack: MotoStack, ask: Ask) -> None:
    served(stack, ask)


@pytest.mark.parametrize(
    "number", [number for number, it in enumerate(permissions()) if is_needed_by_its_handler(it)], ids=label
)
def test_every_permission_is_needed(stack: MotoStack, number: int) -> None:
    for ask in REQUESTS[permissions()[number].function]:
        with suppress(AssertionError, ClientError, KeyError):
            served(stack, ask, without=number)
            continue
        return
    pytest.fail("every request of the function is served without it")
