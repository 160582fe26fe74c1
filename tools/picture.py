"""`make pictures`: draws each state machine of docs/patterns.md as a Mermaid flowchart, from its definition."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "statemachines"
DOCUMENT = FOLDER.parents[1] / "docs" / "patterns.md"

Json = dict[str, Any]
_PICTURE = re.compile(r"(?P<begin><!-- picture: (?P<name>\w+) -->\n).*?(?=<!-- end of picture -->\n)", re.DOTALL)
_STYLES = ["classDef waits stroke-width:4px", "classDef fails stroke:#c62828,stroke-dasharray:4"]


def definition(name: str) -> Json:
    """The definition in examples/statemachines/NAME.asl.json."""
    machine: Json = json.loads((FOLDER / f"{name}.asl.json").read_text())
    return machine


def machines(state: Json) -> list[Json]:
    """The machines within a state: what a Map does with each item, or the branches of a Parallel."""
    return [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]


def states(machine: Json) -> Iterator[tuple[str, Json]]:
    """Every state with its name, which is unique in the whole machine, and those within it."""
    for name, state in machine["States"].items():
        yield name, state
        for inner in machines(state):
            yield from states(inner)


def waits(state: Json) -> bool:
    return str(state.get("Resource", "")).endswith(".waitForTaskToken")


def ways(state: Json) -> Iterator[tuple[str, str]]:
    """Where a state leads: the name of each next state, with the errors that lead there."""
    for choice in [state, *state.get("Choices", [])]:
        if "Next" in choice:
            yield choice["Next"], ""
    if "Default" in state:
        yield state["Default"], ""
    for catcher in state.get("Catch", []):
        yield catcher["Next"], ", ".join(catcher["ErrorEquals"])


def flowchart(machine: Json) -> str:
    ids = {name: f"s{number}" for number, (name, _) in enumerate(states(machine), 1)}
    lines = [f"start(( ))-->{ids[machine['StartAt']]}", *_drawn(machine, ids), *_STYLES]
    return "flowchart TD\n" + "".join(f"    {line}\n" for line in lines)


def _drawn(machine: Json, ids: dict[str, str]) -> Iterator[str]:
    for name, state in machine["States"].items():
        yield from _state(name, state, ids)
    for name, state in machine["States"].items():
        for target, errors in dict.fromkeys(ways(state)):
            yield f'{ids[name]} -. "{errors}" .-> {ids[target]}' if errors else f"{ids[name]}-->{ids[target]}"


def _state(name: str, state: Json, ids: dict[str, str]) -> Iterator[str]:
    label = f'"{name.replace(chr(34), "#quot;")}"'
    match state["Type"]:
        case "Map" | "Parallel":
            yield f"subgraph {ids[name]} [{label}]"
            yield "    direction TB"
            for inner in machines(state):
                yield from (f"    {line}" for line in _drawn(inner, ids))
            yield "end"
        case "Choice":
            yield f"{ids[name]}{{{label}}}"
        case "Fail":
            yield f"{ids[name]}([{label}]):::fails"
        case "Succeed":
            yield f"{ids[name]}([{label}])"
        case "Task" | "Pass" | "Wait":
            yield f"{ids[name]}[{label}]" + (":::waits" if waits(state) else "")
        case kind:
            raise ValueError(f"no shape for a state of the type {kind}")


def with_pictures(document: str) -> str:
    """A Markdown document with the picture between each pair of markers drawn anew."""

    def drawn(found: re.Match[str]) -> str:
        return f"{found['begin']}```mermaid\n{flowchart(definition(found['name']))}```\n"

    return _PICTURE.sub(drawn, document)


if __name__ == "__main__":
    DOCUMENT.write_text(with_pictures(DOCUMENT.read_text()))
