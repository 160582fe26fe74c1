"""Write what a benchmark found into a page of docs/, between its two markers."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


@dataclass(frozen=True, slots=True)
class Figures:
    """What a benchmark found, as Markdown, and a line for each budget that it missed."""

    markdown: str
    missed: tuple[str, ...] = ()


def table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """Return a Markdown table. Columns but the first, or the first `texts`, are aligned to the right."""
    lines = [head, ["---"] * texts + ["---:"] * (len(head) - texts), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write(page: Path, command: str, markdown: str) -> None:
    """Replace what stands in the page between `<!-- figures: COMMAND -->` and `<!-- end of figures -->`."""
    text = page.read_text()
    start, end = _section(text, command)
    page.write_text(f"{text[:start]}\n\n{markdown}\n\n{text[end:]}")


def read(page: Path, command: str) -> str:
    """Return what `write` wrote there last."""
    text = page.read_text()
    start, end = _section(text, command)
    return text[start:end].strip()


def _section(text: str, command: str) -> tuple[int, int]:
    marker = f"<!-- figures: {command} -->"
    assert text.count(marker) == 1, f"the page needs the line {marker} once"
    start = text.index(marker) + len(marker)
    return start, text.index("<!-- end of figures -->", start)


def where_and_when() -> str:
    """Return the line that names the machine and the date of a measurement."""
    model = next((line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")), platform.machine())
    today = datetime.now(UTC).date().isoformat()
    return f"{today}: {os.cpu_count()} cores ({model}), Python {platform.python_version()}."


def _cpu_lines() -> list[str]:
    information = Path("/proc/cpuinfo")
    return information.read_text().splitlines() if information.exists() else []
