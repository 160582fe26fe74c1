"""AWS around the handlers: it invokes them, and retries failures, on a clock that tests move.

The handlers run as they are deployed, on moto. The sources of events behave as AWS describes them: a stream is
sent again from the lowest failed record, and a message comes back after its visibility timeout.
"""

import base64
import io
import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from datetime import datetime
from functools import cache
from itertools import cycle
from typing import Any
from urllib.parse import urlparse

import boto3
import pytest
from moto.core.model_instances import model_data
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.utilities import dynamo_to_dict
from moto.secretsmanager.models import secretsmanager_backends
from moto.sqs import models as sqs_models
from moto.sqs.models import sqs_backends
from waitpoints_client.ops.stream_filter import matches

from tests.support.faults import traces
from tests.support.faults.wire import FAULTS, Killed, Wire
from tests.support.in_process import moto_shortcut
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.durable_functions import FakeDurableFunctions
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.fakes.waits import FakeWaits
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import ACCOUNT, REGION, Function, Resource
from waitpoints import telemetry, wiring
from waitpoints.aws.items import CURSORS
from waitpoints.doctor import scan
from waitpoints.timers import starter
from waitpoints.timers.starter import AHEAD
from waitpoints.token import WaiterKind
from waitpoints.wiring import services

RESUMES = ("stepfunctions.", "lambda.")
FOREVER = 10**15  # epoch milliseconds


class OneByOne:
    """A thread pool that makes all calls in their order, so that each run of a flow makes the same ones."""

    def __init__(self, _threads: int) -> None:
        pass

    def __enter__(self) -> "OneByOne":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, function: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
        return list(map(function, *arguments))


def nothing(*_: Any) -> None:
    pass


@cache
def client(service: str) -> Any:
    return boto3.client(service)


class Invocations:
    """Lambda: one handler at a time, its calls watched."""

    def __init__(self, functions: dict[str, Function], wire: Wire) -> None:
        self.functions = functions
        self._wire = wire
        self.watched = False
        self.events: list[tuple[str, Any]] = []
        """Every event that a function was invoked with."""

    def invoke(self, name: str, event: Any) -> Any:
        self.events.append((name, event))
        if not self.watched:
            return self.functions[name].call(event)
        with self._wire.watched():
            return self.functions[name].call(event)

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        watched, self.watched = self.watched, False
        try:
            yield
        finally:
            self.watched = watched


class StreamSource:
    """The event source mapping from the table's stream to one function."""

    def __init__(self, name: str, properties: Resource, lambdas: Invocations, history: list[dict[str, Any]]) -> None:
        self.name = name
        self.batch_size = properties["BatchSize"]
        self.patterns = [json.loads(found["Pattern"]) for found in properties["FilterCriteria"]["Filters"]]
        self._lambdas = lambdas
        self._history = history
        self._read = 0
        self.pending: list[dict[str, Any]] = []

    def pass_on(self) -> bool:
        """Invoke the function with its unfinished records. Returns False if there were none."""
        self.pending += [
            record for record in self._history[self._read :] if any(matches(pattern, record) for pattern in self.patterns)
        ]
        self._read = len(self._history)
        batch = self.pending[: self.batch_size]
        if not batch:
            return False
        try:
            answer = self._lambdas.invoke(self.name, {"Records": batch})
        except (Exception, Killed):
            return True
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        done = [record["dynamodb"]["SequenceNumber"] not in failed for record in batch]
        if failed and all(done):
            return True  # names no record of the batch, so the whole batch is retried
        del self.pending[: [*done, False].index(False)]
        return True


class QueueSource:
    """The event source mapping from a queue to one function."""

    def __init__(self, name: str, properties: Resource, url: str, lambdas: Invocations) -> None:
        self.name = name
        self._batch_size = properties["BatchSize"]
        self._url = url
        self._lambdas = lambdas
        self._sqs = client("sqs")
        self.queue = sqs_backends[ACCOUNT][REGION].get_queue(url.rsplit("/", 1)[-1])

    def pass_on(self) -> bool:
        """Invoke the function with the visible messages. Returns False if there were none."""
        if not self.queue.messages:
            return False
        received = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=self._batch_size, AttributeNames=["All"])
        messages = received["Messages"]
        records = [self._record(message) for message in messages]
        try:
            answer = self._lambdas.invoke(self.name, {"Records": records})
        except (Exception, Killed):
            return True
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return True

    def _record(self, message: Any) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{self._url.rsplit('/', 1)[-1]}",
            "awsRegion": REGION,
        }


