"""Weakened code in this process: in the functions that are there already, and in the modules that are imported later."""

import gc
import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from tests.mutations.weakening import ROOT, TEMPLATE, WINGS, Weakening

Functions = Mapping[str, Sequence[FunctionType]]
"""The live ones, by the path of their file."""


def live_functions() -> Functions:
    gc.unfreeze()  # what is frozen is not found
    wings = tuple(f"{ROOT / wing}/" for wing in WINGS)
    found = defaultdict(list)
    for one in gc.get_objects():
        if type(one) is FunctionType and one.__code__.co_filename.startswith(wings):
            found[one.__code__.co_filename].append(one)
    gc.freeze()
    return found


def replaced(weakening: Weakening, functions: Functions) -> list[tuple[FunctionType, CodeType]] | None:
    """Return the live functions that are weakened, with their code. None if only a fresh process can have it."""
    if weakening.file == TEMPLATE:
        return None
    before, after = weakening.codes()
    pairs = dict(_changed(before, after))
    if any(not it.co_flags & inspect.CO_OPTIMIZED and _own(it) != _own(new) for it, new in pairs.items()):
        return None  # a module or a class has run already
    imported = functions.get(str(ROOT / weakening.file), ())
    found = [(it, pairs[it.__code__]) for it in imported if it.__code__ in pairs]
    found = [(it, code) for it, code in found if it.__code__.co_freevars == code.co_freevars]
    return found if found or not imported else None


def put(codes: Sequence[tuple[FunctionType, CodeType]]) -> None:
    for function, code in codes:
        function.__code__ = code


def import_weakened(weakening: Weakening) -> None:
    """From now on, who imports the file has it weakened, and so has who reads the template."""
    path = str(ROOT / weakening.file)
    if weakening.file == TEMPLATE:
        read, text = Path.read_text, str(weakening.after)

        def read_text(self: Path, *given: Any, **named: Any) -> str:
            return text if str(self) == path else read(self, *given, **named)

        Path.read_text = read_text  # type: ignore[method-assign]
        return
    code, load = weakening.codes()[1], SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        return code if self.path == path else load(self, fullname)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]


def _changed(before: CodeType, after: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Yield what differs, and what is within it, each with what is called so afterwards."""
    if before == after:
        return
    yield before, after
    within = [it for it in after.co_consts if isinstance(it, CodeType)]
    for code in before.co_consts:
        if isinstance(code, CodeType) and (alike := next((it for it in within if it.co_name == code.co_name), None)):
            within.remove(alike)
            yield from _changed(code, alike)


def _own(code: CodeType) -> tuple[object, ...]:
    """What a code says without the functions in it, and without where they are."""
    constants = tuple((type(it), it) for it in code.co_consts if not isinstance(it, CodeType))
    return code.co_code, constants, code.co_names, code.co_varnames
