"""Three hours of the stack's life, for the picture of its dashboard: the handlers on moto, with a clock of their own.

What the functions emit is theirs. What AWS would measure about them is counted here, under the names of AWS's documentation.
In the second hour Step Functions throttles for a quarter of an hour, a sender's secret is wrong for a while, and later one
resume is denied until an operator mends it.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any
from unittest import mock

import boto3

from benchmarks.dashboard_body import Recorded
from benchmarks.deliveries import SETTINGS, signed
from benchmarks.meter import Meter
from benchmarks.waits import log_to
from in_process.moto_stack import MotoStack
from in_process.template import STACK_NAME, Function
from openapi.operations import ENDPOINTS, TOKENS
from tests.support import webhook_signer
from tests.support.api_gateway import Api
from tests.support.event_sources import Stream, queue_event
from tests.support.fakes.secret import FakeSecret
from tests.support.fakes.step_functions import FakeStepFunctions
from tests.support.fakes.waits import DENIED, THROTTLED

PERIODS, SECONDS = 36, 300
BEGIN = 1_800_000_000_000 // 3_600_000 * 3_600_000  # epoch milliseconds, at a full hour
THROTTLED_IN = range(13, 16)
WRONG_SECRET_IN = range(19, 22)
DENIED_IN, REDRIVEN_IN = 22, 30
HOURLY = 12  # periods
INDEXES = ("list", "idempotencyKey")
ENDS = ("callback", "callback", "callback", "complete", "nobody")


class Clock:
    """The functions' clock: it goes on a little with each reading."""

    def __init__(self, chance: random.Random) -> None:
        self.now = BEGIN
        self._chance = chance

    def __call__(self) -> int:
        self.now += self._chance.randint(2, 9)
        return self.now

    @property
    def seconds(self) -> float:
        return self.now / 1000


