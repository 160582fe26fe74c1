"""The deployed stack as its callers use it: plain HTTP, and executions of its state machines."""

import http.client
import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

from tests.support.e2e.waiting import until
from tests.support.in_process.api_gateway import JSON, TOKENS, Caller, HttpAnswer
from tests.support.in_process.html_page import HtmlPage
from tests.support.patience import PATIENCE
from waitpoints_local.stack import Stack

BROWSER = {"accept": "text/html", "content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class RawAnswer:
    """An answer byte for byte; no redirect is followed."""

    status: int
    body: bytes
    headers: dict[str, str]


class Api(Caller):
    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def request(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, *, key: str | None = ""
    ) -> HttpAnswer:
        """JSON has its content type also if headers are given. `key` is another API key, or None."""
        key = key if key != "" else self.stack.api_key if headers is None else None
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {**JSON, **({"authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
        url = url if url.startswith("http") else self.stack.api_url + url
        try:
            with urlopen(Request(url, data, given, method=method), timeout=PATIENCE) as response:
                return HttpAnswer(response.status, _lower(response.headers), response.read().decode() or "null")
        except HTTPError as error:
            return HttpAnswer(error.code, _lower(error.headers), error.read().decode() or "null")

    def send(self, url: str, body: bytes = b"", headers: dict[str, str] | None = None, *, method: str = "POST") -> RawAnswer:
        """One request as it is given: no key, no content type, and no header beside those that HTTP needs."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        with closing(http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)) as connection:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return RawAnswer(response.status, response.read(), _lower(response.headers))

    def press(self, url: str, button: str) -> None:
        """Open a page and press a button, as a person does in a browser."""
        page = HtmlPage(self.send(url, headers=BROWSER, method="GET").body.decode())
        assert self.send(url, page.press(button), BROWSER).status == 200

    def wait(self, token: dict[str, Any]) -> str:
        """Start the example state machine with a token. Returns the execution's ARN."""
        return self.start(self.stack.state_machine_arn, {"token": {"id": token["id"]}})

    def awaited(self, **options: Any) -> tuple[dict[str, Any], str]:
        """Create a token, and wait until an execution waits for it. Returns both."""
        token = self.create(**options)
        execution = self.wait(token)
        self.wait_until_registered(token)
        return token, execution

    def advance(self, *, seconds: float) -> None:
        time.sleep(seconds)

    def start(self, machine: str, given: Any) -> str:
        """Start an execution of a state machine. Returns its ARN."""
        step_functions = self.stack.client("stepfunctions")
        return str(step_functions.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"])

    def make_machine(self, states: dict[str, Any]) -> str:
        """Create a state machine that begins with the first of these states, with the example's role. Returns its ARN."""
        step_functions = self.stack.client("stepfunctions")
        role = step_functions.describe_state_machine(stateMachineArn=self.stack.state_machine_arn)["roleArn"]
        definition = json.dumps({"StartAt": next(iter(states)), "States": states})
        made = step_functions.create_state_machine(name=f"test-{uuid4().hex}", roleArn=role, definition=definition)
        return str(made["stateMachineArn"])

    def run(self, states: dict[str, Any]) -> str:
        """Start an execution of a new state machine with these states. Returns its ARN."""
        return self.start(self.make_machine(states), {})

    def wait_until_registered(self, token: dict[str, Any], waiters: int = 1) -> None:
        until(lambda: len(self.retrieve(token)["waiters"]) >= waiters, "the waiter was never registered")

    def find(self, name: str, value: str) -> dict[str, Any]:
        """Return the newest token that the list's filter of this name finds, once there is one."""
        path = f"{TOKENS}?{urlencode({f'filter[{name}]': value})}"
        found: list[dict[str, Any]] = until(lambda: self.request("GET", path).json["data"], "the token was never created")
        return found[0]

    def result(self, execution: str) -> tuple[str, Any]:
        """The status of an execution once it has ended, and its output or, when it failed, its error."""
        step_functions = self.stack.client("stepfunctions")

        def ended() -> Any:
            found = step_functions.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        described = until(ended, "the execution hangs")
        if described["status"] == "SUCCEEDED":
            return described["status"], json.loads(described["output"])
        return described["status"], described.get("error")

    def history(self, execution: str) -> list[str]:
        """The types of the events of an execution, or of a durable function's, in order."""
        if "/durable-execution/" in execution:
            answer = self.stack.client("lambda").get_durable_execution_history(DurableExecutionArn=execution)
            return [event["EventType"] for event in answer["Events"]]
        answer = self.stack.client("stepfunctions").get_execution_history(executionArn=execution, maxResults=1000)
        return [event["type"] for event in answer["events"]]


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
