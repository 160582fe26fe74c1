"""The definition of a state machine in a file: its placeholders, and the mistakes that can be seen before it runs."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from waitpoints_client.cli.problems import USAGE, CommandProblem

WAITING = ".waitForTaskToken"
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}|(?<![^:])<([A-Z]\w*)>(?=:|\Z)")
"""`${Name}` anywhere in a text; `<Name>` as a whole text, or as the end of an ARN."""
_FUNCTION = re.compile(r"arn:[^:]+:lambda:[^:]*:[^:]*:function:([A-Za-z0-9_-]+)")
_INTEGRATION = re.compile(r"arn:[^:]+:states:")
_USUAL = ("WaitFunctionName", "CreateFunctionName", "CompleteFunctionName")


class Unusable(CommandProblem):
    """The definition or its input cannot be used. The message says where and why, in one sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(message, USAGE)


@dataclass(frozen=True)
class Definition:
    text: str
    """The definition with every placeholder replaced."""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """The ARN of the stand-in for each function's placeholder. The stand-ins do not exist yet."""
    results: Mapping[str, Any] = field(default_factory=dict)
    """What some of them return, by their placeholders."""

    @property
    def machine(self) -> Any:
        return json.loads(self.text)

    def invokes(self, function: str) -> bool:
        return function in self.text

    def states_that_invoke(self, function: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the states that invoke a function, by its name or by an ARN that ends with it."""
        for name, state in states(self.machine):
            if any(text == function or text.endswith(f":{function}") for text in invoked(state)):
                yield name, state


def parse(text: str, source: str) -> Any:
    """Parse JSON. Raises Unusable with the position of the mistake, and `source`, the file's name."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Unusable(f"{source}, line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from None


def fill(
    found: Any,
    source: str,
    values: Mapping[str, str],
    given: Mapping[str, str] | None = None,
    stand_in: Callable[[str], str] | None = None,
    scripted: Collection[str] = (),
) -> Definition:
    """Replace the placeholders of a definition by the `values` of their names, or those that are `given`. Raises Unusable.

    `stand_in` returns the ARN of a stand-in. A function that a state invokes gets one if its placeholder has no value, or if
    the value that is given is the JSON object that it returns. Those that are `scripted` get one by their names, too.
    """
    if problem := next(_problems(found), None):
        raise Unusable(f"{source}: {problem}")
    given, found = given or {}, _with_placeholders(found, scripted)
    text = json.dumps(found, ensure_ascii=False)
    if unknown := [name for name in given if f"${{{name}}}" not in text and f"<{name}>" not in text]:
        raise Unusable(f"--set {unknown[0]}=…: {source} has no placeholder of this name")
    functions = {name for _, state in states(found) for text in invoked(state) if (name := _whole_placeholder(text))}
    _refuse_unknown(scripted, functions, found, source)
    results = {
        name: parse(value, f"--set {name}=…") for name, value in given.items() if name in functions and value.startswith("{")
    }
    named = {**values, **given}
    named = {name: value for name, value in named.items() if name not in {*results, *scripted}}
    missing = {name for name in functions if name not in named and not _nearest(name, named)}
    stand_ins = {name: stand_in(name) for name in sorted(missing | {*results, *scripted})} if stand_in else {}
    machine = _filled(found, source, {**named, **stand_ins})
    return Definition(json.dumps(machine, ensure_ascii=False), stand_ins, results)


def _with_placeholders(machine: Any, functions: Collection[str]) -> Any:
    """Write ${Name} for each of these functions that a state invokes by its name or ARN."""
    machine = json.loads(json.dumps(machine))  # a copy
    for _, state in states(machine):
        for text in invoked(state):
            if (name := function_name(text)) in functions:
                if state.get("Resource") == text:
                    state["Resource"] = f"${{{name}}}"
                else:
                    arguments(state)["FunctionName"] = f"${{{name}}}"
    return machine


def function_name(text: str) -> str:
    """Return the name in a function's ARN, or the text itself."""
    found = _FUNCTION.match(text)
    return found[1] if found else text


def _refuse_unknown(scripted: Collection[str], functions: Collection[str], machine: Any, source: str) -> None:
    for name in scripted:
        if name not in functions:
            texts = [text for _, state in states(machine) for text in invoked(state)]
            known = dict.fromkeys(_whole_placeholder(text) or function_name(text) for text in texts)
            which = f"it invokes {', '.join(known)}" if known else "it invokes no function"
            raise Unusable(f"no state of {source} invokes a function {name}: {which}")


def states(machine: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each state with its name, those of branches and of Map states too."""
    for name, state in machine["States"].items():
        yield name, state
        for inner in _inner(state):
            yield from states(inner)


def waiting_states(machine: Any, maps: int = 0) -> dict[str, int]:
    """Return the states that wait for a task token, and how many Maps each is within."""
    found = {}
    for name, state in machine["States"].items():
        if str(state.get("Resource")).endswith(WAITING):
            found[name] = maps
        for inner in _inner(state):
            found |= waiting_states(inner, maps + (state.get("Type") == "Map"))
    return found


def _inner(state: Mapping[str, Any]) -> list[Any]:
    return [*state.get("Branches", []), *(state[kind] for kind in ("ItemProcessor", "Iterator") if kind in state)]


def payload(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a state gives the function that it invokes, as the definition has it."""
    given = arguments(state).get("Payload")
    return given if isinstance(given, dict) else {}


def arguments(state: Mapping[str, Any]) -> dict[str, Any]:
    given = state.get("Arguments", state.get("Parameters"))
    return given if isinstance(given, dict) else {}


def invoked(state: Mapping[str, Any]) -> list[str]:
    """Return the texts by which a state names the function that it invokes: its Resource is one, or an integration's."""
    resource = str(state.get("Resource", ""))
    named = str(arguments(state).get("FunctionName", ""))
    return [text for text in (named, resource) if text and (text == named or not _INTEGRATION.match(text))]


def _whole_placeholder(text: str) -> str | None:
    found = _PLACEHOLDER.fullmatch(text)
    return (found[1] or found[2]) if found else None


def _nearest(name: str, values: Mapping[str, str]) -> str | None:
    return next(iter(get_close_matches(name, values, 1, 0.8)), None)


def _filled(value: Any, source: str, values: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(member, source, values) for name, member in value.items()}
    if isinstance(value, list):
        return [_filled(member, source, values) for member in value]
    if not isinstance(value, str):
        return value

    def replacement(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in values:
            near = _nearest(name, values)
            known = f"did you mean {near}?" if near else f"give it one with --set {name}=…; known are {', '.join(_USUAL)}"
            raise Unusable(f"{source}: no value for the placeholder {found[0]}: {known}")
        return values[name]

    return _PLACEHOLDER.sub(replacement, value)


def _problems(machine: Any, where: str = "") -> Iterator[str]:
    """Yield what Step Functions would refuse. It checks more than this when the state machine is created."""
    if not isinstance(machine, dict):
        yield f"expected an object with StartAt and States{where}"
        return
    states = machine.get("States")
    if not isinstance(states, dict) or not states or not all(isinstance(state, dict) for state in states.values()):
        yield f"States is missing{where}: an object of states by their names"
        return
    if "StartAt" not in machine:
        yield f"StartAt is missing{where}: the name of the first state, such as {json.dumps(next(iter(states)))}"
    elif machine["StartAt"] not in states:
        yield f"StartAt names {json.dumps(machine['StartAt'])}, which is no state{where}"
    for name, state in states.items():
        yield from _problems_of_a_state(name, state, states)


def _problems_of_a_state(name: str, state: dict[str, Any], states: dict[str, Any]) -> Iterator[str]:
    rules = [rule for kind in ("Choices", "Catch") for rule in state.get(kind, []) if isinstance(rule, dict)]
    named = [state.get("Next"), state.get("Default"), *(rule.get("Next") for rule in rules)]
    for target in named:
        if target is not None and target not in states:
            near = get_close_matches(str(target), states, 1)
            yield f'the state "{name}" goes on with "{target}", which is no state{f": {near[0]}?" if near else ""}'
    for machine in _inner(state):
        yield from _problems(machine, f' in "{name}"')
