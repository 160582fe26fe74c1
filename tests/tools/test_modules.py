"""A module's test is found by its name: `aws/items.py` has a `test_items.py`, in whatever folder of tests/ it can fail best.

A file that tests several modules names the others in its docstring, as `endpoints/resending`.
In `page/` and `endpoints/`, whose modules have general names, the folder's word comes first: `page/form.py` has a
`test_page_form.py`. A module that only declares has none: `ports` is interfaces; `models` and `schemas` are read together by
`test_request_model`.
"""

import ast
from pathlib import Path

import pytest

from tools.stack import ROOT

PACKAGE = ROOT / "functions" / "waitpoints"
PREFIXES = {"page": "page_", "endpoints": "endpoint_"}
FILES = list((ROOT / "tests").rglob("test_*.py"))
TESTS = {file.name for file in FILES}
NAMED = "".join(ast.get_docstring(ast.parse(file.read_text())) or "" for file in FILES)


def does_something(module: Path) -> bool:
    """Whether a function of the module, or a method, has more than a docstring and an ellipsis."""
    functions = (node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.FunctionDef))
    statements = (statement for function in functions for statement in function.body)
    return any(not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)) for one in statements)


MODULES = [module for module in sorted(PACKAGE.rglob("*.py")) if does_something(module)]


@pytest.mark.parametrize("module", MODULES, ids=lambda it: str(it.relative_to(PACKAGE)))
def test_a_module_has_a_test_of_its_name(module: Path) -> None:
    prefix = PREFIXES.get(module.parent.name, "")
    names = {f"test_{prefix}{module.name}", f"test_{prefix}{module.name.removeprefix(prefix)}"}
    assert names & TESTS or f"`{module.parent.name}/{module.stem}`" in NAMED


def test_only_declarations_need_none() -> None:
    declared = {PACKAGE / "api" / "models", PACKAGE / "api" / "schemas"}
    others = {module for module in PACKAGE.rglob("*.py") if module.parent not in declared} - set(MODULES)
    assert {module.name for module in others} == {"__init__.py", "ports.py"}
