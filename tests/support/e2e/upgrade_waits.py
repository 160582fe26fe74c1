"""Waits of every kind that both versions know, made before a stack is updated and ended after it."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count, cycle
from typing import Any

from tests.support import figures
from tests.support.e2e.api import Api
from tests.support.e2e.durable import Durable
from tests.support.e2e.ops import Operator
from tests.support.e2e.permissions import physical_name
from tests.support.e2e.waiting import PATIENCE, pause
from tests.support.in_process.api_gateway import TOKENS

CLIENTS = 8
RUNS = 5  # of a token for which several wait
FIRST_DUE = 3  # seconds
DAYS = 30  # of a timeout that only the index has
PAGE = {"title": "Pay?", "actions": [{"id": "yes", "label": "Yes"}, {"id": "no", "label": "No"}]}
ENDPOINT = {"key": "body.order", "verify": "none"}

Token = dict[str, Any]
Result = tuple[str, Any]
Way = Callable[[Api, Token], Result]
"""Ends a token. Returns how the executions that wait for it should end."""

TIMED_OUT: Result = ("FAILED", "WaitpointTimeoutError")


@dataclass(frozen=True)
class Wait:
    kind: str
    token: Token
    executions: list[str]
    result: Callable[[str], Result]
    """How an execution has ended: with the output, or with the error's name."""


class Machines:
    """State machines of a user, which no update of the stack touches."""

    def __init__(self, api: Api) -> None:
        self._api = api
        example = api.stack.client("stepfunctions").describe_state_machine(stateMachineArn=api.stack.state_machine_arn)
        states = json.loads(example["definition"])["States"]
        [wait, *_] = states.values()
        create = {"taskToken.$": "$$.Task.Token", "idempotencyKey.$": "$.key", "timeout": "1d", "unwrap": True}
        arguments = {"FunctionName": api.stack.create_function_name, "Payload": create}
        state = {"Type": "Task", "Resource": wait["Resource"], "Parameters": arguments, "Retry": wait["Retry"], "End": True}
        self._waits = api.make_machine(states)
        self._creates = api.make_machine({"Create": state})

    def wait(self, token: Token) -> str:
        """Start an execution that waits for a token. Returns its ARN."""
        return self._api.start(self._waits, {"token": {"id": token["id"]}})

    def create(self, key: str) -> str:
        """Start an execution that creates its token itself."""
        return self._api.start(self._creates, {"key": key})


class Waits:
    """Executions that wait, of some kinds. Of each kind, a number of waits is begun."""

    def __init__(self, api: Api, kinds: Mapping[str, tuple[int, Callable[[], Wait]]]) -> None:
        self.api, self.pool = api, ThreadPoolExecutor(CLIENTS)
        begun = [self.pool.submit(begin) for number, begin in kinds.values() for _ in range(number)]
        self.all = [wait.result() for wait in begun]
        for waits in self.pool.map(self._waits_or_has_ended, self.all):
            assert waits, "a waiter was never registered"

    def _waits_or_has_ended(self, wait: Wait) -> bool:
        """Wait until each execution is registered, or its token timed out before: then it is resumed at once."""
        began = time.monotonic()
        while time.monotonic() < began + PATIENCE:
            found = self.api.retrieve(wait.token)
            if len(found["waiters"]) == len(wait.executions) or found["status"] != "WAITING":
                return True
            pause(began)
        return False

    def end_in(self, ways: Mapping[str, Iterator[Way]], during: str) -> tuple[dict[str, Result], dict[str, Result]]:
        """End each wait in the next of its kind's ways. Returns how each execution ended, and how it should have.

        Shows how many of each kind did.
        """
        ends = [(wait, next(ways[wait.kind])) for wait in self.all]
        expected = self.pool.map(lambda end: end[1](self.api, end[0].token), ends)
        should = {run: result for (wait, _), result in zip(ends, expected, strict=True) for run in wait.executions}
        wait_of = {run: wait for wait in self.all for run in wait.executions}
        results = dict(zip(should, self.pool.map(lambda run: wait_of[run].result(run), should), strict=True))
        ended = Counter(wait_of[run].kind for run in should if results[run] == should[run])
        for kind, begun in Counter(wait.kind for wait in wait_of.values()).items():
            figures.show(f"{during}, {kind}: {begun} waited before, {ended[kind]} ended after, {begun - ended[kind]} lost")
        return results, should


