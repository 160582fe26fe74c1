"""Runs steps one after the other, whatever becomes of each, and keeps what they print, redacted."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from tools.on_aws.steps import Step
from tools.stack import ROOT
from waitpoints_local.stack import end, has_exited

NOTHING_TO_PROVE = 77
_LONGEST_REASON = 400
_NO_RIGHT = (
    re.compile(r"not authorized to perform:?\s+([\w-]+:\w+)"),
    re.compile(r"\((?:AccessDenied\w*|UnauthorizedOperation|AuthorizationError\w*)\) when calling the (\w+) operation"),
)
_PROGRESS = re.compile(r"[^\n]*\r(?!\n)|[^\n]*, skipping upload *\n")
"""What a program has written over, and SAM's lines on what it need not upload."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Redacts(Protocol):
    def text(self, text: str, /) -> str: ...


@dataclass
class Row:
    number: int
    name: str
    command: str
    started: str
    seconds: float
    status: str
    """ok, failed or skipped."""
    reason: str = ""
    figures: dict[str, str] = field(default_factory=dict)
    differs: list[str] = field(default_factory=list)


@dataclass
class Stop:
    """Why no further step may run: nothing, or a signal's name, or that the time is over."""

    deadline: float
    """By time.monotonic()."""
    signalled: str = ""

    def reason(self) -> str:
        return self.signalled or ("the time is over" if time.monotonic() > self.deadline else "")


@contextmanager
def listening(deadline: float) -> Iterator[Stop]:
    """Note signals that would end this process, so that it can clean up. No second one ends it either."""
    stop = Stop(deadline)

    def note(number: int, _: object) -> None:
        stop.signalled = signal.Signals(number).name

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(text: str) -> None:
    """Print a line, if the terminal is still there."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the process ends


def run(
    steps: Iterable[tuple[int, Step]],
    environment: Mapping[str, str],
    folder: Path,
    clean: Redacts,
    stop: Stop,
    learn: Callable[[], None] = lambda: None,
) -> list[Row]:
    """Run each step that may run. `learn` tells `clean` what may not be published, before a step's output is written."""
    rows: dict[str, Row] = {}
    for number, step in steps:
        row = Row(number, step.name, clean.text(step.line), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", 0, "skipped")
        rows[step.name] = row
        row.reason = stop.reason() or _lacks(step, rows)
        if not row.reason:
            _run(step, row, environment, folder, clean, stop, learn)
        say(f"{number:02} {row.name:<15} {row.status:<8} {row.seconds:7.1f} s")
    return list(rows.values())


def _lacks(step: Step, rows: Mapping[str, Row]) -> str:
    """Return which steps it needs that have not been ok."""
    became = {name: rows[name].status if name in rows else "left out" for name in step.needs}
    return ", ".join(f"needs {name}: {status}" for name, status in became.items() if status != "ok")


def _run(
    step: Step, row: Row, environment: Mapping[str, str], folder: Path, clean: Redacts, stop: Stop, learn: Callable[[], None]
) -> None:
    began = time.monotonic()
    status, printed, ended_by = _output(step.line, environment, stop)
    row.seconds = round(time.monotonic() - began, 1)
    try:
        learn()
    except Exception as error:  # whatever it is, the next step runs, and the patterns redact
        row.differs.append(clean.text(f"the values that may not be published could not be read: {error}"))
    text = clean.text(_PROGRESS.sub("", printed))
    lines = [line.split("\t") for line in text.splitlines()]
    row.figures = {it[1]: it[2] for it in lines if it[0] == "figure" and len(it) == 3}
    row.differs += [it[1] for it in lines if it[0] == "differs" and len(it) == 2]
    row.status = "failed" if ended_by else {0: "ok", NOTHING_TO_PROVE: "skipped"}.get(status, "failed")
    if row.status != "ok":
        row.reason = f"ended: {ended_by}" if ended_by else _reason(text, status)
    head = f"$ {row.command}\n\nstarted {row.started}, {row.seconds} s, status {status}: {row.status} {row.reason}".rstrip()
    (folder / f"{row.number:02}-{row.name}.txt").write_text(f"{head}\n\n{text}")


def _output(line: str, environment: Mapping[str, str], stop: Stop) -> tuple[int, str, str]:
    """Run a line. Returns its status, what it printed, and what ended it, if it did not end by itself."""
    process = subprocess.Popen(
        ["sh", "-euc", line],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    ended_by = ""
    while True:
        try:
            printed, _ = process.communicate(timeout=0.2)
        except subprocess.TimeoutExpired:
            if not ended_by and (ended_by := stop.reason()):
                end(process.pid, partial(has_exited, process))
                _kill(process.pid)
        else:
            _kill(process.pid)
            return process.returncode, printed.decode(errors="replace"), ended_by


def _kill(group: int) -> None:
    """End what a step has left running."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _reason(text: str, status: int) -> str:
    rights = sorted({right for pattern in _NO_RIGHT for right in pattern.findall(text)})
    if status != NOTHING_TO_PROVE and rights:
        return f"the right {' and '.join(rights)} is missing"
    said = [line for line in text.splitlines() if line.strip()]
    if failed := [number for number, line in enumerate(said) if line.startswith("FAILED")]:  # a step may tidy up after that
        said = [
            said[failed[-1]],
            *(line for line in said[failed[-1] :] if line.startswith("Error: ")),
        ]  # that of SAM is its last
    elif said and said[-1].endswith("checks failed"):
        said = [line for line in said if line.startswith("  failed  ")] or said
    return " ".join(said[-1].removeprefix("FAILED").split())[:_LONGEST_REASON] if said else f"status {status}"
