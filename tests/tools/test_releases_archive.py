"""An archive of the stack: its template is of one architecture, and all that it names is built and in the archive."""

import re
import tomllib
from typing import Any

import pytest

from tests.support.in_process.template import parse
from tools.deploy import environments
from tools.release import archive
from tools.stack import ROOT

TEMPLATE = (ROOT / "template.yaml").read_text()
SAMCONFIG = (ROOT / "samconfig.toml").read_text()
BUILT = """\
  DependencyLayer:
      ContentUri: DependencyLayer
  PublicKeyLayer:
      ContentUri: PublicKeyLayer
  TracingLayer:
      ContentUri: TracingLayer
  ShowConsole:
      Handler: show_console.handler
  Smoke:
      DefinitionUri: ../../../tmp/x/examples/statemachines/wait_for_webhook.asl.json
"""
"""As `sam build` writes these lines."""


@pytest.mark.parametrize("architecture", archive.ARCHITECTURES)
def test_a_template_allows_its_own_architecture_only(architecture: str) -> None:
    parameter = parse(archive.buildable(TEMPLATE, architecture))["Parameters"]["Architecture"]
    assert (parameter["Default"], parameter["AllowedValues"]) == (architecture, [architecture])


def test_every_architecture_of_the_template_has_an_archive() -> None:
    assert parse(TEMPLATE)["Parameters"]["Architecture"]["AllowedValues"] == list(archive.ARCHITECTURES)


def test_nothing_else_of_the_template_changes_but_where_the_code_is() -> None:
    before, after = parse(TEMPLATE), parse(archive.buildable(TEMPLATE, "x86_64"))
    assert after["Globals"]["Function"].pop("CodeUri") == "functions.zip"
    del before["Globals"]["Function"]["CodeUri"]
    del before["Parameters"]["Architecture"], after["Parameters"]["Architecture"]
    assert after == before


def test_a_built_template_names_files_of_the_archive() -> None:
    found = re.findall(r"^      (\w+): (.*)$", archive.deployable(BUILT), re.MULTILINE)
    assert found == [
        ("ContentUri", "DependencyLayer.zip"),
        ("ContentUri", "PublicKeyLayer.zip"),
        ("ContentUri", "TracingLayer.zip"),
        ("Handler", "show_console.handler"),
        ("CodeUri", "console.zip"),
        ("DefinitionUri", "examples/statemachines/wait_for_webhook.asl.json"),
    ]


def test_a_template_in_which_something_is_missing_is_not_packed() -> None:
    with pytest.raises(AssertionError, match="TracingLayer"):
        archive.deployable(BUILT.replace("TracingLayer", "OtherLayer"))


def settings(text: str) -> dict[str, dict[str, Any]]:
    return {name: value for name, value in tomllib.loads(text).items() if name != "version"}


def test_its_configuration_has_every_environment_in_aws_with_the_same_settings() -> None:
    ours, theirs = settings(SAMCONFIG), settings(archive.configuration(SAMCONFIG))
    assert theirs["prod"]["deploy"]["parameters"].pop("template_file") == "gradual.yaml"
    assert list(theirs) == environments()
    for name, commands in theirs.items():
        assert commands == {command: value for command, value in ours[name].items() if command != "build"}
    assert "make" not in archive.configuration(SAMCONFIG)


def test_its_readme_fits_one_screen() -> None:
    """Of 80 columns and 40 lines, after folding. It says how to deploy, upgrade and check."""
    text = (ROOT / "tools" / "release" / "archive.md").read_text().format(version="0.3.0", architecture="arm64")
    assert sum(-(-max(len(line), 1) // 80) for line in text.splitlines()) <= 40
    attested = "gh attestation verify waitpoints-0.3.0-arm64.zip --repo OWNER/NAME"
    for part in (
        "sam deploy",
        "--config-env prod",
        "Architecture=arm64",
        "waitpoints-client[aws]==0.3.0",
        "SHA256SUMS",
        attested,
    ):
        assert part in text
