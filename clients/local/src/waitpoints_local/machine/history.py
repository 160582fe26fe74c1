"""The history of an execution: what happened, in which state, and for which item of a Map."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from waitpoints_local.machine.definition import WAITING

if TYPE_CHECKING:
    from waitpoints_client import Token

    from waitpoints_local.machine.fitting_output import Completion
    from waitpoints_local.machine.tasks import TaskToken

_ENDS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")
_FAILURES = tuple(f"{task}{ending}" for task in ("Task", "LambdaFunction", "Activity") for ending in ("Failed", "TimedOut"))
SUCCEEDED = ("TaskSucceeded", "LambdaFunctionSucceeded")
_SCHEDULED = ("TaskScheduled", "LambdaFunctionScheduled")
_ITEM_ENDS = ("MapIterationSucceeded", "MapIterationFailed", "MapIterationAborted")

Written = Mapping[str, Any]
"""An event as GetExecutionHistory returns it."""


@dataclass(frozen=True)
class Location:
    state: str | None = None
    items: tuple[int, ...] = ()
    """The indexes of the Map items that it is a part of, the outermost first."""


@dataclass(frozen=True)
class Answered:
    """What a token was answered, and by which of its approvers."""

    value: Any
    approver: str | None = None


@dataclass(frozen=True)
class Event:
    """One thing that the execution did. Absent values are None."""

    kind: str
    """started, entered, left (a state); waits, token (it can be completed), answered, expired (both by this program), refused
    (an answer), resumed, lost (the result); failed (a task); pauses, skipped (time); or how it ended: SUCCEEDED, FAILED,
    TIMED_OUT or ABORTED."""
    at: datetime
    location: Location = Location()
    token: "Token | TaskToken | None" = None
    """The token that a state waits for, if it has ended before or was shown before."""
    completion: "Completion | TaskToken | None" = None
    input: str | None = None
    """JSON text, as the output."""
    output: str | None = None
    answer: Answered | None = None
    error: str | None = None
    cause: str | None = None
    what: str | None = None
    """What pauses or was skipped, such as Wait, Retry, or a token's timeout."""
    seconds: float | None = None

    @property
    def is_the_end(self) -> bool:
        return self.kind.isupper()


@dataclass
class History:
    events: list[Written] = field(default_factory=list)

    def read(self, event: Written) -> Event | None:
        """Return what an event says; None for those that say nothing new."""
        kind, at, details = event["type"], event["timestamp"], details_of(event)
        said: dict[str, Any] = {"output": details.get("output"), "error": details.get("error"), "cause": details.get("cause")}
        if kind in _ENDS:
            return Event(_upper(kind.removeprefix("Execution")), at, **said)
        if kind == "ExecutionStarted":
            return Event("started", at, input=details.get("input"))
        if kind.endswith("StateEntered"):
            return Event("entered", at, self._location(event), input=details.get("input"))
        if kind.endswith("StateExited"):
            location = Location(
                details["name"], self._location(event).items
            )  # after a Map or Parallel, the way back leads into it
            return Event("left", at, location, output=details.get("output"))
        if kind in _FAILURES:
            return Event("failed", at, self._location(event), **said)
        if kind in ("TaskScheduled", "TaskSucceeded") and str(details.get("resource")).endswith(WAITING):
            output = details.get("output") if kind == "TaskSucceeded" else None
            return Event("waits" if kind == "TaskScheduled" else "resumed", at, self._location(event), output=output)
        return None

    def scheduled(self, event: Written) -> Written:
        """Return the event with which the task began that this event is about."""
        return next((before for before in self._back(event) if before["type"] in _SCHEDULED), {})

    def _location(self, event: Written) -> Location:
        state, items, ended = None, list[int](), 0
        for before in self._back(event):
            if state is None and before["type"].endswith("StateEntered"):
                state = details_of(before)["name"]
            elif before["type"] in _ITEM_ENDS:  # of a Map within the item, which is over
                ended += 1
            elif before["type"] == "MapIterationStarted" and ended:
                ended -= 1
            elif before["type"] == "MapIterationStarted":
                items.insert(0, details_of(before)["index"])
        return Location(state, tuple(items))

    def _back(self, event: Written) -> Iterator[Written]:
        """Yield the event, the one that it followed, and so on. Events of other items may stand between them."""
        while True:
            yield event
            number = event.get("previousEventId", 0)
            if not number:
                return
            event = self.events[number - 1]


def details_of(event: Written) -> Mapping[str, Any]:
    return next((value for name, value in event.items() if name.endswith("EventDetails")), {})


def given(scheduled: Written) -> tuple[str, dict[str, Any]]:
    """Return the function that a task invokes and what it gives it, as they were at that time."""
    details = details_of(scheduled)
    parameters = json.loads(details.get("parameters") or details.get("input") or "{}")
    if not isinstance(parameters, dict):
        return "", {}
    payload = parameters.get("Payload", parameters)
    function = parameters.get("FunctionName", details.get("resource", ""))
    return str(function), payload if isinstance(payload, dict) else {}


def _upper(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
