"""Run one wait at a time with the functions on moto and a fake clock, and count its calls to AWS."""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import Any
from unittest import mock

from tests.support.in_process.api_gateway import TOKENS, Api, HttpAnswer
from tests.support.in_process.counting.meter import Call, Meter
from tests.support.in_process.event_sources import Stream, queue_event
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.durable_functions import FakeDurableFunctions
from tests.support.in_process.fakes.event_bus import FakeEventBridge
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.fakes.waits import FakeWaits
from tests.support.in_process.moto_stack import Attributes, MotoStack, updated
from tests.support.in_process.template import CHANNELS, SIGN_IN, Template
from waitpoints.timeouts import duration

STORAGE_OVERHEAD = 100  # bytes that DynamoDB adds to an item
NOT_PER_WAIT = ("SecretsManager", "DynamoDBStreams")  # cached for minutes; read by Lambda free of charge
STARTS = ("SQS:SendMessage", "SQS:SendMessageBatch")  # the calls that start a timer
OF_ONE_TOKEN = ("DynamoDB:BatchGetItem", "SQS:SendMessageBatch")  # the calls of a round that more tokens make larger
ROUND = 900_000  # milliseconds
USUAL_TASK_TOKEN = 664  # characters: the median of nine of AWS's that are published in code and guides, 600 to 704
EARLY = 120_000  # milliseconds before a token is due, when a round finds it
NO_STACK = "service_undefined"  # what the metrics have for a stack's name
SIGNED_WITH = "the secret of a webhook"


@dataclass
class CountedStep:
    """One function invocation of a wait."""

    name: str
    function: str
    over_http: bool
    calls: list[Call]
    log_bytes: int
    metrics: frozenset[str] = frozenset()
    """The names of the custom metrics in its log lines."""
    body_bytes: int = 0
    """Of its request, which the HTTP API may count as several."""
    answer_bytes: int = 0
    """Of the body of its answer, over HTTP."""
    log_lines: int = 0
    from_queue: bool = False
    of_a_round: bool = False
    """Its invocation, its log lines and its other calls are shared with all tokens, and come every minute anyway."""

    @property
    def stored_object_bytes(self) -> int:
        return sum(len(call.parameters["Body"]) for call in self.calls if call.operation == "S3:PutObject")

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

    steps: list[CountedStep] = field(default_factory=list)
    item_bytes: int = 0
    """Of the items in the table, as a read of them is billed."""
    stored_bytes: int = 0
    """The same as they are stored: the token, its replies and its key, and what DynamoDB adds to each."""
    index_bytes: int = 0
    """Of their copies in the indexes, which backups do not hold."""

    def add_stored(self, before: Sequence[int], now: Sequence[int]) -> None:
        """Note what is stored more `now`, by what `Bench.stored` returned."""
        self.item_bytes, self.stored_bytes, self.index_bytes = (one - other for one, other in zip(now, before, strict=True))

    def __getitem__(self, name: str) -> CountedStep:
        return next(step for step in self.steps if step.name == name)

    @property
    def write_units(self) -> int:
        return sum(step.write_units for step in self.steps)

    @property
    def read_units(self) -> float:
        return sum(step.read_units for step in self.steps)

    @property
    def has_timer(self) -> bool:
        return any(step.name == "start the timer" for step in self.steps)

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset(name for step in self.steps for name in step.metrics)

    @property
    def calls(self) -> int:
        return sum(len(step.calls) for step in self.steps)


@dataclass(frozen=True)
class Added:
    """What an option adds to a wait: the wait without it, and with it. An event of so many bytes is put, too."""

    without: Wait
    with_it: Wait
    event_bytes: int = 0

    @property
    def calls(self) -> int:
        return self.with_it.calls - self.without.calls

    @property
    def write_units(self) -> int:
        return self.with_it.write_units - self.without.write_units

    @property
    def read_units(self) -> float:
        return self.with_it.read_units - self.without.read_units


