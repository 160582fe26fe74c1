"""What each state of a run got and gave."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from waitpoints_local.machine.history import Event, Location


@dataclass
class Visit:
    """One time that the run was in a state."""

    location: Location
    input: Any = None
    output: Any = None
    has_left: bool = False
    """Whether the run has left the state: then it has an output."""
    error: str | None = None
    """The last error of its task, also one that a Retry or a Catch has dealt with."""
    cause: str | None = None
    failures: int = 0

    @property
    def state(self) -> str:
        return self.location.state or ""


def visits(events: Iterable[Event]) -> list[Visit]:
    """Return the visits in the order in which the states were entered."""
    found: list[Visit] = []
    inside: dict[Location, Visit] = {}
    for event in events:
        if event.kind == "entered":
            inside[event.location] = Visit(event.location, _value(event.input))
            found.append(inside[event.location])
        elif event.location in inside:
            visit = inside[event.location]
            if event.kind == "left":
                visit.output, visit.has_left = _value(event.output), True
                del inside[event.location]
            elif event.kind == "failed":
                visit.error, visit.cause, visit.failures = event.error, event.cause, visit.failures + 1
    return found


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)
