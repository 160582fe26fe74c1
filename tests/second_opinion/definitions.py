"""Every state machine and every JSONata expression of this repository: of tests, examples and documents."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.recorded.rows import rows
from tests.support.documents import markdown
from tests.support.in_process.template import read
from tools.stack import ROOT

_JSON = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXPRESSION = re.compile(r"\A\{%(.*)%\}\Z", re.DOTALL)
EXPRESSIONS = Path(__file__).with_name("expressions.txt")
"""What each function and operator of JSONata comes to, several in an array, and what fails."""


def definitions() -> dict[str, Any]:
    """Return the state machines, by where they stand."""
    cases = {f"{row.source}: {row.line}": row.left for row in rows() if row.kind not in ("calls", "probes")}
    written = {f"{path}: {number}": it for path, values in _written().items() for number, it in enumerate(_machines(values))}
    return cases | {name: _filled(machine) for name, machine in written.items()}


def expressions() -> set[str]:
    """Return the JSONata that stands anywhere, but for what the rows of what AWS answers evaluate with data of their own."""
    written = {it for values in _written().values() for text in _texts(values) for it in _EXPRESSION.findall(text)}
    return {it.strip() for it in written} | {*EXPRESSIONS.read_text().splitlines()}


def _filled(machine: Any) -> Any:
    """Put a function's ARN in the place of each Resource that is a placeholder, as `waitpoints try` does."""
    function = r'"Resource": "arn:aws:lambda:us-east-1:000000000000:function:\1"'
    return json.loads(re.sub(r'"Resource": "\$\{(\w+)\}"', function, json.dumps(machine)))


@cache
def _written() -> dict[str, list[Any]]:
    """Return the JSON of each document and example, and what is written as constants in each test."""
    examples = ROOT / "examples"
    found = {path: [json.loads(path.read_text())] for path in examples.rglob("*.asl.json")}
    found |= {path: [read(path)] for path in examples.rglob("template.yaml")}
    found |= {path: [*_blocks(path.read_text())] for path in markdown()}
    tests = [path for folder in ("tests", "clients") for path in (ROOT / folder).rglob("*.py")]
    found |= {path: [*_constants(path)] for path in tests if "node_modules" not in path.parts}
    return {str(path.relative_to(ROOT)): values for path, values in found.items()}


def _blocks(page: str) -> Iterator[Any]:
    for text in _JSON.findall(page):
        try:
            yield json.loads(text if text.startswith(("{", "[")) else f"{{{text}}}")  # a state alone has no braces
        except ValueError:  # an example with gaps
            continue


def _constants(path: Path) -> Iterator[Any]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Dict | ast.Constant):
            try:
                yield ast.literal_eval(node)
            except (ValueError, TypeError):  # it has a name in it
                continue


def _machines(value: Any) -> Iterator[Any]:
    """Yield the state machines in a value, but not their branches."""
    if isinstance(value, dict) and "StartAt" in value and isinstance(value.get("States"), dict):
        yield value
    else:
        for member in _members(value):
            yield from _machines(member)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for member in _members(value):
        yield from _texts(member)


def _members(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
