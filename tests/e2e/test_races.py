"""Races on the deployed stack: in any order, every execution is resumed with the payload of its own token."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from tests.support import api_key_races, figures
from tests.support.e2e.api import Api
from tests.support.e2e.permissions import denied, physical_name
from tests.support.e2e.race import CLIENTS, LONGEST, SHUFFLED, Race, Start
from tests.support.in_process.api_gateway import TOKENS
from tools.openapi.operations import ENDPOINTS
from waitpoints.aws.api_key_store import ApiKeyStore
from waitpoints_local.stack import Stack

AT_ONCE = 5


class Machines:
    """State machines whose states wait for the token in `$.token.id`."""

    def __init__(self, stack: Stack) -> None:
        self._iam, self._step_functions = stack.client("iam"), stack.client("stepfunctions")
        self._functions = stack.client("lambda")
        self._function = self._functions.get_function(FunctionName=stack.wait_function_name)["Configuration"]["FunctionArn"]
        self._role = f"waits-{uuid.uuid4().hex[:12]}"
        self._made: list[str] = []
        trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        may_invoke = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": self._function}
        role = self._iam.create_role(RoleName=self._role, AssumeRolePolicyDocument=_policy(trust))
        self._role_arn = role["Role"]["Arn"]
        self._iam.put_role_policy(RoleName=self._role, PolicyName="wait", PolicyDocument=_policy(may_invoke))

    def wait_state(self, **more: Any) -> dict[str, Any]:
        payload = {"waitpointId.$": "$.token.id", "taskToken.$": "$$.Task.Token", "unwrap": True}
        resource = "arn:aws:states:::lambda:invoke.waitForTaskToken"
        arguments = {"FunctionName": self._function, "Payload": payload}
        return {"Type": "Task", "Resource": resource, "Parameters": arguments, "End": True, **more}

    def start_with(self, state: dict[str, Any]) -> Start:
        """Create a state machine with one state. Returns a function that starts an execution and returns its ARN."""
        return self.start_with_states({"State": state})

    def start_with_states(self, states: dict[str, Any]) -> Start:
        """The same for several states. The first one is named "State"."""
        machine = self._step_functions.create_state_machine(
            name=f"waits-{uuid.uuid4().hex[:12]}",
            definition=json.dumps({"StartAt": "State", "States": states}),
            roleArn=self._role_arn,
        )["stateMachineArn"]
        self._made.append(machine)

        def start(given: Any) -> str:
            started = self._step_functions.start_execution(stateMachineArn=machine, input=json.dumps(given))
            return str(started["executionArn"])

        return start

    def remove(self) -> None:
        for machine in self._made:
            self._step_functions.delete_state_machine(stateMachineArn=machine)
        self._iam.delete_role_policy(RoleName=self._role, PolicyName="wait")
        self._iam.delete_role(RoleName=self._role)


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def machines(stack: Stack) -> Iterator[Machines]:
    machines = Machines(stack)
    yield machines
    machines.remove()


@pytest.fixture(scope="module")
def wait(machines: Machines) -> Start:
    return machines.start_with(machines.wait_state())


@pytest.fixture(scope="module")
def wait_twice(machines: Machines) -> Start:
    branch = {"StartAt": "Wait", "States": {"Wait": machines.wait_state()}}
    return machines.start_with({"Type": "Parallel", "Branches": [branch, branch], "End": True})


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        yield pool


@pytest.fixture(params=[30, pytest.param(50, marks=pytest.mark.thorough)])
def tokens(request: pytest.FixtureRequest) -> int:
    """How many tokens a race has."""
    return int(request.param)


@pytest.fixture(scope="module", autouse=True)
def warm(api: Api, wait: Start) -> None:
    """Start the functions' processes before anything is measured."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        race = Race(api, pool, wait)
        race.run(4 * CLIENTS)


def test_a_waiter_and_a_callback_at_the_same_moment_always_resume(
    api: Api, pool: ThreadPoolExecutor, wait: Start, tokens: int
) -> None:
    race = Race(api, pool, wait)
    race.run(tokens)
    assert race.results() == {number: {"number": number} for number in range(len(race.tokens))}
    assert race.was_close("One waiter")


