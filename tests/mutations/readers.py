"""Who may see what runs before any test: a text of module level, or the template."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping

from tests.mutations.lines import Runs
from tests.mutations.weakening import ROOT, TEMPLATE, Weakening

ROUNDS = 3  # of names that are made from names


def tests(weakening: Weakening, known: Mapping[str, str], runs: Runs) -> dict[str, float]:
    """Return the tests, and how long each takes."""
    if weakening.file == TEMPLATE:
        files = {test.partition("::")[0] for test in runs.tests}
        reading = {it for it in files if (ROOT / it).exists() and "template" in (ROOT / it).read_text().lower()}
        return {test: ran[0] for test, ran in runs.tests.items() if ran and test.partition("::")[0] in reading}
    texts = {file: text for file, text in known.items() if file.endswith(".py")}
    names, lines = set(_bound(texts[weakening.file], weakening.lines)), {weakening.file: set(weakening.lines)}
    for _ in range(ROUNDS):
        named = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b") if names else re.compile(r"(?!)")
        for file, text in texts.items():
            mentioned = {n for n, line in enumerate(text.split("\n"), 1) if named.search(line)}
            lines.setdefault(file, set()).update(mentioned)
            names |= set(_bound(text, mentioned))
    found: dict[str, float] = {}
    for file, numbers in lines.items():
        found |= runs.of(file, sorted(numbers)) if numbers else {}
    return found or runs.around(weakening.file, weakening.lines)


def _bound(text: str, lines: Collection[int]) -> Iterator[str]:
    """Yield the names that statements on these lines give to something, outside functions."""

    def within(body: list[ast.stmt]) -> Iterator[str]:
        for one in body:
            if not set(range(one.lineno, (one.end_lineno or 0) + 1)) & set(lines):
                continue
            match one:
                case ast.ClassDef():
                    yield from within(one.body)
                case ast.Assign() | ast.AnnAssign():
                    targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                    yield from (it.id for target in targets for it in ast.walk(target) if isinstance(it, ast.Name))
                case ast.FunctionDef() | ast.AsyncFunctionDef() if (
                    one.lineno - len(one.decorator_list) in lines or one.lineno in lines
                ):
                    yield one.name

    return within(ast.parse(text).body)
