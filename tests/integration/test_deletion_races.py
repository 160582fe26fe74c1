"""A token is deleted at the same moment as something else happens to it (invariant 8).

The calls to DynamoDB are put into an order by chance, which its seed repeats.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tests.support.turns import Turns
from waitpoints.wiring import services

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_metrics")]

KEY, PAGE = "raced", {"title": "Go?", "approvers": ["ann", "bo"]}
FEW, MANY = range(3), range(3, 30)


class Race:
    """One token, for which a state waits, and the statuses of what happens to it."""

    def __init__(self, api: Api, stack: MotoStack, clock: FakeClock, steps: FakeStepFunctions) -> None:
        self.api, self.stack, self.clock, self.steps = api, stack, clock, steps
        stack.empty_table()
        self.token = api.create(idempotencyKey=KEY, timeout="1h", page=PAGE)
        self.path = f"{TOKENS}/{self.token['id']}"
        self.tasks = [api.wait(self.token, steps)]
        self.statuses: dict[str, list[int]] = {}
        self.created: list[str] = []

    def ask(self, what: str, method: str, path: str, body: Any = None) -> Any:
        answer = self.api.request(method, path, body)
        self.statuses.setdefault(what, []).append(answer.status)
        return answer.json

    def delete(self, query: str = "") -> None:
        self.ask("delete", "DELETE", self.path + query)

    def settle(self) -> None:
        self.ask("complete", "POST", f"{self.path}/complete", {"data": {"action": "submit"}})

    def time_out(self) -> None:
        self.clock.advance(seconds=3600)
        services.timers.fire(self.token["id"])

    def wait(self) -> None:
        self.tasks.append(self.api.wait(self.token, self.steps))

    def create(self) -> None:
        self.tasks.append(task := self.steps.start_task())
        body = {"idempotencyKey": KEY, "page": PAGE, "taskToken": task}
        self.created.append(self.ask("create", "POST", TOKENS, body).get("id", ""))
        if self.statuses["create"][-1] != 200:  # the state's Retry begins another task
            self.tasks.remove(task)

    def hand_over(self) -> None:
        self.ask("hand over", "PATCH", self.path, {"approvers": {"add": ["cy"]}})

    def answer(self) -> None:
        self.ask("answer", "POST", self.token["links"][0]["url"], {"action": "submit"})

    def left(self) -> list[str]:
        return [item["item"]["S"] for item in self.stack.every_item() if self.token["id"] in str(item)]

    def check(self) -> str:
        """Nothing hangs. What is deleted is gone, but for a reply on its way, and what is not has stayed. How it ended."""
        assert all(status in (200, 403, 404, 409, 503) for statuses in self.statuses.values() for status in statuses)
        assert set(self.statuses["delete"]) <= {200, 409}
        assert set(self.statuses.get("create", [])) <= {200, 503}
        is_gone = 200 in self.statuses["delete"]
        found = services.store.find(self.token["id"])
        assert (found is None) is is_gone
        assert not is_gone or set(self.left()) <= {"replies"}
        [*others] = {it for it in self.created if it not in ("", self.token["id"])}
        awaited = {it.key for one in others if (other := services.store.find(one)) for it in other.waiters.values()}
        awaiting = found.waiters.keys() if found and not found.outcome else awaited
        for task in self.tasks:
            assert self.steps.result(task) or awaiting, self.statuses
        if is_gone:
            again = self.api.create(idempotencyKey=KEY, page=PAGE)
            assert again["id"] == others[0] if others else not again["isCached"]
        return f"{self.statuses}"


FORCE = "?force=true"
RACES: dict[str, tuple[bool, list[Callable[[Race], object]]]] = {
    "complete": (False, [Race.delete, Race.settle]),
    "timeout": (False, [Race.delete, Race.time_out]),
    "answer": (False, [Race.delete, Race.answer, Race.hand_over]),
    "late waiter": (True, [Race.delete, Race.wait]),
    "create": (True, [Race.delete, Race.create]),
    "create and waiter": (True, [Race.delete, Race.create, Race.wait]),
    "delete": (True, [Race.delete, Race.delete]),
    "force and complete": (False, [partial(Race.delete, query=FORCE), Race.settle]),
    "force and timeout": (False, [partial(Race.delete, query=FORCE), Race.time_out]),
    "force and waiter": (False, [partial(Race.delete, query=FORCE), Race.wait, Race.create]),
    "force twice": (False, [partial(Race.delete, query=FORCE), partial(Race.delete, query=FORCE)]),
}
"""Whether the token has settled before, and what happens at once."""


@pytest.fixture
def turns() -> Iterator[list[Turns]]:
    """The last one says who makes the next call."""
    turns: list[Turns] = []
    events, event = services.dynamodb_client.meta.events, "before-call.dynamodb"

    def call(**_: Any) -> None:
        if turns:
            turns[-1].before_call()

    events.register(event, call)
    yield turns
    events.unregister(event, call)


@pytest.mark.parametrize("seeds", [FEW, pytest.param(MANY, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("name", RACES)
def test_no_run_hangs_and_what_is_deleted_is_gone(
    api: Api,
    stack: MotoStack,
    clock: FakeClock,
    step_functions: FakeStepFunctions,
    turns: list[Turns],
    name: str,
    seeds: range,
) -> None:
    has_settled, acts = RACES[name]
    ended = set()
    for seed in seeds:
        race = Race(api, stack, clock, step_functions)
        if has_settled:
            race.settle()
        turns.append(Turns(seed))
        turns[-1].play([partial(act, race) for act in acts])
        turns.clear()
        ended.add(race.check())
    assert len(seeds) < 10 or len(ended) > 1 or has_settled or "force" in name
