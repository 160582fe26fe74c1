"""What the stages of `make test` say while they run, and that no test is left out."""

import ast
import json
import os
import re
import shutil
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests import stages
from tests.progress import clock
from tests.stages import COMMANDS, ROOT, Stage
from tests.support.patience import PATIENCE
from tests.support.programs import Ended, ended

TESTS = """
import pytest

@pytest.mark.parametrize("number", range(20))
def test_passes(number):
    pass

def test_takes_longer():
    import time
    time.sleep(0.2)
"""


pytestmark = pytest.mark.slow  # each starts pytest


@pytest.fixture(autouse=True)
def few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(tmp_path: Path, text: str, *arguments: str) -> Ended:
    (tmp_path / "test_some.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.progress",
        "--rootdir",
        str(tmp_path),
        *arguments,
        str(tmp_path),
    ]
    return ended(command)


@pytest.mark.parametrize("processes", [[], ["-p", "xdist.plugin", "-n", "2"]])
def test_each_tenth_of_the_tests_is_a_line(tmp_path: Path, processes: list[str]) -> None:
    shown = re.findall(r"^  (\d+) of 21 tests, 0:\d\d$", run(tmp_path, TESTS, *processes).stdout, re.MULTILINE)
    assert len(shown) == 10
    assert shown[-1] == "21"


@pytest.mark.parametrize("processes", [[], ["-p", "xdist.plugin", "-n", "2"]])
def test_a_test_takes_as_long_as_its_setup_and_it_together(tmp_path: Path, processes: list[str]) -> None:
    text = """
import time
import pytest

@pytest.fixture(params=[True, False])
def slow(request):
    time.sleep(0.2)
    assert request.param
    yield
    time.sleep(0.2)

def test_passes(slow):
    time.sleep(0.2)

def test_is_skipped():
    pytest.skip("later")
"""
    times = tmp_path / "times.json"
    shown = run(tmp_path, text, *processes, "--times-to", str(times)).stdout
    assert "1 passed, 1 skipped, 1 error" in shown
    assert "  3 of 3 tests, 0:0" in shown
    known = json.loads(times.read_text())
    file = "test_some.py::"
    assert known["seconds"][f"{file}test_passes[True]"] >= 0.6
    assert 0.2 <= known["seconds"][f"{file}test_passes[False]"] < 0.6
    assert known["failed"].keys() == {f"{file}test_passes[False]"}


def test_a_command_runs_beside_the_stages_and_ends_with_them(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    program = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)"
    started = time.monotonic()
    with stages.meanwhile((sys.executable, "-c", program)):
        while not begun.exists():
            assert time.monotonic() < started + PATIENCE
            time.sleep(0.02)
    assert time.monotonic() < started + 2 * PATIENCE


