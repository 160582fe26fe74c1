"""The services that the stack stands on, as far as load is concerned."""

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

from benchmarks.simulation.flows import Call
from benchmarks.simulation.quotas import PARTITION_WRITES, SCALING, Sdk
from waitpoints_local.throttle import TokenBucket

Process = Generator[simpy.Event, Any, Any]


@dataclass(slots=True)
class Environment:
    """A function environment. Each of its clients stops retrying when its retries have used up the SDK's quota."""

    quotas: dict[str, int] = field(default_factory=dict)

    def may_retry(self, client: str) -> bool:
        left = self.quotas.get(client, Sdk.QUOTA)
        if left < Sdk.RETRY_COST:
            return False
        self.quotas[client] = left - Sdk.RETRY_COST
        return True

    def succeeded(self, client: str, retried: bool) -> None:
        left = self.quotas.get(client, Sdk.QUOTA)
        self.quotas[client] = min(Sdk.QUOTA, left + (Sdk.RETRY_COST if retried else 1))


class Concurrency:
    """The invocations that an account may run at once."""

    def __init__(self, limit: int) -> None:
        self.free = limit


class SimulatedFunction:
    """A Lambda function on demand: an environment serves one invocation at a time, and is used again."""

    def __init__(self, env: simpy.Environment, concurrency: Concurrency, start: float) -> None:
        self._env, self._concurrency, self._start = env, concurrency, start
        self._idle: list[Environment] = []
        self._new = TokenBucket(SCALING.value / 10, SCALING.value)
        self.running = self.most = self.throttled = 0

    def enter(self) -> Process:
        """Return an environment, or None if Lambda throttles."""
        if not self._concurrency.free or not (self._idle or self._new.take(self._env.now)):
            self.throttled += 1
            return None
        self._concurrency.free -= 1
        self.running += 1
        self.most = max(self.most, self.running)
        if self._idle:
            return self._idle.pop()
        yield self._env.timeout(self._start)
        return Environment()

    def leave(self, environment: Environment) -> None:
        self._concurrency.free += 1
        self.running -= 1
        self._idle.append(environment)


class Table:
    """The table's partitions, and those of its list index. A write takes its units of all of them, or is throttled.

    Token ids spread over `partitions`; `list_partitions` says on which partition of the index each list shard is. There is
    one key, whose item and whose place in its index have a partition each, as have the marks of undelivered
    tokens. What throttles an index throttles the write (gsi-throttling in the DynamoDB guide). No partition is split during
    a run: AWS does not say how soon that happens.
    """

    def __init__(self, partitions: int, list_partitions: Sequence[int]) -> None:
        self.partitions = partitions
        self.list_partitions = list_partitions
        self._table = [_partition() for _ in range(partitions)]
        self._list = {number: _partition() for number in set(list_partitions)}
        self._key, self._key_index, self._marks = _partition(), _partition(), _partition()
        self.written = self.throttled = 0

    def write(self, now: float, call: Call, token_hash: int) -> bool:
        wanted = [
            (self._table[token_hash % self.partitions], call.token),
            (self._list[self.list_partitions[token_hash // 1000 % len(self.list_partitions)]], call.list_index),
            (self._key, call.key),
            (self._key_index, call.key_index),
            (self._marks, call.marks),
        ]
        if not all(bucket.has(now, units) for bucket, units in wanted if units):
            self.throttled += 1
            return False
        for bucket, units in wanted:
            bucket.take(now, units)
        self.written += call.write_units
        return True


def _partition() -> TokenBucket:
    """A partition with one second of burst. DynamoDB may lend more for a while, and promises none."""
    return TokenBucket(PARTITION_WRITES.value, PARTITION_WRITES.value)


class StepFunctions:
    def __init__(self, rate: float, capacity: float) -> None:
        self._bucket = TokenBucket(rate, capacity)
        self.sent_at: list[float] = []
        self.throttled = 0

    def send(self, now: float) -> bool:
        if not self._bucket.take(now):
            self.throttled += 1
            return False
        self.sent_at.append(now)
        return True


def sdk_pause(random_: random.Random, attempt: int) -> float:
    """Return how long boto3 waits after so many throttled attempts, in seconds."""
    return random_.random() * Sdk.FIRST_PAUSE * float(2 ** (attempt - 1))
