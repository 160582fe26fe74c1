"""The tasks that a test answers: those that have a stand-in, and those that wait for a task token which is none of ours."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError

from waitpoints_client import local_stacks
from waitpoints_client.ops.deployed import Deployed

from waitpoints_local.machine.definition import INTEGRATION, Definition, Unusable, function_name, invoked, is_waiting, states
from waitpoints_local.machine.stand_ins import Fails, Script, Turn

PATH = "/_waitpoints/stand-ins"
_INVOKES = re.compile(r"arn:[^:]+:states:[^:]*:[^:]*:lambda:invoke")


@dataclass(frozen=True)
class TaskToken:
    """A task token that a state waits for, and that none of the stack's tokens stands for."""

    id: str
    output: Any
    """What may fit."""

    @property
    def name(self) -> str:
        return "its task token"


def tell(stack: Deployed, machine: str, definition: Definition, scripts: Mapping[str, Script]) -> None:
    """Tell the engine what a state machine's tasks are answered, before it runs. Raises Unusable."""
    found, own = dict(states(definition.machine)), {stack.outputs[f"{name}FunctionName"] for name in ("Create", "Wait")}
    turns = {name: [_turn(found[name], one) for one in scripts[name]] for name in definition.answered}
    waiting = [name for name, it in found.items() if is_waiting(it) and not own & set(map(function_name, invoked(it)))]
    if turns or waiting:
        unsent = [name for name in waiting if "${" in json.dumps(found[name])]
        _ask(stack, machine=machine, stand_ins=turns, unsent=unsent)


def list_waits(stack: Deployed, execution: str) -> dict[int, str]:
    """Return the task tokens that an execution waits for, by the numbers of their TaskScheduled events."""
    return {int(number): token for number, token in _ask(stack, execution=execution)["waits"].items()}


def _turn(state: Mapping[str, Any], turn: Turn) -> dict[str, Any]:
    """Return what a call of a task comes to, as the engine takes it: of a function, it is what the function returns."""
    resource = str(state.get("Resource"))
    of_function = not INTEGRATION.match(resource) or bool(_INVOKES.fullmatch(resource))
    if isinstance(turn, Fails):
        return {"error": turn.error, "message": turn.message, "of_function": of_function}
    if of_function:
        return {"returns": {"ExecutedVersion": "$LATEST", "Payload": turn.value, "StatusCode": 200}}
    return {"returns": turn.value}


def _ask(stack: Deployed, **asked: Any) -> Any:
    try:
        with local_stacks.ask_emulator(stack.described, PATH, json.dumps(asked).encode()) as answer:
            return json.load(answer)
    except HTTPError:
        raise Unusable("The stack takes no stand-ins for states: start it with this version of Waitpoints") from None
