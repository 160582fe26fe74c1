"""Waits of some kinds, made before a stack is updated and ended after it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.support import figures
from tests.support.e2e.api import Api
from tests.support.e2e.ops import Operator
from tests.support.e2e.waiting import until

CLIENTS = 8
DAYS = 30  # of a timeout that only the index has

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
        list(self.pool.map(self._wait_until_it_waits, self.all))

    def _wait_until_it_waits(self, wait: Wait) -> None:
        """Return once each execution is registered, or its token timed out before: then it is resumed at once.

        A state that was retried is registered twice.
        """

        def waits_or_has_ended() -> bool:
            found = self.api.retrieve(wait.token)
            return len(found["waiters"]) >= len(wait.executions) or found["status"] != "WAITING"

        def what_is_missing() -> str:
            waiters = self.api.retrieve(wait.token)["waiters"]
            return f"{wait.kind} has the waiters {waiters} of {[(it, self.api.history(it)) for it in wait.executions]}"

        until(waits_or_has_ended, what_is_missing)

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


def by_its_timer(api: Api, token: Token) -> Result:
    """Leave a token alone, whose timer runs meanwhile."""
    return TIMED_OUT


def by_callback(api: Api, token: Token) -> Result:
    api.ask("POST", token["url"], {"of": token["id"]}, key=None)
    return "SUCCEEDED", {"of": token["id"]}


def by_completion(api: Api, token: Token) -> Result:
    api.complete(token, data=[token["id"]])
    return "SUCCEEDED", [token["id"]]


def by_failing(api: Api, token: Token) -> Result:
    api.complete(token, error={"name": "Declined", "message": "No stock"})
    return "FAILED", "Declined"


def by_paying(api: Api, token: Token) -> Result:
    """Two deliveries, of which only the second fits the token's rule."""
    for paid in (False, True):
        assert api.deliver(token, {"paid": paid, "of": token["id"]}).status == 200
    return "SUCCEEDED", {"paid": True, "of": token["id"]}


def by_a_button(api: Api, token: Token) -> Result:
    api.press(token["url"], "Yes")
    return "SUCCEEDED", {"action": "yes", "fields": {}}


def by_the_doctor(api: Api, token: Token) -> Result:
    """Time out a token now: set its timeout back by so much that it was an hour ago, and have the doctor scan the table."""
    operator = Operator(api.stack)
    operator.set_back(token["id"], "timeoutAt", DAYS * 86_400_000 + 3_600_000)
    operator.invoke("Doctor", {"command": "scanAll"})
    return TIMED_OUT
