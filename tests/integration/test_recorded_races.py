"""Recorded deliveries, creates, deletions and timeouts at the same moment, on moto's DynamoDB: each run has one outcome."""

import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tests.support.races import race
from tests.support.recorded_endpoint import NAME, deliver
from tools.openapi.operations import ENDPOINTS
from waitpoints.api.endpoints import deletion
from waitpoints.aws.items import TOKEN
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.recorded_delivery import RecordedDelivery
from waitpoints.token import Completed, TimedOut, Token
from waitpoints.wiring import services

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_metrics", "counted")]

MOST_DELAY = 0.2  # seconds: what makes many calls is not always the last
SETTLED = (DeliveryKind.COMPLETED, DeliveryKind.KEPT)


class Round:
    """One key: what is made with it, and what must be true of it in the end."""

    def __init__(self, number: int, api: Api, stack: MotoStack, steps: FakeStepFunctions, endpoint: Endpoint) -> None:
        self.number = number
        self._api, self._stack, self._steps, self._endpoint = api, stack, steps, endpoint
        self.key, self.task_token = f"{NAME}:{number}", steps.start_task()
        self.token_id = ""
        self.deleted: list[str] = []

    def create(self) -> None:
        """A state waits for the token at once, for two seconds."""
        body = {"idempotencyKey": self.key, "timeout": "2s", "taskToken": self.task_token}
        self.token_id = self._stack.functions()["create_token_in_state"].call(body)["id"]

    def resend(self) -> None:
        """Send the first delivery again, once it is there, with one idempotency key for all."""
        for _ in range(20):
            for row in self.rows():
                path = f"{ENDPOINTS}/{self._endpoint.name}/deliveries/{row.id}/resend"
                answer = self._api.post(path, {"idempotencyKey": "again"})
                assert answer.status in (200, 404, 503), answer.text
                return

    def deliver(self) -> None:
        answer = deliver(self._api, self._endpoint, {"id": self.number}, f"event-{self.number}")
        assert answer.status == 200, answer.text

    def delete(self) -> None:
        """Delete the first delivery of this key that is there."""
        for _ in range(20):
            for row in self.rows():
                deletion.delete(self._endpoint, row)
                self.deleted.append(row.id)
                return

    def rows(self) -> list[RecordedDelivery]:
        ulids = [item["item"]["S"] for item in self._stack.every_item() if item["id"]["S"].startswith("deliveries#")]
        found = [services.deliveries.get(self._endpoint.secret_id, f"delivery_{ulid}") for ulid in ulids]
        return [row for row in found if row is not None]

    def check(self, rows: list[RecordedDelivery], tokens: dict[str, Token]) -> str:
        """Returns how it ended."""
        of_key = {id_: token for id_, token in tokens.items() if token.idempotency_key == self.key}
        records = {id_: token.outcome.completed_by for id_, token in of_key.items() if isinstance(token.outcome, Completed)}
        made_by = {id_: by.record for id_, by in records.items() if by is not None}
        for row in rows:
            assert row.kind is not None
            assert (made_by.get(row.token_id or "") == row.id) is (row.kind in SETTLED), row
        alive = {row.id for row in rows}
        kept = [id_ for id_, token in of_key.items() if token.early_until is not None]
        assert all(made_by[id_] in alive for id_ in kept), "what a deleted delivery has kept is still there"
        token = of_key[self.token_id]
        assert self._steps.calls[self.task_token] == (token.outcome is not None)
        if any(row.kind is not DeliveryKind.REPEATED for row in rows):
            assert token.outcome is not None
        return type(token.outcome).__name__


def empty(stack: MotoStack) -> None:
    """Delete all but the endpoint and the doctor's state, and the stream's records, so that the next race begins anew."""
    remaining = [item for item in stack.every_item() if item["id"]["S"] in ("endpoints", "doctor")]
    stack.empty_table()
    for item in remaining:
        stack.put(item)


def some_time_later(chance: random.Random, act: Callable[[], object]) -> Callable[[], object]:
    delay = chance.choice([0, chance.uniform(0, MOST_DELAY)])

    def wait_and_act() -> None:
        time.sleep(delay)
        act()

    return wait_and_act


@pytest.mark.parametrize("races", [20, pytest.param(280, marks=pytest.mark.thorough)])
def test_each_run_has_one_outcome_and_each_record_says_what_it_did(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions, clock: FakeClock, endpoint: Endpoint, races: int
) -> None:
    chance = random.Random(races)  # noqa: S311
    ended: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for number in range(races):
        one = Round(number, api, stack, step_functions, endpoint)
        racers: list[Callable[[], object]] = [one.create, one.deliver, one.deliver]
        racers += [one.delete] if number % 2 else []
        racers += [one.resend] if number % 4 < 2 else []
        racers += [lambda: clock.advance(2000)] if number % 3 == 0 else []
        race([some_time_later(chance, racer) for racer in racers])
        services.timers.fire(one.token_id)
        rows = one.rows()
        tokens = {it: services.store.get(it) for it in {it["id"]["S"] for it in stack.every_item() if it["item"]["S"] == TOKEN}}
        ended[one.check(rows, tokens)] += 1
        kinds.update(str(row.kind) for row in rows)
        assert list(services.deliveries.pending(clock())) == []
        empty(stack)
    print(ended, kinds)
    if races > 100:
        assert {"completed", "kept", "repeated", "late"} <= kinds.keys(), kinds
        assert {Completed.__name__, TimedOut.__name__} <= ended.keys(), ended
