"""`make update` moves pinned versions to the newest that fit together."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import pins

PROJECT = """\
[project]
name = "ours"
version = "1"
requires-python = ">=3.13"

[dependency-groups]
layer = [ # what ships
    "one==1.0", # why
    "two[extra]==1.0",
]
dev = ["a-tool", { include-group = "layer" }]

local = ["packaged"]

[tool.uv]
package = false
no-index = true
find-links = ["wheels"]
sources = { packaged = { path = "clients/local", editable = true } }
"""
PACKAGED = """\
[project]
name = "packaged"
version = "1"
requires-python = ">=3.13"
dependencies = ["one==1.0"]

[tool.uv]
package = false
"""


def publish(folder: Path, name: str, version: str, needs: str = "") -> None:
    """Put a wheel into a folder that stands for PyPI."""
    folder.mkdir(exist_ok=True)
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: extra\n"
        metadata += f"Requires-Dist: {needs}\n" if needs else ""
        wheel.writestr(f"{about}/METADATA", metadata)
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UV_PYTHON", sys.executable)  # uv would start each Python that is here
    for name in ("a_tool", "one", "two"):
        publish(tmp_path / "wheels", name, "1.0")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "clients" / "local").mkdir(parents=True)
    (tmp_path / "clients" / "local" / "pyproject.toml").write_text(PACKAGED)
    subprocess.run([pins.UV, "lock", "-q"], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.slow  # it starts processes
def test_pinned_versions_and_the_lock_move_and_nothing_else(project: Path) -> None:
    publish(project / "wheels", "one", "1.1")
    publish(project / "wheels", "two", "2.0")
    publish(project / "wheels", "a_tool", "3.0")
    pins.update(project)
    expected = PROJECT.replace("one==1.0", "one==1.1").replace("two[extra]==1.0", "two[extra]==2.0")
    assert (project / "pyproject.toml").read_text() == expected
    assert (project / "clients" / "local" / "pyproject.toml").read_text() == PACKAGED.replace("one==1.0", "one==1.1")
    assert 'name = "a-tool"\nversion = "3.0"' in (project / "uv.lock").read_text()
    subprocess.run([pins.UV, "lock", "--check", "-q"], cwd=project, check=True)


@pytest.mark.slow  # it starts processes
def test_no_pin_moves_back_for_the_sake_of_another_library(project: Path) -> None:
    publish(project / "wheels", "one", "0.9")
    publish(project / "wheels", "a_tool", "3.0", needs="one<1")
    pins.update(project)
    assert (project / "pyproject.toml").read_text() == PROJECT
    assert 'name = "a-tool"\nversion = "1.0"' in (project / "uv.lock").read_text()


@pytest.mark.slow  # it starts processes
def test_a_failure_leaves_both_files_as_they_were(project: Path) -> None:
    before = [file.read_text() for file in files_of(project)]
    for wheel in (project / "wheels").glob("two-*"):
        wheel.unlink()
    with pytest.raises(subprocess.CalledProcessError):
        pins.update(project)
    assert [file.read_text() for file in files_of(project)] == before


def files_of(project: Path) -> list[Path]:
    return [project / path for path in ("pyproject.toml", "clients/local/pyproject.toml", "uv.lock")]


def test_a_version_that_the_lock_has_for_one_group_only_is_that_groups() -> None:
    groups = {"dev": [{"name": "boto3", "version": "1.44"}], "sam": [{"name": "boto3", "version": "1.40"}]}
    lock = {"package": [{"name": "boto3", "version": "1.40"}, {"name": "boto3", "version": "1.44"}]}
    assert [pins.version(lock, groups[group], "boto3") for group in ("dev", "sam")] == ["1.44", "1.40"]
