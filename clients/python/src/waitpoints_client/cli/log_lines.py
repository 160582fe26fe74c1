"""How a line of the log is printed."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from waitpoints_client.cli import show

if TYPE_CHECKING:
    from waitpoints_client.ops.logs import Line

_COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31"}
_LEFT_OUT = {"level", "message", "timestamp", "location", "service", "requestId"}
"""What a person does not search for. `--json` has it."""


def show_line(line: "Line", *, as_json: bool) -> None:
    at = line.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if as_json:
        show.record({"at": at, "line": line.record or line.text})
    elif show.is_terminal(sys.stdout):
        show.text(show.Styled("2", f"{line.at:%H:%M:%S}"), *_readable(line))
    else:
        show.text(f"{at}\t{show.cell(line.text)}")


def _readable(line: "Line") -> Iterator[str | show.Styled]:
    record = line.record
    if record is None:
        yield f" {show.cell(line.text)}"
        return
    level = str(record.get("level", ""))
    yield " "
    yield show.Styled(_COLOURS.get(level, "32"), f"{show.cell(level):<7}")
    yield f" {show.cell(str(record.get('message', '')))}"
    for name, value in record.items():
        if name not in _LEFT_OUT:
            yield show.Styled("2", f" {show.cell(name)}=")
            yield show.cell(value) if isinstance(value, str) else show.json_text(value)
