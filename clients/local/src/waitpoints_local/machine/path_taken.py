"""Describe the path that a run took: each state with what it changed, and what became of the run."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from waitpoints_local.machine.changes import changes, short, shown
from waitpoints_local.machine.clock import ClockProblem, Coming

if TYPE_CHECKING:
    from waitpoints_local.machine.history import Location
    from waitpoints_local.machine.run import MachineRun
    from waitpoints_local.machine.visits import State


def describe(run: "MachineRun", file: Path | None = None) -> str:
    """Return what each state changed. The file, if there is one, gets everything uncut, and is named."""
    ending = f"It {how_it_ended(run) if run.end else where_it_is(run)}"
    before = [None, *run.states]
    lines = (line for number, visit in enumerate(run.states) for line in _lines(run, number + 1, visit, before[number]))
    lost = (f"It lost {event.cause}" for event in run.events if event.kind == "lost")
    all_of_it = [f"All of it, uncut: {_write(run, file)}"] if file else []
    return "\n".join(["The path that the run took:", *lines, *lost, ending, *all_of_it])


def how_it_ended(run: "MachineRun") -> str:
    """Say how a run ended, as the end of a sentence about it."""
    assert run.end, "it has ended"
    why = ": ".join(part for part in (run.end.error, run.end.cause) if part)
    last = next((visit for visit in reversed(run.states) if not visit.has_left), None)
    failed = next((visit for visit in reversed(run.states) if visit.error and not visit.has_left), last)
    where = f" in {named(failed.location)}" if failed and run.end.kind != "SUCCEEDED" else ""
    gave = f" with {shown(json.loads(run.end.output))}" if run.end.output else ""
    return f"{_ENDS.get(run.end.kind, run.end.kind)}{where}{gave}{f' with {why}' if why else ''}"


_ENDS = {"SUCCEEDED": "succeeded", "FAILED": "failed", "TIMED_OUT": "timed out", "ABORTED": "was aborted"}


def where_it_is(run: "MachineRun", skip: str = 'run.skip("{}")') -> str:
    """Say where a run is, as the end of a sentence about it. `skip` is how time is skipped."""
    waits = [f"waits in {named(location)} for {completion.name}" for location, completion in run.waiting.items()]
    for it in _find_delays(run):
        does = f'waits {it.to_skip} in "{it.state}"' if it.what == "Wait" else f'retries "{it.state}" in {it.to_skip}'
        waits.append(f"{does}, which {skip.format(it.to_skip)} lets pass")
    if waits:
        return " and ".join(waits)
    inside = next((visit for visit in reversed(run.states) if not visit.has_left), None)
    return f"is in {named(inside.location)}" if inside else "is between two states" if run.states else "is in no state yet"


def _find_delays(run: "MachineRun") -> list[Coming]:
    with suppress(ClockProblem, OSError):  # the run is described all the same
        return [it for it in run.look().coming if it.is_delay]
    return []


def named(location: "Location") -> str:
    items = f", item {'.'.join(map(str, location.items))}" if location.items else ""
    return f'"{location.state}"{items}'


def _lines(run: "MachineRun", number: int, visit: "State", before: "State | None") -> Iterator[str]:
    yield f"{number:3}. {named(visit.location)}"
    if visit.has_input and (before is None or visit.input != (before.output if before.has_left else before.input)):
        yield f"     got  {shown(visit.input)}"
    if visit.error:
        again = f" ({visit.failures} times)" if visit.failures > 1 else ""
        yield f"     failed{again} with {visit.error}{f': {short(visit.cause)}' if visit.cause else ''}"
    if visit.has_left:
        said = changes(visit.input, visit.output) if visit.has_input else [f"gave {shown(visit.output)}"]
        yield from (f"     {change}" for change in said)
    elif visit.location in run.waiting:
        yield f"     waits for {run.waiting[visit.location].name}"


def _write(run: "MachineRun", file: Path) -> Path:
    """Write what each state got and gave."""
    states = [{name: it for name, it in asdict(visit).items() if not name.startswith("has_")} for visit in run.states]
    ended = {"status": run.end.kind, "error": run.end.error, "cause": run.end.cause} if run.end else {"status": "RUNNING"}
    output = json.loads(run.end.output) if run.end and run.end.output else None
    told = {"execution": run.execution, **ended, "output": output, "states": states}
    file.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    return file
