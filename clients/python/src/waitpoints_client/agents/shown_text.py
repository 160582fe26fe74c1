"""What a model wrote, as text that a person can read: nothing in it is hidden, reordered, or looks like something else.

    ▸ order: A-1
    ▸ parts:
      ▸ 1. lamp
    ▸ note:
      │ Two
      │ lines

Only what begins a value has the arrow, on whatever screen long lines are broken: in a text, it is written as in `\\u202e`.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any
from unicodedata import category

from waitpoints_client.wire import write_json

_EMOJI = "[\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]\ufe0f?\u200d?"  # an emoji, and what joins it
_UNSEEN = (  # controls, format characters, and what else Unicode says is not shown (Default_Ignorable_Code_Point)
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_MARK = r"(?<=[^\w\s]{5})[^\w\s\x20-\x7e]"  # perhaps a letter's sixth mark: so many reach into other lines
ARROW = "▸"
_ARROWS = "[‣▶▷▸▹►▻⏵⯈]"  # it, and what looks like it
_ESCAPE = r"\\(?=u[0-9a-f]{4}|U[0-9a-f]{8})"  # what would look like one of the above
_ESCAPED = re.compile(f"{_ARROWS}|{_ESCAPE}|(?P<kept>{_EMOJI})|{_UNSEEN}|(?P<mark>{_MARK})")
_BLANKS = re.compile(r"\n{5,}|(?:[^\S\n]|\u2800){41,}")  # these push what follows out of sight
_BLANK = re.compile(rf"(?:\s|\u2800|{_UNSEEN})*")
_PLAIN_NAME = re.compile(r"\w[\w .-]{0,99}(?<! )")
_DOUBTFUL = re.compile(r'|true|false|null|-?[0-9][0-9.eE+-]*|[{\["│].*|\s.*|.*[^\S\n]')  # looks like another value
_DEEPEST = 12  # levels that are indented

MOST_BLOCKS, LONGEST_NAME = 20, 200
HUGE = 100_000  # characters, which no page can show
LONGEST_NOTE = 200  # what is said of a cut


def visible(text: str) -> str:
    """Return a text in which a character that is not seen, or moves others, is written as in `\\u202e`. Line feeds stay."""
    shown = _ESCAPED.sub(_escaped, text.replace("\r\n", "\n"))
    return _BLANKS.sub(lambda found: f"[{len(found[0]):,} {'line breaks' if found[0][0] == chr(10) else 'spaces'}]", shown)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if found["kept"] or (found["mark"] and category(character) not in ("Mn", "Me")):
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen."""
    return _BLANK.fullmatch(text) is not None


def one_line(text: str, most: int) -> str:
    """Return a text that is shown in a line, with "…" if it is longer than `most` characters."""
    return beginning(text, most, "\\u000a")


def beginning(text: str, most: int, line_break: str = "\n") -> str:
    """Return how a text is shown, with "…" if it is longer than `most` characters."""
    shown = visible(text[: most + 1].replace("\r\n", "\n")).replace("\n", line_break)
    return shown if len(text) <= most and len(shown) <= most else f"{shown[: most - 1]}…"


def json_of(value: Any) -> str:
    """Return the JSON text of arguments. Raises ValueError for what is no JSON."""
    try:
        return write_json(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"The arguments are no JSON: {error}") from None


