"""One word for one thing, in the names of modules, classes and functions of the stack."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tools.stack import ROOT

FUNCTIONS = ROOT / "functions"
OUT = re.compile(
    r"(?:^|_)(?:senders?|receptions?|places?|letters?|strangers?|doors?|news|strays?|wak(?:e|ing)|looks?|looking|rounds?|standing"
    r"|adopts?|adopted|kept|told|noticing|settling|finishing|starting|reminding|announcers?|sending|resuming|unchecked)(?:_|$)"
)
"""Words that have another one in their place: provider or channel, target or path, theme, scan, early, notify, …"""
STAY = {"dead_letters"}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    yield from ((file, ast.parse(file.read_text())) for file in sorted(FUNCTIONS.rglob("*.py")))


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def test_no_name_has_a_word_that_is_out() -> None:
    names = {file.stem for file, _ in trees()} | {
        snake_case(node.name)
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }
    assert len(names) > 500
    assert {name for name in names if OUT.search(name)} - STAY == set()


def test_each_class_has_a_name_of_its_own() -> None:
    """But what `ports` declares has the name of what implements it in `aws/`."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(file)
    several = {
        name
        for name, files in found.items()
        if len(files) > 1
        and not (len(files) == 2 and any(file.stem == "ports" for file in files) and any("aws" in file.parts for file in files))
    }
    assert several == set()