def test_two_waiters_and_a_callback_at_the_same_moment_always_resume(
    api: Api, pool: ThreadPoolExecutor, wait_twice: Start, tokens: int
) -> None:
    race = Race(api, pool, wait_twice)
    race.run(tokens, waiters=2)
    assert race.results() == {number: [{"number": number}] * 2 for number in range(len(race.tokens))}
    assert race.was_close("Two waiters")


def test_they_also_resume_without_the_fast_path(api: Api, pool: ThreadPoolExecutor, wait: Start, tokens: int) -> None:
    race = Race(api, pool, wait)
    with denied(api.stack, "states:SendTask", "AcceptCallback"):
        race.run(tokens)
        assert race.results() == {number: {"number": number} for number in range(len(race.tokens))}
    assert race.was_close("Without the fast path")


AT_ONCE = 10  # pairs of a create and a completion


class KeyRace:
    """Creates and completions by key at the same moment. Half of the completions are deliveries to an endpoint.

    Every fourth run waits for its token as soon as the create has answered.
    """

    def __init__(self, api: Api, pool: ThreadPoolExecutor, start: Start) -> None:
        self.api, self.pool, self.start = api, pool, start
        self.name = f"race-{uuid.uuid4()}"
        answer = api.request("PUT", f"{ENDPOINTS}/{self.name}", {"key": "body.id", "verify": "none"})
        self.url = answer.body["url"]
        self.created: dict[int, dict[str, Any]] = {}
        self.completed: dict[int, dict[str, Any]] = {}
        self.executions: dict[int, str] = {}
        self.head_start = 0.02  # seconds at most: a completion makes one call more than a create

    def run(self, tokens: int) -> int:
        """Race, and go on while the race was not close. Returns of how many tokens it was."""
        started_at = time.monotonic()
        while (made := len(self.created)) < tokens or (not self.is_close and made < LONGEST * tokens):
            self._race(range(made, made + AT_ONCE))
        self.seconds = time.monotonic() - started_at
        return made

    def _race(self, batch: range) -> None:
        acts: list[Callable[[], None]] = []
        for number in batch:
            pair = [partial(self.create, number, SHUFFLED.uniform(0, self.head_start)), partial(self.complete, number)]
            SHUFFLED.shuffle(pair)
            acts += pair
        for done in [self.pool.submit(act) for act in acts]:
            done.result()
        first = sum(self.created[number]["isCached"] for number in batch)
        self.head_start *= 2 if first < AT_ONCE / 2 else 0.6

    @property
    def came_first(self) -> int:
        """How many completions came before their create."""
        return sum(created["isCached"] for created in self.created.values())

    @property
    def is_close(self) -> bool:
        return len(self.created) // 10 < self.came_first < len(self.created) * 9 // 10

    def key(self, number: int) -> str:
        return f"{self.name}:{number}"

    def create(self, number: int, pause: float) -> None:
        time.sleep(pause)
        self.created[number] = self.api.create(idempotencyKey=self.key(number), tags=[self.name])
        if number % 4 == 0:
            self.executions[number] = self.start({"token": {"id": self.created[number]["id"]}})

    def complete(self, number: int) -> None:
        body = {"id": number}
        if number % 8 < 4:
            assert self.api.request("POST", self.url, body, key=None).body == {"success": True}
            return
        answer = self.api.request("POST", "/api/v1/waitpoints/complete", {"idempotencyKey": self.key(number), "data": body})
        assert answer.status == 200, answer
        self.completed[number] = answer.body

    def listed(self) -> list[tuple[str, str]]:
        """The key and the id of each token in the list."""
        found, after = [], ""
        while True:
            page = self.api.request("GET", f"{TOKENS}?filter[tags]={self.name}&page[size]=100{after}").body
            found += [(token["idempotencyKey"], token["id"]) for token in page["data"]]
            if "next" not in page["pagination"]:
                return found
            after = f"&page[after]={page['pagination']['next']}"

    def with_key(self, number: int) -> list[str]:
        """The ids that the list has for a key."""
        listed = self.api.request("GET", f"{TOKENS}?filter[idempotencyKey]={self.key(number)}").body
        return [token["id"] for token in listed["data"]]


