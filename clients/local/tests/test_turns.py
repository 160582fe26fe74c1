"""Locks that end with the process that has them."""

import subprocess
import sys
from pathlib import Path

from waitpoints_local import turns

HOLDS = """
import sys, time
from pathlib import Path
from waitpoints_local.turns import hold
held = hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    source = Path(turns.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, tmp_path / "lock"], stdout=subprocess.PIPE, env={"PYTHONPATH": str(source)}
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert turns.is_held(tmp_path / "lock")
        other.kill()
    assert not turns.is_held(tmp_path / "lock")


def test_one_process_waits_for_the_other(tmp_path: Path) -> None:
    with turns.one_at_a_time(tmp_path / "new" / "lock"):
        assert turns.is_held(tmp_path / "new" / "lock")