START = 1_812_345_678_913  # epoch milliseconds: DynamoDB bills a number by its digits, without zeros at the end


class Bench:
    """The functions on moto, with their calls counted."""

    def __init__(self, stack: MotoStack, meter: Meter, clock: FakeClock, fakes: "Fakes") -> None:
        self._stack = stack
        self.meter = meter
        self.clock = clock
        self._fakes = fakes
        self._rounds: dict[str, CountedStep] = {}
        self.api = Api(stack.template, stack.secret("ApiKey"))

    def wait(
        self,
        *,
        timeout: str | None = None,
        moved: str | None = None,
        key: str | None = None,
        payload: int = 200,
        task_token: int = USUAL_TASK_TOKEN,
        execution: str | None = None,
        ends: bool = True,
        rules: Mapping[str, Any] | None = None,
        others: bool = True,
        webhook: Mapping[str, Any] | None = None,
        waiters: int = 1,
        durable: bool = False,
        reminded: str | None = None,
        one_state: bool = False,
    ) -> Wait:
        """Run one wait. It is completed with a payload of that many bytes if it `ends`, else it times out.

        The `timeout` is `moved` once the waiters have registered. Then it is `reminded` after this duration.

        `rules` are what the token asks of deliveries. If it asks anything, `others` come, too: one that does not fit is the
        first, and two are late. `webhook` is posted instead of a payload, by each approver of a page that names some. The
        waiters are executions, or `durable` functions. In `one_state`, a state creates the token and waits for it.
        """
        wait, stream, created_at = Wait(), self.stream(), self.clock()
        self.start_earlier_timers()
        before = self.stored()
        self.meter.take()
        options = {"timeout": timeout, "idempotencyKey": key, **(rules or {})}
        body = {name: value for name, value in options.items() if value is not None}
        if one_state:
            handles = [self._fakes.step_functions.start_task(task_token)]
            event = {**body, "taskToken": handles[0], "execution": execution}
            created: Any = self.invoke(wait, "create and wait", "create_token_in_state", event)
        else:
            created = self.step(wait, "create", "create_token", lambda: self.api.create(**body), over_http=True)
            handles = [self.register(wait, created["id"], task_token, execution, durable) for _ in range(waiters)]
        token_id = created["id"]
        if new := stream.records("schedule_timeouts"):
            self.invoke(wait, "start the timer", "schedule_timeouts", {"Records": new})
        if moved:
            self._move_timeout(wait, token_id, moved)
        if reminded:
            self.run_timers(wait, token_id, created_at + duration(reminded))
        if ends:
            self._end(wait, created, json.dumps(webhook or payload_of(payload)), others and bool(rules))
        if timeout:
            self.run_timers(wait, token_id, created_at + duration(moved or timeout))
        self.guarantee(wait, stream)
        assert all(self._fakes.of(durable).result(handle) is not None for handle in handles)
        wait.add_stored(before, self.stored())
        return wait

    def register(
        self, wait: Wait, token_id: str, task_token: int = USUAL_TASK_TOKEN, execution: str | None = None, durable: bool = False
    ) -> str:
        """Wait for a token: an execution with a task token of that many characters, or a durable function.

        Returns the handle.
        """
        fake = self._fakes.of(durable)
        handle = fake.start() if durable else self._fakes.step_functions.start_task(task_token)
        named = {} if execution is None else {"execution": execution}
        self.invoke(wait, "wait", "wait_for_token", {"waitpointId": token_id, fake.member: handle, **named})
        return handle

    def _move_timeout(self, wait: Wait, token_id: str, timeout: str) -> None:
        def move() -> Any:
            answer = self.api.request("PATCH", f"{TOKENS}/{token_id}", {"timeout": timeout})
            assert answer.status == 200, answer
            return answer

        self.step(wait, "move the timeout", "move_deadline", move, over_http=True)

    def open_page(self, page: Mapping[str, Any]) -> CountedStep:
        """Have a person open the page of a token, by their own link if it names approvers."""
        wait, created = Wait(), self.api.create(page=page)
        url = created["links"][0]["url"] if "links" in created else created["url"]
        self.meter.take()
        self.step(wait, "open the page", "show_callback", lambda: self.api.get(url, {"accept": "text/html"}), over_http=True)
        return wait["open the page"]

    def round(self, function: str) -> CountedStep:
        """Run a scheduled function twice, and count the second time, when it finds nothing to do. Does so once."""
        if function not in self._rounds:
            wait = Wait()
            for _ in range(2):
                self.clock.advance(ROUND)
                self.invoke(wait, function, function, {})
            self._rounds[function] = wait.steps[-1]
        return self._rounds[function]

    @property
    def resources(self) -> Mapping[str, Attributes]:
        return self._stack.resources

    def with_channels(self) -> AbstractContextManager["Bench"]:
        """Within this, the stack tells people of tokens, in every way."""
        return self._with(CHANNELS)

    def with_issuer(self, url: str = SIGN_IN["OidcIssuer"]) -> AbstractContextManager["Bench"]:
        """Within this, people can sign in at the stack."""
        return self._with({**SIGN_IN, "OidcIssuer": url})

    @contextmanager
    def _with(self, parameters: Mapping[str, str]) -> Iterator["Bench"]:
        with updated(self._stack, parameters) as stack:
            _count_services(self.meter, self._fakes)
            yield Bench(stack, self.meter, self.clock, self._fakes)
        _count_services(self.meter, self._fakes)

    def stream(self) -> Stream:
        """The table's stream from now on."""
        return Stream(self._stack)

    def guarantee(self, wait: Wait, stream: Stream) -> None:
        self.invoke(wait, "guarantee", "resume_waiters", {"Records": stream.records("resume_waiters")})

    def publish(self, payload: int, waits: bool) -> Added:
        """Settle one token, and run what its stream's record makes the function do: without an event bus, and with one."""
        with_bus = MotoStack(Template.load({"EventBusName": "orders"}), self._stack.resources)
        wait, without, stream = Wait(), Wait(), Stream(with_bus)
        created: Any = self.api.create()
        if waits:
            self.register(Wait(), created["id"])
        self.api.post(created["url"], json.dumps(payload_of(payload)), {"content-type": "application/json"})
        records = {"Records": stream.records("resume_waiters")}
        self.meter.take()
        if waits:
            self.invoke(without, "guarantee", "resume_waiters", records)
        with self._event_bus() as entries:
            self.invoke(wait, "guarantee", "resume_waiters", records)
        [entry] = entries
        return Added(without, wait, len(entry["Detail"].encode()))

    @contextmanager
    def _event_bus(self) -> Iterator[list[Any]]:
        """Give the functions an event bus. Yields the entries that are put on it."""
        from waitpoints.wiring import services

        eventbridge = counted(FakeEventBridge(), self.meter, "put_events", "EventBridge:PutEvents")
        with mock.patch.dict(os.environ, {"EVENT_BUS_NAME": "orders"}), mock.patch.dict(vars(services)):
            vars(services).pop("event_publisher", None)
            vars(services)["events_client"] = eventbridge
            yield eventbridge.entries

    def retrieve(self) -> CountedStep:
        wait = Wait()
        created = self.step(wait, "create", "create_token", self.api.create, over_http=True)
        self.step(wait, "retrieve", "retrieve_token", lambda: self.api.retrieve(created["id"]), over_http=True)
        return wait["retrieve"]

    def _end(self, wait: Wait, created: Mapping[str, Any], webhook: str, others: bool) -> None:
        """Complete a token by its URL, or by the link of each approver of its page."""
        *links, url = [link["url"] for link in created.get("links", [])] or [created["url"]]
        for number, link in enumerate(links, 1):
            self.deliver(wait, f"answer {number}", link, webhook)
        self._complete(wait, url, webhook, others)

    def _complete(self, wait: Wait, url: str, webhook: str, others: bool) -> None:
        if others:
            self.deliver(wait, "a delivery that does not fit", url, "{}")
        self.deliver(wait, "settle and resume", url, webhook)
        if others:
            self.forget_tokens()
            self.deliver(wait, "a late delivery", url, webhook)
            self.deliver(wait, "a late delivery again", url, webhook)

    def memory(self, function: str) -> float:
        """The memory of a function in GB."""
        return int(self._stack.functions()[function].properties.get("MemorySize", 512)) / 1024

    @staticmethod
    def forget_tokens() -> None:
        """From now on, count as in another environment of the functions, which has met no token."""
        from waitpoints.wiring import services

        for name in ("tokens", "completions_by_key"):
            vars(services).pop(name, None)

    def deliver(self, wait: Wait, name: str, url: str, webhook: str) -> None:
        """Post a webhook that GitHub signed."""
        headers = {"content-type": "application/json", **signed_by_github(webhook)}
        self.step(wait, name, "accept_callback", lambda: self.api.post(url, webhook, headers), over_http=True)
        wait[name].body_bytes = len(webhook.encode())

    def start_earlier_timers(self) -> None:
        """Run a round, so that the next one finds the next token alone."""
        with redirect_stdout(StringIO()) as logged, log_to(logged):
            self._stack.call("start_timers", {})

    def run_timers(self, wait: Wait, token_id: str, due_at: int) -> None:
        """Start the timer in a round, unless the stream has done it. Handle its message, and each one that this sends."""
        event = queue_event([json.dumps({"waitpointId": token_id})])
        if "start the timer" not in [step.name for step in wait.steps]:
            self.clock.now = due_at - EARLY
            self._start_in_a_round(wait)
        last = wait["start the timer"].calls[-1]
        while last.operation in STARTS:
            self.clock.now = message_at(last, self.clock.now)
            self.invoke(wait, "", "expire_tokens", event)
            timer = wait.steps[-1]
            timer.name, timer.from_queue = f"timer, {_what_it_did(timer)}", True
            last = timer.calls[-1]
        self.clock.now = max(self.clock.now, due_at)

    def _start_in_a_round(self, wait: Wait) -> None:
        """Run a round. What it does for this token counts, not what it does every minute."""
        self.invoke(wait, "start the timer", "start_timers", {})
        step = wait.steps[-1]
        step.of_a_round, step.log_bytes, step.log_lines, step.metrics = True, 0, 0, frozenset()
        step.calls = [call for call in step.calls if call.operation in OF_ONE_TOKEN]

    def invoke(self, wait: Wait, name: str, function: str, event: Any) -> Any:
        return self.step(wait, name, function, lambda: self._stack.call(function, event))

    def step(
        self,
        wait: Wait,
        name: str,
        function: str,
        run: Any,
        over_http: bool = False,
        not_counted: tuple[str, ...] = NOT_PER_WAIT,
    ) -> Any:
        """Run one invocation of a function, and add it to the wait with its calls. Returns what it returned."""
        with redirect_stdout(StringIO()) as logged, log_to(logged):
            result = run()
        calls = [call for call in self.meter.take() if not call.operation.startswith(not_counted)]
        step = CountedStep(name, function, over_http, calls, **_measure(logged.getvalue()))
        step.answer_bytes = _length(result) if over_http else 0
        wait.steps.append(step)
        return result

    def stored(self) -> tuple[int, int, int]:
        """The bytes of the table's items; and in the table and in its indexes, with what DynamoDB adds to each item."""
        table, indexes = self.meter.stored(self._stack.table)
        return sum(table), sum(size + STORAGE_OVERHEAD for size in table), sum(size + STORAGE_OVERHEAD for size in indexes)


