"""The list of weakenings stays true to the code, and the runner sees what a test sees, and nothing else."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutations import weakening
from tests.mutations.weakening import Decision, NotFound, decisions, draw, found_again, listed, texts, weakened

KNOWN = texts()
SOURCE = """
LIMIT = 3

def outer(a, b=2):
    if a < LIMIT and not b:
        raise ValueError
    print(1)

    def inner():
        return a
    return inner
"""


def test_each_text_of_the_list_is_in_one_place_and_is_replaced_by_other_code() -> None:
    """`listed` raises if it is not."""
    found = listed(KNOWN)
    assert len({it.name for it in found}) == len(found) > 200
    for it in found:
        assert it.after != KNOWN[it.file]
        if it.file.endswith(".py"):
            ast.parse(str(it.after))


@pytest.mark.parametrize(("source", "where"), [("b = 1\n", "no file"), ("a = 1\na = 1\n", r"functions/b\.py \(2\)")])
def test_a_text_that_is_not_in_one_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, where: str
) -> None:
    (tmp_path / "list").write_text("one more\n-a = 1\n+a = 2\n")
    monkeypatch.setattr(weakening, "LIST", tmp_path / "list")
    with pytest.raises(NotFound, match=where):
        listed({"functions/b.py": source})


def test_what_is_listed_is_where_it_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list").write_text(
        "# Group\n\nfirst\n def f():\n-    one()\n\n     two()\n+    three()\n\nsecond\n-    four()\n"
    )
    monkeypatch.setattr(weakening, "LIST", tmp_path / "list")
    first, second = listed({"functions/b.py": "\ndef f():\n    one()\n\n    two()\n    four()\n"})
    assert (first.name, first.lines, first.after) == ("first", (3, 6), "\ndef f():\n\n    two()\n    three()\n    four()\n")
    assert (second.name, second.lines, second.file) == ("second", (6,), "functions/b.py")


def test_every_kind_of_decision_in_a_function_is_drawn_and_is_other_code() -> None:
    found = decisions("functions/b.py", SOURCE)
    assert Counter((it.function, it.operator) for it in found) == {
        ("outer", "if True"): 1,
        ("outer", "if False"): 1,
        ("outer", "and/or"): 1,
        ("outer", "compare flipped"): 1,
        ("outer", "bound moved"): 1,
        ("outer", "not dropped"): 1,
        ("outer", "raise dropped"): 1,
        ("outer", "call dropped"): 1,
        ("outer", "number + 1"): 1,
        ("outer.inner", "return None"): 1,
        ("outer", "return None"): 1,
    }
    changed = {ast.unparse(weakened(it, {"functions/b.py": SOURCE}).after) for it in found}  # type: ignore[arg-type]
    assert len(changed) == len(found)
    assert ast.unparse(ast.parse(SOURCE)) not in changed


def test_what_is_drawn_depends_on_the_seed_and_is_shared_among_the_wings() -> None:
    wings = ["functions/waitpoints/*.py", "clients/python/src"]
    drawn = [it.decision for it in draw(wings, 8, "1", KNOWN)]
    assert drawn == [it.decision for it in draw(wings, 8, "1", KNOWN)] != [it.decision for it in draw(wings, 8, "2", KNOWN)]
    assert [weakening.is_in(it.file, wings[1]) for it in drawn if it] == [False] * 4 + [True] * 4


@pytest.mark.parametrize(
    ("after", "function"),
    [
        ({"functions/b.py": "\n" + SOURCE}, "outer"),
        ({"functions/c.py": SOURCE}, "outer"),
        ({"functions/c.py": SOURCE.replace("outer", "other")}, "other"),
        ({"functions/c.py": SOURCE.replace("raise ValueError", "return")}, None),
    ],
)
def test_a_decision_is_found_again_where_it_has_moved(after: dict[str, str], function: str | None) -> None:
    found = found_again(Decision("functions/b.py", "outer", "raise ValueError", "raise dropped", 0), after)
    assert (found and found.function) == function
