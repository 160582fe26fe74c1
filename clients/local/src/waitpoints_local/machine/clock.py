"""Let hours pass in moments: for one execution, or for one token, of the stack on this machine. Never in AWS.

The emulator has a clock for each execution, which it shares with the executions that its states start. A skip moves this clock
from one instant to the next: the end of a wait, a retry's interval, a timeout, and what is due of the tokens that the execution
names or waits for. They become older by as much: `createdAt` and all later instants move back, because the functions' clock is
the machine's. A token that two executions wait for is older for both.
"""

import json
import math
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from waitpoints_client import local_stacks
from waitpoints_client.ops.deployed import Deployed
from waitpoints_client.wire import duration

from waitpoints_local.clocks import Skipped

PATH = "/_waitpoints/clock"
PATIENCE = 960  # seconds for a state to come to rest: more than a function runs
NEAR = 900  # seconds: what is due sooner has a message on the timer queue, and is not in the index
LEAST = 0.001  # seconds: the table has milliseconds
ATTEMPTS = 5
PREFIX = "waitpoint_"
_INSTANTS = ("createdAt", "timeoutAt", "dueAt", "remindedAt", "escalatedAt")
_READ = {"#item": "item", "#status": "status"}


class ClockProblem(RuntimeError):
    """Time cannot be skipped. The message says why, in one sentence."""


@dataclass(frozen=True)
class Coming:
    """What ends by itself, and in how many seconds: Wait, Retry, TimeoutSeconds or HeartbeatSeconds of a state."""

    state: str
    what: str
    seconds: float

    @property
    def is_delay(self) -> bool:
        """Whether the state goes on then. Else it fails."""
        return self.what in ("Wait", "Retry")

    @property
    def to_skip(self) -> str:
        """How much to skip, such as "4h": at least what is left."""
        return duration(math.ceil(self.seconds / 60) * 60 if self.seconds > 60 else math.ceil(self.seconds))


@dataclass(frozen=True)
class Seen:
    """What an execution is about."""

    rests: bool
    """Whether no state is at work."""
    coming: list[Coming]
    """What ends by itself, the next one first."""
    waiters: int
    """How many states wait for a task token."""


def look(stack: Deployed, execution: str) -> Seen:
    """See what an execution waits for. Raises ClockProblem."""
    seen = _Clock(stack, execution).look()
    return Seen(seen["rests"], [Coming(**one) for one in seen["coming"]], len(seen["waiters"]))


def skip(stack: Deployed, execution: str, seconds: float) -> list[Skipped]:
    """Let `seconds` pass for a running execution. Returns what passed, in order; nothing if it has ended.

    It waits for functions that run: they take their own time. Raises ClockProblem.
    """
    passing = Passing(stack, execution, seconds)
    skipped: list[Skipped] = []
    try:
        while not passing.is_over and passing.rests():
            skipped += passing.step()
    finally:
        skipped += passing.end()
    return skipped


class Passing:
    """Time that passes for an execution, from one instant to the next. Raises ClockProblem."""

    def __init__(self, stack: Deployed, execution: str, seconds: float) -> None:
        if not math.isfinite(seconds) or seconds < 0:
            raise ClockProblem(f"{seconds} seconds cannot be skipped")
        _check_is_local(stack)
        self._clock, self._tokens, self._left = _Clock(stack, execution), _Tokens(stack), float(seconds)
        self.now = datetime.now(UTC)
        """The time of the execution, while its clock is held."""
        self.is_over = False
        """Whether all of the time has passed, and what was due with it."""

    def rests(self) -> bool:
        """Hold the clock once no state is at work. Returns False if the execution has ended."""
        self._seen = self._clock.rest()
        self.now = datetime.fromtimestamp(self._seen["now"], UTC)
        return bool(self._seen["status"] == "RUNNING")

    def step(self) -> list[Skipped]:
        """Move the clock to the next instant, or do what is due now. Returns what passed."""
        waiting = self._tokens.find(self._seen)
        if waiting and waiting[0].due_in <= 0:
            return self._tokens.fire_timer(waiting[0])
        if self._left < LEAST:
            self.is_over = True
            return []
        moved, passed = self._clock.move(max(LEAST, min([self._left, *(token.due_in for token in waiting)])))
        self._tokens.age(waiting, moved)
        self._left -= moved
        self.now += timedelta(seconds=moved)
        return passed

    def end(self) -> list[Skipped]:
        """Let the clock go on by itself. Returns what has passed of the waits that go on."""
        skipped = self._clock.release()
        self._tokens.start_timers()
        return skipped