def signed_by_github(body: str) -> dict[str, str]:
    """Return the headers by which GitHub signs a delivery."""
    return {"x-hub-signature-256": f"sha256={hmac.new(SIGNED_WITH.encode(), body.encode(), hashlib.sha256).hexdigest()}"}


def payload_of(length: int) -> dict[str, str]:
    """Return a payload of that many bytes, at least 12."""
    return {"body": "x" * (length - 12)}


def message_at(call: Call, now: int) -> int:
    """Return when the message of a call that starts one timer arrives, in epoch milliseconds as `now`."""
    [message] = call.parameters.get("Entries", [call.parameters])
    return now + int(message["DelaySeconds"]) * 1000


def _what_it_did(timer: CountedStep) -> str:
    if timer.write_units:
        return "due"
    return "early" if timer.operations()[-1] in STARTS else "nothing to do"


def _measure(log: str) -> dict[str, Any]:
    """Return the bytes and the number of log lines, and the names of the custom metrics in them.

    On AWS, each line of metrics has the stack's name.
    """
    longer = log.count('"_aws"') * (len(NO_STACK) - len("waitpoints"))
    lines = log.splitlines()
    return {"log_bytes": sum(map(len, lines)) - longer, "log_lines": len(lines), "metrics": metrics_in(log)}


