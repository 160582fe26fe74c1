"""A stack whose answers to the client stand in a file: replayed where only the client is, else compared or written.

The file of a test module has `# name of the test`, and below it what the client asked and what the stack's handlers answered,
an exchange in each line, the same ones with all parameters. `make answers` writes these files anew. What others do to the
stack meanwhile is in none.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from waitpoints_client import Waitpoints

_HASH = re.compile(r"([0-9a-f]{8})[0-9a-f]{56,}")
"""Of a URL, which no test opens: the file has its beginning."""
NOW = datetime(2027, 1, 15, 8, tzinfo=timezone.utc)
ONCE = {"x-should-retry": "false"}
WRITES = "WRITE_ANSWERS" in os.environ


class RecordedStack(httpx.BaseTransport):
    """`live` sends to the handlers. Without it, the recorded exchanges answer, which must be asked in their order."""

    url = "https://hooks.example.com"
    api_key = "the-api-key-of-this-stack-0123456789-0123456789-0123456789-0123456789"

    def __init__(self, recorded: list[str], live: Any = None) -> None:
        self.now = NOW
        self.heard: list[str] = []
        self._recorded, self._live = recorded, live

    def client(self) -> Waitpoints:
        return Waitpoints(self.url, self.api_key, transport=self)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = unquote(str(request.url).removeprefix(self.url))
        asked = _ascii(" ".join(filter(None, [request.method, path, request.read().decode()])))
        if self._live:
            answer = self._live.handle_request(request)
            text = json.dumps(json.loads(_HASH.sub(r"\1", answer.text)), sort_keys=True, separators=(",", ":"))
            self.heard.append(f"{asked} => {answer.status_code} {text}")
            return httpx.Response(answer.status_code, headers=ONCE, text=text)
        before, _, after = self._recorded[len(self.heard)].partition(" => ")
        assert asked == before
        self.heard.append(self._recorded[len(self.heard)])
        status, _, text = after.partition(" ")
        return httpx.Response(int(status), headers=ONCE, text=text)

    def arrange(self, act: Callable[[Waitpoints], object]) -> None:
        """Let another program do something to the stack."""
        if self._live:
            act(Waitpoints(self.url, self.api_key, transport=self._live))

    def deliver(self, endpoint: str, body: Any, headers: Any = None) -> None:
        """Let a provider deliver to an endpoint."""
        content = body if isinstance(body, (bytes, str)) else json.dumps(body)
        self.arrange(lambda client: self._live.deliver(client.endpoints.get(endpoint).url, content, headers or {}))

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.arrange(lambda _: self._live.advance(seconds=seconds))


@contextmanager
def recorded_stack(test_id: str, monkeypatch: Any) -> Iterator[RecordedStack]:
    """Yield the stack of a test: its handlers, if this environment has them."""
    module, _, test = test_id.partition("[")[0].partition("::")
    sections = read(module)
    live = import_module("tests.support.client_of_handlers").repeatable(NOW, monkeypatch) if find_spec("waitpoints") else None
    stack = RecordedStack(sections.get(test, []), live)
    yield stack
    if WRITES and live:
        sections[test] = stack.heard
        lines = [line for name, section in sections.items() for line in (f"# {name}", *_written(section))]
        _file(module).write_text("\n".join(lines) + "\n")
    else:
        assert stack.heard == sections.get(test, []), "the handlers answer otherwise: see `make answers`"


def read(module: str) -> dict[str, list[str]]:
    """Return the exchanges of each test of a module."""
    file, sections = _file(module), dict[str, list[str]]()
    for line in file.read_text().splitlines() if file.exists() else ():
        if line.startswith("# "):
            section = sections.setdefault(line[2:], [])
        else:
            times, _, exchange = line.partition(" ") if line[0].isdigit() else ("1", "", line)
            section += int(times) * [exchange]
    return sections


def _written(section: list[str]) -> Iterator[str]:
    for exchange, same in groupby(section):
        times = len([*same])
        yield exchange if times == 1 else f"{times} {exchange}"


def _ascii(text: str) -> str:
    """Return JSON as it is written where all can be seen."""
    return "".join(one if one.isascii() else json.dumps(one)[1:-1] for one in text)


def _file(module: str) -> Path:
    return Path(__file__).with_name(f"{Path(module).stem}.txt")