class RoundSource:
    """EventBridge Scheduler: runs a round that starts timers once a minute. One that would find nothing is left out.

    `missing` means that no round comes.
    """

    def __init__(self, table: str, clock: FakeClock, lambdas: Invocations) -> None:
        self._table = table
        self._clock = clock
        self._lambdas = lambdas
        self._next = 0
        self.missing = False

    def pass_on(self) -> bool:
        """Run a round if it is time. Returns False if not."""
        if self.missing or self._clock() < self._next or not self._finds_something():
            return False
        self._next = self._clock() + 60_000
        with suppress(Exception, Killed):
            self._lambdas.invoke("start_timers", {})
        return True

    def _finds_something(self) -> bool:
        """Whether a token that waits is due soon, and its shard's cursor is not behind it yet."""
        waiting, cursors = [], {}
        for item in dynamodb_backends[ACCOUNT][REGION].get_table(self._table).all_items():
            found = {
                name: item.attrs[name].value for name in ("id", "item", "status", "listShard", "dueAt") if name in item.attrs
            }
            if found["id"] == CURSORS:
                cursors[found["item"]] = int(found["dueAt"])
            elif found.get("status") == "WAITING" and int(found.get("dueAt", FOREVER)) <= self._clock() + AHEAD:
                waiting.append(found)
        return any(int(token["dueAt"]) >= cursors.get(token["listShard"], 0) for token in waiting)


