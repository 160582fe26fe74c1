"""Run a user's own state machine on the local stack, and show what it does until it ends."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from itertools import count
from typing import Any

from waitpoints_client import Token, Waitpoints
from waitpoints_client.operator.awaited import Awaited
from waitpoints_client.operator.definition import Definition, Unusable
from waitpoints_client.operator.deployed import PROBLEMS, Deployed
from waitpoints_client.operator.history import Event, History, Written

POLL_SECONDS = 0.25
LOOKS = 8  # at the execution, for each at its tokens
ON_ITS_WAY = timedelta(minutes=2)
LOST = "The state goes on only if its taskToken is its own ($$.Task.Token), and if the stack may resume its execution"
ENDED = "The run has ended"
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def stand_in(stack: Deployed, placeholder: str) -> str:
    """Return an ARN for the stand-in of one of the user's functions."""
    values = list_placeholders(stack)
    place = f"arn:{values['Partition']}:lambda:{values['Region']}:{values['AccountId']}"
    return f"{place}:function:try-{placeholder[:40]}-{uuid.uuid4().hex[:8]}"


def list_placeholders(stack: Deployed) -> dict[str, str]:
    """Return what a definition can name: the stack's outputs and resources, and some of AWS's pseudo parameters."""
    _, partition, _, region, account, *_ = ("", *stack.outputs["StateMachineArn"].split(":", 5)[1:])
    return {**stack.list_physical_ids(), **stack.outputs, "Partition": partition, "Region": region, "AccountId": account}


def check(stack: Deployed, definition: Definition) -> None:
    """Ask Step Functions what is wrong in a definition. Raises Unusable with all that it finds."""
    answer = stack.client("stepfunctions").validate_state_machine_definition(definition=definition.text)
    if found := [it["message"] for it in answer["diagnostics"] if it["severity"] == "ERROR"]:
        raise Unusable(f"AWS would not create this state machine: {'; '.join(found)}")


@dataclass
class MachineRun:
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

    def __post_init__(self) -> None:
        self.step_functions = self.stack.client("stepfunctions")

    def prepare_input(self, value: Any, timeout: str) -> Any:
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
        awaited, history = self._awaited(), History()
        for look in count():
            seen, history.events = len(history.events), self._read_history()
            for written in history.events[seen:]:
                if event := history.read(written):
                    yield from awaited.begin(history, written, event) if event.kind == "waits" else [event]
                    if event.is_the_end:
                        return
                    if event.kind in ("resumed", "failed"):
                        awaited.end(history.scheduled(written))
            if history.events:
                yield from awaited.find(history.events[0]["timestamp"])
            if look % LOOKS == LOOKS - 1:
                yield from self._find_lost(awaited)
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

    @property
    def _creates_tokens(self) -> bool:
        return self.definition.invokes(self.stack.outputs["CreateFunctionName"])

    def _read_history(self) -> list[Written]:
        pages = self.step_functions.get_paginator("get_execution_history").paginate(executionArn=self.execution)
        return [event for page in pages for event in page["events"]]

    def _awaited(self) -> Awaited:
        own = {self.token.id: {"page": self.page} if self.page else {}} if self.token else {}
        functions = (self.stack.outputs["CreateFunctionName"], self.stack.outputs["WaitFunctionName"])
        return Awaited(self.waitpoints, self.definition.machine, *functions, own)

    def _find_lost(self, awaited: Awaited) -> Iterator[Event]:
        """Yield the tokens that have ended without resuming what waits for them: the task token was not the state's."""
        for token in [self.waitpoints.get(shown) for shown in awaited.shown.values() if shown.status == "WAITING"]:
            statuses = {waiter.status for waiter in token.waiters}
            if token.completed_at and datetime.now(timezone.utc) - token.completed_at < ON_ITS_WAY:
                statuses.discard("UNDELIVERED")  # it says so of every waiter that is not resumed yet
            if token.completed_at and statuses and statuses <= {"GONE", "UNDELIVERED"}:
                awaited.shown[token.id] = token
                yield Event(
                    "lost", token.completed_at, cause=f"the result: its waiter is {' and '.join(sorted(statuses))}. {LOST}"
                )
