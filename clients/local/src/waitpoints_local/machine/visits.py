"""What each state of a run got and gave."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from waitpoints_local.machine.history import Event, Location


@dataclass
class State:
    """One time that a run was in a state."""

    name: str
    items: tuple[int, ...]
    """The indexes of the Map items that it was a part of, the outermost first."""
    input: Any = None
    output: Any = None
    """None for a state that was not left."""
    error: str | None = None
    """The last error of its task, also one that a Retry or a Catch has dealt with."""
    cause: str | None = None
    failures: int = 0
    """How often its task failed."""
    has_left: bool = field(default=False, repr=False, compare=False)
    has_input: bool = field(default=True, repr=False, compare=False)
    """A durable function's steps and waits have none."""

    @property
    def location(self) -> Location:
        return Location(self.name, self.items)


def visits(events: Iterable[Event]) -> list[State]:
    """Return the states in the order in which they were entered."""
    found: list[State] = []
    inside: dict[Location, State] = {}
    for event in events:
        if event.kind == "entered":
            inside[event.location] = State(event.location.state or "", event.location.items, _value(event.input))
            found.append(inside[event.location])
        elif event.location in inside:
            state = inside[event.location]
            if event.kind == "left":
                state.output, state.has_left = _value(event.output), True
                del inside[event.location]
            elif event.kind == "failed":
                state.error, state.cause, state.failures = event.error, event.cause, state.failures + 1
    return found


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)