def time_out(stack: Deployed, token_id: str) -> None:
    """Let a waiting token time out now, after the reminders and the escalation that come before. Raises ClockProblem.

    The clocks of the executions that wait for it stay as they are.
    """
    _check_is_local(stack)
    tokens, token_id = _Tokens(stack), PREFIX + token_id.removeprefix(PREFIX)
    token = tokens.get(token_id)
    if token is None or not token.is_waiting:
        raise ClockProblem(f"{token_id} {'has ended' if token else 'does not exist'}, so it cannot time out")
    if "timeoutAt" not in token.instants:
        raise ClockProblem(f"{token_id} has no timeout, so it never times out: create it with one")
    while token and token.is_waiting:
        if token.due_in > 0:
            tokens.age([token], token.due_in)
        else:
            tokens.fire_timer(token)
        token = tokens.get(token_id)


def time_out_task(stack: Deployed, execution: str, token: str) -> None:
    """Let TimeoutSeconds or HeartbeatSeconds of the task that waits for this task token run out. Raises ClockProblem."""
    _check_is_local(stack)
    if not _Clock(stack, execution).time_out(token):
        raise ClockProblem("it no longer waits")


def _check_is_local(stack: Deployed) -> None:
    url = str(stack.endpoint.get("endpoint_url", ""))
    if urlsplit(url).hostname not in local_stacks.LOOPBACK:
        raise ClockProblem(f"{stack.name} does not run on this machine: time can be skipped on a local stack only")


