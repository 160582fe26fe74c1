"""How a state machine is checked before it runs. `emulator.py` applies it.

statelint knows the States Language, MiniStack the syntax of JSONata. What both overlook is here: from the States Language
(https://states-language.net/spec.html), and from the guide's pages "Transforming data with JSONata", "Passing data between
states with variables" and "Wait workflow state" (https://docs.aws.amazon.com/step-functions/latest/dg/).
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from waitpoints_local.interpreter.grammar import readable
from waitpoints_local.interpreter.runs import parsed

_AWS_TAKES_IT = re.compile(
    r"Condition is (true|false) but|MaxItems is 0 but"
    r'|is "(\{%|\$|States\.).* but should be(?! A URI)'  # an expression in the place of a number, or a path such as `$.a-b`
    r'|"(Assign|Label|WriterConfig)" not allowed|not allowed in .*\.(ReaderConfig|Iterator)$|ToleratedFailurePercentage is'
    r'|ResultWriter does not have required field "Resource"'
)
"""What statelint 3.1.0 refuses and AWS does not."""
_LONGEST_NAME, _LONGEST_WAIT = 80, 99_999_999
_ALL = "States.ALL"
_SYNC = re.compile(r"arn:[\w-]+:states:::(?:lambda|sqs|sns|events|dynamodb|apigateway):\w+\.sync")
"""Services that have no jobs: docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html, "Run a Job"."""
_INNER = ("Branches", "ItemProcessor", "Iterator")
_NOT_IN = {"Assign": ("Succeed", "Fail"), "TimeoutSeconds": ("Map", "Parallel")}
"""Fields that statelint lets these types of states have: guide, "States that support variables", and the pages of the types."""
_COLUMN = re.compile(r"ASLParserException.*?line 1:(\d+)")
_OPERAND = re.compile(r"(?:(?P<number>Numeric)|Boolean|Is)\w+(?<!Path)")
_AFTER_A_RESULT = ("Assign", "Output")
_EXPRESSION = re.compile(r"\{%.*%\}", re.DOTALL)
_TEMPLATE = re.compile(r'Field "(.*\.\$)" of .* is not a JSONPath or intrinsic function expression')


def find_what_is_wrong(stepfunctions: Any) -> None:
    """Answer ValidateStateMachineDefinition with what is wrong in the definition.

    AWS finds what it would refuse to create (API reference). MiniStack 1.5.33 always answers OK.
    """

    def validate(request: dict[str, Any]) -> Any:
        problems = [*_problems(request.get("definition", ""), stepfunctions._validate_definition_jsonata)]
        if request.get("type") == "EXPRESS" and '.waitForTaskToken"' in request["definition"]:
            problems.append("Express state machine does not support '.waitForTaskToken' service integration")
        found = [{"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": text} for text in problems]
        return stepfunctions.json_response({"result": "FAIL" if found else "OK", "diagnostics": found, "truncated": False})

    stepfunctions._validate_state_machine_definition = validate


def _problems(definition: str, find_wrong_jsonata: Callable[[str], str | None]) -> list[str]:
    try:
        machine = json.loads(definition)
    except ValueError as error:
        return [f"The definition is not JSON: {error}"]
    if not isinstance(machine, dict):
        return ["The definition is not a JSON object"]
    try:
        found = [*_linted(machine)]
    except Exception:  # of many kinds, by a value of a kind that the linter does not expect
        return [_unreadable(definition) or "A field has a value of a kind that it cannot have"]
    if wrong := find_wrong_jsonata(definition):
        found.append(" ".join(wrong.split()))
    return found or [*_overlooked(machine)] or [*filter(None, [_unreadable(definition)])]


def _linted(machine: dict[str, Any]) -> Iterator[str]:
    from statelint.config import Config  # noqa: PLC0415 - takes time that an emulator without a check does not need
    from statelint.linter import Linter  # noqa: PLC0415 - as above
    from statelint.problem import ProblemType  # noqa: PLC0415 - as above

    bad_templates = set(_bad_templates(machine))
    for text in Linter.validate(machine, Config({ProblemType.FLOAT})):  # AWS takes any number for a BackoffRate
        template = _TEMPLATE.match(text)
        if template[1] in bad_templates if template else not _AWS_TAKES_IT.search(text):
            yield text.replace("State Machine.", "")


def _unreadable(definition: str) -> str:
    """Say what the interpreter cannot read, in its own words, or where it stopped."""
    try:
        parsed(definition)
    except Exception as error:  # of many kinds
        text, mark = readable(definition), _COLUMN.search(str(error))
        return f"This cannot stand here: {text[max(0, int(mark[1]) - 30) : int(mark[1]) + 20]}" if mark else str(error)
    return ""


def _overlooked(machine: dict[str, Any]) -> Iterator[str]:
    of_all = machine.get("QueryLanguage")
    for name, state in states_of(machine):
        for problem in _overlooked_in(name, state, state.get("QueryLanguage", of_all) == "JSONata"):
            yield f'State "{name}": {problem}'
        if of_all == "JSONata" and state.get("QueryLanguage") == "JSONPath":
            yield f'State "{name}": it cannot use JSONPath in a state machine that uses JSONata'


def states_of(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each state, also those of branches and iterations.

    The client has such a function, but the emulator's environment has no client.
    """
    if isinstance(value, dict):
        own = value.get("States")
        for name, state in own.items() if isinstance(own, dict) else ():
            if isinstance(state, dict):
                yield name, state
                yield from states_of([state.get(part) for part in _INNER])
    elif isinstance(value, list):
        for member in value:
            yield from states_of(member)


