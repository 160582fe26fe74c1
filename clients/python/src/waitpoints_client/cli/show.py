"""What commands print: for a person on a terminal, plain and tab-separated in a pipe, or JSON."""

import json
import os
import select
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def text(line: object) -> None:
    print(line, flush=True)


def value(found: Any) -> None:
    """Print a JSON value for a program."""
    text(json.dumps(found, indent=2, ensure_ascii=False))


def record(found: Any) -> None:
    """Print a JSON value as one of several lines."""
    text(json_text(found))


def json_text(found: Any) -> str:
    return json.dumps(found, ensure_ascii=False)


def note(line: str) -> None:
    """Say something to the person that is no part of the command's output."""
    print(line, file=sys.stderr, flush=True)


def error(message: str, status: int = 1) -> int:
    """Print an error, and return the exit status."""
    note(f"{styled('31', 'Error:', sys.stderr)} {message}")
    return status


def styled(code: str, words: str, stream: TextIO | None = None) -> str:
    """Return the words in a style of ECMA-48, such as "31" for red, if the stream (standard output) has colours."""
    return f"\x1b[{code}m{words}\x1b[0m" if has_colours(stream or sys.stdout) else words


def has_colours(stream: TextIO) -> bool:
    """Whether to colour what is written there. See no-color.org."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def fields(found: Mapping[str, Any]) -> None:
    """Print names and values: aligned on a terminal, separated by tabs in a pipe."""
    width = max(map(len, found), default=0) if is_terminal(sys.stdout) else 0
    for name, member in found.items():
        text(f"{name:<{width}}  {member}" if width else f"{name}\t{member}")


def rows(columns: Sequence[str], found: Iterable[Sequence[str]]) -> None:
    """Print a table on a terminal, and lines without a heading, separated by tabs, in a pipe."""
    if is_terminal(sys.stdout):
        from rich.console import Console

        Console().print(table(columns, found))
        return
    for row in found:
        text("\t".join(row))


def table(columns: Sequence[str], found: Iterable[Sequence[str]]) -> Any:
    """Return a Rich table. A status is coloured; no text of a row is taken for markup."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        made.add_column(column, no_wrap=True, overflow="ellipsis" if number else "fold")
    for row in found:
        made.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    return made


STYLES = {"WAITING": "yellow", "COMPLETED": "green", "FAILED": "red", "TIMED_OUT": "red"}


def pause(seconds: float) -> None:
    """Sleep, and raise BrokenPipeError if standard output is a pipe that nobody reads any more, as `tail -f` does."""
    time.sleep(seconds)
    if hasattr(select, "poll"):  # not on Windows
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            raise BrokenPipeError


def stop_writing() -> None:
    """Let nothing fail that is still to be written to a closed pipe, such as at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
