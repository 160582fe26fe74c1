"""Which tests run which line, kept in `.local`: a line by its text, so that it is still known after others have moved it.

A test file that is new or changed is recorded again. To record all anew, remove the file.
"""

import ast
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from types import CodeType

from tests.mutations.weakening import ROOT, WINGS

KEPT = ROOT / ".local" / "lines-of-tests.pickle"
_TOOL = 4  # coverage has another
_PREFIXES = tuple(f"{ROOT / wing}/" for wing in WINGS)

Line = tuple[str, str, str, int]
"""The file, the function, the text, and which of the function's lines that are alike."""


@dataclass
class Runs:
    numbers: dict[Line, int] = field(default_factory=dict)
    tests: dict[str, tuple[float, bytes] | None] = field(default_factory=dict)
    """How long a test took, and a bit for each line that it ran. None if it did not pass."""
    files: dict[str, str] = field(default_factory=dict)
    """The digest of each file of tests as it was recorded, and of each other file when all were."""

    @classmethod
    def load(cls) -> "Runs":
        return pickle.loads(KEPT.read_bytes()) if KEPT.exists() else cls()  # noqa: S301

    def save(self) -> None:
        KEPT.parent.mkdir(exist_ok=True)
        new = KEPT.with_suffix(".new")
        new.write_bytes(pickle.dumps(self))
        new.rename(KEPT)

    def forget(self, files: Sequence[str], code: Iterable[str]) -> None:
        """Begin to record these files of tests anew. `code`: what they run."""
        if not self.tests:
            self.files = {file: digest(file) for file in code}
        gone = set(files) | {file for file in self.files if not (ROOT / file).exists()}
        self.tests = {test: it for test, it in self.tests.items() if test.partition("::")[0] not in gone}

    def add(self, test: str, seconds: float, lines: Iterable[tuple[str, int]] | None) -> None:
        if lines is None:
            self.tests[test] = None
            return
        numbers = [self.numbers.setdefault(line, len(self.numbers)) for it in lines if (line := line_at(*it))]
        bits = bytearray(max(numbers, default=0) // 8 + 1)
        for number in numbers:
            bits[number >> 3] |= 1 << (number & 7)
        self.tests[test] = seconds, bytes(bits)

    def of(self, file: str, lines: Sequence[int]) -> dict[str, float]:
        """Return the tests that are known to run one of these lines, and how long each takes."""
        at = {line_at(file, number) for number in lines}
        return self._that_run(lambda line: line in at)

    def around(self, file: str, lines: Sequence[int]) -> dict[str, float]:
        """Return the tests that run what is about a line, or was before the code changed: its function, its text, its file."""
        at = [line for number in lines if (line := line_at(file, number))]
        functions, texts = {line[:2] for line in at}, {line[2] for line in at}
        of_function = self._that_run(lambda line: line[:2] in functions or line[2] in texts)
        return of_function or self._that_run(lambda line: line[0] == file)

    def is_current(self, file: str) -> bool:
        return self.files.get(file) == digest(file)

    def _that_run(self, is_meant: Callable[[Line], bool]) -> dict[str, float]:
        numbers = [number for line, number in self.numbers.items() if is_meant(line)]
        return {
            test: ran[0]
            for test, ran in self.tests.items()
            if ran and any(number >> 3 < len(ran[1]) and ran[1][number >> 3] >> (number & 7) & 1 for number in numbers)
        }


def digest(file: str) -> str:
    return sha256((ROOT / file).read_bytes()).hexdigest()


@cache
def _lines(file: str) -> dict[int, Line]:
    """Return the lines of a file that functions have. A decorator's is that of the function around it."""
    text = (ROOT / file).read_text()
    found: dict[int, Line] = {}
    seen: Counter[Line] = Counter()
    functions: dict[int, str] = {}

    def within(node: ast.AST, outer: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = outer
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = f"{outer}.{child.name}".lstrip(".")
                functions.update(dict.fromkeys(range(child.lineno, (child.end_lineno or 0) + 1), name))
            within(child, name)

    within(ast.parse(text), "")
    for number, line in enumerate(text.split("\n"), 1):
        like = (file, functions.get(number, ""), line.strip(), 0)
        found[number] = (*like[:3], seen[like])
        seen[like] += 1
    return found


def line_at(file: str, number: int) -> Line | None:
    return _lines(file).get(number)


class Recorder:
    """Notes the lines of functions that run, in this process and in all its threads."""

    def __init__(self) -> None:
        self._ran: set[tuple[str, int]] = set()
        events = sys.monitoring.events
        sys.monitoring.use_tool_id(_TOOL, "lines of tests")
        sys.monitoring.register_callback(_TOOL, events.PY_START, self._starts)
        sys.monitoring.register_callback(_TOOL, events.LINE, self._runs)
        sys.monitoring.set_events(_TOOL, events.PY_START)

    def taken(self) -> list[tuple[str, int]]:
        """Return what ran since the last call."""
        ran, self._ran = self._ran, set()
        start = len(str(ROOT)) + 1
        return [(path[start:], line) for path, line in ran]

    def _starts(self, code: CodeType, _: int) -> object:
        if code.co_filename.startswith(_PREFIXES) and code.co_name != "<module>":
            sys.monitoring.set_local_events(_TOOL, code, sys.monitoring.events.LINE)
        return sys.monitoring.DISABLE

    def _runs(self, code: CodeType, line: int) -> None:
        self._ran.add((code.co_filename, line))
