"""Run one wait at a time with the functions on moto and a fake clock, count its calls to AWS, and price them."""

import base64
import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import Any
from unittest import mock

from benchmarks.meter import Call, Meter
from in_process.moto_stack import MotoStack
from in_process.template import Template
from tests.support import webhook_signer
from tests.support.api_gateway import Api
from tests.support.event_sources import Stream, queue_event
from tests.support.fakes.clock import FakeClock
from tests.support.fakes.event_bus import FakeEventBridge
from tests.support.fakes.secret import FakeSecret
from tests.support.fakes.step_functions import FakeStepFunctions

DAY = 86_400_000
STORAGE_OVERHEAD = 100  # bytes that DynamoDB adds to an item
MILLISECONDS = 20  # of one warm invocation; the only assumed figure
MEMORY = 0.5  # GB
PLATFORM_LOG = 350  # bytes: Lambda's START, END and REPORT lines per invocation
ACCESS_LOG = 180  # bytes: API Gateway's line per request
NOT_PER_WAIT = ("SecretsManager", "DynamoDBStreams")  # cached for minutes; read by Lambda free of charge
POLL = 2  # SQS requests of the event source mapping per message: receive and delete

# us-east-1, in dollars per million (or per GB): the first tiers, without the free tier
API_REQUEST, INVOCATION, GB_SECOND = 1.00, 0.20, 13.3334
WRITE_UNIT, READ_UNIT, TABLE_GB, BACKUP_GB = 0.625, 0.125, 0.25, 0.20
SQS_REQUEST, SCHEDULE, LOG_GB = 0.40, 1.00, 0.50
TRANSITION, SECRET_READ = 25.00, 5.00
EVENT, EVENT_BYTES = 1.00, 64 * 1024  # each begun 64 KiB of an event counts as one


@dataclass
class Step:
    """One function invocation of a wait."""

    name: str
    function: str
    over_http: bool
    calls: list[Call]
    log_bytes: int
    from_queue: bool = False

    @property
    def write_units(self) -> int:
        return sum(call.write_units for call in self.calls)

    @property
    def read_units(self) -> float:
        return sum(call.read_units for call in self.calls)

    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]


