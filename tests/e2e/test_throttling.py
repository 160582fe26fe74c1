"""A burst of callbacks to many processes while Step Functions throttles: every execution goes on once the quota lets it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.e2e.api import Api
from tests.support.e2e.waiting import until
from waitpoints_local.stack import Stack
from waitpoints_local.throttle import file_of, throttled_resumes

RATE, AT_ONCE = 5, 20  # SendTaskSuccess that the emulator takes
CONNECTIONS = 8  # more than it has processes for the callback

Json = dict[str, Any]


@pytest.fixture(scope="module", params=[pytest.param(40, marks=pytest.mark.few), pytest.param(60, marks=pytest.mark.thorough)])
def waiters(request: pytest.FixtureRequest, api: Api, stack: Stack, stack_folder: Path) -> list[tuple[Json, Json]]:
    """Each token after the burst, with its waiter, whose execution has gone on with its callback's body."""

    def call_back(number: int) -> None:
        assert api.deliver(waits[number][0], {"number": number}).status == 200

    def went_on(number: int) -> tuple[Json, Json]:
        token, execution = waits[number]
        assert api.result(execution) == ("SUCCEEDED", {"number": number})
        return replied(api, token)

    file = file_of(stack_folder, urlsplit(stack.endpoint_url).port or 0)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        waits = list(pool.map(lambda _: api.awaited(), range(request.param)))
        with throttled_resumes(file, RATE, AT_ONCE):
            list(pool.map(call_back, range(len(waits))))
            return list(pool.map(went_on, range(len(waits))))


def replied(api: Api, token: Json) -> tuple[Json, Json]:
    """Return the token and its waiter once the reply is recorded, which is shortly after the execution has gone on."""
    until(lambda: api.retrieve(token)["waiters"][0]["status"] != "UNDELIVERED", "no reply was recorded")
    found = api.retrieve(token)
    return found, found["waiters"][0]


def test_no_execution_is_lost(waiters: list[tuple[Json, Json]]) -> None:
    assert [waiter["status"] for _, waiter in waiters] == ["RESUMED"] * len(waiters)


def test_no_more_executions_go_on_than_the_quota_lets(waiters: list[tuple[Json, Json]]) -> None:
    begin = min(datetime.fromisoformat(token["completedAt"]) for token, _ in waiters)
    resumed = sorted((datetime.fromisoformat(waiter["resumedAt"]) - begin).total_seconds() for _, waiter in waiters)
    assert all(place <= AT_ONCE + RATE * (at + 1) for place, at in enumerate(resumed))