class ThreeHours:
    def __init__(self, stack: MotoStack, step_functions: FakeStepFunctions, meter: Meter, clock: Clock) -> None:
        self.recorded = Recorded()
        self._chance = random.Random(13)  # noqa: S311 - a load, not a secret
        self._stack, self._step_functions, self._meter, self._clock = stack, step_functions, meter, clock
        self._api = Api(stack.template, stack.secret("ApiKey"))
        self._waiting: list[tuple[int, Any]] = []  # with the period in which somebody ends it, or it times out
        self._timers: list[tuple[int, str]] = []
        self._behind: dict[str, list[tuple[float, Any]]] = {"resume_waiters": [], "schedule_timeouts": []}

    def run(self) -> None:
        self._api.request("PUT", f"{ENDPOINTS}/github", SETTINGS)
        self._endpoint = self._api.get(f"{ENDPOINTS}/github").json["url"]
        for period in range(PERIODS):
            self._pass_until(BEGIN + period * SECONDS * 1000)
            if period in (THROTTLED_IN.stop, REDRIVEN_IN):
                self._step_functions.fail_no_more()
            if period in THROTTLED_IN:
                self._step_functions.fail_next(THROTTLED, 1000)
            stream = Stream(self._stack)
            self._create(period)
            self._end(period)
            self._consume(stream, is_throttled=period in THROTTLED_IN)
            self._look_after(period)

    def _create(self, period: int) -> None:
        wave = 8 + round(4 * (period % HOURLY) / HOURLY)
        for number in range(self._chance.randint(wave - 3, wave + 3)):
            self._pass_until(self._clock.now + self._chance.randint(2_000, 9_000))
            rules = {"verify": SETTINGS["verify"], "completeWhen": "body.ready"} if number % 4 == 0 else {}
            by_endpoint = {"idempotencyKey": f"github:{period * 100 + number}"} if number % 5 == 1 else {}
            created = self._api.create(timeout="1h", **rules, **by_endpoint)
            task_token = self._step_functions.start_task(700)
            self._function("wait_for_token").call({"waitpointId": created["id"], "taskToken": task_token})
            ends_in = self._chance.randint(1, 10)
            kind = "endpoint" if by_endpoint else self._chance.choice(ENDS)
            key = period * 100 + number
            found = {**created, "kind": kind, "rules": bool(rules), "number": key, "taskToken": task_token}
            self._waiting.append((period + ends_in, found))
            self._timers.append((self._clock.now + 3_600_000, created["id"]))

    def _end(self, period: int) -> None:
        due = [token for at, token in self._waiting if at <= period]
        self._waiting = [(at, token) for at, token in self._waiting if at > period]
        if period == DENIED_IN:  # by the function that settles it, the stream and the doctor
            denied = next(token for token in due if token["kind"] == "callback" and not token["rules"])
            self._step_functions.fail_next(DENIED, 1000, denied["taskToken"])
        for token in due:
            self._pass_until(self._clock.now + self._chance.randint(500, 5_000))
            self._settle(period, token)

    def _settle(self, period: int, token: Any) -> None:
        match token["kind"]:
            case "complete":
                self._api.post(f"{TOKENS}/{token['id']}/complete", {"data": {"approved": True}})
            case "endpoint":
                body = {"action": "completed", "workflow_run": {"id": token["number"]}}
                self._api.post(self._endpoint, *signed(body, self._endpoint))
            case "callback" if token["rules"]:
                for ready in (False, True):
                    text, headers = signed({"ready": ready}, token["url"])
                    if period in WRONG_SECRET_IN:
                        headers["x-hub-signature-256"] = "sha256=" + "0" * 64
                    self._api.post(token["url"], text, headers)
            case "callback":
                self._api.post(token["url"], {"paid": True}, {"content-type": "application/json"})

    def _pass_until(self, end: int) -> None:
        """Let the time pass, and the timers go off."""
        while self._timers and self._timers[0][0] <= end:
            at, token_id = self._timers.pop(0)
            self._clock.now = max(self._clock.now, at)
            self._add("AWS/Scheduler", "InvocationAttemptCount", {"ScheduleGroup": self._name("TimerGroup")}, 1)
            self._function("expire_tokens").call(queue_event([json.dumps({"waitpointId": token_id})]))
        self._clock.now = max(self._clock.now, end)

    def _consume(self, stream: Stream, *, is_throttled: bool) -> None:
        """Hand the stream's new records, and those that failed, to its two consumers."""
        for name, pending in self._behind.items():
            pending += [(self._clock.seconds, record) for record in stream.records(name)]
            failed = []
            for at, record in pending:
                answer = self._function(name).call({"Records": [record]})
                failed += [(at, record)] if answer["batchItemFailures"] else []
            age = self._clock.seconds - failed[0][0] if failed else self._chance.uniform(0.05, 0.4)
            self._add("AWS/Lambda", "IteratorAge", {"FunctionName": self._logical_id(name)}, age * 1000)
            pending[:] = failed
        assert is_throttled or not self._behind["resume_waiters"]

    def _look_after(self, period: int) -> None:
        if period % HOURLY == HOURLY - 1 or period == REDRIVEN_IN:
            self._function("doctor").call({})
        queue = self._stack.resources["DeadLetterQueue"]
        sqs = boto3.client("sqs")
        if period == REDRIVEN_IN:
            sqs.purge_queue(QueueUrl=queue["QueueUrl"])
        attributes = sqs.get_queue_attributes(QueueUrl=queue["QueueUrl"], AttributeNames=["ApproximateNumberOfMessages"])
        letters = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
        for logical_id, visible in ("DeadLetterQueue", letters), ("TimerQueue", 0):
            name = self._stack.resources[logical_id]["QueueName"]
            self._add("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": name}, visible)

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Within this, measure each invocation as AWS does, and read the metrics that it logs."""
        call = Function.call

        def measured(function: Function, event: Any) -> Any:
            started = self._clock.now
            with redirect_stdout(StringIO()) as printed, log_to(printed):
                result = call(function, event)
            self._record(function, event, result, self._clock.now - started)
            for line in printed.getvalue().splitlines():
                self.recorded.add_embedded(self._clock.seconds, line)
            return result

        with mock.patch.object(Function, "call", measured):
            yield

    def _record(self, function: Function, event: Any, result: Any, milliseconds: int) -> None:
        for metric, value in ("Invocations", 1), ("Errors", 0), ("Throttles", 0):
            self._add("AWS/Lambda", metric, {"FunctionName": function.logical_id}, value)
        if "routeKey" in event:
            api, status = {"ApiId": self._name("Api")}, result["statusCode"]
            requests = {"Count": 1, "4xx": 400 <= status < 500, "5xx": status >= 500, "Latency": milliseconds}
            for metric, value in requests.items():
                self._add("AWS/ApiGateway", metric, api, value)
        table = {"TableName": self._name("Table")}
        units: Counter[str] = Counter()
        for call in self._meter.take():
            units += call.units_of
        of_indexes = {index: units.pop(index) for index in INDEXES if index in units}
        self._add("AWS/DynamoDB", "ConsumedWriteCapacityUnits", table, units.total())
        for index, of_index in of_indexes.items():
            dimensions = {**table, "GlobalSecondaryIndexName": index}
            self._add("AWS/DynamoDB", "ConsumedWriteCapacityUnits", dimensions, of_index)

    def _add(self, namespace: str, name: str, dimensions: dict[str, str], value: float) -> None:
        self.recorded.add(self._clock.seconds, namespace, name, dimensions, value)

    def _function(self, name: str) -> Function:
        return self._stack.functions()[name]

    def _logical_id(self, name: str) -> str:
        return self._function(name).logical_id

    def _name(self, logical_id: str) -> str:
        return self._stack.resources[logical_id]["Ref"]


def three_hours(stack: MotoStack) -> Recorded:
    """Let the stack live for three hours. Returns the metrics that CloudWatch would have."""
    from waitpoints import telemetry, wiring  # noqa: PLC0415 - reads the stack's environment

    step_functions, meter = FakeStepFunctions(), Meter()
    clock = Clock(random.Random(4))  # noqa: S311 - a load, not a secret
    wiring.services.reset()
    meter.watch(wiring.session())
    telemetry.metrics.service = STACK_NAME  # it was imported before the stack's environment was there
    replaced = {
        "step_functions_client": step_functions,
        "_webhook_secrets": {"GITHUB": FakeSecret(webhook_signer.secret_of("github"))},
    }
    life = ThreeHours(stack, step_functions, meter, clock)
    with (
        mock.patch.dict(vars(wiring.services), replaced),
        mock.patch.object(wiring, "now", clock),
        life.observed(),
    ):
        life.run()
    wiring.services.reset()
    return life.recorded
