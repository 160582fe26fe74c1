"""Each mend in waitpoints_local works, the installed MiniStack still needs it, and docs/internals/upstream.md offers it."""

import ast
import re

import pytest

from tests.support.e2e.in_emulator import answer_of
from tools.stack import PACKAGE, ROOT
from waitpoints_local.interpreter import mends

# needed by the local run with any emulator
NO_MENDS = {"with_api_at_root", "with_throttled_resumes", "count_as_tls", "record_decisions", "end_with_parent", "lock"}
NO_MENDS |= {"with_clocks", "modules", "mends", "apply", "main", "answer_tasks", "parse_quickly"}
NO_MENDS |= {"find_what_is_wrong", "states_of"}  # which tests/recorded has


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bool]]:
    return answer_of(tmp_path_factory.mktemp("mends"), "tests.support.e2e.mends")


@pytest.mark.thorough  # only another MiniStack changes it
def test_every_mend_is_still_needed(seen: dict[str, list[bool]]) -> None:
    assert [probe for probe, (without, _) in seen.items() if without] == [], "MiniStack does it by itself: remove the mend"


@pytest.mark.thorough
def test_every_mend_does_what_aws_does(seen: dict[str, list[bool]]) -> None:
    assert [probe for probe, (_, mended) in seen.items() if not mended] == []


@pytest.mark.thorough
def test_every_mend_has_a_probe(seen: dict[str, list[bool]]) -> None:
    assert {probe.partition(":")[0] for probe in seen} == mends_of_the_emulator()


def test_every_mend_is_offered_upstream() -> None:
    engine = (PACKAGE / "waitpoints_local" / "interpreter" / "engine.py").read_text().partition("def run_executions")[2]
    put_in = {*re.findall(r"\b[a-z_]+\.([a-z_]+)", engine), *(mend.__name__ for mend in mends.MENDS)}
    page = (ROOT / "docs" / "internals" / "upstream.md").read_text()
    named = [name for names in re.findall(r"^- (`.+?`): ", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", names)]
    assert set(named) ^ (mends_of_the_emulator() | put_in - NO_MENDS | {"find_what_is_wrong"}) == set()
    assert len(named) == len(set(named))


def mends_of_the_emulator() -> set[str]:
    package = PACKAGE / "waitpoints_local"
    paths = [package / "emulator.py", *package.glob("*_mends.py")]
    modules = [ast.parse(path.read_text()) for path in paths]
    functions = {node.name for module in modules for node in module.body if isinstance(node, ast.FunctionDef)}
    return {name for name in functions if not name.startswith("_")} - NO_MENDS