def test_creates_and_completions_by_key_at_the_same_moment_meet(
    api: Api, pool: ThreadPoolExecutor, wait: Start, tokens: int
) -> None:
    race = KeyRace(api, pool, wait)
    tokens = race.run(tokens)
    numbers = range(tokens)
    ids = {number: race.created[number]["id"] for number in numbers}
    assert len(set(ids.values())) == tokens
    for number, completed in race.completed.items():
        kept = race.created[number]["isCached"]
        assert completed == {"success": True, "settled": not kept, "id": ids[number], "created": kept}
    shown = dict(zip(numbers, pool.map(lambda number: api.retrieve(race.created[number]), numbers), strict=True))
    assert {token["status"] for token in shown.values()} == {"COMPLETED"}
    assert {number: json.loads(token["output"]) for number, token in shown.items()} == {
        number: {"id": number} for number in numbers
    }
    results = dict(zip(race.executions, pool.map(api.result, race.executions.values()), strict=True))
    assert results == {number: ("SUCCEEDED", {"id": number}) for number in numbers if number % 4 == 0}
    assert sorted(race.listed()) == sorted((race.key(number), ids[number]) for number in numbers)
    some = range(0, tokens, 10)
    assert list(pool.map(race.with_key, some)) == [[ids[number]] for number in some]
    api.request("DELETE", f"{ENDPOINTS}/{race.name}")
    figures.show(
        f"Completion by key: {tokens} creates met {tokens} completions in {race.seconds:.0f} s, "
        f"{tokens - len(race.completed)} by an endpoint; {race.came_first} completions came first; "
        f"{len(race.executions)} executions resumed"
    )
    assert race.is_close


def test_without_the_fast_path_the_stream_resumes(api: Api, wait: Start) -> None:
    token = api.create()
    execution = wait({"token": token})
    api.wait_until_registered(token)
    step_functions = api.stack.client("stepfunctions")
    with denied(api.stack, "states:SendTask", "AcceptCallback"):
        with without_stream(api.stack, "ResumeWaiters"):
            assert api.callback(token, {"n": 1}).status == 200
            time.sleep(2)
            assert step_functions.describe_execution(executionArn=execution)["status"] == "RUNNING"
        assert api.result(execution) == ("SUCCEEDED", {"n": 1})


def test_a_failed_token_is_resumed_by_the_stream_too(api: Api, machines: Machines) -> None:
    start = machines.start_with(machines.wait_state())
    token = api.create()
    execution = start({"token": token})
    api.wait_until_registered(token)
    with denied(api.stack, "states:SendTask", "CompleteToken"):
        path = f"/api/v1/waitpoints/tokens/{token['id']}/complete"
        answer = api.request("POST", path, {"error": {"message": "It is out of stock", "name": "OutOfStock"}})
        assert answer.status == 200
        assert api.result(execution) == ("FAILED", "OutOfStock")
    listed = api.request("GET", "/api/v1/waitpoints/tokens?filter[outputIsError]=true&filter[completedAt][period]=5m").body
    assert [token["id"]] == [found["id"] for found in listed["data"] if found["id"] == token["id"] and found["outputIsError"]]


class TestNamedKeys:
    """In a table of their own, in which nobody has made a key yet."""

    @pytest.fixture
    def api_key_store(self, stack: Stack) -> Iterator[ApiKeyStore]:
        client, name = stack.client("dynamodb"), f"keys-{uuid.uuid4().hex[:12]}"
        parts = {"id": "HASH", "item": "RANGE"}
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": part, "KeyType": kind} for part, kind in parts.items()],
            AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in parts],
            BillingMode="PAY_PER_REQUEST",
        )
        yield ApiKeyStore(client, name)
        client.delete_table(TableName=name)

    def test_that_are_the_first_are_all_kept(self, api_key_store: ApiKeyStore) -> None:
        api_key_races.first_keys_are_all_kept(api_key_store)

    def test_with_one_name_are_one(self, api_key_store: ApiKeyStore) -> None:
        api_key_races.one_key_gets_a_name(api_key_store)

    @pytest.mark.parametrize("expired", [0, 3])
    def test_are_no_more_than_fit(self, api_key_store: ApiKeyStore, expired: int) -> None:
        api_key_races.no_more_than_fit_are_made(api_key_store, expired)

    def test_are_revoked_once_and_no_other(self, api_key_store: ApiKeyStore) -> None:
        api_key_races.a_key_is_revoked_once_and_no_other(api_key_store)