def weight(text: str) -> int:
    """Return how much of a page a text needs: its bytes of JSON, or a third of those of HTML, if that is more."""
    written = json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return max(len(written) - 2, len(escape(text).encode("utf-8", "surrogatepass")) // 3)


def _label(name: Any) -> str:
    """Return the name of a member as it begins its value. Raises ValueError for what is no name in JSON."""
    if not isinstance(name, str):
        raise ValueError(f"The arguments are no JSON: {name!r} is the name of a member")
    shown = visible(name)
    return shown if _PLAIN_NAME.fullmatch(shown) else _quoted(shown)


def blocks_text(blocks: Mapping[str, Any], whole: Any, room: int) -> tuple[str, bool]:
    """Return values as lines, each after its name, and whether they are cut: they may weigh `room`.

    Many values, or one whose name is long, are cut together, as `whole`.
    """
    if len(blocks) > MOST_BLOCKS or any(len(str(name)) > LONGEST_NAME for name in blocks):
        return _fitting(_lines(blocks, ""), whole, room)
    fitted = fit(blocks, room)
    return "\n".join(text for text, _ in fitted), any(is_cut for _, is_cut in fitted)


def fit(blocks: Mapping[str, Any], room: int) -> list[tuple[str, bool]]:
    """Return the lines of each value after its name, and whether they are cut. Where one is long, short ones stay whole."""
    starts = [(f"{ARROW} {_label(name)}:", value) for name, value in blocks.items()]
    written = [_written(_after(start, value, ""), value) for start, value in starts]
    share = _share([weight(text) + (4 if is_whole else LONGEST_NOTE) for text, is_whole in written], room)
    return [_fitting(_after(start, value, ""), value, share - 4) for start, value in starts]


def value_text(value: Any, room: int) -> tuple[str, bool]:
    """Return a value without a name as lines, and whether they are cut."""
    return _fitting(_lines(value, ""), value, room)


def _fitting(lines: Iterable[str], value: Any, room: int) -> tuple[str, bool]:
    text, is_whole = _written(lines, value)
    return (text, False) if is_whole and weight(text) <= room else (cut(text, value, room), True)


def _written(lines: Iterable[str], value: Any) -> tuple[str, bool]:
    """Return the lines of a value as a text, and whether it is whole. Of a huge value, which is cut anyway, it has the ends."""
    size = len(value if isinstance(value, str) else write_json(value))
    if size <= HUGE or isinstance(value, str):
        return "\n".join(lines), size <= HUGE
    kept, left = list[str](), HUGE // 4
    for line in lines:
        kept.append(line)
        left -= len(line)
        if left < 0:
            break
    return "\n".join([*kept, visible(write_json(value)[-HUGE // 4 :])]), False


def cut(shown: str, value: Any, room: int) -> str:
    """Return both ends of how a value is shown, its length, and what the whole is known by."""
    text = value if isinstance(value, str) else write_json(value)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    of = "text" if isinstance(value, str) else "JSON"
    note = f"…\n[Cut: {len(text):,} characters. SHA-256 of the {of}: {digest}]\n…"
    most = max(min(room - weight(note), len(shown)), 2)
    while (kept := weight(shown[: most // 2]) + weight(shown[-(most // 2) :])) > room - weight(note) and most > 2:
        most = max(most * (room - weight(note)) // kept - 1, 2)
    return shown[: most // 2] + note + shown[-(most // 2) :]


def _share(sizes: list[int], room: int) -> int:
    """Return how much each may have, so that what is smaller stays whole."""
    for at, size in enumerate(sorted(sizes)):
        if size * (len(sizes) - at) > room:
            return room // (len(sizes) - at)
        room -= size
    return max(sizes, default=0)


def _lines(value: Any, indent: str) -> Iterator[str]:
    """Yield the lines of a value. The start of each says that it is none of a text."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _after(f"{indent}{ARROW} {_label(name)}:", one, indent)
    elif isinstance(value, (list, tuple)) and value:
        for at, one in enumerate(value, 1):
            yield from _after(f"{indent}{ARROW} {at}.", one, indent)
    else:
        first, *more = _scalar(value)
        yield from (f"{indent}│ {line}" for line in (first, *more)) if more else [f"{indent}{first}"]


def _after(start: str, value: Any, indent: str) -> Iterator[str]:
    """Yield the lines of a value behind its name or number: on its line, or indented below it."""
    deeper = f"{indent}  "
    if isinstance(value, (dict, list, tuple)) and value and len(deeper) <= 2 * _DEEPEST:
        yield start
        yield from _lines(value, deeper)
        return
    first, *more = _scalar(value)
    if more:
        yield start
        yield from (f"{deeper}│ {line}" for line in (first, *more))
    else:
        yield f"{start} {first}"


def _scalar(value: Any) -> list[str]:
    """Return the lines of a value that is not indented further. A line that looks like another value is in quotes."""
    if not isinstance(value, str):
        return [visible(write_json(value))]
    shown = visible(value if len(value) <= HUGE else f"{value[: HUGE // 4]}…{value[-HUGE // 4 :]}")
    return [_quoted(shown)] if _DOUBTFUL.fullmatch(shown) else shown.split("\n")


def _quoted(shown: str) -> str:
    return '"' + shown.replace('"', '\\"').replace("\n", "\\u000a") + '"'
