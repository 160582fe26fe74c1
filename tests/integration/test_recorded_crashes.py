"""A function's process is killed while it has a recorded delivery, and the doctor processes the delivery."""

import json
import signal
from functools import partial
from typing import Any
from unittest import mock

import pytest

from tests.support.forked import die, run_forked
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tests.support.recorded_endpoint import NAME, deliver
from waitpoints.aws.items import plain
from waitpoints.endpoint import Endpoint
from waitpoints.token import Completed
from waitpoints.waiter_result import Success
from waitpoints.wiring import services

pytestmark = pytest.mark.slow

BEFORE_IT_SETTLES = "waitpoints.api.endpoints.endpoint_delivery.process"
BEFORE_IT_IS_FINISHED = "waitpoints.api.endpoints.recording.finish"


def rows(stack: MotoStack) -> dict[str, dict[str, Any]]:
    """The recorded deliveries by their provider's event ids."""
    items = [plain(item) for item in stack.every_item()]
    return {item["deliveryId"]: item for item in items if item["id"].startswith("deliveries#")}


@pytest.mark.parametrize(
    ("where", "crashes"),
    [
        (BEFORE_IT_IS_FINISHED, 9),
        pytest.param(BEFORE_IT_SETTLES, 9, marks=pytest.mark.few),
        pytest.param(BEFORE_IT_SETTLES, 100, marks=pytest.mark.thorough),
    ],
)
def test_crashes_lose_nothing_and_settle_nothing_twice(
    api: Api,
    stack: MotoStack,
    step_functions: FakeStepFunctions,
    clock: FakeClock,
    endpoint: Endpoint,
    where: str,
    crashes: int,
) -> None:
    """A run waits for every third delivery, another third has no token yet, and the others have no key."""
    task_tokens: dict[int, str] = {}
    for number in range(0, crashes, 3):
        task_tokens[number] = step_functions.start_task()
        body = {"idempotencyKey": f"{NAME}:{number}", "taskToken": task_tokens[number]}
        stack.call("create_token_in_state", body)
    clock.advance(1000)
    for number in range(crashes):
        sent = {"n": number} if number % 3 == 2 else {"id": number}
        with mock.patch(where, die):
            assert run_forked(partial(deliver, api, endpoint, sent, f"{number}")) == signal.SIGKILL
    assert [row.get("kind") for row in rows(stack).values()] == [None] * crashes
    has_settled = where == BEFORE_IT_IS_FINISHED

    clock.advance(61_000)
    report = stack.call("doctor", {})
    assert report["repaired"] == (0 if has_settled else len([it for it in range(crashes) if it % 3 < 2]))
    assert (report["unrepaired"], list(services.deliveries.pending(clock()))) == (0, [])
    found = rows(stack)
    assert {found[f"{number}"]["kind"] for number in range(0, crashes, 3)} == {"completed"}
    assert {found[f"{number}"]["kind"] for number in range(1, crashes, 3)} == {"kept"}
    assert {found[f"{number}"]["kind"] for number in range(2, crashes, 3)} == {"noKey"}
    for number in range(1, crashes, 3):
        task_tokens[number] = step_functions.start_task()
        body = {"idempotencyKey": f"{NAME}:{number}", "taskToken": task_tokens[number]}
        assert stack.call("create_token_in_state", body)["id"] == found[f"{number}"]["tokenId"]
    for number, task_token in task_tokens.items():
        token = services.tokens.find(found[f"{number}"]["tokenId"])
        assert isinstance(token.outcome, Completed)
        assert (token.outcome.output.json, token.unresumed()) == (json.dumps({"id": number}), [])
        if number % 3 or not has_settled:  # else the process that was killed has resumed it
            assert step_functions.result(task_token) == Success(f'{{"ok":true,"output":{token.outcome.output.json}}}')
            assert step_functions.calls[task_token] == 1