class Stream:
    """The changes of a table, as its stream reports them."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._read = 0

    def read(self) -> list[dict[str, Any]]:
        """The records since the last call. A cancelled transaction replaces the table, so it is looked up each time."""
        shard = dynamodb_backends[ACCOUNT][REGION].get_table(self._table).stream_shard
        assert shard
        records = [dynamo_to_dict(record.record) for record in shard.items[self._read :]]
        self._read = len(shard.items)
        return list(json.loads(json.dumps(records, default=_as_lambda_has_it)))


def _as_lambda_has_it(value: Any) -> float | str:
    return value.timestamp() if isinstance(value, datetime) else base64.b64encode(value).decode()


class Aws:
    """Its own table, bucket and queues, and what AWS passes on from them to the functions."""

    def __init__(self, stack: MotoStack) -> None:
        self.stack = stack
        self.clock = FakeClock()
        self.step_functions, self.durable_functions = FakeStepFunctions(), FakeDurableFunctions()
        self.waits: dict[WaiterKind, FakeWaits] = {one.kind: one for one in (self.step_functions, self.durable_functions)}
        self.in_turn = cycle(self.waits.values())
        """What waits: states and durable functions."""
        self.wire = Wire(self.step_functions, self.durable_functions)
        self.lambdas = Invocations(stack.functions(), self.wire)
        self.plan: Callable[[int, str], Any] = nothing
        self.meanwhile: Callable[[int, str], Any] = nothing
        self.somebody_died = False
        """Set when a function was killed, so the answer to a resume may not be recorded."""
        self.log = io.StringIO()
        self.secrets = {self.secret(name) for name in ("ApiKey", "SigningKey")}
        """Every value that a secret has had: of the stack, and of the team's providers."""
        self.table = _empty_table(stack)
        self._stream = Stream(self.table)
        self._history: list[dict[str, Any]] = []
        self.early: list[str] = []
        """The ids of tokens that were timed out before their time."""
        self.queue_urls = {name: _empty_queue(stack, name) for name in stack.template.resources("AWS::SQS::Queue")}
        self.timer_queue, self.dead_letter_queue = (self.queue_urls[name] for name in ("TimerQueue", "DeadLetterQueue"))
        self.streams: dict[str, StreamSource] = {}
        self.queues: dict[str, QueueSource] = {}
        for function in self.stack.functions().values():
            for event in function.properties.get("Events", {}).values():
                properties = stack.resolve(event["Properties"])
                if event["Type"] == "DynamoDB":
                    source = StreamSource(function.name, properties, self.lambdas, self._history)
                    self.streams[function.name] = source
                elif event["Type"] == "SQS":
                    url = self.queue_urls[event["Properties"]["Queue"]["Fn::GetAtt"][0]]
                    self.queues[function.name] = QueueSource(function.name, properties, url, self.lambdas)
        self.rounds = RoundSource(self.table, self.clock, self.lambdas)

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Within this, handlers use this clock and this AWS, with empty caches."""
        with ExitStack() as until_the_end:
            until_the_end.enter_context(self._logging())
            until_the_end.enter_context(traces.kept_in(self.log))
            until_the_end.enter_context(self.wire.plugged_in())
            own = until_the_end.enter_context(pytest.MonkeyPatch.context())
            own.setattr(wiring, "now", self.clock)
            own.setenv("TABLE_NAME", self.table)
            own.setenv("TIMER_QUEUE_URL", self.timer_queue)
            own.setenv("DEAD_LETTER_QUEUE_URL", self.dead_letter_queue)
            own.setattr(sqs_models, "unix_time_millis", self.clock)
            for module in (starter, scan):  # which make calls in parallel
                own.setattr(module, "ThreadPoolExecutor", OneByOne)
            self.forget()
            until_the_end.callback(_forget_all_but_clients)
            until_the_end.callback(self._leave_moto)
            yield

    def _leave_moto(self) -> None:
        """Take out of moto what only this world uses. moto also lists whatever it has ever made, for a page of its server."""
        for queue in self.queue_urls.values():
            sqs_backends[ACCOUNT][REGION].delete_queue(queue.rsplit("/", 1)[-1])
        table = dynamodb_backends[ACCOUNT][REGION].tables.pop(self.table)
        table.stream_shard = None  # which has the table, and nobody would see that both are gone
        models: Any = model_data
        for model in (*models["dynamodb"].values(), *models["sqs"].values()):
            model.instances_tracked.clear()

    @contextmanager
    def _logging(self) -> Iterator[None]:
        """Within this, `log` gets what the functions log and measure. Afterwards it is printed, for a test that fails."""
        handler: Any = telemetry.logger.registered_handler
        before = handler.setStream(self.log)
        try:
            with redirect_stdout(self.log):
                yield
        finally:
            handler.setStream(before)
            print(self.log.getvalue())

    @contextmanager
    def faulty(self) -> Iterator[None]:
        """Within this, the planned faults happen."""
        self.somebody_died = self.somebody_died or self.plan is not nothing
        self.lambdas.watched, self.wire.choose, self.wire.meanwhile = True, self.plan, self.meanwhile
        try:
            yield
        finally:
            self.lambdas.watched, self.wire.choose, self.wire.meanwhile = False, nothing, nothing

    @contextmanager
    def without_fast_path(self) -> Iterator[None]:
        """Within this, nothing that waits can be reached."""
        with self._failing(lambda call: call.startswith(RESUMES)):
            yield

    @contextmanager
    def without_records(self) -> Iterator[None]:
        """Within this, a function dies after it resumed a waiter and before it records that."""
        self.somebody_died = True
        resumed = False

        def after_a_resume(call: str) -> bool:
            nonlocal resumed
            recording, resumed = resumed, call.startswith(RESUMES)
            return recording

        with self._failing(after_a_resume):
            yield

    @contextmanager
    def _failing(self, fails: Callable[[str], bool]) -> Iterator[None]:
        calls, unreachable = self.wire.calls, FAULTS[1]
        self.wire.calls = []
        self.lambdas.watched, self.wire.choose = True, lambda _, call: unreachable if fails(call) else None
        try:
            yield
        finally:
            self.lambdas.watched, self.wire.choose = False, nothing
            self.wire.calls = calls

    def read_stream(self) -> None:
        """Read what has changed in the table since the last call."""
        records = self._stream.read()
        self._history += records
        images = [record["dynamodb"].get("NewImage", {}) for record in records]
        timed_out = [image for image in images if image.get("status", {}).get("S") == "TIMED_OUT"]
        self.early += [image["id"]["S"] for image in timed_out if int(image["timeoutAt"]["N"]) > self.clock.latest]

    def come_to_rest(self) -> None:
        """Pass on everything that AWS would without time passing."""
        for _ in range(1000):
            self.read_stream()
            sources: list[StreamSource | RoundSource | QueueSource] = [
                *self.streams.values(),
                self.rounds,
                *self.queues.values(),
            ]
            busy = [source.pass_on() for source in sources]
            if not any(busy):
                return
        raise AssertionError("it never comes to rest")

    def look_at(self, token: dict[str, Any]) -> None:
        """Send a message for a token now, as its schedule does."""
        client("sqs").send_message(QueueUrl=self.timer_queue, MessageBody=json.dumps({"waitpointId": token["id"]}))

    def pass_on_once(self, function: str) -> None:
        """Pass on what the table's stream has for a function, which must be done with it at once."""
        self.read_stream()
        self.streams[function].pass_on()
        assert not self.streams[function].pending, "it is not done with its records"

    def advance(self, milliseconds: int) -> None:
        """Let time pass, and four minutes more, with a stop wherever a timer may fire. `clock.advance` only moves the clock."""
        until = self.clock.now + milliseconds
        for instant in sorted({until - 61_000, until, until + 1_000, until + 121_000, until + 242_000}):
            self.clock.now = max(self.clock.now, instant)
            self.come_to_rest()

    def dead_letters(self) -> list[tuple[str, str]]:
        """The ids of dead-lettered tokens, each with the reason."""
        found = client("sqs").receive_message(QueueUrl=self.dead_letter_queue, MaxNumberOfMessages=10).get("Messages", [])
        letters = [json.loads(message["Body"]) for message in found]
        return [(letter["waitpointId"], letter["reason"]) for letter in letters]

    def rotate(self, logical_id: str) -> None:
        """Rotate a secret, and clear the functions' caches."""
        value = unique(logical_id).ljust(64, "0")
        self.secrets.add(value)
        client("secretsmanager").put_secret_value(SecretId=self.stack.resources[logical_id]["Id"], SecretString=value)
        self.forget()

    def forget(self) -> None:
        """Clear the functions' caches, as a cold start does."""
        _forget_all_but_clients()
        services.store._table._pause = nothing

    def secret(self, logical_id: str) -> str:
        """The current value of a secret of the template."""
        found = secretsmanager_backends[ACCOUNT][REGION].get_secret_value(self.stack.resources[logical_id]["Id"], "", "")
        return str(found["SecretString"])

    def make_webhook_secret(self, value: str) -> str:
        """A secret that the team makes for its providers. Returns the name by which tokens know it."""
        self.secrets.add(value)
        name = unique("sender")
        client("secretsmanager").create_secret(Name=services.webhook_secret_name(name), SecretString=value)
        return name

    def _images(self, item: str, *event_names: str) -> list[Any]:
        return [
            image
            for record in self._history
            if (image := record["dynamodb"].get("NewImage"))  # none, when the item was deleted
            and image["item"]["S"] == item
            and (not event_names or record["eventName"] in event_names)
        ]


def _forget_all_but_clients() -> None:
    for part in [name for name in vars(services) if not name.endswith("_client")]:
        del vars(services)[part]


def _empty_table(stack: MotoStack) -> str:
    """The table of the template, emptied. Returns its name."""
    [properties] = stack.template.resolve([*stack.template.resources("AWS::DynamoDB::Table").values()], {})
    needed = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "StreamSpecification")
    name = unique("Table")
    asked = {it: properties[it] for it in needed} | {"TableName": name}
    asked["StreamSpecification"] = {**properties["StreamSpecification"], "StreamEnabled": True}
    moto_shortcut.call(client("dynamodb"), "CreateTable", asked)
    return name


def _empty_queue(stack: MotoStack, logical_id: str) -> str:
    """A queue of the template, emptied. Returns its URL."""
    timeout = stack.template.resources("AWS::SQS::Queue")[logical_id].get("VisibilityTimeout", 30)
    queue = sqs_backends[ACCOUNT][REGION].create_queue(unique(logical_id), {}, VisibilityTimeout=timeout)
    return queue.url(urlparse(f"https://sqs.{REGION}.amazonaws.com/"))


def unique(name: str) -> str:
    return f"{name}-{secrets.token_hex(8)}"
