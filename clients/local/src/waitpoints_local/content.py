"""The stack that the engine brings: the template and the functions of its version. `make release` puts them into its wheel.

The functions have no layers: their libraries are what the package depends on, so each process finds them as the emulator does.
"""

import difflib
import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from waitpoints_local.stack import LocalError

_ENGINE = find_spec("waitpoints_engine")
FOLDER = Path((_ENGINE and _ENGINE.origin) or __file__).parent / "content"
TEMPLATE = "template.yaml"
_PARAMETERS = re.compile(r"^Parameters:\n((?: .*\n|\n)+)", re.MULTILINE)


def template() -> str:
    """Return the template. Raises LocalError in a checkout, which has no built stack in this place."""
    try:
        return (FOLDER / TEMPLATE).read_text()
    except FileNotFoundError:
        raise LocalError("This checkout of waitpoints-local has no stack: run `make run`, or install the wheel") from None


def artifact(name: str) -> bytes:
    """Return what the template refers to."""
    return (FOLDER / name).read_bytes()


def parameters(template: str) -> list[str]:
    """Return the names of the template's parameters."""
    found = _PARAMETERS.search(template)
    return re.findall(r"^  (\w+):", found[1], re.MULTILINE) if found else []


def check_names(template: str, names: Iterable[str]) -> None:
    """Raise LocalError if one of these is no parameter of the template."""
    known = parameters(template)
    for name in names:
        if name not in known:
            [near] = difflib.get_close_matches(name, known, 1) or [""]
            raise LocalError(f"The template has no parameter {name}" + (f": did you mean {near}?" if near else ""))
