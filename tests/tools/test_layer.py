"""Every library of the layer has a wheel that runs on Lambda, for both processors."""

import re
import tomllib
from pathlib import Path

import pytest

LAYER = Path("layers/dependencies")
LOCKED = {package["name"]: package for package in tomllib.loads(Path("uv.lock").read_text())["package"]}
REQUIREMENTS = [
    line.partition("==")[0] for name in ("requirements.txt", "tracing.txt") for line in (LAYER / name).read_text().split()
]


@pytest.mark.parametrize("processor", ["arm64", "x86_64"])
@pytest.mark.parametrize("name", REQUIREMENTS)
def test_the_layers_build_finds_a_wheel(name: str, processor: str) -> None:
    platforms = re.findall(r"manylinux\w+", (LAYER / processor / "platform.mk").read_text())
    wheels = [wheel["url"].rpartition("/")[2] for wheel in LOCKED[name]["wheels"]]
    assert platforms
    assert any("-none-any" in wheel or any(platform in wheel for platform in platforms) for wheel in wheels)