@dataclass
class Wait:
    """One wait, from the creation of its token to its end."""

    steps: list[Step] = field(default_factory=list)
    stored_bytes: int = 0
    """Of the items in the table: the token, its replies and its key."""
    index_bytes: int = 0
    """Of their copies in the indexes, which backups do not hold."""

    def __getitem__(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    @property
    def write_units(self) -> int:
        return sum(step.write_units for step in self.steps)

    def dollars(self) -> dict[str, float]:
        """Return the cost of a million such waits in dollars, by service."""
        calls = Counter(operation for step in self.steps for operation in step.operations())
        schedules = calls["Scheduler:CreateSchedule"]
        messages = calls["SQS:SendMessage"] + schedules
        sqs = messages + POLL * sum(step.from_queue for step in self.steps)
        reads = sum(step.read_units for step in self.steps)
        logs = sum(step.log_bytes + PLATFORM_LOG + ACCESS_LOG * step.over_http for step in self.steps)
        lambda_ = len(self.steps) * (INVOCATION + MILLISECONDS / 1000 * MEMORY * GB_SECOND)
        return {
            "HTTP API": sum(step.over_http for step in self.steps) * API_REQUEST,
            "Lambda": lambda_,
            "DynamoDB writes": self.write_units * WRITE_UNIT,
            "DynamoDB reads": reads * READ_UNIT,
            "SQS": sqs * SQS_REQUEST,
            "Scheduler": schedules * SCHEDULE,
            "Logs": logs / 1000 * LOG_GB,
            "Storage, a month": self.stored_bytes / 1000 * (TABLE_GB + BACKUP_GB) + self.index_bytes / 1000 * TABLE_GB,
        }


@dataclass
class Announcement:
    """What the stream's consumer does for one token with an event bus, and without; and the size of the event in bytes."""

    with_bus: Wait
    without_bus: Wait
    detail_bytes: int

    def dollars(self) -> float:
        """Return what the bus adds to the cost of a million tokens, in dollars."""
        events = math.ceil(self.detail_bytes / EVENT_BYTES) * EVENT
        return sum(self.with_bus.dollars().values()) - sum(self.without_bus.dollars().values()) + events


class Bench:
    """The functions on moto, with their calls counted."""

    def __init__(self, stack: MotoStack, meter: Meter, clock: FakeClock, step_functions: "CountedStepFunctions") -> None:
        self._stack = stack
        self.meter = meter
        self.clock = clock
        self._step_functions = step_functions
        self.api = Api(stack.template, stack.secret("ApiKey"))

    def wait(
        self,
        *,
        timeout: str | None = None,
        key: str | None = None,
        payload: int = 200,
        task_token: int = 700,
        execution: str | None = None,
        ends: bool = True,
        rules: Mapping[str, Any] | None = None,
    ) -> Wait:
        """Run one wait. It is completed with a payload of that many bytes if it `ends`, else it times out.

        `rules` are what the token asks of deliveries. If it asks anything, one that does not fit comes first, and if it
        ends, one more comes late.
        """
        wait, stream = Wait(), self.stream()
        table_before, indexes_before = self._stored()
        self.meter.take()
        options = {"timeout": timeout, "idempotencyKey": key, **(rules or {})}
        body = {name: value for name, value in options.items() if value is not None}
        created: Any = self.step(wait, "create", "create_token", lambda: self.api.create(**body), over_http=True)
        token_id = created["id"]
        task = self.register(wait, token_id, task_token, execution)
        if timeout:
            self._invoke(wait, "arm the timer", "schedule_timeouts", {"Records": stream.records("schedule_timeouts")})
        if ends:
            webhook = json.dumps({"body": "x" * (payload - 11)})
            if rules:
                self._deliver(wait, "a delivery that does not fit", created["url"], "{}")
            self._deliver(wait, "settle and resume", created["url"], webhook)
            if rules:
                self._deliver(wait, "a late delivery", created["url"], webhook)
        if timeout:
            self.clock.advance(DAY - 90_000)
            self._timer(wait, "timer, nothing to do" if ends else "timer, early", token_id)
            if not ends:
                self.clock.advance(90_000)
                self._timer(wait, "timer, due", token_id)
        self.guarantee(wait, stream)
        assert self._step_functions.result(task) is not None
        table_after, indexes_after = self._stored()
        wait.stored_bytes, wait.index_bytes = table_after - table_before, indexes_after - indexes_before
        return wait

    def register(self, wait: Wait, token_id: str, task_token: int = 700, execution: str | None = None) -> str:
        """Wait for a token with a task token of that many characters. Returns the task token."""
        task = self._step_functions.start_task(task_token)
        named = {} if execution is None else {"execution": execution}
        self._invoke(wait, "wait", "wait_for_token", {"waitpointId": token_id, "taskToken": task, **named})
        return task

    def stream(self) -> Stream:
        """The table's stream from now on."""
        return Stream(self._stack)

    def guarantee(self, wait: Wait, stream: Stream) -> None:
        self._invoke(wait, "guarantee", "resume_waiters", {"Records": stream.records("resume_waiters")})

    def announce(self, payload: int, waits: bool) -> "Announcement":
        """Settle one token on a stack with an event bus, and run what its stream's record makes the function do."""
        with_bus = MotoStack(Template.load({"EventBusName": "orders"}), self._stack.resources)
        wait, without, stream = Wait(), Wait(), Stream(with_bus)
        created: Any = self.api.create()
        if waits:
            self.register(Wait(), created["id"])
        self.api.post(created["url"], json.dumps({"body": "x" * (payload - 11)}), {"content-type": "application/json"})
        records = {"Records": stream.records("resume_waiters")}
        self.meter.take()
        if waits:
            self._invoke(without, "guarantee", "resume_waiters", records)
        with self._event_bus() as entries:
            self._invoke(wait, "guarantee", "resume_waiters", records)
        [entry] = entries
        return Announcement(wait, without, len(entry["Detail"].encode()))

    @contextmanager
    def _event_bus(self) -> Iterator[list[Any]]:
        """Give the functions an event bus. Yields the entries that are put on it."""
        from waitpoints.wiring import services  # noqa: PLC0415 - reads the stack's environment

        eventbridge = CountedEventBridge(self.meter)
        with mock.patch.dict(os.environ, {"EVENT_BUS_NAME": "orders"}), mock.patch.dict(vars(services)):
            vars(services).pop("announcer", None)
            vars(services)["events_client"] = eventbridge
            yield eventbridge.entries

    def retrieve(self) -> Step:
        wait = Wait()
        created = self.step(wait, "create", "create_token", self.api.create, over_http=True)
        self.step(wait, "retrieve", "retrieve_token", lambda: self.api.retrieve(created["id"]), over_http=True)
        return wait["retrieve"]

    def _deliver(self, wait: Wait, name: str, url: str, webhook: str) -> None:
        """Post a webhook that GitHub signed."""
        signed = webhook_signer.sign("github", webhook.encode(), url, 0)
        headers = {"content-type": "application/json", **signed.headers}
        self.step(wait, name, "accept_callback", lambda: self.api.post(url, webhook, headers), over_http=True)

    def _timer(self, wait: Wait, name: str, token_id: str) -> None:
        event = queue_event([json.dumps({"waitpointId": token_id})])
        self._invoke(wait, name, "expire_tokens", event)
        wait[name].from_queue = True

    def _invoke(self, wait: Wait, name: str, function: str, event: Any) -> None:
        self.step(wait, name, function, lambda: self._stack.functions()[function].call(event))

    def step(self, wait: Wait, name: str, function: str, run: Any, over_http: bool = False) -> Any:
        """Run one invocation of a function, and add it to the wait with its calls. Returns what it returned."""
        with redirect_stdout(StringIO()) as logged, log_to(logged):
            result = run()
        calls = [call for call in self.meter.take() if not call.operation.startswith(NOT_PER_WAIT)]
        wait.steps.append(Step(name, function, over_http, calls, len(logged.getvalue())))
        return result

    def _stored(self) -> tuple[int, int]:
        """The bytes in the table and in its indexes, with what DynamoDB adds to each item."""
        table, indexes = self.meter.stored(self._stack.resources["Table"]["Ref"])
        return sum(size + STORAGE_OVERHEAD for size in table), sum(size + STORAGE_OVERHEAD for size in indexes)


class CountedStepFunctions(FakeStepFunctions):
    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def start_task(self, length: int = 700) -> str:
        """Start a task whose task token is canonical base64, as AWS's are."""
        while True:
            task_token = super().start_task(length)
            if base64.b64encode(base64.b64decode(task_token)).decode() == task_token:
                return task_token

    def send_task_success(self, **arguments: Any) -> dict[str, Any]:
        self._meter.count("SFN:SendTaskSuccess")
        return super().send_task_success(**arguments)


class CountedEventBridge(FakeEventBridge):
    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def put_events(self, **arguments: Any) -> dict[str, Any]:
        self._meter.count("EventBridge:PutEvents")
        return super().put_events(**arguments)


@contextmanager
def log_to(stream: StringIO) -> Iterator[None]:
    from waitpoints.telemetry import logger  # noqa: PLC0415 - reads the stack's environment

    handler = logger.registered_handler
    with mock.patch.object(handler, "stream", stream):
        yield


@contextmanager
def bench(stack: MotoStack) -> Iterator[Bench]:
    from waitpoints import wiring  # noqa: PLC0415 - reads the stack's environment

    meter = Meter()
    step_functions, clock = CountedStepFunctions(meter), FakeClock()
    wiring.services.reset()
    meter.watch(wiring.session())
    replaced = {
        "step_functions_client": step_functions,
        "_webhook_secrets": {"GITHUB": FakeSecret(webhook_signer.secret_of("github"))},
    }
    with mock.patch.dict(vars(wiring.services), replaced), mock.patch.object(wiring, "now", clock):
        yield Bench(stack, meter, clock, step_functions)
    wiring.services.reset()
