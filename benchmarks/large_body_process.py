"""Handle one request with a large body a few times in a process of its own, and print what that took.

Reads the event from standard input, and prints JSON: the processor time of each time in milliseconds, and by how many bytes
the first one raised the peak of the process's memory. With `json.loads` as the handler, its body is only parsed.

    python -m benchmarks.large_body_process MODULE.HANDLER
"""

import gc
import importlib
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks import aws_stub

REPEATED = 3
WARM_UP = '"' + "x" * 200_000 + '"'  # large enough for the bucket, so that its client is there
PARSER = "json.loads"


def memory(name: str) -> int:
    """Return a figure of the kernel about this process's memory, in bytes."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found, f"no {name}"
    return int(found[1]) * 1024


def peak_of(run: Callable[[], None]) -> int:
    """Return by how much the peak of the memory rises above what is in use now."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # from now on VmHWM is the peak since now (proc(5))
    before = memory("VmRSS")
    run()
    return memory("VmHWM") - before


def request(target: str, event: dict[str, Any]) -> Callable[[], None]:
    """Return a function that handles the event once."""
    if target == PARSER:
        gc.disable()  # as `json_text` does

        def parse() -> None:
            json.loads(event["body"])

        return parse
    aws_stub.connect_to_stub()
    module, _, name = target.rpartition(".")
    handler = getattr(importlib.import_module(module), name)
    context = SimpleNamespace(aws_request_id="8f4e8c1e-5f0f-4d3c-9c53-0c5b1a4d9e77")

    def handle(event: dict[str, Any] = event) -> None:
        aws_stub.forget_tokens()
        answer = handler(event, context)
        assert answer["statusCode"] == 200, answer

    handle({**event, "body": WARM_UP, "isBase64Encoded": False})
    return handle


def main(target: str, event: dict[str, Any]) -> dict[str, Any]:
    run = request(target, event)
    took: list[float] = []

    def timed() -> None:
        started = time.thread_time_ns()
        run()
        took.append((time.thread_time_ns() - started) / 1e6)

    peak = peak_of(timed)
    for _ in range(REPEATED - 1):
        timed()
    return {"milliseconds": took, "peak": peak}


if __name__ == "__main__":
    figures = main(sys.argv[1], json.load(sys.stdin))
    print(json.dumps(figures), file=sys.stderr)  # a function's log lines are on standard output
