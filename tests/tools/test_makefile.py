"""`make help` lists every command, and the package managers trust the system's certificates."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from tests.support.programs import printed
from tools import node
from tools.stack import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.MULTILINE)
HELP = printed(["make", "help"]).splitlines()


def test_every_target_is_phony() -> None:
    phony = re.findall(r"^\.PHONY:(.*)", MAKEFILE, re.MULTILINE)
    assert sorted(TARGETS) == sorted(" ".join(phony).split())


def test_help_describes_every_target() -> None:
    listed = [line.split()[1] for line in HELP if line.startswith("  make ")]
    assert listed == TARGETS


def test_help_lines_up_in_columns() -> None:
    texts = [re.fullmatch(r"  make [a-z-]+ +", line[: len("  make ") + 9]) for line in HELP if line.startswith("  make ")]
    assert len(texts) > 10
    assert all(texts)


def test_help_fits_the_line_length() -> None:
    assert [line for line in HELP if len(line) > 128] == []


def test_every_variable_of_a_recipe_may_be_left_out() -> None:
    """The shell refuses one that is not set, and make sets what it exports."""
    exported = {name for line in re.findall(r"^export ([A-Z_ ]+)", MAKEFILE, re.MULTILINE) for name in line.split()}
    named = set(re.findall(r"\$\$\{?([A-Z_]+)", MAKEFILE))
    assert "VERSION" in named
    assert named <= exported


def test_sam_build_gets_no_argument_of_make(tmp_path: Path) -> None:
    layer, ours = tmp_path / "layer.mk", tmp_path / "ours.mk"
    layer.write_text("PYTHON := python3.13\nall:\n\t@echo $(PYTHON)\n")
    ours.write_text(f"include Makefile\nbuild:\n\t@make -s -f {layer}\n")

    assert "python3.13" in printed(["make", "-s", "-f", ours, "PYTHON=3.10", "build"]).splitlines()


def test_who_starts_it_needs_no_home_and_no_locale_of_utf_8() -> None:
    show = ["make", "-s", "--eval", "show:; @echo '$(HOME) $(PYTHONUTF8)'", "show"]
    inherited = {"PATH": os.environ["PATH"], "HOME": "/dev/null/none", "LANG": "tr_TR.ISO-8859-9"}
    assert printed(show, ROOT, inherited) == f"{ROOT}/.local/home 1\n"


def test_uv_trusts_the_system_certificates() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["system-certs"] is True


class TestNpm:
    def test_trusts_the_system_certificates(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        bundle = tmp_path / "certificates.crt"
        bundle.touch()
        monkeypatch.setattr(node, "_CERTIFICATES", (str(tmp_path / "missing.crt"), str(bundle)))
        assert node.trusting_the_system({}) == {"NODE_USE_SYSTEM_CA": "1", "NODE_EXTRA_CA_CERTS": str(bundle)}

    def test_respects_the_callers_setting(self) -> None:
        own = {"NODE_USE_SYSTEM_CA": "0", "NODE_EXTRA_CA_CERTS": "/own.crt"}
        assert node.trusting_the_system(own) == own

    def test_works_without_a_certificate_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(node, "_CERTIFICATES", ())
        assert node.trusting_the_system({}) == {"NODE_USE_SYSTEM_CA": "1"}


@pytest.mark.parametrize("version", ["v18.20.4", "not a version"])
def test_an_older_node_is_none(version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(node.NoNode, match=r"^Node\.js 20 or newer with npm is missing$"):
        node.node()
