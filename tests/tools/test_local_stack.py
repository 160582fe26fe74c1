"""Two stacks that run from the same folder share `stack.json`."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from waitpoints_local.stack import free_port, hand_over


@pytest.fixture
def serving() -> Iterator[str]:
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_when_one_stops_the_file_describes_the_one_still_running(tmp_path: Path, serving: str) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    for name, endpoint_url in (("stack.json", dead), ("stack.1.json", dead), ("stack.2.json", serving)):
        (tmp_path / name).write_text(json.dumps({"endpoint_url": endpoint_url}))

    hand_over(tmp_path)

    assert json.loads((tmp_path / "stack.json").read_text()) == {"endpoint_url": serving}


def test_when_the_last_one_stops_the_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{}")

    hand_over(tmp_path)

    assert list(tmp_path.iterdir()) == []
