"""The definition of a state machine in a file: its placeholders, and the mistakes that can be seen before it runs."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}|(?<![^:])<([A-Z]\w*)>(?=:|\Z)")
"""`${Name}` anywhere in a text; `<Name>` as a whole text, or as the end of an ARN."""
_USUAL = ("WaitFunctionName", "CreateFunctionName", "CompleteFunctionName")


class Unusable(Exception):
    """The definition or its input cannot be used. The message says where and why, in one sentence."""


@dataclass(frozen=True)
class Definition:
    text: str
    """The definition with every placeholder replaced."""

    def invokes(self, function: str) -> bool:
        return function in self.text


def parse(text: str, source: str) -> Any:
    """Parse JSON. Raises Unusable with the position of the mistake, and `source`, the file's name."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Unusable(f"{source}, line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from None


def read(text: str, source: str, values: Mapping[str, str]) -> Definition:
    """Replace the placeholders of a definition by the `values` of their names. Raises Unusable."""
    machine = _filled(parse(text, source), source, values)
    if problem := next(_problems(machine), None):
        raise Unusable(f"{source}: {problem}")
    return Definition(json.dumps(machine, ensure_ascii=False))


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
            near = get_close_matches(name, values, 1, 0.8)
            known = f"did you mean {near[0]}?" if near else f"known are {', '.join(_USUAL)}; --set {name}=… gives another one"
            raise Unusable(f"{source}: no value for the placeholder {found[0]}: {known}")
        return values[name]

    return _PLACEHOLDER.sub(replacement, value)


def _problems(machine: Any, place: str = "") -> Iterator[str]:
    """Yield what Step Functions would refuse. It checks more than this when the state machine is created."""
    if not isinstance(machine, dict):
        yield f"expected an object with StartAt and States{place}"
        return
    states = machine.get("States")
    if not isinstance(states, dict) or not states or not all(isinstance(state, dict) for state in states.values()):
        yield f"States is missing{place}: an object of states by their names"
        return
    if "StartAt" not in machine:
        yield f"StartAt is missing{place}: the name of the first state, such as {json.dumps(next(iter(states)))}"
    elif machine["StartAt"] not in states:
        yield f"StartAt names {json.dumps(machine['StartAt'])}, which is no state{place}"
    for name, state in states.items():
        yield from _problems_of_a_state(name, state, states)


def _problems_of_a_state(name: str, state: dict[str, Any], states: dict[str, Any]) -> Iterator[str]:
    rules = [rule for kind in ("Choices", "Catch") for rule in state.get(kind, []) if isinstance(rule, dict)]
    named = [state.get("Next"), state.get("Default"), *(rule.get("Next") for rule in rules)]
    for target in named:
        if target is not None and target not in states:
            near = get_close_matches(str(target), states, 1)
            yield f'the state "{name}" goes on with "{target}", which is no state{f": {near[0]}?" if near else ""}'
    inner = [*state.get("Branches", []), *(state[kind] for kind in ("ItemProcessor", "Iterator") if kind in state)]
    for machine in inner:
        yield from _problems(machine, f' in "{name}"')
