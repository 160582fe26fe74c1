"""A program that is started from a prepared process does as one that Python starts."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.e2e import prepared
from tests.support.patience import PATIENCE
from tests.support.programs import ended

PROGRAM = """
import os, sys, time
import beside
print(sys.argv[1:], os.getcwd(), dict(os.environ), sys.path[0], __name__, sys.stdin.read())
print("\\u00e9 and \\udcff", file=sys.stderr)
if sys.argv[1] == "waits":
    print("ready", flush=True)
    time.sleep(60)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "beside.py").touch()
    (tmp_path / "program" / "program.py").write_text(PROGRAM)
    return tmp_path / "program" / "program.py"


@pytest.mark.parametrize("arguments", [["0"], ["3", "two words"], ["fails"]])
@pytest.mark.parametrize("by_name", [False, True])
def test_it_gets_and_gives_the_same(program: Path, tmp_path: Path, arguments: list[str], by_name: bool) -> None:
    of_module = ["-m", "program"] if by_name else [str(program)]
    folder = program.parent if by_name else tmp_path

    def end(python: list[str]) -> tuple[int, str, str]:
        command, environment = [*python, *of_module, *arguments], {"ONE": "1", "PYTHONPATH": str(tmp_path)}
        done = ended(command, folder, environment, typed="in")
        return done.returncode, done.stdout, done.stderr.splitlines()[-1]

    assert end(prepared.command(sys.executable, "json")) == end([sys.executable])


def test_ctrl_c_ends_it(program: Path) -> None:
    command = [*prepared.command(sys.executable, "json"), str(program), "waits"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert "ready\n" in iter(run.stdout.readline, "")
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=PATIENCE)
    assert (run.returncode, errors.splitlines()[-1]) == (-signal.SIGINT, "KeyboardInterrupt")


def test_another_one_starts_after_one_was_killed(program: Path) -> None:
    python = prepared.command(sys.executable, "json")
    ends = program.with_name("ends.py")
    ends.write_text('import sys; print("ready", flush=True); sys.stdin.readline()')
    with subprocess.Popen([*python, str(ends)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout
        assert run.stdout.readline() == b"ready\n"
        run.kill()
        run.wait(timeout=PATIENCE)
    after = ended([*python, str(program), "0"], typed="in")
    assert after.returncode == 0
