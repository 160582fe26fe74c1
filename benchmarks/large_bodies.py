"""Measure what a callback with the largest body takes: the whole request, from its event to AWS's answers.

The function runs from a plain `sam build`, in a process of its own, with AWS stubbed at the socket (`aws_stub`).
"""

import base64
import json
import random
import statistics
from dataclasses import dataclass, field
from typing import Any

from benchmarks import measured_requests
from benchmarks.figures import Figures, table
from benchmarks.large_body_process import PARSER
from benchmarks.measured_requests import Case

LIMIT = 3_145_728  # bytes (contract K1)
ROUNDS = 3
MEBIBYTE = 1024 * 1024
MOST_TIME, MOST_MEMORY = 100, 100 * MEBIBYTE  # milliseconds of processor time, and bytes, for nested arrays
NESTED, BRACKETS = "nested arrays", "arrays, nothing but brackets"
JSON, TEXT, FORM, BYTES = "application/json", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream"


@dataclass
class Body:
    title: str
    content_type: str
    content: bytes
    own: list[float] = field(default_factory=list)
    parser: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    def measure(self, case: Case) -> None:
        event = self.event(case)
        own = handled(case, f"{case.function}.handler", event)
        self.own += own["milliseconds"]
        self.peaks.append(own["peak"])
        if self.content_type == JSON:
            self.parser += handled(case, PARSER, event)["milliseconds"]

    def event(self, case: Case) -> str:
        """Return the callback with this body, as API Gateway sends it: what is no text by its content type in base64."""
        event = json.loads(case.event)
        is_text = self.content_type in (JSON, TEXT)
        event["headers"]["content-type"] = self.content_type
        event["body"] = self.content.decode() if is_text else base64.b64encode(self.content).decode()
        return json.dumps({**event, "isBase64Encoded": not is_text})

    @property
    def milliseconds(self) -> float:
        return statistics.median(self.own)

    @property
    def peak(self) -> float:
        return statistics.median(self.peaks)

    def cells(self) -> list[str]:
        parser = f"{statistics.median(self.parser):.0f}" if self.parser else ""
        return [self.title, f"**{self.milliseconds:.0f}**", f"**{self.peak / MEBIBYTE:.0f}**", parser]

    @property
    def missed(self) -> list[str]:
        if self.title != NESTED:
            return []
        time = [f"{self.title} take {self.milliseconds:.0f} ms"] if self.milliseconds > MOST_TIME else []
        return time + ([f"{self.title} take {self.peak / MEBIBYTE:.0f} MiB"] if self.peak > MOST_MEMORY else [])


def filled(one: str) -> bytes:
    """Return an array of as many values with this text as fit."""
    return f"[{','.join([one] * ((LIMIT - 1) // (len(one) + 1)))}]".encode()


def bodies() -> list[Body]:
    webhook = {"action": "opened", "issue": {"id": 4711, "title": 'A "quoted" title', "labels": ["bug", "ü"], "closed": None}}
    depth = 499
    return [
        Body("one string", JSON, json.dumps("x" * (LIMIT - 2)).encode()),
        Body("array of webhooks", JSON, filled(json.dumps(webhook))),
        Body("array of small objects", JSON, filled('{"n":1,"ok":true}')),
        Body(NESTED, JSON, filled(json.dumps([[1, "a", [2.5, "b", [3, "c", ["d"]]]], ["e", []]]))),
        Body(BRACKETS, JSON, filled("[" * depth + "]" * depth)),
        Body("text", TEXT, ("2026-11-25 order 4711 was sent\n" * LIMIT)[:LIMIT].encode()),
        Body("form with a long field", FORM, ("payload=" + "%7B%22n%22%3A1%7D" * LIMIT)[: LIMIT - 1].encode()),
        Body("bytes", BYTES, random.Random(1).randbytes(LIMIT)),  # noqa: S311 - the same ones each time
    ]


def handled(case: Case, handler: str, event: str) -> dict[str, Any]:
    """Handle a request in a process of its own, and return what `large_body_process` measured."""
    return measured_requests.in_process_of_its_own(case, "large_body_process", handler, event=event)


def run() -> Figures:
    measured_requests.build()
    case, measured = measured_requests.callback(), bodies()
    for _ in range(ROUNDS):
        for body in measured:
            body.measure(case)
    head = ["body of 3 MiB", "CPU, ms", "memory, MiB", "`json.loads`, ms"]
    missed = [f"callback: {line}" for body in measured for line in body.missed]
    return Figures(table(head, [body.cells() for body in measured]), tuple(missed))