def test_only_what_needs_a_build_begins_one(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []

    def meanwhile(command: object) -> nullcontext[None]:
        begun.append(command)
        return nullcontext()

    monkeypatch.setattr(stages, "meanwhile", meanwhile)
    monkeypatch.setattr(stages, "run", lambda *_: 0)
    for command in COMMANDS:
        stages.main([command])
    assert dict(zip(COMMANDS, begun, strict=True)) == {
        "check": (),
        "test": stages.BUILD,
        "ci": stages.BUILD,
        "thorough": stages.BUILD,
        "coverage": (),
    }


def test_a_subtest_that_passed_is_counted_without_a_letter(tmp_path: Path) -> None:
    text = "def test_some(subtests):\n    for at in range(3):\n        with subtests.test(at=at):\n            pass\n"
    shown = run(tmp_path, text).stdout
    assert "  1 of 1 tests, 0:00\n" in shown
    assert "1 passed, 3 subtests passed" in shown
    assert "u" not in shown.partition(" of 1 tests")[0]


def test_stages_say_what_they_are_and_how_long_they_took(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "test_wrong.py").write_text("def test_fails():\n    assert False\n")
    plan = [
        Stage(name, (f"--rootdir={tmp_path}", str(tmp_path / file)))
        for name, file in [("the good ones", "test_some.py"), ("the bad one", "test_wrong.py"), ("never", "test_some.py")]
    ]
    assert stages.run("test", plan) == 1
    shown = capfd.readouterr().out
    assert "1 of 3: the good ones\n" in shown
    assert "2 of 3: the bad one\n" in shown
    assert "3 of 3" not in shown
    assert re.search(r"The 10 longest tests:\n +\d\.\d s  test_some.py::test_takes_longer\n", shown)
    assert re.search(r"make test:\n +0:\d\d  the good ones\n +0:\d\d  the bad one FAILED\n\n", shown)
    assert shown.endswith("\n\ntest_wrong.py::test_fails\n  line 2: assert False\n")


@pytest.mark.parametrize(("ci", "status", "how"), [("", 0, " skipped"), ("true", 1, " FAILED")])
def test_a_stage_of_another_date_has_its_clock_and_without_faketime_is_skipped_but_in_ci_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], ci: str, status: int, how: str
) -> None:
    """Processes that a test starts have that date, too. How long something takes stays what it is."""
    text = "import datetime, subprocess, time\n\n\ndef test_date():\n    began = time.monotonic()\n    time.sleep(0.2)\n"
    text += "    assert 0.2 <= time.monotonic() - began < 60\n    shown = subprocess.check_output(['date', '+%Y'], text=True)\n"
    (tmp_path / "test_some.py").write_text(text + "    assert shown.strip() == '2096' == f'{datetime.date.today():%Y}'\n")
    plan = [Stage("a far day", (f"--rootdir={tmp_path}", str(tmp_path)), datetime(2096, 2, 29, tzinfo=UTC))]
    monkeypatch.setenv("CI", ci)
    if shutil.which("faketime") and "FAKETIME" not in os.environ:
        assert stages.run("test", plan) == 0, capfd.readouterr().out
    monkeypatch.setenv("PATH", str(tmp_path))
    assert stages.run("test", plan) == status
    assert f"a far day{how}: faketime is missing\n" in capfd.readouterr().out


@pytest.mark.parametrize("today", [datetime(2028, 2, 29, tzinfo=UTC), datetime(2028, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_other_dates_are_to_come(today: datetime) -> None:
    leap_day, later, last_minute = (f"{it:%Y-%m-%d %H:%M}" for it in stages.other_dates(today).values())
    assert (leap_day, last_minute) == ("2032-02-29 12:00", "2029-12-31 23:59")
    assert later[:4] in ("2038", "2039")


def test_durations_are_minutes_and_seconds() -> None:
    assert [clock(seconds) for seconds in (0.4, 59.9, 60, 754)] == ["0:00", "0:59", "1:00", "12:34"]


def test_what_make_thorough_leaves_out_it_runs_with_more() -> None:
    fewer = 0
    for file in (path for name in ("tests", "clients") for path in (ROOT / name).rglob("test_*.py")):
        text = file.read_text()
        if file != Path(__file__) and "pytest.mark.few" in text:
            functions = [it for it in ast.walk(ast.parse(text)) if isinstance(it, ast.FunctionDef)]
            marks = [
                ast.unparse(mark) for it in functions for mark in it.decorator_list if "pytest.mark.few" in ast.unparse(mark)
            ]
            assert len(marks) == text.count("pytest.mark.few"), f"{file}: not in the parameters of a test"
            assert [it for it in marks if not re.search(r"^pytest.*marks=pytest.mark.thorough\)", it)] == []
            fewer += len(marks)
    assert fewer > 10
    today = [stage for stage in COMMANDS["thorough"] if not stage.at]
    assert [stage.arguments[stage.arguments.index("-m") + 1] for stage in today] == ["not few"] * 3


def test_ci_runs_all_but_the_long_tests_on_a_stack() -> None:
    *in_larger_numbers, on_a_stack = COMMANDS["ci"]
    assert (tuple(in_larger_numbers), on_a_stack) == (COMMANDS["thorough"][:2], COMMANDS["test"][2])


def test_make_test_and_make_thorough_run_every_folder_with_tests() -> None:
    folders = {path.parent for name in ("tests", "benchmarks", "clients") for path in (ROOT / name).rglob("test_*.py")}
    folders -= {ROOT / "clients/local/examples/patterns"}  # of a project of its own: e2e/test_own_machines.py runs it
    for command in ("test", "thorough"):
        roots = [ROOT / argument for stage in COMMANDS[command] for argument in stage.arguments if (ROOT / argument).is_dir()]
        assert [folder for folder in folders if not any(folder.is_relative_to(root) for root in roots)] == []
