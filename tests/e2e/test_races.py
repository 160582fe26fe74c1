"""Races of processes on the deployed stack: in any order, every execution is resumed with the payload of its own token."""

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.support import figures
from tests.support.e2e.api import Api
from tests.support.e2e.permissions import denied
from tests.support.e2e.race import CLIENTS, SHUFFLED, Race
from tests.support.e2e.states import waiting
from tests.support.in_process.api_gateway import TOKENS
from tools.openapi.operations import ENDPOINTS


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        yield pool


@pytest.fixture(params=[pytest.param(30, marks=pytest.mark.few), pytest.param(50, marks=pytest.mark.thorough)])
def tokens(request: pytest.FixtureRequest) -> int:
    """How many tokens a race has."""
    return int(request.param)


def test_a_waiter_and_a_callback_at_the_same_moment_always_resume(api: Api, pool: ThreadPoolExecutor, tokens: int) -> None:
    race = Race(api, pool, api.wait, api.result)
    race.run(tokens)
    assert race.results() == resumed(race)
    assert race.was_close("One waiter")


def test_they_also_resume_without_the_fast_path(api: Api, pool: ThreadPoolExecutor, tokens: int) -> None:
    race = Race(api, pool, api.wait, api.result)
    with denied(api.stack, "states:SendTask", "AcceptCallback"):
        race.run(tokens)
        assert race.results() == resumed(race)
    assert race.was_close("Without the fast path")


def resumed(race: Race) -> dict[int, tuple[str, Any]]:
    """What each execution should be resumed with."""
    return {number: ("SUCCEEDED", {"number": number}) for number in range(len(race.tokens))}


class KeyRace(Race):
    """Creates and completions by key at the same moment. Half of the completions are deliveries to an endpoint.

    Every fourth run waits for its token as soon as the create has answered. Before it came a completion that was kept.
    """

    def __init__(self, api: Api, pool: ThreadPoolExecutor) -> None:
        super().__init__(api, pool, api.wait, api.result)
        self.name = f"race-{uuid.uuid4()}"
        self.url = api.put_endpoint(self.name)["url"]
        self.created: dict[int, dict[str, Any]] = {}
        self.completed: dict[int, dict[str, Any]] = {}
        self.head_start = 0.02  # seconds at most: a completion makes one call more than a create

    def prepare(self) -> None:
        """The head start is enough."""

    def _race(self, batch: range) -> None:
        self.at_once((partial(self.create, number), partial(self.complete, number)) for number in batch)
        self.tokens += [self.created[number] for number in batch]
        first = sum(self.created[number]["isCached"] for number in batch)
        self.before += first
        self.head_start *= 2 if first < len(batch) / 2 else 0.6

    def key(self, number: int) -> str:
        return f"{self.name}:{number}"

    def create(self, number: int) -> None:
        time.sleep(SHUFFLED.uniform(0, self.head_start))
        self.created[number] = self.api.create(idempotencyKey=self.key(number), tags=[self.name])
        if number % 4 == 0:
            self.executions[number] = self.start(self.created[number])

    def complete(self, number: int) -> None:
        body = {"id": number}
        if number % 8 < 4:
            assert self.api.ask("POST", self.url, body, key=None) == {"success": True}
            return
        self.completed[number] = self.api.complete_by_key(self.key(number), data=body)

    def listed(self) -> list[tuple[str, str]]:
        """The key and the id of each token in the list."""
        found, after = [], ""
        while True:
            page = self.api.request("GET", f"{TOKENS}?filter[tags]={self.name}&page[size]=100{after}").json
            found += [(token["idempotencyKey"], token["id"]) for token in page["data"]]
            if "next" not in page["pagination"]:
                return found
            after = f"&page[after]={page['pagination']['next']}"

    def with_key(self, number: int) -> list[str]:
        """The ids that the list has for a key."""
        listed = self.api.request("GET", f"{TOKENS}?filter[idempotencyKey]={self.key(number)}").json
        return [token["id"] for token in listed["data"]]


def test_creates_and_completions_by_key_at_the_same_moment_meet(api: Api, pool: ThreadPoolExecutor, tokens: int) -> None:
    race = KeyRace(api, pool)
    race.run(tokens)
    tokens = len(race.tokens)
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
    assert race.results() == {number: ("SUCCEEDED", {"id": number}) for number in numbers if number % 4 == 0}
    assert sorted(race.listed()) == sorted((race.key(number), ids[number]) for number in numbers)
    some = range(0, tokens, 10)
    assert list(pool.map(race.with_key, some)) == [[ids[number]] for number in some]
    api.request("DELETE", f"{ENDPOINTS}/{race.name}")
    figures.show(
        f"Completion by key: {tokens} creates met {tokens} completions in {race.seconds:.0f} s, "
        f"{tokens - len(race.completed)} by an endpoint; {race.before} completions came first; "
        f"{len(race.executions)} executions resumed"
    )
    assert race.is_close


def test_the_waiter_of_a_stopped_execution_does_not_block_the_others(api: Api) -> None:
    token = api.create()
    stopped, other = api.wait(token), api.wait(token)
    api.wait_until_registered(token, waiters=2)
    api.stack.client("stepfunctions").stop_execution(executionArn=stopped)
    api.deliver(token, {"n": 1})
    assert api.result(other) == ("SUCCEEDED", {"n": 1})
    assert api.result(stopped)[0] == "ABORTED"
    assert {waiter["status"] for waiter in api.retrieve(token)["waiters"]} <= {"RESUMED", "GONE"}


def test_one_hundred_executions_can_wait_for_one_token_and_the_next_one_fails(api: Api, pool: ThreadPoolExecutor) -> None:
    token = api.create()
    executions = list(pool.map(api.wait, [token] * 100))
    api.wait_until_registered(token, waiters=100)
    one_too_many = api.wait(token)
    assert api.result(one_too_many) == ("FAILED", "TooManyWaiters")
    described = api.stack.client("stepfunctions").describe_execution(executionArn=one_too_many)
    assert "100" in described["cause"]
    api.deliver(token, {"n": 1})
    assert list(pool.map(api.result, executions)) == [("SUCCEEDED", {"n": 1})] * 100
    assert [waiter["status"] for waiter in api.retrieve(token)["waiters"]] == ["RESUMED"] * 100


def test_a_retried_state_waits_with_its_new_task_token(api: Api) -> None:
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    token = api.create()
    waits = waiting(api.stack, token, {"unwrap": True}, TimeoutSeconds=5, Retry=retry)
    execution = api.run({"Wait": waits})
    api.wait_until_registered(token, waiters=2)
    api.deliver(token, {"n": 1})
    assert api.result(execution) == ("SUCCEEDED", {"n": 1})
    statuses = [waiter["status"] for waiter in api.retrieve(token)["waiters"]]
    assert sorted(statuses) == ["GONE", "RESUMED"]
