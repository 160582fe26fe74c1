"""Executions that wait for a key, with the state that docs/webhooks.md shows."""

import json
import time
import uuid
from typing import Any
from urllib.parse import urlencode

from tests.support.e2e.api import PATIENCE, Api
from tests.support.e2e.permissions import physical_name
from tests.support.in_process.api_gateway import TOKENS
from tests.support.webhooks_doc import STATES


class Runs:
    """Executions of one state machine. TimerStarter one that waits for a key creates the key's token."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._client = api.stack.client("stepfunctions")
        states = json.loads(json.dumps(STATES["wait for a key"]))
        [(name, state)] = states.items()
        assert state["Parameters"]["FunctionName"] == "<CreateFunctionName>"
        state["Parameters"]["FunctionName"] = physical_name(api.stack, "CreateTokenInState")
        self._machine = self._client.create_state_machine(
            name=f"recipes-{uuid.uuid4().hex}",
            roleArn=self._client.describe_state_machine(stateMachineArn=api.stack.state_machine_arn)["roleArn"],
            definition=json.dumps({"StartAt": name, "States": states}),
        )["stateMachineArn"]

    def start(self, key: str) -> str:
        """Start an execution that waits for a key. Returns its ARN."""
        started = self._client.start_execution(stateMachineArn=self._machine, input=json.dumps({"key": key}))
        return str(started["executionArn"])

    def wait_until_registered(self, key: str) -> dict[str, Any]:
        """Wait until the key's token has its waiter. Returns the token."""
        until = time.monotonic() + PATIENCE
        while True:
            answer = self._api.request("GET", f"{TOKENS}?{urlencode({'filter[idempotencyKey]': key})}")
            if answer.body["data"]:
                [token] = answer.body["data"]
                self._api.wait_until_registered(token)
                return dict(token)
            assert time.monotonic() < until, "the token was never created"
            time.sleep(0.05)