@dataclass
class _Clock:
    """An execution's clock in the emulator."""

    stack: Deployed
    execution: str

    def look(self) -> Any:
        return self._ask(look=True)

    def rest(self) -> Any:
        """Hold the clock, and return what is seen once no state is at work."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            seen = self._ask()
            if seen["rests"]:
                return seen
        raise ClockProblem(f"A state of {self.execution} has been at work for {PATIENCE} seconds")

    def move(self, seconds: float) -> tuple[float, list[Skipped]]:
        """Move by at most so many seconds, to the next instant. Returns by how many, and what passed."""
        seen = self._ask(move=seconds)
        return seen["moved"], [Skipped(**one) for one in seen["skipped"]]

    def time_out(self, token: str) -> bool:
        return bool(self._ask(time_out=token)["timed_out"])

    def release(self) -> list[Skipped]:
        return [Skipped(**one) for one in self._ask(release=True)["skipped"]]

    def _ask(self, **asked: Any) -> Any:
        body = json.dumps({"execution": self.execution, **asked}).encode()
        try:
            with local_stacks.ask_emulator(self.stack.described, PATH, body) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise ClockProblem(_message_of(error)) from None


def _message_of(error: HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (ValueError, KeyError, TypeError):
        return f"The stack at {error.url} cannot skip time: start it with this version of Waitpoints"


@dataclass(frozen=True)
class _Token:
    """A token as its item has it. Its instants are in milliseconds."""

    id: str
    item: Mapping[str, Any]
    state: str = ""

    @property
    def is_waiting(self) -> bool:
        return bool(self.item["status"]["S"] == "WAITING")

    @property
    def instants(self) -> dict[str, int]:
        return {name: int(self.item[name]["N"]) for name in _INSTANTS if name in self.item}

    @property
    def due_in(self) -> float:
        """In how many seconds its timer fires."""
        instants = self.instants
        return instants.get("dueAt", instants.get("timeoutAt", math.inf)) / 1000 - time.time()

    def asked(self) -> int:
        return int(self.item.get("remindedCount", {"N": "0"})["N"])


@dataclass
class _Tokens:
    """The tokens in the stack's table."""

    stack: Deployed
    _skipped: dict[str, float] = field(default_factory=dict)
    """Seconds, since what was due before."""
    _moved: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._table, self._dynamodb = self.stack.outputs["TableName"], self.stack.client("dynamodb")

    def find(self, seen: Mapping[str, Any]) -> list[_Token]:
        """Return the waiting tokens that an execution names or waits for, the one first that is due first."""
        waiters: dict[str, str] = seen["waiters"]
        found = []
        for item in self._scan():
            states = [waiters[key] for key in item.get("waiters", {"M": {}})["M"] if key in waiters]
            if states or item["id"]["S"] in seen["tokens"]:
                found.append(_Token(item["id"]["S"], item, next(iter(states), "")))
        return sorted(found, key=lambda token: token.due_in)

    def get(self, token_id: str) -> "_Token | None":
        answer = self._dynamodb.get_item(TableName=self._table, Key=_key(token_id), ConsistentRead=True)
        return _Token(token_id, answer["Item"]) if "Item" in answer else None

    def age(self, tokens: list[_Token], seconds: float) -> None:
        """Make tokens older by so many seconds."""
        for token in tokens if seconds else ():
            self._skipped[token.id] = self._skipped.get(token.id, 0) + seconds
            self._moved.add(token.id)
            found: _Token | None = token
            for _ in range(ATTEMPTS):
                if found is None or not found.is_waiting or self._age(found, math.ceil(seconds * 1000)):
                    break
                found = self.get(token.id)
            else:
                raise ClockProblem(f"{token.id} changes all the time")

    def fire_timer(self, token: _Token) -> list[Skipped]:
        """Have the stack do what is due, and notify people. Returns what was done."""
        for _ in range(ATTEMPTS):
            consume(self.stack, "ExpireFunctionName", token.id)
            if "hasNotify" in token.item and "NoticesFunctionName" in self.stack.outputs:
                consume(self.stack, "NoticesFunctionName", token.id)
            after = self.get(token.id)
            if after is None or not after.is_waiting or after.due_in > 0:
                seconds = self._skipped.pop(token.id, 0)
                return [Skipped(token.state, what, seconds) for what in _done(token, after)]
        raise ClockProblem(f"{token.id} is due, but its timer does nothing: see the log of {self.stack.name}")

    def start_timers(self) -> None:
        """Start the timers of the tokens that were moved so near that the check of the timers misses them."""
        for token_id in self._moved:
            token = self.get(token_id)
            if token and token.is_waiting and token.due_in <= NEAR:
                consume(self.stack, "ExpireFunctionName", token_id)

    def _scan(self) -> Iterator[Mapping[str, Any]]:
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            FilterExpression="#item = :token AND #status = :waiting",
            ExpressionAttributeNames=_READ,
            ExpressionAttributeValues={":token": {"S": "token"}, ":waiting": {"S": "WAITING"}},
            ConsistentRead=True,
        )
        return (item for page in pages for item in page["Items"])

    def _age(self, token: _Token, milliseconds: int) -> bool:
        """Returns False if the token has changed since it was read."""
        has, lacks = list(token.instants), [name for name in _INSTANTS if name not in token.instants]
        as_read = [f"attribute_exists({name})" for name in has] + [f"attribute_not_exists({name})" for name in lacks]
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(token.id),
                UpdateExpression="SET " + ", ".join(f"{name} = {name} - :milliseconds" for name in has),
                ConditionExpression=" AND ".join(["#status = :waiting", *as_read]),
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":milliseconds": {"N": str(milliseconds)}, ":waiting": {"S": "WAITING"}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True


def consume(stack: Deployed, output: str, token_id: str) -> bool:
    """Invoke a function that consumes a queue as with a message about a token. Returns whether nothing failed.

    What fails comes again from the queue.
    """
    sent = {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))}
    record = {"messageId": str(uuid.uuid4()), "receiptHandle": "-", "attributes": sent, "eventSource": "aws:sqs"}
    record["body"] = json.dumps({"waitpointId": token_id})
    return not stack.invoke(stack.outputs[output], {"Records": [record]})["batchItemFailures"]


def _key(token_id: str) -> dict[str, Any]:
    return {"id": {"S": token_id}, "item": {"S": "token"}}


def _done(before: _Token, after: "_Token | None") -> Iterator[str]:
    if after is None:
        return
    if after.asked() > before.asked():
        yield "reminder"
    if "escalatedAt" in after.item and "escalatedAt" not in before.item:
        yield "escalation"
    if after.item["status"]["S"] == "TIMED_OUT":
        yield "timeout"
