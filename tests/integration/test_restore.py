"""A new stack with the table, the bucket and the two secrets of an old one: waits go on behind their old URLs."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from waitpoints_client.ops.deployed import Deployed, Outputs
from waitpoints_client.ops.restore import clock as real_time
from waitpoints_client.ops.restore import copy, timed

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.event_sources import Stream
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.fakes.waits import FakeWaits
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.timer_events import TimerEvents
from waitpoints import wiring
from waitpoints.access.api_keys import NamedKey, Scope, digest, new_key
from waitpoints.api.notices.plan import next_notice
from waitpoints.api.page import definition
from waitpoints.aws.items import NOTICES, plain, primary_key, wire
from waitpoints.notices import NoticeRecord, Notify
from waitpoints.token import ALL_CHECKED, Completed, Document, DocumentKind, NewToken
from waitpoints.wiring import services

pytestmark = pytest.mark.slow  # makes stacks of its own

MINUTE, HOUR = 60_000, 3_600_000
LATENESS = 1000  # a delay is whole seconds, rounded up
RESTORED = "restored"
Restore = Callable[..., str]


@pytest.fixture
def deployed(stack: MotoStack) -> Deployed:
    found = Deployed("new", boto3.Session())
    vars(found)["outputs"] = Outputs(TableName=stack.table)
    return found


@pytest.fixture
def restore(stack: MotoStack, deployed: Deployed) -> Any:
    """Lose the stack, restore its table to now, make a new stack with new secrets, and carry over what the page says."""
    secrets, dynamodb = client_of("secretsmanager"), client_of("dynamodb")
    keys = {name: stack.secret(name) for name in ("ApiKey", "SigningKey")}
    table = stack.table

    def restore(
        carry_keys: bool = True,
        before_the_copy: Callable[[], Any] = str,
        now: Callable[[], int] = real_time,
        ask_again: bool = False,
    ) -> str:
        dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=RESTORED, UseLatestRestorableTime=True)
        stack.empty_table()
        for name, key in keys.items():
            for value in ("before the first rotation", "generated for the new stack", *([key] if carry_keys else [])):
                secrets.put_secret_value(SecretId=stack.resources[name]["Id"], SecretString=value)
        forget_secrets()
        before_the_copy()
        return str(copy(deployed, RESTORED, now=now, ask_again=ask_again))

    yield restore
    dynamodb.delete_table(TableName=RESTORED)
    for name, key in keys.items():
        secrets.put_secret_value(SecretId=stack.resources[name]["Id"], SecretString=key)
    forget_secrets()


def forget_secrets() -> None:
    """Read the secrets again, as the functions of a new stack do."""
    for service in ("urls", "credentials"):
        vars(wiring.services).pop(service, None)


def test_an_old_url_resumes_what_waits(api: Api, waits: FakeWaits, restore: Restore) -> None:
    handle = waits.start()
    token = api.create(**{waits.member: handle}, idempotencyKey="order-1", timeout="1h")

    assert restore() == "2 items read, 2 copied"

    assert api.deliver(token, {"paid": True}).status == 200
    assert waits.value(handle) == {"ok": True, "output": {"paid": True}}
    assert api.create(idempotencyKey="order-1") == {**token, "isCached": True}
    assert [it["id"] for it in api.get(TOKENS).json["data"]] == [token["id"]]


def test_without_the_signing_key_no_old_url_is_valid(api: Api, restore: Restore) -> None:
    token = api.create()
    restore(carry_keys=False)
    assert api.deliver(token, {"paid": True}).status == 401


def test_what_was_resumed_is_not_resumed_again(api: Api, stack: MotoStack, waits: FakeWaits, restore: Restore) -> None:
    handle = waits.start()
    token = api.create(**{waits.member: handle})
    api.deliver(token, {"paid": True})
    before, stream = api.retrieve(token["id"]), Stream(stack)

    restore()
    stack.call("resume_waiters", {"Records": stream.records("resume_waiters")})

    assert waits.calls[handle] == 1
    assert api.retrieve(token["id"]) == before


class TestNotices:
    @pytest.fixture
    def token_id(self, stack: MotoStack) -> str:
        """A token of which one person was told."""
        token_id = create_told()
        item = {**primary_key(token_id, NOTICES), **wire({"tokenId": token_id, "createdAt": 1, "email.0": {"at": 1}})["M"]}
        stack.put(item)
        return token_id

    @pytest.mark.parametrize(("ask_again", "kind"), [(False, None), (True, "first")])
    def test_no_one_is_notified_again_unless_it_is_asked_to(
        self, token_id: str, restore: Restore, ask_again: bool, kind: str | None
    ) -> None:
        assert next_kind(token_id) is None
        restore(ask_again=ask_again)
        assert next_kind(token_id) == kind

    @pytest.mark.parametrize("ask_again", [False, True])
    def test_no_one_gets_an_outcome_again(self, stack: MotoStack, restore: Restore, ask_again: bool) -> None:
        told, missing = (create_told(outcome=True) for _ in range(2))
        for token_id in (told, missing):
            services.store.complete(token_id, Completed(services.now()), ALL_CHECKED)
        record = {"tokenId": told, "createdAt": 1, "email.0": NoticeRecord(1, notified_outcome=True).members()}
        item = {**primary_key(told, NOTICES), **wire(record)["M"]}
        stack.put(item)
        restore(ask_again=ask_again)
        assert [next_kind(token_id) for token_id in (told, missing)] == [None, "outcome"]

    def test_who_was_not_asked_yet_is_asked(self, restore: Restore) -> None:
        token_id = create_told()
        restore()
        assert next_kind(token_id) == "first"

    @pytest.mark.parametrize("items_of_a_read", [1, 1000])
    def test_are_there_before_the_stream_brings_their_token(
        self, token_id: str, deployed: Deployed, restore: Restore, items_of_a_read: int
    ) -> None:
        written: list[str] = []

        def note(params: Any, **_: Any) -> None:
            written.append(params["Item"]["item"]["S"])

        def limit(params: Any, **_: Any) -> None:
            params["Limit"] = items_of_a_read

        deployed.session.events.register("provide-client-params.dynamodb.PutItem", note)
        deployed.session.events.register("provide-client-params.dynamodb.Scan", limit)
        restore()
        assert sorted(written) == ["notices", "page", "token"]
        assert written[-1] == "token"


def create_told(*, outcome: bool = False) -> str:
    """Create a token of which one address is to be told. Returns its id."""
    notify = Notify(email=("ann@example.com",), outcome=outcome)
    document = Document(DocumentKind.PAGE, '{"title": "Pay?"}', notify=json.dumps(notify.members()))
    return services.tokens.create(NewToken(document=document), services.now()).token_id


def next_kind(token_id: str) -> str | None:
    """Return what would be sent next about a token."""
    token = services.tokens.find(token_id)
    assert token.page is not None
    assert token.notify is not None
    step = next_notice(token, definition.of_text(token.page), Notify.of(json.loads(token.notify)))
    return None if step is None else str(step.kind)


class TestTimers:
    """The clock stands still unless the timers move it."""

    @pytest.fixture
    def create(self, api: Api, step_functions: FakeStepFunctions) -> Callable[[str], tuple[str, str]]:
        """Makes a token for which one execution waits. Returns its id, and the execution's task token."""

        def create(timeout: str) -> tuple[str, str]:
            task_token = step_functions.start_task()
            return api.create(taskToken=task_token, timeout=timeout)["id"], task_token

        return create

    @pytest.fixture
    def new_stack(self, stack: MotoStack, clock: FakeClock, timers: TimerEvents) -> Callable[[], None]:
        """Begins a stack's life: it has had its first rounds when a table is copied into it."""

        def new_stack() -> None:
            timers.follow(Stream(stack))
            timers.run_until(clock.now + 2 * MINUTE)

        return new_stack

    def test_of_an_old_table_come_in_a_new_stack_without_anybody_doing_anything(
        self,
        stack: MotoStack,
        clock: FakeClock,
        step_functions: FakeStepFunctions,
        timers: TimerEvents,
        create: Any,
        restore: Restore,
        new_stack: Callable[[], None],
    ) -> None:
        """An hour before the copy, a minute after it, and an hour after it."""
        (_, past), (_, near), (_, far) = (create(timeout) for timeout in ("1h", "123m", "182m"))
        clock.advance(2 * HOUR)

        restore(before_the_copy=new_stack, now=clock)

        copied_at = clock.now
        timers.run_until(copied_at)
        assert [step_functions.result(handle) is not None for handle in (past, near, far)] == [True, False, False]
        timers.run_until(copied_at + MINUTE + LATENESS)
        assert [step_functions.result(handle) is not None for handle in (past, near, far)] == [True, True, False]
        timers.run_until(copied_at + HOUR - 1)
        assert step_functions.result(far) is None
        timers.run_until(copied_at + HOUR + LATENESS)
        assert step_functions.result(far) is not None
        assert {step_functions.calls[handle] for handle in (past, near, far)} == {1}

    def test_of_a_stack_in_use_go_on_while_a_table_is_copied_into_it(
        self,
        stack: MotoStack,
        clock: FakeClock,
        step_functions: FakeStepFunctions,
        timers: TimerEvents,
        create: Any,
        restore: Restore,
        new_stack: Callable[[], None],
    ) -> None:
        timers.run_until(clock.now + MINUTE)  # the lost stack has cursors, too
        (_, copied) = create("20m")
        own: list[str] = []
        cursors: list[Any] = []

        def use() -> None:
            new_stack()
            own.extend(create(timeout)[1] for timeout in ("3m", "30m"))
            timers.run_until(clock.now + 2 * MINUTE)
            cursors.append(cursors_of(stack))

        restore(before_the_copy=use, now=clock)

        assert [cursors_of(stack)] == cursors
        timers.run_until(clock.now + HOUR)
        assert [step_functions.calls[handle] for handle in (*own, copied)] == [1, 1, 1]

    def test_are_not_started_for_what_has_ended(
        self,
        api: Api,
        clock: FakeClock,
        timers: TimerEvents,
        create: Any,
        restore: Restore,
        new_stack: Callable[[], None],
    ) -> None:
        token_id, _ = create("5m")
        api.complete(token_id)
        before = api.retrieve(token_id)

        restore(before_the_copy=new_stack, now=clock)

        timers.run_until(clock.now + HOUR)
        assert timers.looked_at == []
        assert api.retrieve(token_id) == before


