"""The package's modules depend on each other in one direction, and no folder grows into a corridor."""

import ast
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS, CLIENT = ROOT / "functions", ROOT / "clients" / "python" / "src"
PACKAGE = FUNCTIONS / "waitpoints"
MOST_MODULES, MOST_OF_A_FAMILY = 16, 2

MODULES = {".".join(path.relative_to(FUNCTIONS).with_suffix("").parts): path for path in FUNCTIONS.rglob("*.py")}
CLIENT_MODULES = {
    ".".join(path.relative_to(CLIENT).with_suffix("").parts): path for path in CLIENT.rglob("*.py") if path.stem != "__init__"
}
FOLDERS = sorted({path.parent for path in PACKAGE.rglob("*.py")})


def imported(path: Path, modules: Mapping[str, Path]) -> set[str]:
    """Which of the modules a module imports, at its top or where it needs them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names & modules.keys()


@cache
def imports() -> dict[str, set[str]]:
    return {name: imported(path, MODULES) for name, path in MODULES.items()}


def room(module: str) -> str:
    """A folder below `waitpoints/` is one room, and so is each wing of `api/`. Any other module is a room of its own."""
    parts = module.split(".")
    inner = 3 if parts[:2] == ["waitpoints", "api"] else 2
    return ".".join(parts[:inner])


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return a circle in a graph, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other() -> None:
    assert circle(imports()) == []
    assert circle({name: imported(path, CLIENT_MODULES) for name, path in CLIENT_MODULES.items()}) == []


def test_no_folders_import_each_other() -> None:
    rooms: dict[str, set[str]] = {}
    for module, others in imports().items():
        rooms.setdefault(room(module), set()).update(room(other) for other in others if room(other) != room(module))
    assert circle(rooms) == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_import_leads_upward(module: str) -> None:
    """The handlers stand above `api/`, and `api/` above everything else of the package."""
    above = {other for other in imports()[module] if floor(other) > floor(module)}
    assert above == set()


def floor(module: str) -> int:
    if not module.startswith("waitpoints"):
        return 2
    return 1 if module.startswith("waitpoints.api.") else 0


@pytest.mark.parametrize("folder", [it for it in FOLDERS if it.is_relative_to(PACKAGE / "api")], ids=lambda it: it.name)
def test_a_folder_of_the_api_can_be_walked(folder: Path) -> None:
    assert len(list(folder.glob("*.py"))) <= MOST_MODULES


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda it: it.name)
def test_no_folder_is_spelled_with_underscores(folder: Path) -> None:
    """Three modules with one prefix want a folder of that name."""
    families = Counter(path.stem.partition("_")[0] for path in folder.glob("*_*.py") if path.stem != "__init__")
    assert {prefix: count for prefix, count in families.items() if count > MOST_OF_A_FAMILY} == {}
