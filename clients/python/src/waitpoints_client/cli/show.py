"""What commands print: for a person on a terminal, plain and tab-separated in a pipe, or JSON."""

import json
import os
import select
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from waitpoints_client.models import Answer

_STATUS_COLOURS = {"WAITING": "33", "COMPLETED": "32", "FAILED": "31", "TIMED_OUT": "31"}
_SPANS = (("d", 86_400), ("h", 3_600), ("m", 60))


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def text(line: object) -> None:
    print(line, flush=True)


def value(found: Any) -> None:
    """Print a JSON value for a program."""
    text(json.dumps(found, indent=2, ensure_ascii=False))


def answer(found: "Answer") -> None:
    """Print an answer of the API for a program."""
    value(as_value(found))


def as_value(found: "Answer") -> Any:
    """Return an answer of the API as JSON with the API's names, without the fields that are absent."""
    return json.loads(found.model_dump_json(by_alias=True, exclude_none=True))


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
    return f"\x1b[{code}m{words}\x1b[0m" if code and has_colours(stream or sys.stdout) else words


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
        made.add_row(*(Text.from_ansi(status(cell)) for cell in row))
    return made


def pause(seconds: float) -> None:
    """Sleep, and raise BrokenPipeError if standard output is a pipe that nobody reads any more, as `tail -f` does."""
    time.sleep(seconds)
    if hasattr(select, "poll"):  # not on Windows
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            raise BrokenPipeError


def status(name: str) -> str:
    return styled(_STATUS_COLOURS.get(name, ""), name)


def instant(at: datetime | None) -> str:
    """Return a time as "3m ago" or "in 2d" on a terminal, in ISO 8601 in a pipe."""
    if at is None:
        return ""
    if not is_terminal(sys.stdout):
        return at.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    seconds = (at - datetime.now(timezone.utc)).total_seconds()
    near = _span(abs(seconds))
    return f"in {near}" if seconds > 0 else f"{near} ago"


def _span(seconds: float) -> str:
    unit, length = next(((unit, length) for unit, length in _SPANS if seconds >= length), ("s", 1))
    return f"{seconds // length:.0f}{unit}"


def stop_writing() -> None:
    """Let nothing fail that is still to be written to a closed pipe, such as at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
