"""Measure a function's first invocation under Lambda's own runtime interface client, against a bare handler.

`awslambdaric` imports the handler of a plain `sam build`, asks a server on this machine for an event and sends it the
answer, as it does in Lambda. The same server is AWS. The figure is the processor time of the process from its start until it
asks for a second event. The bare handler makes the same clients and the same calls; function and bare handler take turns.
"""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks import aws_stub, measured_requests
from benchmarks.cold_start import Paired
from benchmarks.figures import Figures, table
from benchmarks.measured_requests import Case, environment

ROUNDS = 25
BUDGET = 1.25
PATIENCE = 60  # seconds
RUNTIME_API = "/2018-06-01/runtime/"
_HEADERS = {
    "Content-Type": "application/json",
    "Lambda-Runtime-Aws-Request-Id": "8f4e8c1e-5f0f-4d3c-9c53-0c5b1a4d9e77",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:measured",
    "Lambda-Runtime-Trace-Id": "Root=1-69245f3a-5d2c1f0b7a4e6d8c9b0a1f2e;Sampled=0",
}


class Server(ThreadingHTTPServer):
    """Lambda's runtime API for one event, and AWS."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def begin(self, event: str) -> None:
        self.event: str | None = event
        self.outcome = b""
        self.failed = False
        self.is_done = threading.Event()


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """The next event. After the first one the process is idle: it is measured now, and hears no more."""
        event, self.server.event = self.server.event, None
        if event is None:
            self.server.is_done.set()
            with suppress(ConnectionError):
                self.rfile.read(1)  # until it has ended
            self.close_connection = True
            return
        deadline = int((time.time() + PATIENCE) * 1000)
        self._answer(200, event.encode(), {**_HEADERS, "Lambda-Runtime-Deadline-Ms": str(deadline)})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if not self.path.startswith(RUNTIME_API):
            self.wfile.write(aws_stub.answer(f"x-amz-target: {self.headers['x-amz-target']}\r\n".encode() + body))
            return
        self.server.outcome = body
        self.server.failed = self.path.endswith("/error")
        self._answer(202, b"{}", {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_parts: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def invoke(server: Server, case: Case, handler: str) -> float:
    """Start the runtime with this handler, give it the case's event, and return the processor time in milliseconds."""
    server.begin(case.event)
    variables = {**environment(case, f"http://{server.address}"), "AWS_LAMBDA_RUNTIME_API": server.address}
    process = subprocess.Popen([sys.executable, "-S", "-m", "awslambdaric", handler], env=variables, stdout=subprocess.DEVNULL)
    in_time = server.is_done.wait(PATIENCE)
    process.kill()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if not in_time or server.failed or b'"statusCode": 200' not in server.outcome:
        raise SystemExit(f"{handler} failed: {server.outcome.decode()}")
    return (used.ru_utime + used.ru_stime) * 1000


@dataclass
class FirstInvocations(Paired):
    case: Case

    def measure(self, server: Server) -> None:
        own, bare = f"{self.case.function}.handler", f"{self.case.bare}.same_calls"
        self.take_turns(partial(invoke, server, self.case, own), partial(invoke, server, self.case, bare))

    def cells(self) -> list[str]:
        return [self.case.title, f"**{self.ratio:.2f}**", f"{statistics.median(self.own):.0f}"]


def run() -> Figures:
    measured_requests.build()
    measured = [FirstInvocations(case) for case in (measured_requests.callback(), measured_requests.create())]
    with serving() as server:
        for _ in range(ROUNDS):
            for first in measured:
                first.measure(server)
    head = ["request", f"ratio (budget {BUDGET:.2f})", "CPU, ms"]
    missed = [f"{first.case.title} takes {first.ratio:.2f} at first" for first in measured if first.ratio > BUDGET]
    return Figures(table(head, [first.cells() for first in measured]), tuple(missed))