@pytest.mark.parametrize("id_", ["timers", "overdue", "doctor"])
def test_how_far_the_old_stack_had_come_is_not_copied(stack: MotoStack, id_: str, restore: Restore) -> None:
    dynamodb, table = client_of("dynamodb"), stack.table
    dynamodb.put_item(TableName=table, Item={"id": {"S": id_}, "item": {"S": "0"}, "dueAt": {"N": "1"}})
    assert restore() == "0 items read, 0 copied"
    assert dynamodb.scan(TableName=table)["Items"] == []


def test_named_keys_and_their_last_use_are_copied(api: Api, restore: Restore) -> None:
    made = NamedKey("ci", digest(key := new_key()), (Scope("read"),), services.now())
    services.api_key_store.add(made, services.now())
    services.api_key_store.note_used(made, 7)
    assert restore(before_the_copy=forget_named_keys) == "2 items read, 2 copied"
    assert services.api_key_store.read_used() == {digest(key): 7}
    assert api.get(TOKENS, {"authorization": f"Bearer {key}"}).status == 200


def forget_named_keys() -> None:
    vars(wiring.services).pop("api_key_cache", None)


def cursors_of(stack: MotoStack) -> list[Any]:
    return list(stack.items("timers"))


def test_what_the_new_table_has_already_stays(api: Api, deployed: Deployed, restore: Restore) -> None:
    token = api.create()
    restore()
    api.deliver(token, {"n": 1})
    assert str(copy(deployed, RESTORED)) == "1 items read, 0 copied"
    assert json.loads(api.retrieve(token["id"])["output"]) == {"n": 1}


