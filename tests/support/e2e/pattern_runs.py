"""Executions of the state machines in examples/statemachines/, with a stand-in for the functions that their user brings.

The stand-in returns what it was given, so that the history of an execution shows it.
"""

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from tests.support.e2e.api import PATIENCE, Api
from tests.support.in_process.api_gateway import TOKENS
from tools.stack import ROOT

STAND_IN = """
import random

def handler(event, context):
    if event.get("item") == "refused":
        raise ValueError("no such item")
    return {"given": event, "workflow_run_id": random.randrange(10**10, 10**11)}
"""


@dataclass(frozen=True)
class Run:
    """One execution of a pattern."""

    api: Api
    arn: str

    def calls(self, count: int = 1) -> list[dict[str, Any]]:
        """What the stand-in returned, once it was invoked `count` times."""
        until = time.monotonic() + PATIENCE
        while len(found := [result for result in self._results() if "given" in result]) < count:
            assert time.monotonic() < until, "the function was not invoked"
            time.sleep(0.05)
        return found

    def given(self) -> dict[str, Any]:
        """What the stand-in was given, once it was invoked."""
        [call] = self.calls()
        given: dict[str, Any] = call["given"]
        return given

    def _results(self) -> Iterator[dict[str, Any]]:
        """What each function that a state invoked has returned."""
        history = self.api.stack.client("stepfunctions").get_execution_history(executionArn=self.arn, maxResults=1000)
        for event in history["events"]:
            result = json.loads(event.get("taskSucceededEventDetails", {}).get("output", "{}"))
            if isinstance(result, dict) and isinstance(result.get("Payload"), dict):
                yield result["Payload"]

    def token(self, key: str) -> dict[str, Any]:
        """The token of a key, once the execution waits for it."""
        until = time.monotonic() + PATIENCE
        while not (listed := self.api.request("GET", f"{TOKENS}?{urlencode({'filter[idempotencyKey]': key})}").body["data"]):
            assert time.monotonic() < until, "the token was never created"
            time.sleep(0.05)
        self.api.wait_until_registered(listed[0])
        return self.api.retrieve(listed[0])

    def end(self) -> tuple[str, Any]:
        """The status of the execution once it has ended, and its output or its error."""
        return self.api.result(self.arn)


class Patterns:
    def __init__(self, api: Api) -> None:
        stack = api.stack
        self._api = api
        self._client = stack.client("stepfunctions")
        self._role = self._client.describe_state_machine(stateMachineArn=stack.state_machine_arn)["roleArn"]
        self._stand_in = self._make_stand_in()
        self._machines: dict[tuple[str, str | None, int | None], str] = {}
        self._names = {
            "Partition": "aws",
            "WaitForToken": stack.wait_function_name,
            "CreateTokenInState": stack.create_function_name,
            "CompleteTokenInState": stack.complete_function_name,
        }

    def start(self, name: str, given: Any, *, timeout: str | None = None, seconds: int | None = None) -> Run:
        """Start a pattern. Its tokens have another `timeout`, and its waiting states other `seconds`, if they are given."""
        made = (name, timeout, seconds)
        if made not in self._machines:
            self._machines[made] = self._make(*made)
        started = self._client.start_execution(stateMachineArn=self._machines[made], input=json.dumps(given))
        return Run(self._api, started["executionArn"])

    def _make(self, name: str, timeout: str | None, seconds: int | None) -> str:
        text = (ROOT / "examples" / "statemachines" / f"{name}.asl.json").read_text()
        definition = re.sub(r"\$\{(\w+)\}", self._function, text)
        if timeout:
            definition = re.sub(r'(?<="timeout": ")\w+', lambda _: timeout, definition)
        if seconds:
            definition = re.sub(r'(?<="TimeoutSeconds": )\d+', str(seconds), definition)
        made = self._client.create_state_machine(name=f"pattern-{uuid4().hex}", definition=definition, roleArn=self._role)
        return str(made["stateMachineArn"])

    def _function(self, placeholder: re.Match[str]) -> str:
        return self._stand_in if placeholder[1].endswith("Function") else self._names[placeholder[1]]

    def _make_stand_in(self) -> str:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("stand_in.py", STAND_IN)
        made = self._api.stack.client("lambda").create_function(
            FunctionName=f"stand-in-{uuid4().hex}",
            Runtime="python3.13",
            Handler="stand_in.handler",
            Role=self._role,
            Code={"ZipFile": code.getvalue()},
        )
        return str(made["FunctionName"])