def _overlooked_in(name: str, state: dict[str, Any], is_jsonata: bool) -> Iterator[str]:
    for field in _NOT_IN.keys() & state.keys():
        if state.get("Type") in _NOT_IN[field]:
            yield f"{field} is not supported in a {state['Type']} state"
    yield from _wrong_operands(state.get("Choices"))
    if len(name) > _LONGEST_NAME:
        yield f"its name has over {_LONGEST_NAME} characters"
    heartbeat, timeout, seconds = (state.get(field) for field in ("HeartbeatSeconds", "TimeoutSeconds", "Seconds"))
    if isinstance(heartbeat, int) and isinstance(timeout, int) and heartbeat >= timeout:
        yield "HeartbeatSeconds must be smaller than TimeoutSeconds"
    if isinstance(seconds, int) and seconds > _LONGEST_WAIT:
        yield f"Seconds must be at most {_LONGEST_WAIT}"
    if _SYNC.match(str(state.get("Resource"))):
        yield f"{state['Resource']} cannot wait for the end of a job"
    errors = [retrier.get("ErrorEquals") for retrier in state.get("Retry") or () if isinstance(retrier, dict)]
    if any(isinstance(names, list) and _ALL in names and len(names) > 1 for names in errors):
        yield f"{_ALL} must stand alone in ErrorEquals"
    if any(isinstance(names, list) and _ALL in names for names in errors[:-1]):
        yield f"{_ALL} must be in the last retrier"
    assigned = state.get("Assign")
    if isinstance(assigned, dict) and {"states", "states.$"} & assigned.keys():
        yield "the variable states is reserved"
    if is_jsonata:
        yield from _overlooked_in_jsonata(state)


def _wrong_operands(rules: Any) -> Iterator[str]:
    """Yield what a rule compares with that its operator cannot: statelint takes a path for it, and true for a number."""
    for rule in rules if isinstance(rules, list) else [rules]:
        for operator, operand in rule.items() if isinstance(rule, dict) else ():
            kind = _OPERAND.fullmatch(operator)
            if operator in ("And", "Or", "Not"):
                yield from _wrong_operands(operand)
            elif kind and type(operand) not in ((int, float) if kind["number"] else (bool,)):
                yield f"{operator} needs a {'number' if kind['number'] else 'boolean'}, and not {json.dumps(operand)}"


def _overlooked_in_jsonata(state: dict[str, Any]) -> Iterator[str]:
    own = {field: value for field, value in state.items() if field not in (*_INNER, "Comment", "Catch")}
    for field, value in own.items():
        for text in _texts(value):
            if _EXPRESSION.fullmatch(text) and "$states.errorOutput" in text:
                yield f"$states.errorOutput in {field}: it is there in a Catch alone"
            elif _EXPRESSION.fullmatch(text) and "$states.result" in text and field not in _AFTER_A_RESULT:
                yield f"$states.result in {field}: it is there in {' and '.join(_AFTER_A_RESULT)} alone"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for member in members:
        yield from _texts(member)


def _bad_templates(value: Any) -> Iterator[str]:
    """Yield the names that end with `.$` and have neither a path nor an intrinsic function. statelint doesn't know filters."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        if isinstance(name, str) and name.endswith(".$"):
            if not (isinstance(member, str) and member.startswith(("$", "States."))):
                yield name
        else:
            yield from _bad_templates(member)
