"""A call has a limit in time, however the time is spent."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import urllib3

from waitpoints import https
from waitpoints.https import NoAnswer


@pytest.fixture
def dripping() -> Iterator[str]:
    """A server that sends a byte now and then, so that no read of a socket ever times out."""
    ended = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b" " * 1000:
                if ended.wait(0.02):
                    return
                connection.sendall(bytes([byte]))

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    ended.set()
    listening.close()


def test_a_server_that_drips_is_given_up(dripping: str) -> None:
    started = time.monotonic()
    with pytest.raises(NoAnswer, match="TooSlow"):
        https.within(0.3, lambda: https.call("GET", dripping, {}, urllib3.Timeout(3)))
    assert time.monotonic() - started < 15  # 20 s if it were read to its end


def test_what_a_call_returns_or_raises_is_passed_on() -> None:
    assert https.within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        https.within(5, lambda: 1 // 0)


def test_a_server_that_is_not_there_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="NewConnectionError") as raised:
        https.call("GET", "http://127.0.0.1:1/secret", {}, urllib3.Timeout(1))
    assert "secret" not in str(raised.value)
