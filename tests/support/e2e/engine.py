"""The local run's engine in this process, with functions that are Python: for probes and cases.

Run by the emulator's own Python. Other services than Lambda are MiniStack's own, through the engine's clients.
"""

import asyncio
import io
import json
import os
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

# ministack reads its environment on import
os.environ.update(LOG_LEVEL="CRITICAL", AUTH="true", GATEWAY_PORT="4566")
os.environ.update(AWS_ACCESS_KEY_ID="LOCALENGINE", AWS_SECRET_ACCESS_KEY="secret")

from ministack import app as app_module
from ministack.core import router
from ministack.services import lambda_durable, stepfunctions

from tests.support.patience import PATIENCE
from waitpoints_local import clock_route, process_mends
from waitpoints_local.durable_clock import DurableExecutions
from waitpoints_local.interpreter import engine, services, stand_ins

__all__ = ["ROLE", "FunctionError", "Run", "call", "client", "functions", "make", "send", "start", "stepfunctions"]

ROLE = "arn:aws:iam::000000000000:role/machine"
HOUR = 3600
functions: dict[str, Callable[[Any], Any]] = {}
find = clock_route.finding(stepfunctions, DurableExecutions(lambda_durable, lambda _: False))


class FunctionError(Exception):
    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error)
        self.error, self.cause = error, cause


class _Lambda:
    def __init__(self, client: Any) -> None:
        self.meta = client.meta

    def invoke(self, FunctionName: str, Payload: bytes = b"{}", LogType: str = "", **_: Any) -> Any:
        try:
            answer, failed = functions[FunctionName.rpartition(":")[2]](json.loads(Payload)), {}
        except FunctionError as error:
            answer, failed = {"errorType": error.error, "errorMessage": error.cause}, {"FunctionError": "Unhandled"}
        log = {"LogResult": "dGhlIGxvZw=="} if LogType else {}
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode()), **failed, **log}


class _Services(services.Services):
    def client_for(self, region: str, service: str, state_credentials: Any = None) -> Any:
        client = super().client_for(region, service, state_credentials)
        return _Lambda(client) if service == "lambda" else client


_services = _Services()


def start() -> None:
    """Put the engine into MiniStack, and serve its services in a loop of their own."""
    engine.run_executions(stepfunctions, _services)
    process_mends.know_services_by_name(router)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    _services._app, _services._loop = app_module.app, loop
    stepfunctions._emit_execution_status_event = lambda _: None


def client(service: str) -> Any:
    return _services.client_for("us-east-1", service)


def _answered(answer: Awaitable[tuple[int, Any]]) -> tuple[int, Any]:
    async def wait() -> tuple[int, Any]:
        return await answer

    return asyncio.run(wait())


class Run:
    """An execution in this process."""

    def __init__(self, machine: Any, given: Any = None, tested: Any = None, **more: Any) -> None:
        """`tested` is what a test says of the machine's tasks."""
        self.machine = make(machine, **more)
        if tested is not None:
            _answered(stand_ins.answer({"machine": self.machine, "stand_ins": {}, "echoing": [], "unsent": [], **tested}))
        started = stepfunctions._start_execution({"stateMachineArn": self.machine, "input": json.dumps(given or {})})
        self.arn = json.loads(started[2])["executionArn"]
        self.execution = stepfunctions._executions[self.arn]

    def ended(self) -> "Run":
        until = time.monotonic() + PATIENCE
        while self.execution["status"] == "RUNNING" and time.monotonic() < until:
            time.sleep(0.002)
        return self

    def ask(self, **asked: Any) -> Any:
        status, seen = _answered(clock_route.answering(find)({"execution": self.arn, **asked}))
        assert status == 200, seen
        return seen

    def waits(self) -> dict[int, str]:
        """Return the task tokens that it waits for, once it does."""
        until = time.monotonic() + PATIENCE
        while not (found := _answered(stand_ins.answer({"execution": self.arn}))[1]["waits"]) and time.monotonic() < until:
            time.sleep(0.002)
        return dict(found)

    def children(self, count: int) -> list[Any]:
        """Return what so many children of its distributed Maps wait for, once they do: token, state, items."""
        until = time.monotonic() + PATIENCE
        while len(found := _answered(stand_ins.answer({"execution": self.arn}))[1]["of_children"]) < count:
            assert time.monotonic() < until, found
            time.sleep(0.002)
        return list(found)

    def skip(self, seconds: float) -> list[tuple[str, str, int]]:
        """Do as the client does."""
        skipped: list[Any] = []
        left = seconds
        while self.ask()["status"] == "RUNNING" and left > 0.001:
            moved = self.ask(move=left)
            skipped, left = skipped + moved["skipped"], left - moved["moved"]
        skipped += self.ask(release=True)["skipped"]
        return [(it["state"], it["what"], round(it["seconds"] / HOUR)) for it in skipped]

    def stop(self) -> Any:
        return json.loads(stepfunctions._stop_execution({"executionArn": self.arn, "error": "E", "cause": "C"})[2])

    @property
    def status(self) -> str:
        return str(self.execution["status"])

    @property
    def output(self) -> Any:
        return json.loads(self.execution["output"] or "null")

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.execution["events"]]

    @property
    def submitted(self) -> list[str]:
        """What each task that waits for its token was answered when it sent it."""
        return [it["taskSubmittedEventDetails"]["output"] for it in self.execution["events"] if it["type"] == "TaskSubmitted"]

    @property
    def hours(self) -> int:
        stamps = [datetime.fromisoformat(event["timestamp"]).timestamp() for event in self.execution["events"]]
        assert stamps == sorted(stamps)
        return round((stamps[-1] - stamps[0]) / HOUR)


def make(machine: Any, name: str = "", **more: Any) -> str:
    """Create a state machine. Returns its ARN."""
    name = name or uuid.uuid4().hex
    arn = f"arn:aws:states:us-east-1:000000000000:stateMachine:{name}"
    definition = {"name": name, "stateMachineArn": arn, "roleArn": ROLE, "type": "STANDARD", "definition": json.dumps(machine)}
    stepfunctions._state_machines[arn] = definition | more
    return arn


def send(action: str, **data: Any) -> str:
    """Answer a task token. Returns the error's code, or an empty text."""
    return call(f"send_task_{action}", **data)


def call(action: str, **data: Any) -> str:
    status, _, body = getattr(stepfunctions, f"_{action}")(data)
    return "" if status == 200 else str(json.loads(body)["__type"]).rpartition("#")[2]
