"""The wheel of waitpoints-local has the stack of its version, with the libraries of the layers as its dependencies."""

import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process.template import parse
from tools.release import local_package
from tools.stack import LOCAL, PACKAGE, ROOT

UV = LOCAL / "uv" / "bin" / "uv"
TEMPLATE = (ROOT / "template.yaml").read_text()
CODE = {"functions.zip": b"code", "console.zip": b"code and files"}
PROJECT = tomllib.loads((ROOT / "clients" / "local" / "pyproject.toml").read_text())["project"]
GROUPS: dict[str, list[Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
OF_THE_EMULATOR = {"aws-sam-translator"}
"""Its version in the emulator's environment of a clone refuses the pydantic of the functions."""


def pins(requirements: list[Any]) -> dict[str, str]:
    return {found[1]: found[2] for it in requirements if (found := re.fullmatch(r"([\w-]+)==([\w.]+)", str(it)))}


def test_the_package_needs_the_emulator_and_what_the_layers_hold() -> None:
    ours = pins(PROJECT["dependencies"])
    shipped = {name: version for group in ("layer", "public-keys", "tracing") for name, version in pins(GROUPS[group]).items()}
    emulator = {name: version for name, version in pins(GROUPS["emulator"]).items() if name not in OF_THE_EMULATOR}
    assert ours.items() >= (shipped | emulator).items()
    assert ours.keys() >= OF_THE_EMULATOR


def test_it_needs_the_client_of_its_own_version() -> None:
    assert f"waitpoints-client[aws]=={PROJECT['version']}" in PROJECT["dependencies"]


def test_it_runs_where_the_functions_do() -> None:
    runtime = parse(TEMPLATE)["Globals"]["Function"]["Runtime"]
    assert PROJECT["requires-python"] == f"=={runtime.removeprefix('python')}.*"


@pytest.mark.slow  # it makes packages
def test_the_wheel_is_pure_the_same_each_time_and_has_the_stack(tmp_path: Path) -> None:
    wheels = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        wheels.append(local_package.build(UV, CODE, tmp_path / name))
    assert wheels[0].name == f"waitpoints_local-{PROJECT['version']}-py3-none-any.whl"
    made, again = ({file.name: file.read_bytes() for file in wheel.parent.iterdir()} for wheel in wheels)
    assert made == again
    assert len(made) == 2
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = set(wheel.namelist())
        assert wheel.read("waitpoints_local/content/functions.zip") == b"code"
    modules = {str(path.relative_to(PACKAGE)) for path in (PACKAGE / "waitpoints_local").rglob("*.py")}
    assert names >= {*modules, "waitpoints_local/py.typed", "waitpoints_local/content/template.yaml"}
    assert not [name for name in names if "/test_" in name or "/tests/" in name or "__pycache__" in name]
