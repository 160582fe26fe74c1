"""Describe the path that a run took: each state with what it got, and what became of it."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from waitpoints_local.machine.definition import states
from waitpoints_local.machine.rest import wait_of

if TYPE_CHECKING:
    from waitpoints_local.machine.history import Location
    from waitpoints_local.machine.run import MachineRun
    from waitpoints_local.machine.visits import State

LONGEST = 300  # characters of a value


def describe(run: "MachineRun") -> str:
    ending = f"It {how_it_ended(run) if run.end else where_it_is(run)}"
    lines = (line for number, visit in enumerate(run.states, 1) for line in _lines(run, number, visit))
    lost = (f"It lost {event.cause}" for event in run.events if event.kind == "lost")
    return "\n".join(["The path that the run took:", *lines, *lost, ending])


def how_it_ended(run: "MachineRun") -> str:
    """Say how a run ended, as the end of a sentence about it."""
    assert run.end, "it has ended"
    why = ": ".join(part for part in (run.end.error, run.end.cause) if part)
    last = next((visit for visit in reversed(run.states) if not visit.has_left), None)
    failed = next((visit for visit in reversed(run.states) if visit.error and not visit.has_left), last)
    where = f" in {named(failed.location)}" if failed and run.end.kind != "SUCCEEDED" else ""
    gave = f" with {_shown(json.loads(run.end.output))}" if run.end.output else ""
    return f"{_ENDS.get(run.end.kind, run.end.kind)}{where}{gave}{f' with {why}' if why else ''}"


_ENDS = {"SUCCEEDED": "succeeded", "FAILED": "failed", "TIMED_OUT": "timed out", "ABORTED": "was aborted"}


def where_it_is(run: "MachineRun") -> str:
    """Say where a run is, as the end of a sentence about it."""
    waits = [f"waits in {named(location)} for {completion.name}" for location, completion in run.waiting.items()]
    all_states = dict(states(run.definition.machine))
    for visit in run.states:
        if not visit.has_left and (seconds := wait_of(all_states.get(visit.name, {}))):
            waits.append(f'waits {seconds} s in {named(visit.location)}, which run.skip("{seconds}s") lets pass')
    if waits:
        return " and ".join(waits)
    inside = next((visit for visit in reversed(run.states) if not visit.has_left), None)
    return f"is in {named(inside.location)}" if inside else "is between two states" if run.states else "is in no state yet"


def named(location: "Location") -> str:
    items = f", item {'.'.join(map(str, location.items))}" if location.items else ""
    return f'"{location.state}"{items}'


def _lines(run: "MachineRun", number: int, visit: "State") -> Iterator[str]:
    yield f"{number:3}. {named(visit.location)}"
    yield f"     got  {_shown(visit.input)}"
    if visit.error:
        again = f" ({visit.failures} times)" if visit.failures > 1 else ""
        yield f"     failed{again} with {visit.error}{f': {_short(visit.cause)}' if visit.cause else ''}"
    if visit.has_left:
        yield f"     gave {_shown(visit.output)}"
    elif visit.location in run.waiting:
        yield f"     waits for {run.waiting[visit.location].name}"


def _shown(value: Any) -> str:
    return _short(json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"
