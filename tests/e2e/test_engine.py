"""The local engine keeps its promises about task tokens, time, ends, data, limits and threads: see engine_probes.py."""

import json
import subprocess

import pytest

from tools.stack import ROOT, on_path, program
from waitpoints_local.stack import emulator_environment


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    done = subprocess.run(
        [program("emulator", "python"), "-m", "tests.support.e2e.engine_probes"],
        cwd=ROOT,
        env=emulator_environment(tmp_path_factory.mktemp("engine")) | on_path(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_promise_is_kept(seen: dict[str, str]) -> None:
    assert len(seen) > 25
    assert {probe: outcome for probe, outcome in seen.items() if outcome} == {}
