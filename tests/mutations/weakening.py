"""A weakening: one decision of the code made wrong. It is listed in mutations.diff, or drawn."""

import ast
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("mutations.diff")
TEMPLATE = "template.yaml"
WINGS = ("functions", "clients/python/src", "clients/local/src")

_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Eq: ast.NotEq, ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.In: ast.NotIn}
_FLIPPED |= {ast.Is: ast.IsNot} | {new: old for old, new in (_FLIPPED | {ast.Is: ast.IsNot}).items()}
_MOVED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_NOT_RUN_BY_A_CALL = ("decorator_list", "returns", "annotation", "type_params")


class NotFound(Exception):
    """The list names a place that is not there, or that is there twice."""


@dataclass(frozen=True)
class Weakening:
    """What is changed, and where."""

    name: str
    file: str
    lines: tuple[int, ...]
    """The first says where it is. Whoever runs one of them may see it."""
    before: str
    after: str | ast.Module
    """What the whole file says, or the template."""
    decision: "Decision | None" = None
    seen_by: tuple[str, ...] = ()
    """Test functions that saw it before. They are tried first."""

    def codes(self) -> tuple[CodeType, CodeType]:
        """Compile the file as it is, and weakened."""
        path = str(ROOT / self.file)
        return compile(self.before, path, "exec"), compile(self.after, path, "exec")


@dataclass(frozen=True, order=True)
class Decision:
    """By these it is found again after the code has moved. `nth`: of those in the function that are alike in all else."""

    file: str
    function: str
    line: str
    operator: str
    nth: int


def texts(root: Path = ROOT) -> dict[str, str]:
    """Return what each file says that may be weakened."""
    files = [root / TEMPLATE, *(file for wing in WINGS for file in sorted((root / wing).rglob("*.py")))]
    return {str(file.relative_to(root)): file.read_text() for file in files if file.exists()}


def listed(known: Mapping[str, str]) -> list[Weakening]:
    """Return the weakenings of the list. Raises NotFound unless each one's text is there exactly once."""
    entries: dict[str, list[str]] = {}
    for line in LIST.read_text().splitlines():
        if line and line[0] not in "# -+":
            lines = entries[line] = []
        elif entries and not line.startswith("#"):
            lines.append(line)
    return [_listed(name, "\n".join(lines).rstrip("\n").split("\n"), known) for name, lines in entries.items()]


def _listed(name: str, lines: Sequence[str], known: Mapping[str, str]) -> Weakening:
    text = "\n".join(line[1:] for line in lines if line[:1] != "+")
    counts = {file: count for file, it in known.items() if (count := it.count(text))}
    if sum(counts.values()) != 1:
        where = ", ".join(f"{file} ({count})" for file, count in counts.items()) or "no file"
        raise NotFound(f'"{name}" replaces a text that must be in one place, and is in {where}:\n{text}')
    [file] = counts
    before = known[file]
    at, changed = before[: before.index(text)].count("\n") + 1, []
    for line in lines:
        changed += [at] if line[:1] in ("-", "+") else []
        at += line[:1] != "+"
    after = before.replace(text, "\n".join(line[1:] for line in lines if line[:1] != "-"))
    return Weakening(name, file, tuple(changed), before, after)


def draw(wings: Sequence[str], number: int, seed: str, known: Mapping[str, str]) -> list[Weakening]:
    """Draw as many from each wing, a prefix or a pattern of paths. They depend on the seed and the code alone."""
    drawn: list[Decision] = []
    for n, wing in enumerate(wings):
        found = [it for file in known if is_in(file, wing) for it in decisions(file, known[file])]
        share = number // len(wings) + (n < number % len(wings))
        drawn += random.Random(f"{seed} {wing}").sample(sorted(set(found) - set(drawn)), share)  # noqa: S311
    return [weakened(decision, known) for decision in drawn]


def is_in(file: str, wing: str) -> bool:
    return file.endswith(".py") and (file.startswith(wing) or PurePosixPath(file).full_match(wing))


