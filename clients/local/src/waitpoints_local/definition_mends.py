"""How a state machine is checked before it runs. `emulator.py` applies it.

statelint knows the States Language, MiniStack the syntax of JSONata.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

_AWS_TAKES_IT = re.compile(
    r'is "(\{%|\$|States\.).* but should be'  # an expression in the place of a number, or a path such as `$.a-b`
    r'|"(Assign|Label|WriterConfig)" not allowed|not allowed in .*\.(ReaderConfig|Iterator)$|ToleratedFailurePercentage is'
    r'|ResultWriter does not have required field "Resource"'
)
"""What statelint 3.1.0 refuses and AWS does not."""
_TEMPLATE = re.compile(r'Field "(.*\.\$)" of .* is not a JSONPath or intrinsic function expression')


def find_what_is_wrong(stepfunctions: Any) -> None:
    """Answer ValidateStateMachineDefinition with what is wrong in the definition.

    AWS finds what it would refuse to create (API reference). MiniStack 1.5.33 always answers OK.
    """

    def validate(request: dict[str, Any]) -> Any:
        problems = _problems(request.get("definition", ""), stepfunctions._validate_definition_jsonata)
        found = [{"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": text} for text in problems]
        return stepfunctions.json_response({"result": "FAIL" if found else "OK", "diagnostics": found, "truncated": False})

    stepfunctions._validate_state_machine_definition = validate


def _problems(definition: str, find_wrong_jsonata: Callable[[str], str | None]) -> Iterator[str]:
    from statelint.config import Config  # noqa: PLC0415 - takes time that an emulator without a check does not need
    from statelint.linter import Linter  # noqa: PLC0415
    from statelint.problem import ProblemType  # noqa: PLC0415

    try:
        machine = json.loads(definition)
    except ValueError as error:
        yield f"The definition is not JSON: {error}"
        return
    if not isinstance(machine, dict):
        yield "The definition is not a JSON object"
        return
    bad_templates = set(_bad_templates(machine))
    for text in Linter.validate(machine, Config({ProblemType.FLOAT})):  # AWS takes any number for a BackoffRate
        template = _TEMPLATE.match(text)
        if template[1] in bad_templates if template else not _AWS_TAKES_IT.search(text):
            yield text.replace("State Machine.", "")
    if wrong := find_wrong_jsonata(definition):
        yield " ".join(wrong.split())


def _bad_templates(value: Any) -> Iterator[str]:
    """Yield the names that end with `.$` and have neither a path nor an intrinsic function. statelint doesn't know filters."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        if isinstance(name, str) and name.endswith(".$"):
            if not (isinstance(member, str) and member.startswith(("$", "States."))):
                yield name
        else:
            yield from _bad_templates(member)
