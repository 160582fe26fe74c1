"""The snippets of README.md, of the client's and of docs/durable.md, by the names above them, and what they print."""

import json
import re
from collections.abc import Iterator
from typing import Any

from local.stack import ROOT

README = (ROOT / "README.md").read_text()
_SNIPPET = re.compile(r"<!-- snippet: ([^>]+) -->\n```\w+\n(.*?)```", re.DOTALL)
SNIPPETS = dict(_SNIPPET.findall(README))
CLIENT_SNIPPETS = dict(_SNIPPET.findall((ROOT / "clients" / "python" / "README.md").read_text()))
DURABLE_SNIPPETS = dict(_SNIPPET.findall((ROOT / "docs" / "durable.md").read_text()))


def json_texts(printed: str) -> Iterator[Any]:
    """The JSON texts that several commands printed one after the other."""
    decoder, rest = json.JSONDecoder(), printed.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        yield value
        rest = rest[end:].lstrip()
