"""The stack on the model of AWS: senders, the API, the functions, the stream and its consumer. Times in seconds."""

import random
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import simpy

from benchmarks.simulation import flows
from benchmarks.simulation.aws import Concurrency, Environment, Process, SimulatedFunction, StepFunctions, Table, sdk_pause
from benchmarks.simulation.flows import RESUME, Call
from benchmarks.simulation.quotas import (
    API_BURST,
    API_RATE,
    CONCURRENCY,
    SEND_TASK_BUCKET,
    SEND_TASK_RATE,
    TIMERS_AHEAD,
    Assumed,
    Sdk,
)
from benchmarks.simulation.senders import FOUR_HOURS, Sender
from benchmarks.simulation.stack import Consumer, SimulatedStack, Throttle
from benchmarks.simulation.timers import TimerQueue
from waitpoints_local.throttle import TokenBucket

LARGE_REGION: Final = Throttle(SEND_TASK_RATE.value, SEND_TASK_BUCKET.value)
SMALL_REGION: Final = Throttle(SEND_TASK_RATE.elsewhere or 0, SEND_TASK_BUCKET.elsewhere or 0)
ACCOUNT: Final = Throttle(API_RATE.value, API_BURST.value)
STREAM_KEEPS: Final = 24 * 3600.0
STORE_PAUSES: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""The store's longest pauses before it repeats a transaction. A test compares them with the store's."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The quotas of an account, what its stack sets, and how long things take."""

    stack: SimulatedStack
    send_task: Throttle = LARGE_REGION
    account: Throttle = ACCOUNT
    concurrency: int = int(CONCURRENCY.value)
    partitions: int = 4
    """Of the table: one for each 1,000 write units a second."""
    list_partitions: tuple[int, ...] = (0, 1, 2, 3)
    assumed: Assumed = field(default_factory=Assumed)
    seed: int = 1

    def with_callbacks(self, rate: float, burst: float) -> "Setting":
        """Return the setting with another throttle of the callback route."""
        return replace(self, stack=replace(self.stack, callbacks=Throttle(rate, burst)))


@dataclass(slots=True)
class Token:
    """A token that one execution waits for."""

    hash: int
    settled_at: float | None = None
    resumed_at: float | None = None
    """When Step Functions took the result."""
    replied_at: float | None = None
    """When its waiter's reply was recorded."""


@dataclass(slots=True)
class Found:
    """What became of a run. `answers` counts the answers by status, `answered_in` has the seconds to each 200."""

    tokens: list[Token] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    answered_in: list[float] = field(default_factory=list)
    given_up: int = 0
    """By their senders."""
    oldest_record: float = 0
    """The age at which a record of the stream was done, at most."""
    repaired: int = 0
    """Waiters that resume_waiters resumed, a few of them at the same moment as the function that settled their token."""
    timeouts: int = 0
    """Of resume_waiters."""
    expired: int = 0
    """Records that grew too old, and became dead letters."""

    @property
    def settled(self) -> list[Token]:
        return [token for token in self.tokens if token.settled_at is not None]

    def lags(self) -> list[float]:
        """The seconds from settled to resumed, sorted."""
        pairs = [(token.settled_at, token.resumed_at) for token in self.tokens]
        return sorted(resumed - settled for settled, resumed in pairs if settled is not None and resumed is not None)

    def audit(self) -> None:
        """Assert that nothing is lost: who was answered 200 has settled a token, and each settled token's waiter went on."""
        assert len(self.settled) + self.given_up >= len(self.tokens), "a token was neither settled nor given up by its sender"
        assert self.answers[200] >= len(self.tokens) - self.given_up, "a sender stopped without a 200"
        self.audit_resumes()

    def audit_timeouts(self) -> None:
        """Assert that every token has timed out, and its waiter went on."""
        assert len(self.settled) == len(self.tokens), "a token has not timed out"
        self.audit_resumes()

    def audit_resumes(self) -> None:
        settled = self.settled
        assert all(token.resumed_at is not None for token in settled), "an execution waits although its token has settled"
        assert all(token.replied_at is not None for token in settled), "a waiter has no reply"
        assert not self.expired, "a record grew too old"
        assert self.oldest_record < STREAM_KEEPS, "a record outlived the stream"


