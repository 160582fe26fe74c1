"""checkov's rules for secure templates, run on the template after SAM's transform. It cannot read YAML's merge keys."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support.processed_template import processed
from tests.support.programs import ended
from tools.stack import ROOT, program

SKIPPED = set(yaml.safe_load((ROOT / ".checkov.yaml").read_text())["skip-check"])


@pytest.mark.thorough
def test_checkov_finds_what_is_skipped_with_a_reason_and_nothing_else(tmp_path: Path) -> None:
    template = tmp_path / "template.json"
    template.write_text(json.dumps(processed().body))
    arguments = ("--file", str(template), "--framework", "cloudformation", "--skip-download", "--quiet", "--output", "json")
    done = ended([program("policies", "checkov"), *arguments], tmp_path)
    report = json.loads(done.stdout)
    assert (report["summary"]["parsing_errors"], report["summary"]["resource_count"] > 50) == (0, True)
    found = {it["check_id"]: f"{it['check_name']}: {it['resource']}" for it in report["results"]["failed_checks"]}
    assert {check: what for check, what in found.items() if check not in SKIPPED} == {}, "mend it, or say why not"
    assert SKIPPED - found.keys() == set(), "checkov finds these no more: remove them from .checkov.yaml"


def test_every_skip_has_its_reason_beside_it() -> None:
    lines = [line for line in (ROOT / ".checkov.yaml").read_text().splitlines() if line.startswith("  - ")]
    assert len(lines) == len(SKIPPED)
    assert [line for line in lines if " # " not in line] == []
