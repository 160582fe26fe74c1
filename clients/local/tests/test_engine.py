"""Where the engine is found: here, if its exact versions are, else in an environment of its own."""

import json
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from waitpoints_client import __version__

from waitpoints_local import engine
from waitpoints_local.stack import LocalError

VERSIONS = {"moto": "5.2.5", "boto3": "1.43.106"}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The versions of libraries in this environment, in which the engine's package is."""
    versions = dict(VERSIONS)

    def version(package: str) -> str:
        if package not in versions:
            raise metadata.PackageNotFoundError(package)
        return versions[package]

    def requires(package: str) -> list[str]:
        if not versions:
            raise metadata.PackageNotFoundError(package)
        return ["moto[stepfunctions]==5.2.5", "boto3==1.43.106 ; python_version > '3'", "pyyaml<7,>=6"]

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", requires)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PATH", os.fspath(tmp_path / "bin"))
    monkeypatch.delenv(engine.VARIABLE, raising=False)
    return versions


def program(folder: Path, text: str = "#!/bin/sh\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / engine.PROGRAM
    made.write_text(text)
    made.chmod(0o755)
    return made


def test_it_is_here_with_its_exact_versions(tmp_path: Path) -> None:
    program(tmp_path / "bin")
    assert engine.find() is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"moto": "4.2.14"}, "The engine needs moto 5.2.5, and this environment has 4.2.14"),
        ({"boto3": None}, "The engine needs boto3 1.43.106, and this environment has none"),
        ({"moto": None, "boto3": None}, "The package waitpoints-local is not installed here"),
    ],
)
def test_without_them_one_sentence_says_what_to_do(installed: dict[str, str], changed: dict[str, Any], why: str) -> None:
    for name, version in changed.items():
        installed.pop(name)
        installed.update({name: version} if version else {})
    said = f"^{why}: `waitpoints install` gives the engine an environment of its own, which is found from here$"
    with pytest.raises(LocalError, match=said):
        engine.find()


def test_then_an_environment_of_its_own_is_found_the_one_of_install_first(
    installed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed["moto"] = "4.2.14"
    ours = program(tmp_path / "ours" / "bin")  # which has the wrong versions
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "ours"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(ours.parent), str(tmp_path / "bin")]))
    with pytest.raises(LocalError):
        engine.find()
    on_path = program(tmp_path / "bin")
    assert engine.find() == on_path
    made = program(engine.folder() / "bin")
    assert engine.find() == made
    named = program(tmp_path / "named")
    monkeypatch.setenv(engine.VARIABLE, str(named))
    assert engine.find() == named
    assert engine.VARIABLE not in engine.variables_for_it()
    monkeypatch.setenv(engine.VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(LocalError, match="is no program: name the `waitpoints-engine` of"):
        engine.find()


def test_install_takes_uv_else_a_python_that_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command: Any) -> None:
        commands.append([str(word) for word in command])

    made, package = engine.folder(), f"waitpoints-local=={__version__}"
    monkeypatch.setattr(sys, "version_info", (3, 11))
    with pytest.raises(LocalError, match=r"needs Python 3.13 or newer, or uv: none of python3.13, python3.14 and uv is on"):
        engine.install(run)
    program(tmp_path / "bin").rename(python := tmp_path / "bin" / "python3.14")
    assert engine.install(run) == made
    pip = [str(made / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", package]
    assert commands == [[str(python), "-m", "venv", str(made)], pip]

    program(tmp_path / "bin").rename(uv := tmp_path / "bin" / "uv")
    (made / "left").mkdir(parents=True)
    engine.install(run)
    refreshed = [word for name in ("local", "testing", "client") for word in ("--refresh-package", f"waitpoints-{name}")]
    assert commands[2:] == [
        [str(uv), "venv", "-q", "--no-project", "--python", ">=3.13", str(made)],
        [str(uv), "pip", "install", "-q", *refreshed, "--python", str(made / "bin" / "python"), package],
    ]
    assert not made.exists()

    packages = [f"waitpoints-{name}=={__version__}" for name in ("local", "testing", "client")]
    engine.install(run, "dist/0.4.1")
    uv.unlink()
    engine.install(run, "dist/0.4.1")
    assert [command[-5:] for command in (commands[5], commands[7])] == [["--find-links", "dist/0.4.1", *packages]] * 2


def test_a_stack_is_started_by_the_engines_program_in_our_folder(tmp_path: Path) -> None:
    told = json.dumps({"file": "a file"})
    script = f"""#!{sys.executable}
import os, sys
assert sys.argv[1:] == ["up", "--port", "0", "--parameters", "A=b c", "--json"], sys.argv
assert os.environ["WAITPOINTS_LOCAL"] == {str(tmp_path)!r}
print({told!r})
"""
    made = program(tmp_path / "bin", script)
    assert engine.up(made, tmp_path, {"A": "b c"}) == {"file": "a file"}
    with pytest.raises(LocalError, match=f"^{made} could not start a stack: Traceback"):
        engine.up(made, tmp_path / "other", {"A": "b c"})


def test_an_engine_of_another_version_is_refused() -> None:
    engine.check_version(__version__)
    with pytest.raises(LocalError, match=f"^The engine is of version 0.1, not {__version__}: run `waitpoints install`$"):
        engine.check_version("0.1")
