"""The result of a plain `sam build`. `test_release` compares two of them."""

import marshal
from pathlib import Path

import pytest

from tests.support.e2e.built import Built
from tests.support.in_process.template import Template
from tools.stack import sam
from waitpoints_local.stack import ARCHITECTURE

MACHINES = {"arm64": 183, "x86_64": 62}  # e_machine in the header of an ELF file
UNCHECKED = 1  # the flags of bytecode that Python loads without checking its source


def build(folder: Path, *arguments: str) -> Path:
    folder.mkdir()
    sam("build", "--no-cached", *arguments, folder=folder)
    return folder / "build"


@pytest.fixture(scope="module")
def built(current_build: Built) -> Path:
    return current_build.folder / "build"


@pytest.mark.parametrize(
    "architecture",
    [ARCHITECTURE, *(pytest.param(other, marks=pytest.mark.thorough) for other in MACHINES.keys() - {ARCHITECTURE})],
)
def test_the_layer_has_libraries_for_the_architecture_of_the_template(built: Path, architecture: str, tmp_path: Path) -> None:
    layer = built / "DependencyLayer"
    if architecture != ARCHITECTURE:
        layer = build(tmp_path / "layer", "DependencyLayer", f"--parameter-overrides=Architecture={architecture}")
    machines = {int.from_bytes(library.read_bytes()[18:20], "little") for library in layer.rglob("*.so")}
    assert machines == {MACHINES[architecture]}


def test_every_module_has_bytecode_with_its_path_on_lambda(built: Path) -> None:
    places = {function.logical_id: "/var/task" for function in Template.load().functions().values()}
    for name, place in {**places, "DependencyLayer": "/opt"}.items():
        sources = list((built / name).rglob("*.py"))
        assert sources
        for source in sources:
            [compiled] = (source.parent / "__pycache__").glob(f"{source.stem}.cpython-313.pyc")
            content = compiled.read_bytes()
            assert int.from_bytes(content[4:8], "little") == UNCHECKED
            assert marshal.loads(content[16:]).co_filename == f"{place}/{source.relative_to(built / name)}"  # noqa: S302
