"""Measure a burst of callbacks while Step Functions throttles, on the emulator, beside what the model predicts.

The emulator throttles SendTaskSuccess as AWS does above its quota. The model gets the same quota, the emulator's number of
processes, its one shard and the pause after which it hands over a failed batch again. The quota and the SDK's pauses decide
the times, not the machine.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any
from urllib.parse import urlsplit

import httpx
from waitpoints_client import CreatedToken, Token, Waitpoints

from benchmarks.page import Figures, table
from benchmarks.simulation.quotas import Assumed
from benchmarks.simulation.senders import NEVER
from benchmarks.simulation.stack import Stack as ModelledStack
from benchmarks.simulation.stack import Throttle
from benchmarks.simulation.world import Setting, World, percentile
from in_process.template import Template
from local.emulator import WORKERS
from local.stack import LOCAL, Stack, free_port, running
from local.throttle import file_of, throttled_resumes

WAITS = 200
QUOTA = Throttle(rate=5, burst=20)
CONNECTIONS = 8  # more than the emulator has processes for the callback
PATIENCE = 60  # seconds
SHARES = (0.25, 0.5, 0.75, 1)
OPEN = Throttle(10**9, 10**9)
EMULATOR = Assumed(own=0.02, step_functions=0.01, poll=0.05, stream_retry=1.0)
SEEDS = range(5)


@dataclass(frozen=True)
class Course:
    """When executions went on, in seconds since the first token settled, and how long after their token each did."""

    resumed: list[float]
    lags: list[float]

    def after(self, share: float) -> float:
        """Return when that share of the executions had gone on."""
        return percentile(self.resumed, share)


@dataclass(frozen=True)
class Compared:
    measured: Course
    predicted: list[Course]
    """With different random numbers."""

    def times(self) -> list[tuple[float, float]]:
        """Return when each of SHARES had gone on, measured and predicted."""
        return [(self.measured.after(share), median(course.after(share) for course in self.predicted)) for share in SHARES]

    def mean_lags(self) -> tuple[float, float]:
        return mean(self.measured.lags), median(mean(course.lags) for course in self.predicted)


class Burst:
    """Executions that wait, each for a token of its own, and the callbacks of all of them."""

    def __init__(self, stack: Stack, folder: Path, client: Waitpoints, pool: ThreadPoolExecutor) -> None:
        self._stack, self._client, self._pool = stack, client, pool
        self._quota_file = file_of(folder, urlsplit(stack.endpoint_url).port or 0)
        self._step_functions = stack.client("stepfunctions")

    def run(self) -> list[Token]:
        """Return the tokens afterwards. Raises AssertionError if an execution did not go on with its callback's body."""
        waits = list(self._pool.map(lambda _: self._start_waiting(), range(WAITS)))
        list(self._pool.map(lambda _: self._call_back(self._client.create(), 0), range(WAITS // 10)))  # starts the processes
        with throttled_resumes(self._quota_file, QUOTA.rate, QUOTA.burst):
            list(self._pool.map(lambda number: self._call_back(waits[number][0], number), range(WAITS)))
            list(self._pool.map(lambda number: self._check_went_on(waits[number][1], number), range(WAITS)))
        return list(self._pool.map(lambda wait: self._replied(wait[0]), waits))

    def _start_waiting(self) -> tuple[CreatedToken, str]:
        token = self._client.create()
        start = json.dumps({"token": {"id": token.id}})
        started = self._step_functions.start_execution(stateMachineArn=self._stack.state_machine_arn, input=start)
        _until(lambda: bool(self._client.get(token).waiters))
        return token, started["executionArn"]

    def _call_back(self, token: CreatedToken, number: int) -> None:
        answer = httpx.post(token.url, json={"number": number}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text

    def _check_went_on(self, execution: str, number: int) -> None:
        def described() -> Any:
            return self._step_functions.describe_execution(executionArn=execution)

        _until(lambda: described()["status"] != "RUNNING")
        ended = described()
        assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"number": number}), ended

    def _replied(self, token: CreatedToken) -> Token:
        """Return the token once its waiter's reply is recorded, which is shortly after the execution has gone on."""
        _until(lambda: self._client.get(token).waiters[0].status != "UNDELIVERED")
        return self._client.get(token)


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, "it hangs"
        time.sleep(0.1)


def measure(stack: Stack, folder: Path) -> list[Token]:
    """Run the burst on a stack that was deployed from a folder. Returns its tokens."""
    with ThreadPoolExecutor(CONNECTIONS) as pool, Waitpoints(stack.api_url, stack.api_key) as client:
        return Burst(stack, folder, client, pool).run()


def course_of(tokens: list[Token]) -> Course:
    ends = [token.completed_at.timestamp() for token in tokens if token.completed_at]
    waiters = [waiter for token in tokens for waiter in token.waiters]
    resumed = [waiter.resumed_at.timestamp() - min(ends) for waiter in waiters if waiter.resumed_at]
    return Course(sorted(resumed), sorted((waiter.lag_ms or 0) / 1000 for waiter in waiters))


def predict(seed: int) -> Course:
    stack = ModelledStack.of(Template.load())
    one_shard = replace(stack, callbacks=OPEN, consumer=replace(stack.consumer, lanes=1), reserved={})
    setting = Setting(one_shard, send_task=QUOTA, account=OPEN, partitions=1, list_partitions=(0,), assumed=EMULATOR)
    found = World(replace(setting, workers=WORKERS, seed=seed)).callbacks(WAITS, within=0.1, sender=NEVER)
    found.audit()
    start = min(token.settled_at or 0 for token in found.tokens)
    return Course(sorted((token.resumed_at or 0) - start for token in found.tokens), found.lags())


def compare(tokens: list[Token]) -> Compared:
    return Compared(course_of(tokens), [predict(seed) for seed in SEEDS])


def report(compared: Compared) -> str:
    rows = [_row(f"{share:.0%} had gone on after", *pair) for share, pair in zip(SHARES, compared.times(), strict=True)]
    return table(["", "measured", "predicted", "ratio"], [*rows, _row("mean of an execution's lag", *compared.mean_lags())])


def _row(name: str, measured: float, predicted: float) -> list[str]:
    return [name, f"{measured:.1f} s", f"{predicted:.1f} s", f"**{measured / predicted:.2f}**"]


def draw(compared: Compared) -> None:
    from benchmarks.plots import plot  # noqa: PLC0415 - the tests have no matplotlib

    with plot("scaling-measured") as axes:
        for number, course in enumerate(compared.predicted):
            axes.plot(*_steps(course), color="tab:gray", alpha=0.5, label=None if number else "predicted, five times")
        axes.plot(*_steps(compared.measured), color="tab:blue", label="measured")
        axes.set(xlabel="seconds since the first callback", ylabel="executions that have gone on", xlim=(0, None))
        axes.set_ylim(0, WAITS)
        axes.legend(loc="lower right")


def _steps(course: Course) -> tuple[list[float], list[int]]:
    return course.resumed, list(range(1, len(course.resumed) + 1))


def run() -> Figures:
    folder = LOCAL / "throttled-burst"
    with running(free_port(), folder) as stack:
        compared = compare(measure(stack, folder))
    draw(compared)
    return Figures(report(compared))
