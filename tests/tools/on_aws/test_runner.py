"""Steps are lines of a shell here. `$PPID` is the process that runs them."""

import os
import select
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tools.on_aws.runner import Row, Stop, listening, run
from tools.on_aws.steps import STEPS, Step

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@dataclass
class Redaction:
    """Replaces what it knows."""

    known: list[str] = field(default_factory=list)

    def text(self, text: str) -> str:
        for value in self.known:
            text = text.replace(value, "<secret>")
        return text


@contextmanager
def running(folder: Path, *steps: Step) -> Iterator[list[Row]]:
    with listening(time.monotonic() + 1000) as stop:
        yield run(enumerate(steps, 1), ENVIRONMENT, folder, Redaction(["hunter2"]), stop)


def one(line: str, folder: Path) -> Row:
    with running(folder, Step("one", line, "", 0)) as [row]:
        return row


@pytest.mark.slow
@pytest.mark.parametrize("failing", [step.name for step in STEPS])
def test_what_needs_a_failed_step_is_skipped_and_the_rest_runs(failing: str, tmp_path: Path) -> None:
    with running(tmp_path, *(replace(it, line="exit 3" if it.name == failing else "true") for it in STEPS)) as rows:
        became = {row.name: row.status for row in rows}
    assert became[failing] == "failed"
    for step, row in zip(STEPS, rows, strict=True):
        lacking = [name for name in step.needs if became[name] != "ok"]
        if step.name != failing:
            assert (row.status, row.reason) == (
                "skipped" if lacking else "ok",
                ", ".join(f"needs {name}: {became[name]}" for name in lacking),
            )
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{row.number:02}-{row.name}.txt" for row in rows if row.status != "skipped"
    }


def test_the_file_has_the_command_and_what_was_printed_redacted(tmp_path: Path) -> None:
    row = one("printf '10 %%\\r20 %%\\rpassword hunter2\\n\\n'; echo 'a, skipping upload'; echo hunter2 >&2", tmp_path)
    assert (row.status, row.reason) == ("ok", "")
    command, _, head, *printed = (tmp_path / "01-one.txt").read_text().splitlines()
    assert command == "$ printf '10 %%\\r20 %%\\rpassword <secret>\\n\\n'; echo 'a, skipping upload'; echo <secret> >&2"
    assert head == f"started {row.started}, {row.seconds} s, status 0: ok"
    assert printed == ["", "password <secret>", "", "<secret>"]


def test_the_terminal_has_one_line_a_step(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path, Step("one", "echo 123; echo 456 >&2", "", 0), Step("two", "exit 1", "", 0)):
        said = capfd.readouterr().out.splitlines()
    assert [line.split()[:3] for line in said] == [["01", "one", "ok"], ["02", "two", "failed"]]


def test_figures_and_differences(tmp_path: Path) -> None:
    row = one("printf 'figure\\tp50\\t12 ms\\ndiffers\\t429, not 413\\nfigure\\tno value\\n'", tmp_path)
    assert (row.figures, row.differs) == ({"p50": "12 ms"}, ["429, not 413"])


DENIED = "An error occurred (AccessDenied) when calling the CreateBucket operation: Access Denied"
NOT_AUTHORIZED = "User: arn:aws:iam::1:user/a is not authorized to perform: sts:TagSession on resource: b because no policy"


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        ("echo first; echo last; exit 77", "skipped", "last"),
        (f"echo '{NOT_AUTHORIZED}'; exit 77", "skipped", NOT_AUTHORIZED),
        ("echo Error: 403; echo FAILED  why; echo last; exit 1", "failed", "why"),
        ("echo FAILED  it; echo; echo Error: why; echo; exit 1", "failed", "Error: why"),
        ("echo '  failed   a  why'; echo ' -> do'; echo; echo 1 of 9 checks failed; exit 1", "failed", "failed a why"),
        ("exit 9", "failed", "status 9"),
        ("no-such-program", "failed", "sh: 1: no-such-program: not found"),
        (f"echo '{NOT_AUTHORIZED}'; echo last; exit 1", "failed", "the right sts:TagSession is missing"),
        (f"echo '{DENIED}'; echo '{NOT_AUTHORIZED}'; exit 1", "failed", "the right CreateBucket and sts:TagSession is missing"),
        (f"echo '{NOT_AUTHORIZED}'", "ok", ""),
    ],
)
def test_why_a_step_was_not_ok(line: str, status: str, reason: str, tmp_path: Path) -> None:
    row = one(line, tmp_path)
    assert (row.status, row.reason) == (status, reason)


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", ""])
def test_a_step_ends_with_all_that_it_started_and_after_a_signal_no_other_begins(name: str, tmp_path: Path) -> None:
    os.mkfifo(fifo := tmp_path / "fifo")
    (folder := tmp_path / "evidence").mkdir()
    signalled = f"kill -{name} $PPID; kill -{name} $PPID; wait"
    line = f"(trap '' TERM; exec sleep 600) 3>{fifo} {'' if name else '>&3 2>&3'} & trap 'exit 0' TERM; echo begun; "
    steps = Step("one", line + (signalled if name else "true"), "", 0), Step("two", "true", "", 0)
    with closing(os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK))) as read, running(folder, *steps) as rows:
        assert select.select([read], [], [], 60)[0]  # at its end: nobody holds the other one
        assert read.read() == ""
    said = [(row.status, row.reason) for row in rows]
    assert said == ([("failed", f"ended: SIG{name}"), ("skipped", f"SIG{name}")] if name else [("ok", ""), ("ok", "")])
    assert rows[0].seconds < 300
    assert (folder / "01-one.txt").read_text().endswith("\n\nbegun\n")


def test_no_step_runs_longer_than_the_time_for_all(tmp_path: Path) -> None:
    class OnceBegun(Stop):
        def reason(self) -> str:
            self.deadline = 0 if (tmp_path / "begun").exists() else time.monotonic() + 1000
            return super().reason()

    steps = Step("one", f"touch {tmp_path}/begun; sleep 600", "", 0), Step("two", "true", "", 0)
    rows = run(enumerate(steps, 1), ENVIRONMENT, tmp_path, Redaction(), OnceBegun(0))
    assert [(row.status, row.reason) for row in rows] == [
        ("failed", "ended: the time is over"),
        ("skipped", "the time is over"),
    ]


@pytest.mark.parametrize("error", ["", "no network to hunter2"])
def test_what_a_step_has_made_is_known_before_its_output_is_written_or_that_it_is_not(error: str, tmp_path: Path) -> None:
    def learn() -> None:
        clean.known.append("hunter2")
        if error:
            raise ConnectionError(error)

    clean, steps = Redaction(), [(1, Step("one", "echo made hunter2", "", 0))]
    [row] = run(steps, ENVIRONMENT, tmp_path, clean, Stop(time.monotonic() + 1000), learn)
    assert (tmp_path / "01-one.txt").read_text().endswith("made <secret>\n")
    said = ["the values that may not be published could not be read: no network to <secret>"]
    assert (row.status, row.differs) == ("ok", said if error else [])
