"""The tasks that a test answers: those that have a stand-in, and those that wait for a task token which is none of ours."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError

from waitpoints_client import local_stacks
from waitpoints_client.ops.deployed import Deployed

from waitpoints_local.machine.definition import (
    Definition,
    Unusable,
    function_name,
    invoked,
    is_waiting,
    payload,
    states,
)
from waitpoints_local.machine.history import Location
from waitpoints_local.machine.stand_ins import StandIns

PATH = "/_waitpoints/stand-ins"
LIMITS = {"TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath"}


@dataclass(frozen=True)
class TaskToken:
    """A task token that a state waits for, and that none of the stack's tokens stands for."""

    id: str
    output: Any
    """What may fit."""

    @property
    def name(self) -> str:
        return "its task token"


def tell(stack: Deployed, machine: str, definition: Definition, stand_ins: StandIns) -> None:
    """Tell the engine what a state machine's tasks are answered, before it runs. Raises Unusable."""
    found, turns = dict(states(definition.machine)), stand_ins.turns
    waiting = [name for name, it in found.items() if is_waiting(it) and not _own_functions(stack, it)]
    if turns or waiting:
        unsent = [name for name in waiting if "${" in json.dumps(found[name])]
        _ask(stack, machine=machine, stand_ins=turns, echoing=stand_ins.echoing, unsent=unsent)


def find_endless(stack: Deployed, definition: Definition, names: Iterable[str]) -> str | None:
    """Say which of these states waits for a token that never times out, as far as the definition shows it."""
    found = dict(states(definition.machine))
    for name in names:
        own, created = _own_functions(stack, found[name]), payload(found[name])
        if not own and not LIMITS & found[name].keys():
            return f'"{name}" has neither TimeoutSeconds nor HeartbeatSeconds, so it never times out'
        is_limited = not created or {"timeout", "timeout.$"} & created.keys() or stack.parameters.get("DefaultTimeout")
        if "Create" in own and not is_limited:
            return f'"{name}" creates a token without a timeout, so it never times out'
    return None


def _own_functions(stack: Deployed, state: Mapping[str, Any]) -> list[str]:
    """Return which of the stack's functions a state invokes: Create, which also waits, or Wait."""
    functions = set(map(function_name, invoked(state)))
    return [name for name in ("Create", "Wait") if stack.outputs[f"{name}FunctionName"] in functions]


def list_waits(stack: Deployed, execution: str) -> dict[int, str]:
    """Return the task tokens that an execution waits for, by the numbers of their TaskScheduled events."""
    return {int(number): token for number, token in _ask(stack, execution=execution)["waits"].items()}


def list_waits_of_children(stack: Deployed, execution: str) -> dict[Location, str]:
    """Return the task tokens that the children of an execution's distributed Maps wait for."""
    return {Location(state, tuple(items)): token for token, state, items in _ask(stack, execution=execution)["of_children"]}


def _ask(stack: Deployed, **asked: Any) -> Any:
    try:
        with local_stacks.ask_emulator(stack.described, PATH, json.dumps(asked).encode()) as answer:
            return json.load(answer)
    except HTTPError:
        raise Unusable("The stack takes no stand-ins: start it with this version of Waitpoints") from None
