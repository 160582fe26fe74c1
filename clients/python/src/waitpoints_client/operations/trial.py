"""Run a user's own state machine on the local stack, and tell what it does until it ends."""

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import count
from typing import Any

from waitpoints_client import Token, Waitpoints
from waitpoints_client.operations.definition import Definition, Unusable, payload
from waitpoints_client.operations.deployed import PROBLEMS, Deployed
from waitpoints_client.operations.fitting_output import accepts_any_post, fitting_output

POLL_SECONDS = 0.25
LOOKS = 8  # at the execution, for each at its tokens
LOST = "The state goes on only if its taskToken is its own ($$.Task.Token), and if the stack may resume its execution"
ENDED = "The trial has ended"
_WAITING = ".waitForTaskToken"
_ENDS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")
_TOKEN_ID = re.compile(r'"id": *"(waitpoint_\w+)"')
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Event:
    """One thing that the execution did. Absent values are None."""

    kind: str
    """token, entered, waits, resumed, lost (the result), failed (a task), or how it ended: SUCCEEDED, FAILED, TIMED_OUT or
    ABORTED."""
    at: datetime
    state: str | None = None
    completion: "Completion | None" = None
    output: str | None = None
    """JSON text."""
    error: str | None = None
    cause: str | None = None

    @property
    def is_the_end(self) -> bool:
        return self.kind.isupper()


@dataclass(frozen=True)
class Completion:
    """How to complete a token that the execution waits for."""

    token: Token
    output: Any
    """What fits, as far as the token's rules and the machine's Choice states say so."""
    by_post: bool
    """Whether a POST to its URL completes it. Else a person with the API key does."""
    has_page: bool


def stand_in(stack: Deployed, placeholder: str) -> str:
    """Return an ARN for a function that stands for one of the user's."""
    values = placeholders(stack)
    place = f"arn:{values['Partition']}:lambda:{values['Region']}:{values['AccountId']}"
    return f"{place}:function:try-{placeholder[:40]}-{uuid.uuid4().hex[:8]}"


def placeholders(stack: Deployed) -> dict[str, str]:
    """Return what a definition can name: the stack's outputs and resources, and some of AWS's pseudo parameters."""
    _, partition, _, region, account, *_ = ("", *stack.outputs["StateMachineArn"].split(":", 5)[1:])
    return {**stack.physical_ids(), **stack.outputs, "Partition": partition, "Region": region, "AccountId": account}


def check(stack: Deployed, definition: Definition) -> None:
    """Ask Step Functions what is wrong in a definition. Raises Unusable with all that it finds."""
    answer = stack.client("stepfunctions").validate_state_machine_definition(definition=definition.text)
    if found := [it["message"] for it in answer["diagnostics"] if it["severity"] == "ERROR"]:
        raise Unusable(f"AWS would not create this state machine: {'; '.join(found)}")


