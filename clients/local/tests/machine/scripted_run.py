"""A run whose script says what each look at it shows, on a stack on moto."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from waitpoints_client import Token, Waitpoints
from waitpoints_client.testing import FakeWaitpoints

from waitpoints_local.machine.clock import Seen
from waitpoints_local.machine.definition import Definition
from waitpoints_local.machine.fitting_output import Completion
from waitpoints_local.machine.history import Event, Location
from waitpoints_local.machine.tasks import TaskToken
from waitpoints_local.machine.visits import State, visits

WAITS = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "TimeoutSeconds": 3660, "End": True}
MACHINE: dict[str, Any] = {
    "StartAt": "Begin",
    "States": {
        "Begin": {"Type": "Pass", "Next": "Ask"},
        "Ask": WAITS,
        "Each": {"Type": "Map", "ItemProcessor": {"StartAt": "Ask one", "States": {"Ask one": WAITS}}, "End": True},
        "Cool down": {"Type": "Wait", "Seconds": 14400, "End": True},
        "Rejected": {"Type": "Fail", "Error": "Rejected"},
    },
}
Script = Callable[["ScriptedRun"], Iterator[None]]
"""Yields after each look."""


@dataclass
class ScriptedRun:
    """Stands in for a MachineRun."""

    script: Script
    fake: FakeWaitpoints = field(default_factory=FakeWaitpoints)
    definition: Definition = field(default_factory=lambda: Definition(json.dumps(MACHINE)))
    stack: Any = None
    execution: str = "arn:aws:states:us-east-1:000000000000:execution:mine:1"
    events: list[Event] = field(default_factory=list)
    waiting: dict[Location, Completion | TaskToken] = field(default_factory=dict)
    given: Any = None
    done: list[str] = field(default_factory=list)
    step_functions: Any = None
    seen: Seen = field(default_factory=lambda: Seen(True, [], 0))

    def __post_init__(self) -> None:
        self.waitpoints: Waitpoints = self.fake.client()
        self._steps = self.script(self)

    @property
    def end(self) -> Event | None:
        return self.events[-1] if self.events and self.events[-1].is_the_end else None

    @property
    def states(self) -> list[State]:
        return visits(self.events)

    def look(self) -> Seen:
        return self.seen

    def poll(self) -> Iterator[Event]:
        next(self._steps, None)
        return iter(())

    def prepare_input(self, value: Any, timeout: str) -> Any:
        return value

    def start(self, name: str, value: Any) -> None:
        self.given = value
        self.done.append(f"start {name}")

    def stop(self) -> None:
        self.done.append("stop")

    def clean_up(self) -> None:
        self.done.append("clean up")

    def note(self, kind: str, location: Location = Location(), **said: Any) -> None:
        self.events.append(Event(kind, datetime.now(UTC), location, **said))

    def enter(self, state: str, value: Any = None, *items: int) -> Location:
        location = Location(state, items)
        self.note("entered", location, input=json.dumps(value))
        return location

    def leave(self, location: Location, value: Any = None) -> None:
        self.waiting.pop(location, None)
        self.note("left", location, output=json.dumps(value))

    def wait(self, location: Location, **options: Any) -> Token:
        """Create a token for which the state at a location waits."""
        token = self.waitpoints.get(self.waitpoints.create(**{"timeout": "1h", **options}))
        completion = self.waiting[location] = Completion(token, {}, (), True, False)
        self.note("token", location, completion=completion)
        return token

    def result(self, token: Token) -> Any:
        """Return the output of a token that has ended, else None."""
        found = self.waitpoints.get(token)
        return None if found.status == "WAITING" else found.output or {"timed out": True}

    def succeed(self, output: Any) -> None:
        self.note("SUCCEEDED", output=json.dumps(output))


def asks(run: ScriptedRun) -> Iterator[None]:
    """Begin, ask, and end as the answer says."""
    run.leave(run.enter("Begin", run.given or {"order": 4711}), {"order": 4711})
    yield
    location = run.enter("Ask", {"order": 4711})
    yield
    token = run.wait(location)
    while (result := run.result(token)) is None:
        yield
    run.leave(location, result)
    yield
    if result != {"approved": True}:
        run.enter("Rejected", result)
        run.note("FAILED", error="Rejected", cause="by legal")
    else:
        run.succeed(result)
