"""The Python client's wheel and source distribution."""

import subprocess
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from tools.stack import ROOT

FOLDER = ROOT / "clients" / "python"
MODULES = {str(path.relative_to(FOLDER / "src")) for path in (FOLDER / "src").rglob("*.py")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the source distribution, and the wheel from it, as for a package index."""
    folder = tmp_path_factory.mktemp("built")
    uv = ROOT / ".local" / "uv" / "bin" / "uv"
    subprocess.run([uv, "build", "-q", FOLDER, "--out-dir", folder], check=True)
    return folder


def test_the_wheel_has_every_module_its_types_and_the_licence(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        [metadata] = [name for name in names if name.endswith("/METADATA")]
        said = HeaderParser().parsestr(packed.read(metadata).decode())
        [entry_points] = [packed.read(name).decode() for name in names if name.endswith("/entry_points.txt")]

    assert names >= MODULES | {"waitpoints_client/py.typed"}
    assert {name.split("/")[-1] for name in names} >= {"LICENSE", "NOTICE"}
    assert not any("test_" in name for name in names)
    assert (said["Name"], said["Requires-Python"], said["License-Expression"]) == ("waitpoints-client", ">=3.10", "Apache-2.0")
    assert "waitpoints = waitpoints_client.cli:main" in entry_points


def test_the_source_distribution_has_what_the_wheel_is_built_from(built: Path) -> None:
    [source] = built.glob("*.tar.gz")
    with tarfile.open(source) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}

    assert names >= {f"src/{module}" for module in MODULES} | {"pyproject.toml", "README.md", "LICENSE", "NOTICE"}


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE"])
def test_the_licence_is_that_of_the_project(name: str) -> None:
    assert (FOLDER / name).read_bytes() == (ROOT / name).read_bytes()