@contextmanager
def without_stream(stack: Stack, function: str) -> Iterator[None]:
    """Within this, a function gets no records of the table's stream. Afterwards it gets all of them."""
    functions, name = stack.client("lambda"), physical_name(stack, function)
    [mapping] = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


@pytest.mark.parametrize("rounds", [2, pytest.param(6, marks=pytest.mark.thorough)])
def test_five_tokens_completed_at_once_resume_five_executions_over_and_over(
    api: Api, pool: ThreadPoolExecutor, wait: Start, rounds: int
) -> None:
    for _ in range(rounds):
        tokens = [api.create() for _ in range(AT_ONCE)]
        executions = [wait({"token": token}) for token in tokens]
        for token in tokens:
            api.wait_until_registered(token)
        start = Barrier(AT_ONCE)

        def complete(number: int, tokens: list[Any] = tokens, start: Barrier = start) -> int:
            start.wait()
            path = f"/api/v1/waitpoints/tokens/{tokens[number]['id']}/complete"
            return api.request("POST", path, {"data": number}).status

        assert list(pool.map(complete, range(AT_ONCE))) == [200] * AT_ONCE
        assert [api.result(execution) for execution in executions] == [("SUCCEEDED", number) for number in range(AT_ONCE)]


def test_every_branch_of_a_map_that_waits_for_the_same_token_is_resumed(api: Api, machines: Machines) -> None:
    iterator = {"StartAt": "Wait", "States": {"Wait": machines.wait_state()}}
    start = machines.start_with({"Type": "Map", "ItemsPath": "$.items", "Iterator": iterator, "End": True})
    token = api.create()
    execution = start({"items": [{"token": {"id": token["id"]}}] * 10})
    api.wait_until_registered(token, waiters=10)
    api.callback(token, {"n": 1})
    assert api.result(execution) == ("SUCCEEDED", [{"n": 1}] * 10)


def test_the_waiter_of_a_stopped_execution_does_not_block_the_others(api: Api, wait: Start) -> None:
    token = api.create()
    stopped, other = wait({"token": token}), wait({"token": token})
    api.wait_until_registered(token, waiters=2)
    api.stack.client("stepfunctions").stop_execution(executionArn=stopped)
    api.callback(token, {"n": 1})
    assert api.result(other) == ("SUCCEEDED", {"n": 1})
    assert api.result(stopped)[0] == "ABORTED"
    assert {waiter["status"] for waiter in api.retrieve(token)["waiters"]} <= {"RESUMED", "GONE"}


def test_one_hundred_executions_can_wait_for_one_token_and_the_next_one_fails(
    api: Api, pool: ThreadPoolExecutor, wait: Start
) -> None:
    token = api.create()
    executions = list(pool.map(wait, [{"token": token}] * 100))
    api.wait_until_registered(token, waiters=100)
    one_too_many = wait({"token": token})
    assert api.result(one_too_many) == ("FAILED", "TooManyWaiters")
    described = api.stack.client("stepfunctions").describe_execution(executionArn=one_too_many)
    assert "100" in described["cause"]
    api.callback(token, {"n": 1})
    assert list(pool.map(api.result, executions)) == [("SUCCEEDED", {"n": 1})] * 100
    assert [waiter["status"] for waiter in api.retrieve(token)["waiters"]] == ["RESUMED"] * 100


def test_a_retried_state_waits_with_its_new_task_token(api: Api, machines: Machines) -> None:
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    start = machines.start_with_states({"State": machines.wait_state(TimeoutSeconds=5, Retry=retry)})
    token = api.create()
    execution = start({"token": token})
    api.wait_until_registered(token, waiters=2)
    api.callback(token, {"n": 1})
    assert api.result(execution) == ("SUCCEEDED", {"n": 1})
    statuses = [waiter["status"] for waiter in api.retrieve(token)["waiters"]]
    assert sorted(statuses) == ["GONE", "RESUMED"]