def found_again(decision: Decision, known: Mapping[str, str]) -> Decision | None:
    """Return the same decision where it is now.

    That is in its file, else where one function is called so and has it, else where one line is the same.
    """
    everywhere = _decisions_of(tuple(known.items()))
    if decision in everywhere:
        return decision
    for alike in ("function", "line", "operator", "nth"), ("line", "operator", "nth"), ("line", "operator"):
        found = [it for it in everywhere if all(getattr(it, name) == getattr(decision, name) for name in alike)]
        if len(found) == 1:
            return found[0]
    return None


@cache
def _decisions_of(known: tuple[tuple[str, str], ...]) -> frozenset[Decision]:
    return frozenset(it for file, text in known for it in decisions(file, text))


@cache
def decisions(file: str, text: str) -> tuple[Decision, ...]:
    """Return every decision of a file's functions that can be drawn."""
    return tuple(decision for decision, _, _ in _changes(file, text, ast.parse(text))) if file.endswith(".py") else ()


def weakened(decision: Decision, known: Mapping[str, str]) -> Weakening:
    text = known[decision.file]
    tree = ast.parse(text)
    for found, lines, change in _changes(decision.file, text, tree):
        if found == decision:
            change()
            name = f"{decision.file}:{lines[0]} {decision.function}, {decision.operator}: {decision.line}"
            return Weakening(name, decision.file, lines, text, ast.fix_missing_locations(tree), decision)
    raise NotFound(f"{decision} is not there")


Change = tuple[str, ast.AST, Callable[[], None]]


def _changes(file: str, text: str, tree: ast.Module) -> Iterator[tuple[Decision, tuple[int, int], Callable[[], None]]]:
    lines = text.split("\n")
    seen: Counter[tuple[str, str, str]] = Counter()
    for function, statement, (operator, node, change) in _walk(tree, ()):
        at: int = node.lineno  # type: ignore[attr-defined]
        alike = (function, line := lines[at - 1].strip(), operator)
        yield Decision(file, function, line, operator, seen[alike]), (at, statement), change
        seen[alike] += 1


def _walk(
    node: ast.AST, outer: tuple[str, ...], statement: int = 0, *, runs: bool = False
) -> Iterator[tuple[str, int, Change]]:
    """Yield each change of what a function does, with the function's name and the line of the statement."""
    for field, value in ast.iter_fields(node):
        if field in _NOT_RUN_BY_A_CALL:
            continue
        for n, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or isinstance(child, ast.arguments):
                continue
            line = child.lineno if isinstance(child, ast.stmt) else statement

            def put(new: ast.AST, value: Any = value, n: int = n, field: str = field) -> None:
                if isinstance(value, list):
                    value[n] = new
                else:
                    setattr(node, field, new)

            if runs:
                yield from ((".".join(outer), line, change) for change in _of(child, put))
            is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            name = (child.name,) if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else ()
            yield from _walk(child, outer + name, line, runs=is_function or (runs and not isinstance(child, ast.ClassDef)))


def _of(node: ast.AST, put: Callable[[ast.AST], None]) -> Iterator[Change]:
    def become(new: ast.AST) -> Callable[[], None]:
        return lambda: put(ast.copy_location(new, node))

    match node:
        case ast.Compare():
            for n, operator in enumerate(node.ops):
                for what, others in (("compare flipped", _FLIPPED), ("bound moved", _MOVED)):
                    if other := others.get(type(operator)):
                        yield what, node, lambda n=n, other=other: node.ops.__setitem__(n, other())  # type: ignore[misc]
        case ast.BoolOp():
            other_way: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "and/or", node, lambda: setattr(node, "op", other_way)
        case ast.UnaryOp(op=ast.Not()):
            yield "not dropped", node, lambda: put(node.operand)
        case ast.If() | ast.IfExp():
            for truth in (True, False):
                constant = ast.copy_location(ast.Constant(truth), node.test)
                yield f"if {truth}", node, lambda constant=constant: setattr(node, "test", constant)  # type: ignore[misc]
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "return None", node, lambda: setattr(node, "value", None)
        case ast.Expr(value=ast.Call() | ast.Await(value=ast.Call())):
            yield "call dropped", node, become(ast.Pass())
        case ast.Raise():
            yield "raise dropped", node, become(ast.Pass())
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            yield "number + 1", node, become(ast.Constant(number + 1))