@dataclass
class Trial:
    stack: Deployed
    waitpoints: Waitpoints
    definition: Definition
    token: Token | None = None
    """The token of its input."""
    page: Any = None
    """The page of the token that is created for it."""
    machine: str = ""
    execution: str = ""
    _is_ours: bool = False
    _shown: dict[str, Token] = field(default_factory=dict)
    """The tokens that were told, by their ids."""

    def __post_init__(self) -> None:
        self.step_functions = self.stack.client("stepfunctions")

    def given(self, value: Any, timeout: str) -> Any:
        """Return the input, with a token if the machine needs one: not if the input has one or a state creates it.

        Raises Unusable if the input has no room for a token.
        """
        if isinstance(value, dict) and isinstance(value.get("token"), dict) and "id" in value["token"]:
            self.token = self.waitpoints.get(str(value["token"]["id"]))
            return value
        if self._creates_tokens or not self.definition.invokes(self.stack.outputs["WaitFunctionName"]):
            return value
        if not isinstance(value, dict):
            raise Unusable("The input must be an object: the token that the machine waits for is put into it as `token`")
        created = self.waitpoints.create(timeout=timeout, tags=["try"], page=self.page)
        self.token, self._is_ours = self.waitpoints.get(created), True
        return {**value, "token": {"id": created.id, "url": created.url}}

    def start(self, name: str, value: Any) -> None:
        """Create the state machine, with the role of the example, and start it."""
        name = f"try-{_NO_NAME.sub('-', name)[:60]}-{uuid.uuid4().hex[:8]}"
        made = self.step_functions.create_state_machine(name=name, definition=self.definition.text, roleArn=self.role)
        self.machine = made["stateMachineArn"]
        started = self.step_functions.start_execution(stateMachineArn=self.machine, input=json.dumps(value))
        self.execution = started["executionArn"]

    def follow(self) -> Iterator[Event]:
        """Yield what the execution does, until it ends."""
        seen, waiting = 0, 0
        for look in count():
            events = self._history()
            for happened in map(read_event, events[seen:]):
                if happened is None:
                    continue
                waiting += {"waits": 1, "resumed": -1}.get(happened.kind, 0)
                yield happened
                if happened.is_the_end:
                    return
                if happened.kind == "waits" and self.token:
                    yield from self._once(self.token, happened.at, {"page": self.page} if self.page else {})
            seen = len(events)
            if waiting > 0 and self._creates_tokens:
                yield from self._found_tokens(events)
            if waiting > 0 and look % LOOKS == LOOKS - 1:
                yield from self._lost()
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        self.step_functions.stop_execution(executionArn=self.execution, cause=ENDED)

    def clean_up(self) -> str | None:
        """Delete the state machine, and end the token that was created for it. Returns the machine's ARN if that failed."""
        if self.token and self._is_ours and self.waitpoints.get(self.token).status == "WAITING":
            self.waitpoints.fail(self.token, ENDED)
        try:
            if self.machine:
                self.step_functions.delete_state_machine(stateMachineArn=self.machine)
        except PROBLEMS:
            return self.machine
        return None

    @cached_property
    def role(self) -> str:
        """The role of the example."""
        example = self.stack.outputs["StateMachineArn"]
        return str(self.step_functions.describe_state_machine(stateMachineArn=example)["roleArn"])

    @cached_property
    def _creating(self) -> dict[str, dict[str, Any]]:
        """The states that create tokens, by their names."""
        return dict(self.definition.states_that_invoke(self.stack.outputs["CreateFunctionName"]))

    @property
    def _creates_tokens(self) -> bool:
        return self.definition.invokes(self.stack.outputs["CreateFunctionName"])

    def _history(self) -> list[Mapping[str, Any]]:
        pages = self.step_functions.get_paginator("get_execution_history").paginate(executionArn=self.execution)
        return [event for page in pages for event in page["events"]]

    def _found_tokens(self, events: list[Mapping[str, Any]]) -> Iterator[Event]:
        """Yield the tokens that a state has created and that this execution waits for.

        A wait need not name its execution. So a token counts, too, whose id a state has returned; and if a state that creates
        and waits does not name it, every token that is waited for without a name.
        """
        outputs = [event.get("taskSucceededEventDetails", {}).get("output", "") for event in events]
        returned = {found for output in outputs for found in _TOKEN_ID.findall(output)}
        executions = {self.execution, *([None] if any(map(_waits_unnamed, self._creating.values())) else [])}
        for listed in self.waitpoints.list(status="WAITING", created_from=events[0]["timestamp"]):
            if listed.id not in self._shown:
                token = self.waitpoints.get(listed)
                if token.waiters and (token.id in returned or executions & {waiter.execution for waiter in token.waiters}):
                    yield from self._once(token, token.created_at, self._created(token, events))

    def _created(self, token: Token, events: list[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the fields of the create that made this token, as its state has them; none if the state is not known."""
        entered = ""
        for event in events:
            entered = event.get("stateEnteredEventDetails", {}).get("name", entered)
            if token.id in event.get("taskSucceededEventDetails", {}).get("output", "") and entered in self._creating:
                return payload(self._creating[entered])
        waiting = [payload(state) for state in self._creating.values() if str(state.get("Resource")).endswith(_WAITING)]
        return waiting[0] if len(waiting) == 1 else {}

    def _lost(self) -> Iterator[Event]:
        """Yield the tokens that have ended without resuming what waits for them: the task token was not the state's."""
        for token in [self.waitpoints.get(shown) for shown in self._shown.values() if shown.status == "WAITING"]:
            statuses = {waiter.status for waiter in token.waiters}
            if token.completed_at and statuses and statuses <= {"GONE", "UNDELIVERED"}:
                self._shown[token.id] = token
                yield Event(
                    "lost", token.completed_at, cause=f"the result: its waiter is {' and '.join(sorted(statuses))}. {LOST}"
                )

    def _once(self, token: Token, at: datetime, created: Mapping[str, Any]) -> Iterator[Event]:
        if token.id not in self._shown:
            self._shown[token.id] = token
            output = fitting_output(self.definition.machine, created)
            completion = Completion(token, output, accepts_any_post(created, output), "page" in created)
            yield Event("token", at, completion=completion)


def _waits_unnamed(state: Mapping[str, Any]) -> bool:
    named = any(name.startswith("execution") for name in payload(state))
    return str(state.get("Resource")).endswith(_WAITING) and not named


def read_event(event: Mapping[str, Any]) -> Event | None:
    """Return what one event of the history says; None for those that say nothing new."""
    kind, at = event["type"], event["timestamp"]
    details: Mapping[str, Any] = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
    said = {"output": details.get("output"), "error": details.get("error"), "cause": details.get("cause")}
    if kind.endswith("StateEntered"):
        return Event("entered", at, state=details["name"])
    if kind in _ENDS:
        return Event(_upper(kind.removeprefix("Execution")), at, **said)
    if kind in ("TaskFailed", "TaskTimedOut", "LambdaFunctionFailed", "LambdaFunctionTimedOut"):
        return Event("failed", at, **said)
    if kind in ("TaskScheduled", "TaskSucceeded") and str(details.get("resource")).endswith(_WAITING):
        return Event("waits" if kind == "TaskScheduled" else "resumed", at)
    return None


def _upper(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
