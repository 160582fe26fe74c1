"""Stand-ins for what the user of a state machine did not give: functions, services of Task states, and a provider's secret.

The engine answers for functions and services, call by call. It is told so before the machine runs.
"""

import json
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError
from waitpoints_client.ops.deployed import Deployed

from waitpoints_local.machine import signing
from waitpoints_local.machine.definition import (
    INTEGRATION,
    Definition,
    Unusable,
    function_name,
    invoked,
    is_waiting,
    payload,
    states,
)

_READ_FROM_RESULT = re.compile(r"\bPayload\.(\w+)")
_FIELDS_OF_THE_RESULT = ("Assign", "Output", "ResultSelector", "OutputPath")
_INVOKES = re.compile(r"arn:[^:]+:states:[^:]*:[^:]*:lambda:invoke")


@dataclass(frozen=True)
class Returns:
    """A call of a stand-in returns this: any value that JSON has."""

    value: Any


@dataclass(frozen=True)
class Fails:
    """A call of a stand-in raises an error of this name, which Retry and Catch can match."""

    error: str
    message: str = "The stand-in fails, as it was asked to"

    def __post_init__(self) -> None:
        if not self.error:
            raise ValueError('Fails needs the name of an error, such as Fails("PaymentDeclined")')


Turn = Returns | Fails
Script = Sequence[Turn]
"""What each call of a stand-in comes to, in their order, and the last one for all that follow."""


@dataclass(frozen=True)
class StandIns:
    turns: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """What each call comes to, as the engine takes it, by the names of states and functions."""
    echoing: Sequence[str] = ()
    """The functions that also return what they are given."""
    notes: Sequence[str] = ()
    """For the user, about each."""


def make(stack: Deployed, definition: Definition, scripts: Mapping[str, Script] | None = None) -> StandIns:
    """Return the stand-ins of a definition, and make those of secrets.

    A function does what its script says. Without one it returns what it is given, with the fields that the states read.
    Raises Unusable if a state invokes a function that does not exist.
    """
    if problem := next(_find_foreign(stack, definition), None):
        raise Unusable(problem)
    scripted = {**{name: [Returns(value)] for name, value in definition.results.items()}, **(scripts or {})}
    found = dict(states(definition.machine))
    turns = {name: [_turn_of_state(found[name], turn) for turn in scripted[name]] for name in definition.answered}
    notes = [_describe(f'The state "{name}"', scripted[name], {}) for name in definition.answered]
    echoing = []
    for name, arn in definition.stand_ins.items():
        if all(state in definition.answered for state, _ in definition.states_that_invoke(arn)):
            continue
        sample = {} if name in scripted else _sample(definition, arn)
        turns[function_name(arn)] = [_turn(turn) for turn in scripted.get(name, [Returns(sample)])]
        echoing += [] if name in scripted else [function_name(arn)]
        notes.append(_describe(name, scripted.get(name), sample))
    for verify in _list_verifies(stack, definition):
        if signing.make_secret(stack, verify):
            notes.append(f"The secret {verify['secret']} is a stand-in that no provider has: answers are signed with it.")
    return StandIns(turns, echoing, notes)


def _find_foreign(stack: Deployed, definition: Definition) -> Iterator[str]:
    """Yield what to do about each function that is named without a placeholder and is not on the local stack."""
    known = {*stack.list_physical_ids().values(), *stack.outputs.values(), *definition.stand_ins.values()}
    for name, state in states(definition.machine):
        for function in () if name in definition.answered or is_waiting(state) else invoked(state):
            if function and function not in known and not function.startswith("{%") and _is_missing(stack, function):
                instead = f"add --stand-in {shlex.quote(f'{name}={{…}}')}, or write ${{MyFunction}} instead"
                yield f'the state "{name}" invokes {function}, which is not on the local stack: {instead}'


def _is_missing(stack: Deployed, function: str) -> bool:
    functions = stack.client("lambda")
    try:
        functions.get_function(FunctionName=function)
    except functions.exceptions.ResourceNotFoundException:
        return True
    except ClientError:  # Step Functions will say what is wrong
        return False
    return False


def _describe(name: str, script: Script | None, sample: Mapping[str, Any]) -> str:
    if script is not None:
        turns = [
            f"fails with {turn.error}" if isinstance(turn, Fails) else f"returns {json.dumps(turn.value, ensure_ascii=False)}"
            for turn in script
        ]
        return f"{name} is a stand-in that {', then '.join(turns)}."
    more = f", with {' and '.join(f'{field} {value}' for field, value in sample.items())}" if sample else ""
    return f"{name} is a stand-in that returns what it is given{more}. Name a function of yours with --set {name}=…"


def _sample(definition: Definition, arn: str) -> dict[str, int]:
    """Return a value, never the same one twice, for each field that a state reads from the function's result."""
    texts = [
        json.dumps([state.get(field) for field in _FIELDS_OF_THE_RESULT]) for _, state in definition.states_that_invoke(arn)
    ]
    return {field: secrets.randbelow(10**9) for text in texts for field in _READ_FROM_RESULT.findall(text)}


def _turn_of_state(state: Mapping[str, Any], turn: Turn) -> dict[str, Any]:
    """Return what a call of a task comes to, or what a Map reads. If the task is a function's, the function returns it."""
    resource = str(state.get("Resource"))
    of_function = "ItemReader" not in state and (not INTEGRATION.match(resource) or bool(_INVOKES.fullmatch(resource)))
    if isinstance(turn, Fails):
        return {**_turn(turn), "of_function": of_function}
    return {"returns": {"ExecutedVersion": "$LATEST", "Payload": turn.value, "StatusCode": 200}} if of_function else _turn(turn)


def _turn(turn: Turn) -> dict[str, Any]:
    return {"error": turn.error, "message": turn.message} if isinstance(turn, Fails) else {"returns": turn.value}


def _list_verifies(stack: Deployed, definition: Definition) -> list[dict[str, str]]:
    """Return each `verify` of the tokens that this definition creates, as far as it names the secret itself."""
    creates = [payload(state) for _, state in definition.states_that_invoke(stack.outputs["CreateFunctionName"])]
    found = [it["verify"] for it in creates if isinstance(it.get("verify"), dict)]
    return list({it["secret"]: it for it in found if isinstance(it.get("secret"), str)}.values())
