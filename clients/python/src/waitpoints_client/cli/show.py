"""What commands print: for a person on a terminal, plain and tab-separated in a pipe, or JSON."""

import json
import os
import re
import select
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from waitpoints_client.ignorable import DEFAULT_IGNORABLE

if TYPE_CHECKING:
    from waitpoints_client.answer import Answer

_STATUS_STYLES = {"WAITING": "yellow", "COMPLETED": "green", "FAILED": "red", "TIMED_OUT": "red"}
_CODES = {"yellow": "33", "green": "32", "red": "31"}
_LINE_BREAKS = re.compile(r"[\t\n\r]+")
_EMOJI = r"[\xa9\xae\u203c\u2049\u2122-\u21aa\u231a-\u27bf\u2934-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
_LETTER = r"[\u0600-\u077f\u0860-\u0dff\ufb50-\ufdff\ufe70-\ufefe]"  # of scripts that need joiners
_JOINS = rf"(?:(?<={_EMOJI})|(?<={_EMOJI}\ufe0f))\u200d(?={_EMOJI})|(?<={_EMOJI})\ufe0f|(?<={_LETTER})[\u200c\u200d]"
_UNPRINTABLE = re.compile(
    f"(?!{_JOINS})"  # shown as it is in an emoji, and between such letters
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"  # C0 without tab and line feed, DEL, C1
    f"{DEFAULT_IGNORABLE}\\u2028\\u2029\\u2800\\ufff9-\\ufffb\\U0001d159"  # what cannot be seen, breaks or reorders a line
    "\\ud800-\\udfff]"  # half of a surrogate pair, which no terminal is sent
)
_FREE = {"TAGS", "KEY", "WHY", "RESULT", "TO", "SUBJECT"}
"""Columns that can be shortened."""
_TITLE = "TITLE"
"""The last column, if a table has it: on a terminal, a line above the first column's text, where there is more room."""
_GAP = "  "  # between columns
_SPANS = (("d", 86_400), ("h", 3_600), ("m", 60))


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Styled(NamedTuple):
    """Words in a style of ECMA-48, such as "31" for red."""

    code: str
    words: str


def text(*parts: object, stream: TextIO | None = None) -> None:
    """Print a line. All output of commands goes through here, except tables on a terminal, whose cells `cell` has read."""
    stream = stream or sys.stdout
    colours = has_colours(stream)
    written = (printable(part.words if isinstance(part, Styled) else str(part)) for part in parts)
    painted = (
        f"\x1b[{part.code}m{words}\x1b[0m" if colours and isinstance(part, Styled) else words
        for part, words in zip(parts, written, strict=True)
    )
    print("".join(painted), file=stream, flush=True)


def printable(found: str) -> str:
    """Write as `\\u202e` what a terminal would obey or hide, except tabs and line feeds. JSON stays the same JSON."""
    return _UNPRINTABLE.sub(_number, found)


def _number(found: re.Match[str]) -> str:
    return "\\u" + found[0].encode("utf-16-be", "surrogatepass").hex(" ", 2).replace(" ", "\\u")


def value(found: Any) -> None:
    """Print a JSON value for a program. It may have answers of the API in it."""
    text(written(found))


def written(found: Any) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False, default=as_value)


def as_value(found: "Answer") -> Any:
    """Return an answer of the API as JSON with the API's names, without the fields that are absent."""
    return json.loads(found.model_dump_json(by_alias=True, exclude_none=True))


def record(found: Any) -> None:
    """Print a JSON value as one of several lines."""
    text(json_text(found))


def json_text(found: Any) -> str:
    return json.dumps(found, ensure_ascii=False, default=as_value)


def note(line: str) -> None:
    """Write a line to the standard error output, apart from the command's output."""
    text(line, stream=sys.stderr)


def error(message: str, status: int = 1) -> int:
    """Print an error, and return the exit status."""
    text(Styled("31", "Error:"), f" {message}", stream=sys.stderr)
    return status


