"""Timers on the deployed stack, which the stream, a queue and rounds start: a waiting execution fails within about a second."""

import random
import statistics
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from tests.support import figures
from tests.support.e2e.api import Api
from tests.support.e2e.ops import Operator
from tests.support.patience import measured
from waitpoints.aws.items import CURSORS, LIST_SHARDS

SHORTEST = 2  # seconds
LATENESS = 5.0  # seconds: about one, on a busy machine. The doctor would come much later


def instant(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


def time_out(api: Api, timeouts: list[str]) -> list[float]:
    """Run one execution for each timeout until it ends. Returns how late each was (s)."""
    step_functions = api.stack.client("stepfunctions")

    def begin(timeout: str) -> tuple[dict[str, Any], str]:
        token = api.create(timeout=timeout)
        return token, api.wait(token)

    def lateness(token: dict[str, Any], execution: str) -> float:
        assert api.result(execution) == ("FAILED", "WaitpointTimeoutError")
        ended = step_functions.describe_execution(executionArn=execution)
        shown = api.retrieve(token)
        assert ended["cause"] == f"Waitpoint timed out at {shown['timeoutAt']}"
        assert shown["status"] == "TIMED_OUT"
        return float(ended["stopDate"].timestamp() - instant(shown["timeoutAt"]))

    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(begin, timeouts))
    return [lateness(*one) for one in started]


@pytest.mark.parametrize(
    ("tokens", "longest"), [pytest.param(30, 6, marks=pytest.mark.few), pytest.param(100, 20, marks=pytest.mark.thorough)]
)
def test_every_waiting_execution_is_resumed_within_about_a_second(api: Api, tokens: int, longest: int) -> None:
    time_out(api, ["2s"] * 20)  # start the functions' processes before measuring
    chosen = random.Random(5)  # noqa: S311
    timeouts = [f"{chosen.randint(SHORTEST, longest)}s" for _ in range(tokens)]
    late = measured(lambda: time_out(api, timeouts), lambda late: statistics.median(late) < LATENESS)
    p50, p95 = statistics.median(late), statistics.quantiles(late, n=20)[-1]
    figures.show(f"{tokens} timeouts: late by p50 {p50:.2f} s, p95 {p95:.2f} s, max {max(late):.2f} s")
    assert min(late) >= 0
    assert p50 < LATENESS


def test_a_round_starts_the_timer_of_a_long_timeout(api: Api) -> None:
    """The token's instants are moved to a few seconds ahead, and the cursors back, as its time would bring them near."""
    token, execution = api.awaited(timeout="30d")
    operator, table = Operator(api.stack), api.stack.client("dynamodb")
    for member in ("dueAt", "timeoutAt"):
        operator.set_back(token["id"], member, 30 * 86_400_000 - 5_000)
    for shard in range(LIST_SHARDS):
        table.delete_item(TableName=api.stack.table_name, Key={"id": {"S": CURSORS}, "item": {"S": str(shard)}})
    operator.invoke("StartTimers", {})
    assert api.result(execution) == ("FAILED", "WaitpointTimeoutError")
