"""A warm function in a process of its own: serve one event many times, and print what each request took.

Reads the event from standard input, and prints JSON: the processor time of a request in microseconds, how much of it was
inside boto3's calls, which calls a request makes, and the memory in bytes after each tenth of the requests.

    python -m benchmarks.warm_process MODULE.HANDLER REQUESTS
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.client

from benchmarks import aws_stub

WARM_UP = 300  # requests that are not measured: the first ones fill caches


class Calls:
    """The calls that boto3 made, and the processor time that this thread has spent inside them, in nanoseconds."""

    def __init__(self) -> None:
        self.time = 0
        self.operations: list[str] = []
        client_class: Any = botocore.client.BaseClient
        make = client_class._make_api_call

        def timed(client: object, operation: str, parameters: Any) -> Any:
            self.operations.append(operation)
            started = time.thread_time_ns()
            try:
                return make(client, operation, parameters)
            finally:
                self.time += time.thread_time_ns() - started

        client_class._make_api_call = timed


def resident_memory() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def serve(target: str, event: dict[str, Any], requests: int) -> dict[str, Any]:
    module, _, name = target.rpartition(".")
    aws_stub.connect_to_stub()
    calls = Calls()
    handler = getattr(importlib.import_module(module), name)
    context = SimpleNamespace(aws_request_id="8f4e8c1e-5f0f-4d3c-9c53-0c5b1a4d9e77")
    for _ in range(WARM_UP):
        aws_stub.forget_tokens()
        calls.operations.clear()
        answer = handler(event, context)
        assert answer["statusCode"] == 200, answer
    operations, memory = list(calls.operations), []
    calls.time, started = 0, time.thread_time_ns()
    for number in range(1, requests + 1):
        handler(event, context)
        calls.operations.clear()
        if number * 10 % requests == 0:
            memory.append(resident_memory())
    total = time.thread_time_ns() - started
    took = {"request": total / requests / 1000, "calls": calls.time / requests / 1000}
    return {**took, "operations": operations, "memory": memory}


if __name__ == "__main__":
    figures = serve(sys.argv[1], json.load(sys.stdin), int(sys.argv[2]))
    print(json.dumps(figures), file=sys.stderr)  # a function's log lines are on standard output
