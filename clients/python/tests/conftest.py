"""Some tests need an extra: the operator's commands boto3, pages that can be edited jsonschema, an adapter its framework."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from threading import Thread
from typing import Any

import pytest

from waitpoints_client import Waitpoints
from waitpoints_client.testing import FakeWaitpoints

OF_AWS = ["ops", "cli/test_secrets.py", "cli/test_versions.py", "test_from_stack.py"]
FRAMEWORKS = {
    "pydantic_ai": "pydantic_ai",
    "langgraph": "langgraph",
    "openai_agents": "agents",
    "strands": "strands",
    "mcp": "mcp",
}
collect_ignore = [
    *([] if find_spec("boto3") else OF_AWS),
    *([] if find_spec("jsonschema") else ["agents"]),
    *(f"frameworks/test_{name}.py" for name, module in FRAMEWORKS.items() if not find_spec(module)),
    *([] if any(map(find_spec, FRAMEWORKS.values())) else ["frameworks/test_promises.py"]),
]


@pytest.fixture
def fake() -> FakeWaitpoints:
    return FakeWaitpoints()


@pytest.fixture
def waitpoints(fake: FakeWaitpoints) -> Waitpoints:
    return fake.client()


@pytest.fixture
def serve() -> Iterator[Callable[..., ThreadingHTTPServer]]:
    """Serves HTTP on this machine until the test ends. `answer` returns the status, the headers and the body."""
    with ExitStack() as ends:

        def serve(answer: Callable[[BaseHTTPRequestHandler], tuple[int, dict[str, str], bytes]]) -> ThreadingHTTPServer:
            class Handler(BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"

                def do_GET(self) -> None:
                    status, headers, body = answer(self)
                    self.send_response(status)
                    for name, value in {**headers, "content-length": str(len(body))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)

                do_POST = do_GET

                def log_message(self, *_: Any) -> None:
                    pass

            server = ends.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            server.block_on_close = False  # a client may keep its connection
            ends.callback(server.shutdown)
            Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            return server

        yield serve


@pytest.fixture
def serve_url(serve: Callable[..., ThreadingHTTPServer]) -> Callable[..., str]:
    """As `serve`. Returns the URL."""
    return lambda answer: f"http://127.0.0.1:{serve(answer).server_port}"
