"""One version, of the stack, its client and a release: each file that repeats it has the same one."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support import previous
from tests.support.in_process.template import Template
from tools import version
from tools.release import __main__ as command
from tools.release.version import WrongVersion, check
from tools.stack import ROOT
from waitpoints_local.stack import LocalError

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
HEADINGS = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
NOW = version.read()
OTHER = "7.8.9"
PATHS = sorted({path for path, _ in version.PLACES})


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with the files that name the version."""
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def test_every_file_names_the_version_of_the_client() -> None:
    assert version.differing() == {}


@pytest.mark.parametrize("path", [path for path in PATHS if path != version.SOURCE])
def test_a_file_with_another_version_is_found(copied: Path, path: str) -> None:
    file = copied / path
    file.write_text(file.read_text().replace(version.form_in(path, NOW), OTHER))
    assert version.differing(copied) == {path: OTHER}


@pytest.mark.parametrize("other", [OTHER, "0.10.0.dev0"])
def test_another_version_is_written_into_each_and_nothing_else_changes(copied: Path, other: str) -> None:
    before = {path: (copied / path).read_text() for path in PATHS}
    version.write(other, copied)
    assert version.read(copied) == other
    assert version.differing(copied) == {}
    version.write(NOW, copied)
    assert {path: (copied / path).read_text() for path in PATHS} == before


def test_npm_gets_a_semantic_version(copied: Path) -> None:
    for given, written in (("0.10.0.dev0", "0.10.0-dev.0"), ("0.10.0", "0.10.0")):
        version.write(given, copied)
        assert json.loads((copied / "clients/cdk/package.json").read_text())["version"] == written
        lock = json.loads((copied / "clients/cdk/package-lock.json").read_text())
        assert (lock["version"], lock["packages"][""]["version"]) == (written, written)


@pytest.mark.parametrize("wrong", ["", "0.3", "v0.3.0", "0.3.0.dev1", "0.3.0rc1", "0.03.0", "0.3.0 "])
def test_a_version_of_another_form_changes_nothing(copied: Path, wrong: str) -> None:
    with pytest.raises(LocalError, match=r"is not a version: write 0\.3\.0, or 0\.4\.0\.dev0"):
        version.write(wrong, copied)
    assert version.read(copied) == NOW


def test_a_file_that_no_longer_names_it_is_told(copied: Path) -> None:
    (copied / "template.yaml").write_text("Resources: {}\n")
    with pytest.raises(LocalError, match=r"template\.yaml names the version 0 times"):
        version.write(OTHER, copied)


def test_the_stack_says_it_in_an_output_and_in_the_console_alone() -> None:
    template = Template.load()
    assert template.body["Outputs"]["Version"]["Value"] == NOW
    variables = {
        name: properties.get("Environment", {}).get("Variables", {})
        for name, properties in template.resources("AWS::Serverless::Function").items()
    }
    assert {name: its["STACK_VERSION"] for name, its in variables.items() if "STACK_VERSION" in its} == {"ShowConsole": NOW}
    assert "STACK_VERSION" not in template.body["Globals"]["Function"]["Environment"]["Variables"]


def test_the_changelog_begins_with_it() -> None:
    """A commit between two releases is a development version of the next one."""
    release, is_development, _ = NOW.partition(".dev0")
    assert HEADINGS[0] == (f"{release} (not released yet)" if is_development else release)
    numbers = [tuple(map(int, heading.split()[0].split("."))) for heading in HEADINGS]
    assert numbers == sorted(set(numbers), reverse=True)


def test_the_tests_upgrade_from_the_last_release_of_the_changelog() -> None:
    """Nobody has deployed what came before 0.3.0."""
    headings = (re.fullmatch(r"\S+ \(commit (\w{7})\)", heading) for heading in HEADINGS)
    assert previous.PREVIOUS.startswith(next((found[1] for found in headings if found), "HEAD"))


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
