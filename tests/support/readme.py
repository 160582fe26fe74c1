"""The snippets of README.md, of the client's and of four pages of docs, by the names above them, and what they print."""

import json
import re
from collections.abc import Iterator
from textwrap import indent
from typing import Any

from tools.stack import ROOT

README = (ROOT / "README.md").read_text()
_SNIPPET = re.compile(r"<!-- snippet: ([^>]+) -->\n```\w+\n(.*?)```", re.DOTALL)


def find_snippets(text: str) -> dict[str, str]:
    return dict(_SNIPPET.findall(text))


SNIPPETS = find_snippets(README)
CLIENT_SNIPPETS = find_snippets((ROOT / "clients" / "python" / "README.md").read_text())
API_SNIPPETS = find_snippets((ROOT / "docs" / "api.md").read_text())
DURABLE_SNIPPETS = find_snippets((ROOT / "docs" / "durable.md").read_text())
EVENTS_SNIPPETS = find_snippets((ROOT / "docs" / "events.md").read_text())
PATTERNS_SNIPPETS = find_snippets((ROOT / "docs" / "patterns.md").read_text())
APPROVALS = {
    "in JSONPath": (ROOT / "examples" / "approval.asl.json").read_text(),
    "in JSONata": (ROOT / "examples" / "approval_in_jsonata.asl.json").read_text(),
}
FIRST_OF_SEVERAL = f"""
from functools import partial

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import CompletionConfig, ParallelConfig
from waitpoints_client.durable import wait_for_token


@durable_execution
def handler(event: dict[str, list[str]], context: DurableContext) -> object:
{indent(DURABLE_SNIPPETS["first of several"], "    ")}
"""


def json_texts(printed: str) -> Iterator[Any]:
    """The JSON texts that several commands printed one after the other."""
    decoder, rest = json.JSONDecoder(), printed.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        yield value
        rest = rest[end:].lstrip()