class Simulation:
    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.env = simpy.Environment()
        self.found = Found()
        self._random = random.Random(setting.seed)  # noqa: S311 - reproducible on purpose
        self._time = setting.assumed
        shared = Concurrency(setting.concurrency - sum(setting.stack.reserved.values()))
        self.accept_callback = self._function("accept_callback", shared)
        self.create_token = self._function("create_token", shared)
        self.resume_waiters = self._function("resume_waiters", shared)
        self.expire_tokens = self._function("expire_tokens", shared)
        self.table = Table(setting.partitions, setting.list_partitions)
        self.step_functions = StepFunctions(setting.send_task.rate, setting.send_task.burst)
        self._account, self._stage, self._callbacks = map(
            _bucket, (setting.account, setting.stack.stage, setting.stack.callbacks)
        )
        self._lanes = [[Lane(self) for _ in range(setting.stack.consumer.lanes)] for _ in range(setting.partitions)]

    def callbacks(self, number: int, within: float, sender: Sender = FOUR_HOURS) -> Found:
        """Send so many callbacks, each of a token of its own, evenly in `within` seconds. Returns what became of them all."""
        self.env.process(self._arrive(number, within, sender))
        self.env.run()
        return self.found

    def creates_of_one_key(self, rate: float, seconds: float, sender: Sender) -> Found:
        """Create again and again with the same key, which a token holds. `tokens` stays empty."""
        self.env.process(self._hammer(rate, seconds, sender))
        self.env.run()
        return self.found

    def timeouts(self, number: int) -> float:
        """Have so many tokens time out at one instant, and return that instant. `found` says what became of them.

        The run begins with the round that starts their timers, which comes as late as it may.
        """
        deadline = TIMERS_AHEAD[0]
        self.found.tokens += [Token(self._random.randrange(10**9)) for _ in range(number)]
        queue = TimerQueue(self.env, self._expire)
        self.env.process(queue.start_timers(self.found.tokens, deadline))
        self.env.run()
        return deadline

    def _arrive(self, number: int, within: float, sender: Sender) -> Process:
        for _ in range(number):
            token = Token(self._random.randrange(10**9))
            self.found.tokens.append(token)
            self.env.process(self._send(token, sender))
            yield self.env.timeout(self._random.expovariate(number / within))

    def _hammer(self, rate: float, seconds: float, sender: Sender) -> Process:
        while self.env.now < seconds:
            self.env.process(self._send(None, sender))
            yield self.env.timeout(self._random.expovariate(rate))

    def _send(self, token: Token | None, sender: Sender) -> Process:
        """Send a callback of the token, or a create with the key if there is none, until it is answered 200 in time."""
        for pause in (*sender.pauses, None):
            sent_at = self.env.now
            status = yield from self._callback(token) if token else self._create_again()
            self.found.answers[status] += 1
            took = self.env.now - sent_at
            if status == 200:
                self.found.answered_in.append(took)
            if status == 200 and took <= sender.patience:
                return
            if pause is not None:
                yield self.env.timeout(max(0, self._vary(pause) - max(0, took - sender.patience)))
        if token is None or token.settled_at is None:
            self.found.given_up += 1

    # The functions

    def _callback(self, token: Token) -> Process:
        """accept_callback. Returns the status of the answer."""
        if not (self._account.take(self.env.now) and self._callbacks.take(self.env.now)):
            return 429
        environment = yield from self.accept_callback.enter()
        if environment is None:
            return 503
        try:
            yield from self._work()
            if token.settled_at is not None:
                return (yield from self._late(environment, token))
            return 200 if (yield from self._settle(environment, token)) else 503
        finally:
            self.accept_callback.leave(environment)

    def _expire(self, token: Token) -> Process:
        """expire_tokens, for the one message of a batch. Returns whether it is done."""
        environment = yield from self.expire_tokens.enter()
        if environment is None:
            return False
        try:
            yield from self._work()
            yield from self._read()
            return token.settled_at is not None or (yield from self._settle(environment, token))
        finally:
            self.expire_tokens.leave(environment)

    def _late(self, environment: Environment, token: Token) -> Process:
        refused, count = flows.LATE_CALLBACK
        if not (yield from self._write(environment, refused, token)):
            return 503
        yield from self._write(environment, count, token)
        return 200

    def _settle(self, environment: Environment, token: Token) -> Process:
        """Settle a token and resume its waiter. Returns whether it has settled."""
        if not (yield from self._write(environment, flows.SETTLE, token)):
            return False
        if token.settled_at is None:
            token.settled_at = self.env.now
            self._put_into_the_stream(token)
            yield from self._resume(environment, token, Sdk.FAST_ATTEMPTS)
        return True

    def _put_into_the_stream(self, token: Token) -> None:
        shard = self._lanes[token.hash % self.setting.partitions]
        shard[token.hash // self.setting.partitions % len(shard)].put(token, self.env.now)

    def _resume(self, environment: Environment, token: Token, attempts: int) -> Process:
        """Tell the waiter and record its reply. Returns whether both worked: else the stream does it."""
        if not (yield from self._tell(environment, token, attempts)):
            return False
        if not (yield from self._write(environment, flows.RECORD, token)):
            return False
        token.replied_at = token.replied_at or self.env.now
        return True

    def _create_again(self) -> Process:
        """create_token with a key that another token holds. Returns the status of the answer."""
        if not (self._account.take(self.env.now) and self._stage.take(self.env.now)):
            return 429
        environment = yield from self.create_token.enter()
        if environment is None:
            return 503
        try:
            yield from self._work()
            return 200 if (yield from self._transact()) else 503
        finally:
            self.create_token.leave(environment)

    def _transact(self) -> Process:
        """The store's transaction, which it repeats if a partition throttles it. Returns whether the table decided it.

        One whose condition fails holds no item, so such transactions do not conflict with each other (Amazon DynamoDB
        Transactions at Scale, USENIX ATC 2023, section 4).
        """
        [call] = flows.CREATE_AGAIN
        token = Token(self._random.randrange(10**9))
        for longest_pause in (*STORE_PAUSES, None):
            yield self.env.timeout(self._vary(self._time.transaction))
            if self.table.write(self.env.now, call, token.hash):
                return True
            if longest_pause is not None:
                yield self.env.timeout(self._random.random() * longest_pause)
        return False

    def resume_batch(self, batch: Sequence[Token], consumer: Consumer) -> Process:
        """resume_waiters. Returns the place of the first record that failed, or the batch's length; None if it timed out."""
        environment = yield from self.resume_waiters.enter()
        if environment is None:
            return 0
        until = self.env.now + consumer.timeout
        failed: list[int] = []
        try:
            yield from self._work()
            yield from self._read()
            for place in [place for place, token in enumerate(batch) if token.replied_at is None]:
                if self.env.now > until:
                    self.found.timeouts += 1
                    return None
                if not (yield from self._repair(environment, batch[place])):
                    failed.append(place)
            return min(failed, default=len(batch))
        finally:
            self.resume_waiters.leave(environment)

    def _repair(self, environment: Environment, token: Token) -> Process:
        yield from self._read()
        if token.replied_at is not None:
            return True
        if not (yield from self._resume(environment, token, Sdk.ATTEMPTS)):
            return False
        self.found.repaired += 1
        yield from self._write(environment, flows.UNMARK, token)  # only logged if it fails
        return True

    # Their calls

    def _tell(self, environment: Environment, token: Token, attempts: int) -> Process:
        for attempt in range(1, attempts + 1):
            yield self.env.timeout(self._vary(self._time.step_functions))
            if self.step_functions.send(self.env.now):
                environment.succeeded(RESUME, retried=attempt > 1)
                token.resumed_at = token.resumed_at or self.env.now
                return True
            if attempt == attempts or not environment.may_retry(RESUME):
                return False
            yield self.env.timeout(sdk_pause(self._random, attempt))
        raise AssertionError("the last attempt returns")

    def _write(self, environment: Environment, call: Call, token: Token) -> Process:
        for attempt in range(1, Sdk.ATTEMPTS + 1):
            yield self.env.timeout(self._vary(self._time.dynamodb))
            if self.table.write(self.env.now, call, token.hash):
                environment.succeeded("DynamoDB", retried=attempt > 1)
                return True
            if attempt == Sdk.ATTEMPTS or not environment.may_retry("DynamoDB"):
                return False
            yield self.env.timeout(sdk_pause(self._random, attempt))
        raise AssertionError("the last attempt returns")

    def _read(self) -> Process:
        """Reads take their time. No scenario comes near the 3,000 read units a second of a partition."""
        yield self.env.timeout(self._vary(self._time.dynamodb))

    def _work(self) -> Process:
        yield self.env.timeout(self._vary(self._time.own))

    def _vary(self, seconds: float) -> float:
        return seconds * self._random.uniform(0.75, 1.25)

    def poll(self) -> float:
        return self._random.random() * self._time.poll

    def _function(self, name: str, shared: Concurrency) -> SimulatedFunction:
        reserved = self.setting.stack.reserved.get(name)
        return SimulatedFunction(self.env, shared if reserved is None else Concurrency(reserved), self._time.start)


class Lane:
    """The records of one shard whose batches Lambda hands over one after the other."""

    def __init__(self, world: Simulation) -> None:
        self._world, self._env = world, world.env
        self._records: deque[tuple[Token, float]] = deque()
        self._arrived = self._env.event()
        self._env.process(self._consume(world.setting.stack.consumer))

    def put(self, token: Token, now: float) -> None:
        self._records.append((token, now))
        if not self._arrived.triggered:
            self._arrived.succeed()

    def _consume(self, consumer: Consumer) -> Process:
        size = consumer.batch
        while True:
            if not self._records:
                self._arrived = self._env.event()
                yield self._arrived
                yield self._env.timeout(self._world.poll() + consumer.window)
            batch = [token for token, _ in list(self._records)[:size]]
            done = yield from self._world.resume_batch(batch, consumer)
            for _ in range(done or 0):
                self._finish()
            if done is None:  # a function that fails has its batch halved, and the first half comes again
                size = max(1, len(batch) // 2)
            elif done == len(batch):
                size = consumer.batch
            if done != len(batch):
                yield self._env.timeout(self._world.setting.assumed.stream_retry)
                self._drop_the_old(consumer)

    def _finish(self) -> None:
        _, since = self._records.popleft()
        self._world.found.oldest_record = max(self._world.found.oldest_record, self._env.now - since)

    def _drop_the_old(self, consumer: Consumer) -> None:
        while self._records and self._env.now - self._records[0][1] > consumer.longest_age:
            self._records.popleft()
            self._world.found.expired += 1


def _bucket(throttle: Throttle) -> TokenBucket:
    return TokenBucket(throttle.rate, throttle.burst)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that `share` of the sorted values do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def happened_by(times: Sequence[float], at: Sequence[float]) -> list[int]:
    """Return how many of the sorted times are not after each of `at`."""
    return [bisect_right(times, instant) for instant in at]