def metrics_in(log: str) -> frozenset[str]:
    """Return the names of the custom metrics in log lines in CloudWatch's embedded metric format."""
    embedded = [json.loads(line) for line in log.splitlines() if '"_aws"' in line]
    directives = [directive for line in embedded for directive in line["_aws"]["CloudWatchMetrics"]]
    return frozenset(metric["Name"] for directive in directives for metric in directive["Metrics"])


def _length(answer: Any) -> int:
    """Return the bytes of the body of an answer, or of what was read from it."""
    return len((answer.text if isinstance(answer, HttpAnswer) else json.dumps(answer, separators=(",", ":"))).encode())


class CanonicalStepFunctions(FakeStepFunctions):
    def start_task(self, length: int = USUAL_TASK_TOKEN) -> str:
        """Start a task whose task token is canonical base64, as AWS's are."""
        while True:
            task_token = super().start_task(length)
            if base64.b64encode(base64.b64decode(task_token)).decode() == task_token:
                return task_token


def counted[Fake](fake: Fake, meter: Meter, method: str, operation: str) -> Fake:
    """Return the fake of a client, with the calls of one method counted as those of an operation."""
    call = getattr(fake, method)

    def count(*arguments: Any, **named: Any) -> Any:
        meter.count(operation)
        return call(*arguments, **named)

    setattr(fake, method, count)
    return fake


