"""Executions that wait for a key, with the state that docs/webhooks.md shows."""

import json
from typing import Any

from tests.support.e2e.api import Api
from tests.support.e2e.permissions import physical_name
from tests.support.webhooks_doc import STATES


class Runs:
    """Executions of one state machine. Starting one that waits for a key creates the key's token."""

    def __init__(self, api: Api) -> None:
        self._api = api
        states = json.loads(json.dumps(STATES["wait for a key"]))
        [state] = states.values()
        assert state["Parameters"]["FunctionName"] == "<CreateFunctionName>"
        state["Parameters"]["FunctionName"] = physical_name(api.stack, "CreateTokenInState")
        self._machine = api.make_machine(states)

    def wait(self, key: str) -> str:
        """Start an execution that waits for a key. Returns its ARN."""
        return self._api.start(self._machine, {"key": key})

    def wait_until_registered(self, key: str) -> dict[str, Any]:
        """Wait until the key's token has its waiter. Returns the token."""
        token = self._api.find("idempotencyKey", key)
        self._api.wait_until_registered(token)
        return token
