"""One POST to a channel: what is called, what is read of the answer, and what a status means."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3

from waitpoints import https
from waitpoints.api.notices import posting
from waitpoints.errors import NotSent, NotSentNow


class Server:
    """Answers each request with what it has next, and keeps what came."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.pause = threading.Event()
        self.is_slow = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                if server.is_slow:
                    server.pause.wait(5)
                status, headers, content = server.answers.pop(0) if server.answers else (200, {}, b"{}")
                self.send_response(status)
                for name, value in {"content-length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/a"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def end(self) -> None:
        self.pause.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    monkeypatch.setenv("SLACK_API_URL", server.url)
    yield server
    server.end()


def test_sends_json_in_utf_8(server: Server) -> None:
    answer = posting.post(server.url, {"text": "é"}, {"authorization": "Bearer x"})
    [(path, headers, body)] = server.requests
    assert (path, json.loads(body), headers["authorization"]) == ("/a", {"text": "é"}, "Bearer x")
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert "é".encode() in body
    assert (answer.status, answer.members) == (200, {})


def test_follows_no_redirect(server: Server) -> None:
    server.answers = [(302, {"location": server.url}, b"")]
    with pytest.raises(NotSent, match="HTTP 302"):
        posting.post(server.url, {}, {}).check()
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 202, 204])
def test_is_sent(server: Server, status: int) -> None:
    server.answers = [(status, {}, b"")]
    posting.post(server.url, {}, {}).check()
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff", b'{"a":'])
def test_an_answer_that_is_no_json_object_has_no_members(server: Server, body: bytes) -> None:
    server.answers = [(200, {}, body)]
    assert posting.post(server.url, {}, {}).members == {}


def test_reads_no_more_than_it_should(server: Server) -> None:
    server.answers = [(200, {}, b"x" * (https.MAX_ANSWER + 100_000)), (200, {}, b'{"a":1}')]
    assert len(posting.post(server.url, {}, {}).body) == https.MAX_ANSWER
    assert posting.post(server.url, {}, {}).members == {"a": 1}


def test_does_not_wait_for_long(server: Server) -> None:
    server.is_slow = True
    with pytest.raises(NotSentNow, match="ReadTimeoutError"):
        posting.post(server.url, {}, {}, urllib3.Timeout(connect=1, read=0.05))


def test_an_error_does_not_name_the_url(server: Server) -> None:
    server.end()
    with pytest.raises(NotSentNow) as raised:
        posting.post(f"{server.url}/secret", {}, {})
    assert str(raised.value) == "NewConnectionError"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    "url", ["http://example.com/x", "http://127.0.0.1.example.com/", "ftp://127.0.0.1/", "//x", "", "https://", "https://[::1"]
)
def test_calls_nothing_but_https(url: str) -> None:
    with pytest.raises(NotSent, match="not an https URL"):
        posting.post(url, {}, {})


LOOPBACK = ["http://127.0.0.1:1/", "http://localhost/", "http://[::1]:8/", "http://127.0.0.1:9001/2018-06-01/runtime/"]


@pytest.mark.parametrize("url", LOOPBACK)
def test_calls_this_machine_only_where_a_stand_in_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda's runtime API is on loopback (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html)."""
    assert (posting.may_call(url), posting.may_call("https://hooks.example.com/x")) == (False, True)
    monkeypatch.setenv("SLACK_API_URL", f"{url}api")
    assert posting.may_call(url)
    assert [posting.may_call(other) for other in LOOPBACK] == [other == url for other in LOOPBACK]
