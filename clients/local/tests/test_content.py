"""What the package says about the stack that it brings."""

from pathlib import Path

import pytest

from waitpoints_local import content
from waitpoints_local.stack import LocalError

TEMPLATE = """\
Parameters:
  # a comment
  BrandName: {Type: String}

  Slack:
    Type: String
    Default: "off"

Rules:
  NoParameter: {}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "FOLDER", tmp_path)


def test_the_template_and_what_it_names_are_read(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "functions.zip").write_bytes(b"code")
    assert content.template() == TEMPLATE
    assert content.artifact("functions.zip") == b"code"


def test_a_checkout_has_no_stack_and_says_what_to_do() -> None:
    with pytest.raises(LocalError, match="run `make run`, or install the wheel"):
        content.template()


def test_the_names_of_the_parameters_are_found() -> None:
    assert content.parameters(TEMPLATE) == ["BrandName", "Slack"]
    assert content.parameters("Resources: {}\n") == []
