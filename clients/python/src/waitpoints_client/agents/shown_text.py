"""What a model wrote, as text that a person can read: nothing in it is hidden, reordered, or looks like something else."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
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
_ESCAPED = re.compile(f"(?P<kept>{_EMOJI})|{_UNSEEN}|(?P<mark>{_MARK})")
_BLANKS = re.compile(r"\n{5,}|[^\S\n]{41,}")  # these push what follows out of sight
_PLAIN_NAME = re.compile(r"[^\W\d][\w .-]{0,99}(?<! )")
_OTHER_TYPE = re.compile(r'|true|false|null|-?[0-9][0-9.eE+-]*|[{\["│].*|\s.*|.*\s', re.DOTALL)
_DEEPEST = 12  # levels that are indented

MOST_BLOCKS, LONGEST_NAME = 20, 200


def visible(text: str) -> str:
    """Return a text in which a character that is not seen, or moves others, is written as in `\\u202e`. Line feeds stay."""
    shown = _ESCAPED.sub(_escaped, text.replace("\r\n", "\n"))
    return _BLANKS.sub(lambda found: f"[{len(found[0]):,} {'line breaks' if found[0][0] == chr(10) else 'spaces'}]", shown)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if found["kept"] or (found["mark"] and category(character) not in ("Mn", "Me")):
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"


def one_line(text: str, most: int) -> str:
    """Return a text that is shown in a line, with "…" if it is longer than `most` characters."""
    line = visible(text[: most + 1].replace("\r\n", "\n")).replace("\n", "\\u000a")
    return line if len(text) <= most and len(line) <= most else f"{line[: most - 1]}…"


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


def arguments_text(values: Mapping[str, Any], labels: Mapping[str, str], room: int) -> tuple[str, bool]:
    """Return arguments as lines, by their labels, and whether they are cut: they may weigh `room`."""
    blocks = {name: "\n".join(_member(labels.get(name, name), value, "")) for name, value in values.items()}
    whole = "\n".join(blocks.values())
    if weight(whole) <= room:
        return whole, False
    if len(blocks) > MOST_BLOCKS or any(len(name) > LONGEST_NAME for name in blocks):
        return cut(whole, values, room), True
    share = _share([weight(block) + 1 for block in blocks.values()], room)
    kept = [block if weight(block) < share else cut(block, values[name], share - 1) for name, block in blocks.items()]
    return "\n".join(kept), True


def value_text(value: Any, room: int) -> tuple[str, bool]:
    """Return a value that is no object as lines, and whether they are cut."""
    whole = "\n".join(_lines(value, ""))
    return (whole, False) if weight(whole) <= room else (cut(whole, value, room), True)


def cut(shown: str, value: Any, room: int) -> str:
    """Return both ends of how a value is shown, its length, and what the whole is known by."""
    text = value if isinstance(value, str) else write_json(value)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    of = "text" if isinstance(value, str) else "JSON"
    note = f"…\n[Cut: {len(text):,} characters. SHA-256 of the {of}: {digest}]\n…"
    most = max(room - weight(note), 2)
    while (kept := weight(shown[: most // 2]) + weight(shown[-(most // 2) :])) > room - weight(note) and most > 2:
        most = max(most * (room - weight(note)) // kept - 1, 2)
    return shown[: most // 2] + note + shown[-(most // 2) :]


def _share(sizes: list[int], room: int) -> int:
    """Return how much each may have, so that what is smaller stays whole."""
    for at, size in enumerate(sorted(sizes)):
        if size * (len(sizes) - at) > room:
            return room // (len(sizes) - at)
        room -= size
    raise AssertionError("they have room")


def _member(name: str, value: Any, indent: str) -> Iterator[str]:
    if not isinstance(name, str):
        raise ValueError(f"The arguments are no JSON: {name!r} is the name of a member")
    shown = visible(name)
    label = shown if _PLAIN_NAME.fullmatch(shown) else _quoted(shown)
    yield from _after(f"{indent}{label}:", value, indent)


def _after(start: str, value: Any, indent: str) -> Iterator[str]:
    """Yield the lines of a value behind its name or number: on its line, or indented below it."""
    deeper = f"{indent}  "
    if isinstance(value, (dict, list, tuple)) and value and len(deeper) <= 2 * _DEEPEST:
        yield start
        yield from _lines(value, deeper)
    elif isinstance(value, str) and "\n" in (shown := visible(value)):
        yield start
        yield from (f"{deeper}│ {line}" for line in shown.split("\n"))
    else:
        yield f"{start} {_scalar(value)}"


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _member(name, one, indent)
    elif isinstance(value, (list, tuple)) and value:
        for at, one in enumerate(value, 1):
            yield from _after(f"{indent}{at}.", one, indent)
    elif isinstance(value, str) and "\n" in (shown := visible(value)):
        yield from (f"{indent}│ {line}" for line in shown.split("\n"))
    else:
        yield f"{indent}{_scalar(value)}"


def _scalar(value: Any) -> str:
    """Return a value in one line. A text that looks like a value of another type is in quotes."""
    if not isinstance(value, str):
        return visible(write_json(value))
    shown = visible(value)
    return _quoted(shown) if _OTHER_TYPE.fullmatch(shown) else shown


def _quoted(shown: str) -> str:
    return '"' + shown.replace('"', '\\"').replace("\n", "\\u000a") + '"'
