"""Read `table.yaml`: what AWS answers, a row in a line, each with the recorded test or the page that it comes from.

A line is `LEFT with INPUT -> OUTCOME`, and OUTCOME is a value, or `fails NAME CAUSE` where CAUSE is a part of the cause, or
`times out`, or, of a definition, `OK` or a part of the message; `after 1, 2` says how many seconds the states were to wait.
A line that begins with blanks goes on with the one before. What LEFT is depends on the key of its lines:

- `paths`, `functions`: a path or intrinsic function; `jsonata`: an expression; `choices`: the fields of a rule (true or false)
- `machines`, `machines in JSONata`: a list of states A, B, C …, each of which goes to the next one (within A: AA, AB …)
- `definitions`: a state or a machine to be checked; `express definitions`: as above, in an EXPRESS machine
- `calls`: an action of Step Functions and its arguments
- `probes`: tests that say the same where it needs processes of functions, by their names

In a list of states, Type is Pass by default, or Choice. A Catch that is a text leads to the next state, and the state ends. A
Resource that is one word is a function of `run.py`, after `ask` with a task token. Branches and ItemProcessors are such lists.
`Read` is an object of `run.py` for an ItemReader, with `Config`; `of` has fields of the machine. NAMED says what `<name>` is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
MACHINES = HERE.parents[1] / "examples" / "statemachines"
LINE = re.compile(
    r"(?P<left>.*?)(?: with (?P<given>.*?))? -> (?:fails (?P<error>\S+)(?: (?P<cause>.*?))??|(?P<out>times out)|(?P<value>.*?))"
    r"(?: after (?P<rests>[\d., ]+|nothing))?"
)
ENDS = ("Choice", "Succeed", "Fail")
ARN, QUEUES = "arn:aws:states:us-east-1:000000000000:", "http://127.0.0.1:4566/000000000000/"
NAMED = {f"<{name}>": f"{ARN}stateMachine:{name}" for name in ("child", "boom", "answers", "waits")}
NAMED |= {f"<{name}>": f"{QUEUES}{name}" for name in ("queue", "subscribed", "events")}
NAMED |= {f"<{name}>": f"arn:aws:sns:us-east-1:000000000000:{name}" for name in ("topic", "topic.fifo")}
NAMED |= {"<running>": f"{ARN}execution:waits:running"}
FUNCTION, ASK = "arn:aws:lambda:us-east-1:000000000000:function:", "arn:aws:states:::lambda:invoke.waitForTaskToken"


@dataclass(frozen=True)
class Row:
    """What is done, and how it must end. Of a cause, only a part is compared."""

    line: str
    source: str
    kind: str
    left: Any
    given: Any
    status: str = "SUCCEEDED"
    value: Any = None
    error: str | None = None
    cause: str = ""
    rests: list[float] | None = None


def rows() -> list[Row]:
    groups = _yaml((HERE / "table.yaml").read_text())
    found = [row for group in groups for row in _of_group(group)]
    ours = {path.name: path.read_text() for path in sorted(MACHINES.glob("*.asl.json"))}
    return found + [Row(name, "docs/patterns.md", "definitions", text, {}, value="OK") for name, text in ours.items()]


def _yaml(text: str) -> Any:
    return yaml.load(text, yaml.CSafeLoader)


def _of_group(group: dict[str, Any]) -> Iterator[Row]:
    source, given = group.pop("source"), group.pop("given", {})
    for kind, lines in group.items():
        for line in re.sub(r"\n +", " ", lines).strip().splitlines():
            yield _row(line, source, kind, given)


def _row(line: str, source: str, kind: str, given: Any) -> Row:
    if kind == "probes":
        return Row(line, source, kind, line, {})
    found = LINE.fullmatch(re.sub(r"<[\w.]+>", lambda name: NAMED[name[0]], line))
    assert found, line
    value = found["value"]
    if value is not None and "definitions" not in kind:
        value = _yaml(value)
    return Row(
        line,
        source,
        kind,
        _left(kind, found["left"]),
        given if found["given"] is None else _yaml(found["given"]),
        "TIMED_OUT" if found["out"] else "FAILED" if found["error"] else "SUCCEEDED",
        {"x": value} if kind in ("paths", "functions") and not found["error"] else value,
        None if found["error"] == "nameless" else found["error"],
        found["cause"] or "",
        [float(it) for it in re.findall(r"[\d.]+", found["rests"])] if found["rests"] else None,
    )


def _left(kind: str, text: str) -> Any:
    if kind in ("paths", "functions"):
        return machine([{"Parameters": {"x.$": text}}])
    if kind == "jsonata":
        return machine([{"Output": f"{{% {text} %}}"}]) | {"QueryLanguage": "JSONata"}
    if kind == "choices":
        rule = {**_yaml("{" + text + "}"), "Next": "B"}
        return machine([{"Choices": [rule], "Default": "C"}, {"Result": True, "End": True}, {"Result": False}])
    if kind == "calls":
        action, _, arguments = text.partition(" ")
        return action, _yaml(arguments)
    left = _yaml(text)
    if kind.startswith("machines"):
        return machine(left) | ({"QueryLanguage": "JSONata"} if "JSONata" in kind else {})
    is_whole = isinstance(left, str) or "States" in left
    return left if is_whole else machine(left if isinstance(left, list) else [left])


def machine(states: list[Any], within: str = "") -> dict[str, Any]:
    names = [within + chr(ord("A") + n) for n in range(len(states))]
    made = {name: _state(name, state, after) for name, state, after in zip(names, states, [*names[1:], ""], strict=True)}
    own = {key: it for state in states for key, it in state.get("of", {}).items()}
    return {"StartAt": names[0], "States": made, **own}


def _state(name: str, given: dict[str, Any], after: str) -> dict[str, Any]:
    state = {"Type": "Choice" if "Choices" in given else "Task" if "Resource" in given else "Pass", **given}
    state.pop("of", None)
    if isinstance(state.get("Catch"), str):
        state |= {"Catch": [{"ErrorEquals": state["Catch"].split(), "Next": after}], "End": True}
    if isinstance(state.get("Retry"), dict):
        state["Retry"] = [state["Retry"]]
    if ":" not in (resource := state.get("Resource", ":")):
        ask, function = resource.startswith("ask "), resource.removeprefix("ask ")
        payload = {"token.$": "$$.Task.Token", "input.$": "$"}
        asking = {"Resource": ASK, "Parameters": {"FunctionName": function, "Payload": payload}}
        state |= asking if ask else {"Resource": FUNCTION + function}
    if "Branches" in state:
        state |= {"Type": "Parallel", "Branches": [machine(it, f"{name}{n}") for n, it in enumerate(state["Branches"])]}
    for field in ("ItemProcessor", "Iterator"):
        if isinstance(state.get(field), list):
            state |= {"Type": "Map", field: machine(state[field], name)}
    if of := state.pop("Read", ""):
        where = {"Parameters": {"Bucket": "rows", "Key": of}}
        config = {"InputType": of.rpartition(".")[2].upper(), **state.pop("Config", {})}
        state |= {
            "Distributed": True,
            "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": config, **where},
        }
    if kind := state.pop("Distributed", None):
        kind = "STANDARD" if kind is True else kind
        state["ItemProcessor"]["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": kind}
    if state["Type"] not in ENDS and not {"Next", "End"} & state.keys():
        state |= {"Next": after} if after else {"End": True}
    return state