@dataclass(frozen=True)
class Fakes:
    """What waits."""

    step_functions: FakeStepFunctions
    durable_functions: FakeDurableFunctions

    @classmethod
    def counted_by(cls, meter: Meter) -> "Fakes":
        success = "send_durable_execution_callback_success"
        return cls(
            counted(CanonicalStepFunctions(), meter, "send_task_success", "SFN:SendTaskSuccess"),
            counted(FakeDurableFunctions(), meter, success, "Lambda:SendDurableExecutionCallbackSuccess"),
        )

    def of(self, durable: bool) -> FakeWaits:
        return self.durable_functions if durable else self.step_functions


@contextmanager
def log_to(stream: StringIO) -> Iterator[None]:
    from waitpoints.telemetry import logger

    handler = logger.registered_handler
    with mock.patch.object(handler, "stream", stream):
        yield


@contextmanager
def bench(stack: MotoStack) -> Iterator[Bench]:
    from waitpoints import wiring

    meter = Meter()
    fakes, clock = Fakes.counted_by(meter), FakeClock(START)
    _count_services(meter, fakes)
    with mock.patch.object(wiring, "now", clock):
        yield Bench(stack, meter, clock, fakes)
    wiring.services.reset()


def _count_services(meter: Meter, fakes: Fakes) -> None:
    """Give the functions new services, whose calls are counted."""
    from waitpoints import wiring

    wiring.services.reset()
    meter.watch(wiring.session())
    vars(wiring.services).update(
        step_functions_client=fakes.step_functions,
        lambda_client=fakes.durable_functions,
        _secrets={wiring.services.webhook_secret_name("GITHUB"): FakeSecret(SIGNED_WITH)},
    )
