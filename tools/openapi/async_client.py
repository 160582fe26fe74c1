"""The async client in Python, which is made of the sync one: its calls are awaited, and its docstrings refer to it."""

import ast
import re
from typing import Final

from tools.openapi.generated import CLIENT, module

FILE: Final = CLIENT / "aio.py"

_REPLACED: Final = {
    r"(?<!models\.)\b(Pages|Waitpoints|Endpoints|Keys)\b": r"Async\1",
    r"import Callable, Iterator": "import AsyncIterator, Awaitable, Callable",
    r"\bIterator\[": "AsyncIterator[",
    r"\[\[str \| None\], (models\.Page\[Item\])": r"[[str | None], Awaitable[\1]",
    r"__(iter|enter|exit)__": r"__a\1__",
    r"\bhttpx\.(Client|BaseTransport)\b": r"httpx.Async\1",
    r"_http\.close": "_http.aclose",
    r"clock\.pause": "clock.pause_async",
    r"\bfor page in": "async for page in",
    r"yield from (page\.items)": r"for item in \1:\n                yield item",
    # The lambda of a list returns what its reader awaits.
    r"(?<!lambda cursor: )\bself\.(_?send|_run|_take|_read|close|_http\.\w+|_session\.clock\.\w+)\(": r"await \g<0>",
}
_DOCSTRINGS: Final = {
    "AsyncPages": "A list that is read part by part as it is iterated with `async for`. Each iteration reads it anew.",
    "AsyncWaitpoints": "A client of one stack, for asyncio. `Waitpoints` says what each call does.\n\n"
    "    It belongs to one event loop: make one in each `asyncio.run`. A call that is cancelled leaves it usable.\n    ",
    "AsyncWaitpoints.__init__": "As `Waitpoints`. A `stack` is looked up here, which blocks for a moment.",
    "AsyncWaitpoints.from_stack": "As `Waitpoints.from_stack`, which blocks for a moment.",
    "AsyncWaitpoints.close": "Close the connections.",
    "AsyncWaitpoints.wait": "As `Waitpoints.wait`. Other tasks run meanwhile.",
    "AsyncEndpoints": "The endpoints of a stack: `waitpoints.endpoints`. `Endpoints` says what each call does.",
    "AsyncKeys": "The named keys of a stack: `waitpoints.keys`. `Keys` says what each call does.",
}


def text() -> str:
    code = (CLIENT / "client.py").read_text()
    for pattern, replacement in _REPLACED.items():
        code = re.sub(pattern, replacement, code)
    lines = code.splitlines(keepends=True)
    tree = ast.parse(code)
    _document(lines, tree, "The async client: as the sync one, with `await` before each call and `async for` over lists.")
    for cls in (it for it in tree.body if isinstance(it, ast.ClassDef)):
        _document(lines, cls, _DOCSTRINGS[cls.name])
        for method in (it for it in cls.body if isinstance(it, ast.FunctionDef)):
            if is_async := _awaits(method):
                lines[method.lineno - 1] = lines[method.lineno - 1].replace("def ", "async def ", 1)
            _document(lines, method, _docstring(cls.name, method, is_async=is_async))
    return module("".join(lines))


def _awaits(method: ast.FunctionDef) -> bool:
    """Whether a method awaits, iterates or is awaited by the language itself."""
    return method.name.startswith("__a") or any(isinstance(it, (ast.Await, ast.AsyncFor)) for it in ast.walk(method))


def _docstring(cls: str, method: ast.FunctionDef, *, is_async: bool) -> str | None:
    """Return the docstring of a method, or None if it is the sync one's."""
    is_list = ast.unparse(method.returns or method).startswith("AsyncPages")
    reference = f"As `{cls.removeprefix('Async')}.{method.name}`{', iterated with `async for`' if is_list else ''}."
    is_call = (is_async or is_list) and not method.name.startswith("_") and cls != "AsyncPages"
    return _DOCSTRINGS.get(f"{cls}.{method.name}", reference if is_call else None)


def _document(lines: list[str], node: ast.Module | ast.ClassDef | ast.FunctionDef, docstring: str | None) -> None:
    """Replace a docstring. The lines keep their numbers."""
    written = node.body[0]
    if docstring is not None:
        indent = " " * written.col_offset
        lines[written.lineno - 1 : written.end_lineno] = [
            f'{indent}"""{docstring}"""\n',
            *[""] * ((written.end_lineno or written.lineno) - written.lineno),
        ]
