"""A release has the version of its tree."""

from pathlib import Path

import pytest

from tests.tools.test_version import OTHER, copied
from tools import version
from tools.release import __main__ as command
from tools.release.version import WrongVersion, check
from tools.stack import ROOT

__all__ = ["copied"]  # a fixture: the files that name the version


def test_another_version_than_the_trees_is_refused_with_what_to_run(copied: Path) -> None:
    check(version.read(), copied)
    with pytest.raises(
        WrongVersion, match=f"not the version of this tree, {version.read()}: run `make version VERSION={OTHER}`"
    ):
        check(OTHER, copied)


def test_a_tree_of_two_versions_is_refused(copied: Path) -> None:
    now, file = version.read(), copied / "template.yaml"
    file.write_text(file.read_text().replace(now, OTHER))
    with pytest.raises(WrongVersion, match=rf"{now}, {OTHER} in template\.yaml: run `make version VERSION={now}`"):
        check(now, copied)


def test_a_missing_version_is_refused_with_the_trees() -> None:
    with pytest.raises(WrongVersion, match=f"VERSION={version.read()}"):
        check("", ROOT)


def test_the_command_makes_nothing_of_another_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["9.9.9"]) == 2
    assert "VERSION=9.9.9 is not the version of this tree" in capsys.readouterr().err
    assert not (ROOT / "dist" / "9.9.9").exists()