@pytest.mark.parametrize(
    ("item", "written"),
    [
        ({"timeoutAt": 1_900_000, "dueAt": 1_900_000}, {"timeoutAt": 1_900_000, "dueAt": 1_900_000, "soon": True}),
        ({"timeoutAt": 1_900_001, "dueAt": 1_900_001}, {"timeoutAt": 1_900_001, "dueAt": 1_900_001}),
        ({"timeoutAt": 1, "dueAt": 1}, {"timeoutAt": 1, "dueAt": 1, "soon": True}),
        ({"timeoutAt": 9_000_000, "dueAt": 2}, {"timeoutAt": 9_000_000, "dueAt": 2, "soon": True}),
        ({"timeoutAt": 9_000_000, "dueAt": 9_000_000, "soon": True}, {"timeoutAt": 9_000_000, "dueAt": 9_000_000}),
        ({}, {}),
    ],
    ids=["in 15 minutes", "later", "past", "to be looked at earlier", "was due soon when it was made", "no timeout"],
)
def test_what_waits_is_written_as_a_create_would_write_it_now(item: dict[str, Any], written: dict[str, Any]) -> None:
    waiting = {"id": "waitpoint_1", "item": "token", "status": "WAITING"}
    assert plain(timed(wire(waiting | item)["M"], now=1_000_000)) == waiting | written


def test_what_does_not_wait_is_written_as_it_is() -> None:
    for item in ({"item": "token", "status": "COMPLETED", "timeoutAt": 1, "dueAt": 1, "soon": True}, {"item": "replies"}):
        assert plain(timed(wire(item)["M"], now=1)) == item
