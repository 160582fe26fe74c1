"""A release has the version of its tree."""

from pathlib import Path

import pytest
from waitpoints_client import __version__

from local.stack import ROOT
from releases import __main__ as command
from releases.version import PLACES, WrongVersion, check, versions


def tree(folder: Path, *found: str) -> Path:
    for place, version in zip(PLACES, found, strict=True):
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'[project]\nversion = "{version}"\n' if file.suffix == ".toml" else f'__version__ = "{version}"\n')
    return folder


def test_this_tree_has_one_version() -> None:
    assert set(versions(ROOT).values()) == {__version__}


def test_another_version_than_the_trees_is_refused_with_what_to_change(tmp_path: Path) -> None:
    check("0.3.0", tree(tmp_path, "0.3.0", "0.3.0", "0.3.0"))
    with pytest.raises(WrongVersion) as refused:
        check("0.3.0", tree(tmp_path, "0.3.0.dev0", "0.3.0", "0.3.0"))
    assert "0.3.0.dev0 in pyproject.toml: change it there" in str(refused.value)
    assert "clients/python" not in str(refused.value)


def test_a_missing_version_is_refused_with_the_trees() -> None:
    with pytest.raises(WrongVersion, match=f"VERSION={__version__}"):
        check("", ROOT)


def test_the_command_makes_nothing_of_another_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["9.9.9"]) == 2
    assert "VERSION=9.9.9 is not the version of this tree" in capsys.readouterr().err
    assert not (ROOT / "dist" / "9.9.9").exists()
