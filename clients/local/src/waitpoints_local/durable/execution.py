"""An execution of a durable function: what it has done, by its history, and the tokens that it waits for."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from waitpoints_client import APIError, Token, Waitpoints
from waitpoints_client.ops.deployed import Deployed

from waitpoints_local.machine import clock
from waitpoints_local.machine.fitting_output import Completion
from waitpoints_local.machine.history import Event, Location
from waitpoints_local.machine.visits import State

POLLS_PER_LIST = 4
_TOKEN = re.compile(r"waitpoint_[0-7][0-9a-hjkmnp-tv-z]{25}")
_OPERATIONS = ("Step", "Wait", "Callback", "ChainedInvoke", "Context")
_ENDS = ("Succeeded", "Failed", "TimedOut", "Stopped", "Cancelled")
_WAIT_FOR_CALLBACK = "WaitForCallback"
Written = Mapping[str, Any]
"""An event as GetDurableExecutionHistory returns it."""


@dataclass
class DurableExecution:
    """It has the members of a `MachineRun` by which a test follows it. Its states are its steps and waits."""

    stack: Deployed
    waitpoints: Waitpoints
    execution: str = ""
    events: list[Event] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    waiting: dict[Location, Completion] = field(default_factory=dict)
    _operations: dict[str, State] = field(default_factory=dict)
    """By the operations' ids."""
    _parts: dict[str, str] = field(default_factory=dict)
    """The ids of the waits for a callback that operations are a part of."""
    _callbacks: dict[str, str] = field(default_factory=dict)
    """The callbacks that no one has answered: the ids of the operations, by those of the tokens' waiters."""
    _named: set[str] = field(default_factory=set)
    """The ids of the tokens that its history names."""
    _read: int = 0
    _polls: int = 0

    def __post_init__(self) -> None:
        self._functions = self.stack.client("lambda")

    @property
    def end(self) -> Event | None:
        return self.events[-1] if self.events and self.events[-1].is_the_end else None

    def start(self, function: str, value: Any) -> None:
        """Invoke the function. Raises ValueError for what is not JSON."""
        payload = json.dumps(value, allow_nan=False)
        started = self._functions.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
        self.execution = started["DurableExecutionArn"]

    def stop(self) -> None:
        self._functions.stop_durable_execution(DurableExecutionArn=self.execution)

    def look(self) -> clock.Seen:
        return clock.look(self.stack, self.execution)

    def poll(self) -> Iterator[Event]:
        """Read what is new in the history, and find the tokens that it waits for."""
        found = self._functions.get_durable_execution(DurableExecutionArn=self.execution)
        for written in self._read_history()[self._read :]:
            self._read += 1
            self._note(written)
            if self.end:  # a failed invocation: what comes after it says less
                return iter(())
        self._find_tokens()
        if found["Status"] != "RUNNING":
            error = found.get("Error", {})
            why = {"error": error.get("ErrorType"), "cause": error.get("ErrorMessage")}
            self.events.append(Event(found["Status"], datetime.now(UTC), output=found.get("Result"), **why))
        return iter(())

    def _read_history(self) -> list[Written]:
        events: list[Written] = []
        asked = {"DurableExecutionArn": self.execution, "IncludeExecutionData": True, "MaxItems": 1000}
        while True:
            page = self._functions.get_durable_execution_history(**asked)
            events += page["Events"]
            if "NextMarker" not in page:
                return events
            asked["Marker"] = page["NextMarker"]

    def _note(self, written: Written) -> None:
        kind = written["EventType"]
        details: Written = next((it for name, it in written.items() if name.endswith("Details")), {})
        self._named |= set(_TOKEN.findall(json.dumps(details, default=str)))
        operation = next((name for name in _OPERATIONS if kind.startswith(name)), None)
        if operation and kind == f"{operation}Started":
            self._begin(operation, written, details)
        elif operation and kind.removeprefix(operation) in _ENDS:
            self._end(kind.removeprefix(operation), written["Id"], details)
        elif kind == "InvocationCompleted" and "Error" in details:  # AWS invokes again; here nothing would change
            error = details["Error"].get("Payload", {})
            why = {"error": error.get("ErrorType", "Lambda.Unknown"), "cause": error.get("ErrorMessage")}
            self.events.append(Event("FAILED", written["EventTimestamp"], **why))
            return
        self.events.append(Event(kind, written["EventTimestamp"]))

    def _begin(self, operation: str, written: Written, details: Written) -> None:
        number, parent = written["Id"], written.get("ParentId", "")
        if operation == "Callback":
            self._callbacks[hashlib.sha256(details["CallbackId"].encode()).hexdigest()[:16]] = number
        if parent in self._operations:
            self._parts[number] = parent
        elif operation != "Context" or written.get("SubType") == _WAIT_FOR_CALLBACK:
            name = written.get("Name") or operation
            same = sum(state.name == name for state in self.states)
            self._operations[number] = State(name, (same,) if same else (), has_input=False)
            self.states.append(self._operations[number])

    def _end(self, how: str, number: str, details: Written) -> None:
        self._callbacks = {waiter: it for waiter, it in self._callbacks.items() if it != number}
        state = self._operations.get(number)
        if number in self._parts:
            self.waiting.pop(self._operations[self._parts[number]].location, None)
        if state is None:
            return
        self.waiting.pop(state.location, None)
        error = details.get("Error", {}).get("Payload", {})
        if how != "Succeeded":
            state.error, state.cause, state.failures = error.get("ErrorType", how), error.get("ErrorMessage"), 1
        else:
            state.output, state.has_left = _value(details.get("Result", {}).get("Payload")), True

    def _find_tokens(self) -> None:
        """Find the token of each open callback: a waiter of it has the callback's id."""
        self._polls += 1
        sought = {it for it in self._callbacks if self._location(it) not in self.waiting}
        for token in self._candidates() if sought else ():
            for waiter in token.waiters:
                if waiter.id in sought and token.status == "WAITING":
                    has_page, by_post = bool(token.page_actions), not token.approvers
                    location, found = self._location(waiter.id), Completion(token, {}, (), by_post, has_page)
                    self.waiting[location] = found
                    self.events.append(Event("token", datetime.now(UTC), location, completion=found))

    def _location(self, waiter: str) -> Location:
        number = self._callbacks[waiter]
        return self._operations[self._parts.get(number, number)].location

    def _candidates(self) -> Iterator[Token]:
        """Yield the tokens that it names, and now and then all that wait and were created since it began."""
        ids = set(self._named)
        if self._polls % POLLS_PER_LIST == 0 and self.events:
            ids |= {it.id for it in self.waitpoints.list(status="WAITING", created_from=self.events[0].at)}
        for number in sorted(ids):
            try:
                yield self.waitpoints.get(number)
            except APIError:  # it is of another stack
                continue


def _value(text: str | None) -> Any:
    """Return what an operation returned, if it is JSON: without the types that AWS's SDK notes beside each value."""
    try:
        return None if text is None else _plain(json.loads(text))
    except ValueError:
        return text


def _plain(value: Any) -> Any:
    match value:
        case {"t": str(), "v": inner, **more} if not more:
            return _plain(inner)
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case str() if value.startswith(("{", "[")):  # as the result of a token is
            return _value(value)
    return value
