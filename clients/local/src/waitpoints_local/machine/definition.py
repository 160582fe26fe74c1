"""The definition of a state machine in a file: its placeholders, and the mistakes that can be seen before it runs."""

import copy
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from waitpoints_client.cli.problems import USAGE, CommandProblem

WAITING = ".waitForTaskToken"
INTEGRATION = re.compile(r"arn:[^:]+:states:")
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}|(?<![^:])<([A-Z]\w*)>(?=:|\Z)")
"""`${Name}` anywhere in a text; `<Name>` as a whole text, or as the end of an ARN."""
_FUNCTION = re.compile(r"arn:[^:]+:lambda:[^:]*:[^:]*:function:([A-Za-z0-9_-]+)")
_OUTSIDE_TEXTS = re.compile(r'("(?:[^"\\]|\\.)*")|(?:\$|\ue000)\{\w+\}')
_UNQUOTED = "\ue001"
_USUAL = ("WaitFunctionName", "CreateFunctionName", "CompleteFunctionName")


class Unusable(CommandProblem):
    """The definition or its input cannot be used. The message says where and why, in one sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(message, USAGE)


class Unquoted(str):
    """A placeholder without quotes. CloudFormation replaces it in the text, so `${Seconds}` may become a number."""

    __slots__ = ()


@dataclass(frozen=True)
class Definition:
    text: str
    """The definition with every placeholder replaced."""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """The ARN of the stand-in for each function's placeholder. The stand-ins do not exist yet."""
    results: Mapping[str, Any] = field(default_factory=dict)
    """What some of them return, by their placeholders."""
    answered: Collection[str] = ()
    """The states whose tasks have stand-ins."""

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


def parse_definition(text: str, source: str) -> Any:
    """Parse JSON in which placeholders may stand without quotes. Raises Unusable."""
    quoted = _OUTSIDE_TEXTS.sub(lambda found: found[1] or f'"{_UNQUOTED}{found[0]}"', text)
    try:
        return _with_unquoted(json.loads(quoted))
    except json.JSONDecodeError:
        return parse(text, source)


def _with_unquoted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_unquoted(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_unquoted(member) for member in value]
    return Unquoted(value[1:]) if isinstance(value, str) and value.startswith(_UNQUOTED) else value


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
    the value that is given is the JSON object that it returns. Those that are `scripted` get one by their names, too, and
    the states that are `scripted` are answered: tasks, and what a Map reads. In these, and in states that wait for a task
    token, a placeholder may stay.
    """
    if problem := next(_problems(found), None):
        raise Unusable(f"{source}: {problem}")
    answered = _find_states(scripted, found, source)
    scripted = {*scripted} - {*answered}
    given, found = given or {}, _with_placeholders(found, scripted)
    text = json.dumps(found, ensure_ascii=False)
    if unknown := [name for name in given if f"${{{name}}}" not in text and f"<{name}>" not in text]:
        raise Unusable(f"A value is given for {unknown[0]}, but {source} has no such placeholder")
    functions = {name for _, state in states(found) for text in invoked(state) if (name := _whole_placeholder(text))}
    results = {
        name: parse(value, f"--set {name}=…") for name, value in given.items() if name in functions and value.startswith("{")
    }
    named = {**values, **given}
    named = {name: value for name, value in named.items() if name not in {*results, *scripted}}
    missing = {name for name in functions if name not in named and not _nearest(name, named)}
    stand_ins = {name: stand_in(name) for name in sorted(missing | {*results, *scripted})} if stand_in else {}
    open_states = [state.get("ItemReader", state) for name, state in states(found) if name in answered or is_waiting(state)]
    machine = _filled(found, source, {**named, **stand_ins}, open_states)
    return Definition(json.dumps(machine, ensure_ascii=False), stand_ins, results, answered)


def _find_states(scripted: Collection[str], machine: Any, source: str) -> list[str]:
    """Return the names that are a Task state's and no function's. Raises Unusable for a name that is neither's."""
    texts = [text for _, state in states(machine) for text in invoked(state)]
    functions = dict.fromkeys(_whole_placeholder(text) or function_name(text) for text in texts)
    tasks = [name for name, state in states(machine) if state.get("Type") == "Task" or "ItemReader" in state]
    for name in scripted:
        if name not in functions and name not in tasks:
            known = [f"its functions are {', '.join(functions)}"] if functions else []
            known += [f"its Task states are {', '.join(map(_quoted, tasks))}"] if tasks else ["it has no Task state"]
            raise Unusable(f"{source} has no function and no Task state {name}: {'; '.join(known)}")
    return [name for name in scripted if name not in functions]


def _quoted(name: str) -> str:
    return f'"{name}"'


def _with_placeholders(machine: Any, functions: Collection[str]) -> Any:
    """Write ${Name} for each of these functions that a state invokes by its name or ARN."""
    machine = copy.deepcopy(machine)
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
        if is_waiting(state):
            found[name] = maps
        for inner in _inner(state):
            found |= waiting_states(inner, maps + (state.get("Type") == "Map"))
    return found


def is_waiting(state: Mapping[str, Any]) -> bool:
    return str(state.get("Resource")).endswith(WAITING)


def has_children(machine: Any) -> bool:
    """Whether a Map is distributed: each of its items is an execution of its own."""
    modes = [state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") for _, state in states(machine)]
    return "DISTRIBUTED" in modes


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
    return [text for text in (named, resource) if text and (text == named or not INTEGRATION.match(text))]


def _whole_placeholder(text: str) -> str | None:
    found = _PLACEHOLDER.fullmatch(text)
    return (found[1] or found[2]) if found else None


def _nearest(name: str, values: Mapping[str, str]) -> str | None:
    return next(iter(get_close_matches(name, values, 1, 0.8)), None)


def _filled(value: Any, source: str, values: Mapping[str, str], open_states: Collection[Any], *, is_open: bool = False) -> Any:
    """Replace the placeholders. In an open state, one without a value stays."""
    if isinstance(value, dict):
        is_open = is_open or any(value is state for state in open_states)
        return {name: _filled(member, source, values, open_states, is_open=is_open) for name, member in value.items()}
    if isinstance(value, list):
        return [_filled(member, source, values, open_states, is_open=is_open) for member in value]
    if not isinstance(value, str):
        return value

    def replacement(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in values:
            near = _nearest(name, values)
            if is_open and not near:
                return found[0]
            known = f"did you mean {near}?" if near else f"give it one with --set {name}=…; known are {', '.join(_USUAL)}"
            raise Unusable(f"{source}: no value for the placeholder {found[0]}: {known}")
        return values[name]

    filled = _PLACEHOLDER.sub(replacement, value)
    return _as_written(filled) if isinstance(value, Unquoted) else filled


def _as_written(text: str) -> Any:
    """Return the number, truth value or null that a text is without quotes, or the text."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return text if isinstance(value, dict | list | str) else value


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
