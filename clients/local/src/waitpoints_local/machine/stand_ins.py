"""Stand-ins on the local stack for what the user of a state machine did not give: functions, and a provider's secret."""

import io
import json
import re
import secrets
import shlex
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from botocore.exceptions import ClientError
from waitpoints_client.ops.deployed import Deployed

from waitpoints_local.machine import signing
from waitpoints_local.machine.definition import Definition, Unusable, invoked, is_waiting, payload, states

_READ_FROM_RESULT = re.compile(r"\bPayload\.(\w+)")
_FIELDS_OF_THE_RESULT = ("Assign", "Output", "ResultSelector", "OutputPath")
_CODE = """\
import json
import os

TURNS, CALLS, ECHOES = json.loads({turns!r}), {calls!r}, {echoes!r}


def handler(event, context):
    turn = TURNS[count_calls()]
    if "error" in turn:
        raise type(turn["error"], (Exception,), {{"__module__": "builtins"}})(turn["message"])
    return {{**turn["returns"], **event}} if ECHOES and isinstance(event, dict) else turn["returns"]


def count_calls():
    for number in range(len(TURNS) - 1):
        try:
            os.close(os.open(os.path.join(CALLS, str(number)), os.O_CREAT | os.O_EXCL))
            return number
        except FileExistsError:
            pass
        except OSError:  # the run has ended
            break
    return len(TURNS) - 1
"""
"""The calls are counted in files: the emulator runs a function in several processes, all of them on this machine."""


@dataclass(frozen=True)
class Returns:
    """A call of a stand-in returns this: any value that JSON has."""

    value: Any


@dataclass(frozen=True)
class Fails:
    """A call of a stand-in raises an error of this name, which Retry and Catch can match."""

    error: str
    message: str = "The stand-in fails, as it was asked to"


Turn = Returns | Fails
Script = Sequence[Turn]
"""What each call of a stand-in comes to, in their order, and the last one for all that follow."""


@contextmanager
def make(
    stack: Deployed, definition: Definition, role: str, scripts: Mapping[str, Script] | None = None
) -> Iterator[list[str]]:
    """Make the stand-ins of a definition, and delete them afterwards. Yields a note for the user about each.

    A function does what its script says. Without one it returns what it is given, with the fields that the states read.
    Raises Unusable if a state invokes a function that does not exist. The engine answers the states that have one.
    """
    notes: list[str] = []
    if problem := next(_find_foreign(stack, definition), None):
        raise Unusable(problem)
    scripted = {**{name: [Returns(value)] for name, value in definition.results.items()}, **(scripts or {})}
    with ExitStack() as deletions:
        for name in definition.answered:
            notes.append(_describe(f'The state "{name}"', scripted[name], {}))
        for name, arn in definition.stand_ins.items():
            if all(state in definition.answered for state, _ in definition.states_that_invoke(arn)):
                continue
            sample = {} if name in scripted else _sample(definition, arn)
            script = scripted.get(name, [Returns(sample)])
            _make_function(stack, arn, role, script, echoes=name not in scripted, deletions=deletions)
            notes.append(_describe(name, scripted.get(name), sample))
        for verify in _list_verifies(stack, definition):
            if signing.make_secret(stack, verify):
                notes.append(f"The secret {verify['secret']} is a stand-in that no provider has: answers are signed with it.")
        yield notes


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


def _make_function(stack: Deployed, arn: str, role: str, script: Script, *, echoes: bool, deletions: ExitStack) -> None:
    calls = deletions.enter_context(TemporaryDirectory(prefix="waitpoints-try-")) if len(script) > 1 else ""
    turns = json.dumps([_as_value(turn) for turn in script])
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("stand_in.py", _CODE.format(turns=turns, calls=calls, echoes=echoes))
    functions, name = stack.client("lambda"), arn.rpartition(":")[2]
    functions.create_function(
        FunctionName=name, Runtime="python3.13", Handler="stand_in.handler", Role=role, Code={"ZipFile": code.getvalue()}
    )
    deletions.callback(_delete_quietly, functions.delete_function, FunctionName=name)


def _as_value(turn: Turn) -> dict[str, Any]:
    return {"error": turn.error, "message": turn.message} if isinstance(turn, Fails) else {"returns": turn.value}


def _list_verifies(stack: Deployed, definition: Definition) -> list[dict[str, str]]:
    """Return each `verify` of the tokens that this definition creates, as far as it names the secret itself."""
    creates = [payload(state) for _, state in definition.states_that_invoke(stack.outputs["CreateFunctionName"])]
    found = [it["verify"] for it in creates if isinstance(it.get("verify"), dict)]
    return list({it["secret"]: it for it in found if isinstance(it.get("secret"), str)}.values())


def _delete_quietly(delete: Callable[..., Any], **named: Any) -> None:
    with suppress(ClientError):
        delete(**named)
