"""The callers: they retry an HTTP request after a 5xx, and a waiting state by its Retry."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from in_process.moto_stack import MotoStack
from in_process.template import ROOT
from tests.faults.aws import Aws
from tests.faults.wire import Killed
from tests.support.api_gateway import TOKENS, HttpAnswer, http_event
from tests.support.webhook_signer import sign
from waitpoints.token import TokenError

PATIENCE = 40  # how often a caller or a state tries again


@dataclass
class Execution:
    """A run of a state machine whose state waits for a token. Its Retry gives each attempt a task token of its own."""

    task_tokens: list[str] = field(default_factory=list)
    failed: str | None = None


class Callers(Aws):
    """AWS and the callers of the stack."""

    def __init__(self, stack: MotoStack) -> None:
        super().__init__(stack)
        self.tokens: list[dict[str, Any]] = []
        """The answers of create that the callers got."""
        self._retried = _names_in_retry(stack)

    def http(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> HttpAnswer:
        """Send a request, and retry it unchanged if the answer is a 5xx or is lost."""
        path = urlsplit(url).path
        route = self.stack.template.route(method, path)
        assert route
        for _ in range(PATIENCE):
            event = http_event(method, path, "", body, headers, route.route_key, route.path_parameters)
            with suppress(Killed):
                answer = self.lambdas.invoke(route.function.name, event)
                if answer["statusCode"] < 500:
                    return HttpAnswer(answer["statusCode"], answer["headers"], answer["body"])
                assert answer["statusCode"] == 503, f"a defect and no passing trouble: {answer}"
        raise AssertionError("the caller has given up")

    def create(self, request_key: str | None = None, **body: Any) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self._api_key()}", "content-type": "application/json"}
        if request_key:
            headers["x-trigger-request-idempotency-key"] = request_key
        answer = self.http("POST", TOKENS, json.dumps(body).encode(), headers)
        assert answer.status == 200, answer
        self.tokens.append(created := answer.json)
        return dict(created)

    def callback(self, token: dict[str, Any], body: str, status: int | None = 200, signed_with: str | None = None) -> None:
        """A delivery as Stripe sends it, signed if there is a secret; its sender is answered `status`, or None for any."""
        headers = {"content-type": "application/json"}
        if signed_with:
            headers |= sign("stripe", body.encode(), token["url"], time.time(), signed_with).headers
        answer = self.http("POST", token["url"], body.encode(), headers)
        assert status in (answer.status, None), answer

    def complete(self, token: dict[str, Any], data: str, status: int = 200) -> None:
        self._complete(token, f'{{"data":{data}}}', status)

    def fail(self, token: dict[str, Any], error: TokenError) -> None:
        shown = {"message": error.message, "name": error.name, "code": error.code}
        self._complete(token, json.dumps({"error": shown}), 200)

    def _complete(self, token: dict[str, Any], body: str, status: int) -> None:
        headers = {"authorization": f"Bearer {self._api_key()}", "content-type": "application/json"}
        answer = self.http("POST", f"{TOKENS}/{token['id']}/complete", body.encode(), headers)
        assert answer.status == status, answer

    def run_state(self, function: str, payload: dict[str, Any], execution: Execution | None = None) -> Execution:
        """Enter a state that waits for a task token; retry it if its function fails before the task was answered."""
        execution = execution or Execution()
        for _ in range(PATIENCE):
            task_token = self.step_functions.start_task()
            execution.task_tokens.append(task_token)
            try:
                self.lambdas.invoke(function, {**payload, "taskToken": task_token})
            except Killed:
                error = "Sandbox.Timedout"
            except Exception as failure:
                error = type(failure).__name__
            else:
                return execution
            if self.step_functions.result(task_token) is not None:
                return execution  # it was resumed before its function failed
            self.step_functions.stop(task_token)
            if error not in self._retried:
                break
        execution.failed = error
        return execution

    def wait(self, token: dict[str, Any], unwrap: bool = False, context: bool = False) -> Execution:
        return self.run_state("wait_for_token", {"waitpointId": token["id"], "unwrap": unwrap, "context": context})

    def _api_key(self) -> str:
        return self.stack.secret("ApiKey")


def _names_in_retry(stack: MotoStack) -> set[str]:
    """The errors that the example state machine retries."""
    [machine] = stack.template.resources("AWS::Serverless::StateMachine").values()
    states = json.loads((ROOT / machine["DefinitionUri"]).read_text())["States"].values()
    return {name for state in states for retry in state.get("Retry", []) for name in retry["ErrorEquals"]}