class KnownWaits(Waits):
    """Those of every kind that both versions know."""

    def __init__(self, api: Api, machines: Machines, durable: Durable, of_each_kind: int) -> None:
        self.api, self._machines, self._durable = api, machines, durable
        last_due = 12 + of_each_kind // 2  # seconds: after the update, which comes later if there are more waits
        due = (f"{FIRST_DUE + (last_due - FIRST_DUE) * number // (of_each_kind - 1)}s" for number in count())
        kinds: dict[str, Callable[[], Wait]] = {
            "no timeout": partial(self._wait, "no timeout"),
            "timer": partial(self._wait, "timer", timeout="10m"),
            "long timer": partial(self._wait, "long timer", timeout=f"{DAYS}d"),
            "key": self._wait_for_key,
            "created by its state": self._wait_in_create,
            "several runs": partial(self._wait, "several runs", runs=RUNS, tags=["several"]),
            "rule": partial(self._wait, "rule", completeWhen="body.paid"),
            "page": partial(self._wait, "page", page=PAGE),
            "endpoint": self._wait_for_endpoint,
            "durable function": self._wait_in_durable_function,
            "due": lambda: self._wait("due", timeout=next(due)),
        }
        tokens = dict.fromkeys(kinds, of_each_kind) | {"several runs": of_each_kind // RUNS}
        super().__init__(api, {kind: (tokens[kind], begin) for kind, begin in kinds.items()})

    def _wait(self, kind: str, runs: int = 1, **options: Any) -> Wait:
        token = self.api.create(**options)
        return Wait(kind, token, [self._machines.wait(token) for _ in range(runs)], self.api.result)

    def _wait_for_key(self) -> Wait:
        return self._wait("key", idempotencyKey=uuid.uuid4().hex, tags=["by key"])

    def _wait_for_endpoint(self) -> Wait:
        return self._wait("endpoint", idempotencyKey=f"upgrade:{uuid.uuid4().hex}")

    def _wait_in_create(self) -> Wait:
        key = uuid.uuid4().hex
        execution = self._machines.create(key)
        return Wait("created by its state", self.api.find("idempotencyKey", key), [execution], self.api.result)

    def _wait_in_durable_function(self) -> Wait:
        token = self.api.create(timeout="1h")
        return Wait("durable function", token, [self._durable.wait(token)], self._result_of_durable_function)

    def _result_of_durable_function(self, execution: str) -> Result:
        status, [result] = self._durable.result(execution)
        assert status == "SUCCEEDED", result
        return ("SUCCEEDED", result["output"]) if result["ok"] else ("FAILED", result["error"]["name"])

    def end(self, *ways: Way, long: Way, during: str) -> tuple[dict[str, Result], dict[str, Result]]:
        """End each wait in one of these ways, those with a long timer also by `long`. The due ones end by themselves."""
        chosen = {kind: cycle(ways) for kind in {wait.kind for wait in self.all}}
        chosen |= {"long timer": cycle((*ways, long)), "due": cycle([by_its_timer])}
        chosen |= {"rule": cycle([by_paying]), "page": cycle([by_a_button]), "endpoint": cycle([by_a_delivery])}
        return self.end_in(chosen, during)


def by_its_timer(api: Api, token: Token) -> Result:
    """Leave a token alone, whose timer runs meanwhile."""
    return TIMED_OUT


def by_callback(api: Api, token: Token) -> Result:
    answer = api.callback(token, {"of": token["id"]})
    assert answer.status == 200, answer
    return "SUCCEEDED", {"of": token["id"]}


def by_completion(api: Api, token: Token) -> Result:
    answer = api.request("POST", f"{TOKENS}/{token['id']}/complete", {"data": [token["id"]]})
    assert answer.status == 200, answer
    return "SUCCEEDED", [token["id"]]


def by_failing(api: Api, token: Token) -> Result:
    error = {"name": "Declined", "message": "No stock"}
    answer = api.request("POST", f"{TOKENS}/{token['id']}/complete", {"error": error})
    assert answer.status == 200, answer
    return "FAILED", "Declined"


def by_paying(api: Api, token: Token) -> Result:
    """Two deliveries, of which only the second fits the token's rule."""
    for paid in (False, True):
        assert api.callback(token, {"paid": paid, "of": token["id"]}).status == 200
    return "SUCCEEDED", {"paid": True, "of": token["id"]}


def by_a_button(api: Api, token: Token) -> Result:
    api.press(token["url"], "Yes")
    return "SUCCEEDED", {"action": "yes", "fields": {}}


def by_a_delivery(api: Api, token: Token) -> Result:
    """To the endpoint, whose URL never changes."""
    order = api.retrieve(token)["idempotencyKey"].partition(":")[2]
    url = api.request("GET", "/api/v1/endpoints/upgrade").body["url"]
    assert api.request("POST", url, {"order": order}, key=None).status == 200
    return "SUCCEEDED", {"order": order}


def by_the_doctor(api: Api, token: Token) -> Result:
    """Time out a token now: set its timeout back by so much that it was an hour ago, and have the doctor scan the table."""
    Operator(api.stack).set_back(token["id"], "timeoutAt", DAYS * 86_400_000 + 3_600_000)
    run_the_doctor(api, {"command": "scanAll"})
    return TIMED_OUT


def run_the_doctor(api: Api, event: Any) -> Any:
    """Invoke it, as its schedule does with an empty event. Returns what it answers."""
    function = physical_name(api.stack, "Doctor")
    answer = api.stack.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    found = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, found
    return found
