"""The stack of a checkout has all functions and no layers."""

import re
from pathlib import Path

import pytest

from tests.support.in_process.template import parse
from tools import checkout
from tools.stack import ROOT
from waitpoints_local.content import parameters
from waitpoints_local.deployment import ARTIFACT
from waitpoints_local.stack import LocalError

TEMPLATE = (ROOT / "template.yaml").read_text()


def test_only_the_console_has_code_of_its_own() -> None:
    """The rules of functions/Makefile: all functions get the same files, the console also its own."""
    makefile = (ROOT / "functions" / "Makefile").read_text()
    assert re.findall(r"\$\(filter (\w+),", makefile) == ["ShowConsole"]
    assert checkout.CODE["console.zip"] == "ShowConsole"


def test_the_template_is_the_same_without_layers_and_with_built_code() -> None:
    made, source = parse(checkout.without_layers(TEMPLATE)), parse(TEMPLATE)
    layers = {name for name, it in source["Resources"].items() if it["Type"].endswith("LayerVersion")}
    assert len(layers) == 3
    assert made["Resources"].keys() == source["Resources"].keys() - layers
    assert made["Globals"]["Function"].pop("CodeUri") == "functions.zip"
    del source["Globals"]["Function"]["CodeUri"], source["Globals"]["Function"]["Layers"]
    assert made["Resources"]["ShowConsole"]["Properties"].pop("CodeUri") == "console.zip"
    for name in layers:
        del source["Resources"][name]
    for resource in source["Resources"].values():
        resource.get("Properties", {}).pop("Layers", None)
    assert made == source
    assert parameters(TEMPLATE) == list(source["Parameters"])


def test_it_brings_all_that_its_template_refers_to() -> None:
    content = checkout.content()
    named = set(ARTIFACT.findall(content["template.yaml"].decode()))
    assert named >= checkout.CODE.keys()
    assert content.keys() == named | {"template.yaml"}


def test_what_its_makefile_misses_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "Makefile").write_text("$(error Python 3.13 is missing: install it)\n")
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    with pytest.raises(LocalError, match=r"The functions' code could not be copied: .*Python 3\.13 is missing: install it"):
        checkout.code()
