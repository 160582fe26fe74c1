"""Stand-ins on the local stack for what a state machine needs that its user did not give: functions, and a sender's secret."""

import io
import json
import re
import secrets
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError

from waitpoints_client.operator import webhook_secrets
from waitpoints_client.operator.definition import Definition, Unusable, invoked, payload, states
from waitpoints_client.operator.deployed import Deployed

_READ_FROM_RESULT = re.compile(r"\bPayload\.(\w+)")
_FIELDS_OF_THE_RESULT = ("Assign", "Output", "ResultSelector", "OutputPath")
_CODE = """\
import json

RESULT = json.loads({result!r})


def handler(event, context):
    return {{**RESULT, **event}} if {echoes!r} and isinstance(event, dict) else RESULT
"""


@contextmanager
def make(stack: Deployed, definition: Definition, role: str) -> Iterator[list[str]]:
    """Make the stand-ins of a definition, and delete them afterwards. Yields what to tell the user about them.

    A function returns its result. Without one it returns what it is given, with the fields that the states read. Raises
    Unusable if a state invokes a function that does not exist, or waits for a stand-in.
    """
    notes: list[str] = []
    if problem := next(_find_silent(definition), None) or next(_find_foreign(stack, definition), None):
        raise Unusable(problem)
    with ExitStack() as deletions:
        for name, arn in definition.stand_ins.items():
            result = definition.results.get(name)
            sample = _sample(definition, arn) if result is None else {}
            _make_function(stack, arn, role, result or sample, echoes=result is None, deletions=deletions)
            notes.append(_describe(name, result, sample))
        for name in sorted(_find_missing_secrets(stack, definition)):
            _make_secret(stack, name, deletions)
            notes.append(f"The secret {name} is a stand-in, so nobody signs for it: complete its token with the line below.")
        yield notes


def _find_silent(definition: Definition) -> Iterator[str]:
    """Yield what to do about each stand-in that a state would wait for without end."""
    for placeholder, arn in definition.stand_ins.items():
        for name, state in definition.states_that_invoke(arn):
            if str(state.get("Resource")).endswith(".waitForTaskToken"):
                never = f"waits for {placeholder} to return its task token, which a stand-in never does"
                yield f'the state "{name}" {never}: write <WaitFunctionName> or <CreateFunctionName> to wait for a token'


def _find_foreign(stack: Deployed, definition: Definition) -> Iterator[str]:
    """Yield what to do about each function that is named without a placeholder and is not on the local stack."""
    known = {*stack.list_physical_ids().values(), *stack.outputs.values(), *definition.stand_ins.values()}
    for name, state in states(definition.machine):
        for function in invoked(state):
            if function and function not in known and not function.startswith("{%") and _is_missing(stack, function):
                place = "write ${MyFunction} in its place, for a stand-in"
                yield f'the state "{name}" invokes {function}, which is not on the local stack: {place}'


def _is_missing(stack: Deployed, function: str) -> bool:
    functions = stack.client("lambda")
    try:
        functions.get_function(FunctionName=function)
    except functions.exceptions.ResourceNotFoundException:
        return True
    except ClientError:  # Step Functions will say what is wrong
        return False
    return False


def _describe(name: str, result: Any, sample: Mapping[str, Any]) -> str:
    if result is not None:
        return f"{name} is a stand-in that returns {json.dumps(result, ensure_ascii=False)}."
    more = f", with {' and '.join(f'{field} {value}' for field, value in sample.items())}" if sample else ""
    return f"{name} is a stand-in that returns what it is given{more}. Name a function of yours with --set {name}=…"


def _sample(definition: Definition, arn: str) -> dict[str, int]:
    """Return a value, never the same one twice, for each field that a state reads from the function's result."""
    texts = [
        json.dumps([state.get(field) for field in _FIELDS_OF_THE_RESULT]) for _, state in definition.states_that_invoke(arn)
    ]
    return {field: secrets.randbelow(10**9) for text in texts for field in _READ_FROM_RESULT.findall(text)}


def _make_function(stack: Deployed, arn: str, role: str, result: Any, *, echoes: bool, deletions: ExitStack) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("stand_in.py", _CODE.format(result=json.dumps(result), echoes=echoes))
    functions, name = stack.client("lambda"), arn.rpartition(":")[2]
    functions.create_function(
        FunctionName=name, Runtime="python3.13", Handler="stand_in.handler", Role=role, Code={"ZipFile": code.getvalue()}
    )
    deletions.callback(_delete_quietly, functions.delete_function, FunctionName=name)


def _find_missing_secrets(stack: Deployed, definition: Definition) -> Iterator[str]:
    """Yield the names of the secrets that tokens of this definition are verified with and that do not exist."""
    for _, state in definition.states_that_invoke(stack.outputs["CreateFunctionName"]):
        match payload(state).get("verify"):
            case {"secret": str(name)}:
                manager = stack.client("secretsmanager")
                try:
                    manager.describe_secret(SecretId=f"{stack.name}/{name}")
                except manager.exceptions.ResourceNotFoundException:
                    yield name


def _make_secret(stack: Deployed, name: str, deletions: ExitStack) -> None:
    manager, path = stack.client("secretsmanager"), f"{stack.name}/{name}"
    manager.create_secret(Name=path, SecretString=webhook_secrets.generate())
    deletions.callback(_delete_quietly, manager.delete_secret, SecretId=path, ForceDeleteWithoutRecovery=True)


def _delete_quietly(delete: Callable[..., Any], **named: Any) -> None:
    with suppress(ClientError):
        delete(**named)
