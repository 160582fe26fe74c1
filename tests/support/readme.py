"""The snippets of README.md, of the client's and of four pages of docs, by the names above them, and what they print."""

import json
from collections.abc import Iterator
from textwrap import indent
from typing import Any

from tests.support.documents import blocks
from tools.stack import ROOT

README = (ROOT / "README.md").read_text()
SNIPPETS = blocks(README, "snippet")
CLIENT_SNIPPETS = blocks((ROOT / "clients" / "python" / "README.md").read_text(), "snippet")
API_SNIPPETS, DURABLE_SNIPPETS, EVENTS_SNIPPETS, PATTERNS_SNIPPETS = (
    blocks((ROOT / "docs" / f"{page}.md").read_text(), "snippet") for page in ("api", "durable", "events", "patterns")
)
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