def has_colours(stream: TextIO) -> bool:
    """Whether to colour what is written there. See no-color.org."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def fields(found: Mapping[str, Any]) -> None:
    """Print names and values: aligned on a terminal, separated by tabs in a pipe."""
    width = max(map(len, found), default=0) if is_terminal(sys.stdout) else 0
    for name, member in found.items():
        text(f"{name:<{width}}  " if width else f"{name}\t", member if isinstance(member, Styled) else cell(str(member)))


def cell(found: str) -> str:
    """Return a text without what would break a line, a column or the terminal: a tag can have any character."""
    return printable(_LINE_BREAKS.sub(" ", found))


def rows(columns: Sequence[str], found: Iterable[Sequence[str]]) -> None:
    """Print a table on a terminal, and lines without a heading, separated by tabs, in a pipe."""
    if not is_terminal(sys.stdout):
        for row in found:
            text("\t".join(map(cell, row)))
    elif made := list(found):
        from rich.console import Console

        console = Console()
        console.print(table(columns, made, console.width))
    else:
        note("None found")


def table(columns: Sequence[str], found: Iterable[Sequence[str]], width: int) -> Any:
    """Return a Rich table for a terminal of this width. A status is coloured. Texts are never read as markup."""
    from rich.table import Table
    from rich.text import Text

    cells = [[cell(text) for text in row] for row in found]
    titles = [row.pop() if columns[-1] == _TITLE else "" for row in cells]
    columns, rows = _without_empty([column for column in columns if column != _TITLE], cells)
    made = Table(box=None, header_style="bold", pad_edge=False)
    for column, size in zip(columns, _widths(columns, rows, max(map(len, titles), default=0), width), strict=True):
        made.add_column(column, no_wrap=column != "WHY", overflow="ellipsis", width=size)
    for title, row in zip(titles, rows, strict=True):
        first, *others = (Text(text, style=_STATUS_STYLES.get(text, "")) for text in row)
        made.add_row(Text.assemble((title, "bold"), "\n", first) if title else first, *others)
    return made


def _without_empty(columns: Sequence[str], rows: list[list[str]]) -> tuple[Sequence[str], list[list[str]]]:
    """Leave out the columns without a single value: on a terminal of 80 columns there is little room."""
    kept = [number for number in range(len(columns)) if any(row[number] for row in rows)] if rows else range(len(columns))
    return [columns[number] for number in kept], [[row[number] for number in kept] for row in rows]


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], longest_title: int, width: int) -> list[int]:
    """Return the columns' widths. Columns of free text share what is left: an id must be whole, to be copied.

    So does what the longest title lacks in the first column.
    """
    widths = [max(len(text) for text in texts) for texts in zip(columns, *rows, strict=True)]
    widths.append(max(longest_title - widths[0], 0))
    least = [len(column) for column in columns] + [0]
    free = sorted((number for number, column in enumerate(columns) if column in _FREE), key=lambda number: widths[number])
    free.append(len(columns))
    left = width - len(_GAP) * (len(columns) - 1) - sum(size for number, size in enumerate(widths) if number not in free)
    for place, number in enumerate(free):
        widths[number] = max(min(widths[number], left // (len(free) - place)), least[number])
        left -= widths[number]
    return [widths[0] + widths[-1], *widths[1:-1]]


def pause(seconds: float) -> None:
    """Sleep, and raise BrokenPipeError if standard output is a pipe that nobody reads any more, as `tail -f` does."""
    time.sleep(seconds)
    if hasattr(select, "poll"):  # not on Windows
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            raise BrokenPipeError


def status(name: str) -> Styled:
    return Styled(_CODES[_STATUS_STYLES[name]], name)


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
    return f"{seconds / length:.0f}{unit}"


def stop_writing() -> None:
    """Let nothing fail that is still to be written to a closed pipe, such as at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
