"""Others judge as the local engine does: JSONata's reference implementation, and AWS's own checks of definitions.

tests/second_opinion/differences.py lists where they do not, and why. An entry that no longer differs fails.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest

from tests.second_opinion import definitions, differences
from tests.support import node
from tests.support.e2e.in_emulator import answer_of
from tests.support.programs import ended

pytestmark = pytest.mark.thorough
THEIRS = node.FOLDER / "second_opinion" / "theirs.mjs"
Verdicts = dict[str, tuple[list[str], list[str]]]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("opinion")
    written = {"expressions": sorted(definitions.expressions()), "definitions": definitions.definitions()}
    (folder / "written.json").write_text(json.dumps(written))
    return answer_of(folder, "tests.second_opinion.ours", str(folder / "written.json"))


@pytest.fixture(scope="module")
def theirs(ours: dict[str, Any]) -> dict[str, Any]:
    machines = definitions.definitions().values()
    asked = {
        "expressions": [[expression, variables] for expression, variables, _ in ours["expressions"]],
        "definitions": [it if isinstance(it, str) else json.dumps(it, indent=1) for it in machines],
    }
    command = [node.node(), str(THEIRS)]
    done = ended(command, environment=node.environment(), typed=json.dumps(asked))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def verdicts(ours: dict[str, Any], theirs: dict[str, Any]) -> Verdicts:
    """What we find wrong in each definition, and what they do."""
    found = zip(ours["definitions"].items(), theirs["definitions"], strict=True)
    return {name: (mine, other) for (name, mine), other in found}


def test_every_expression_comes_to_the_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    compared = list(zip(ours["expressions"], theirs["expressions"], strict=True))
    assert len(compared) > 400
    found = {expression: (bindings, mine, other) for (expression, bindings, mine), other in compared if differ(mine, other)}
    assert {it: found[it] for it in found.keys() - differences.EXPRESSIONS.keys()} == {}
    assert differences.EXPRESSIONS.keys() - found.keys() == set()


def differ(mine: Any, other: Any) -> bool:
    """Whether two outcomes differ. A failure without a code, of Step Functions' own functions, is like any other."""
    codes = {mine.get("error"), other.get("error")} - {""}
    return json.dumps(mine, sort_keys=True) != json.dumps(other, sort_keys=True) and (None in codes or len(codes) > 1)


def test_what_aws_refuses_is_refused(verdicts: Verdicts) -> None:
    assert len(verdicts) > 400
    unlisted(differences.THEY_REFUSE, {name: other for name, (mine, other) in verdicts.items() if not mine})


def test_what_is_refused_is_refused_by_aws(verdicts: Verdicts) -> None:
    unlisted(differences.WE_REFUSE, {name: mine for name, (mine, other) in verdicts.items() if not other})


def unlisted(reasons: Iterable[str], found: dict[str, list[str]]) -> None:
    """Compare what is wrong in definitions with the patterns that are listed."""
    listed = {pattern: re.compile(pattern) for pattern in reasons}
    used = {pattern for pattern, it in listed.items() if any(it.search(text) for texts in found.values() for text in texts)}
    left = {
        name: [text for text in texts if not any(it.search(text) for it in listed.values())] for name, texts in found.items()
    }
    assert {name: texts for name, texts in left.items() if texts} == {}
    assert listed.keys() - used == set()
