"""Commands run against a stack on moto, as from a pipe."""

import json
import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote

import httpx
import pytest
from recorded_stack import RecordedStack, recorded_stack
from typer.main import get_command
from typer.testing import CliRunner, Result

from waitpoints_client import Waitpoints
from waitpoints_client.cli import durations, resends, stacks
from waitpoints_client.cli.program import program
from waitpoints_client.testing import FakeWaitpoints

Run = Callable[..., Result]


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    """Typer would make all commands anew for each run, which takes longer than most of them."""
    with mock.patch("typer.testing._get_command", cache(get_command)):
        yield


@pytest.fixture
def fake(request: pytest.FixtureRequest) -> Any:
    """The fake, or the stack's handlers in a test that uses them."""
    return request.getfixturevalue("handlers") if "handlers" in request.fixturenames else FakeWaitpoints()


@pytest.fixture
def handlers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedStack]:
    """The stack's handlers, for what the fake does not do, or what they answered."""
    with recorded_stack(request.node.nodeid, monkeypatch) as stack:
        monkeypatch.setattr(durations, "datetime", mock.Mock(now=lambda _: stack.now))
        monkeypatch.setattr(resends, "uuid", mock.Mock(uuid4=lambda: "1"))
        yield stack


@pytest.fixture
def asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Run a command. Returns what it asks a stack that refuses everything: method, path and body."""

    def asked(*arguments: str, input: str | None = None) -> list[str]:
        found: list[str] = []

        def refuse(request: httpx.Request) -> httpx.Response:
            found.append(f"{request.method} {unquote(str(request.url).removeprefix(url))} {request.content.decode()}".rstrip())
            return httpx.Response(422)

        url, transport = "https://a.test/api/v1", httpx.MockTransport(refuse)
        with monkeypatch.context() as patched:
            patched.setattr(stacks, "find_client", lambda _: Waitpoints("https://a.test", "key", transport=transport))
            run(*arguments, input=input)
        return found

    return asked


@pytest.fixture
def run(fake: FakeWaitpoints, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command of this stack. Returns its exit code, its standard output and its standard error."""
    monkeypatch.setattr(stacks, "find_client", lambda _: fake.client())

    def run(*arguments: str, input: str | None = None) -> Result:
        return CliRunner().invoke(program, arguments, input=input, prog_name="waitpoints")

    return run


@pytest.fixture
def printed(run: Run) -> Callable[..., Any]:
    """Run a command with --json. Returns the JSON that it prints: nothing else is on standard output."""

    def printed(*arguments: str, status: int = 0, input: str | None = None) -> Any:
        result = run(*arguments, "--json", input=input)
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    return printed


@pytest.fixture
def no_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder without a stack, and an environment without one."""
    for name in ("WAITPOINTS_URL", "WAITPOINTS_API_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("WAITPOINTS_LOCAL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was opened in the browser."""
    found: list[str] = []

    def browse(url: str) -> bool:
        found.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    return found


class Terminal:
    """A command that runs on a pseudo-terminal."""

    def __init__(self, code: str, *arguments: str, columns: int = 120, **environment: str) -> None:
        """`code` is the program's."""
        self._terminal, writer = pty.openpty()
        attach = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"  # Ctrl-C is for who has this terminal
        clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", attach + code, *arguments],
            stdin=writer,
            stdout=writer,
            stderr=writer,
            env={**clean, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "24", **environment},
            start_new_session=True,
        )
        os.close(writer)

    def read_until(self, text: str) -> str:
        """Return what is shown until this text is, or until the command ends if it never is."""
        shown = b""
        while not text or text.encode() not in shown:
            try:
                found = os.read(self._terminal, 65_536)
            except OSError:  # Linux's way to say that the other side is closed
                found = b""
            if not found:
                break
            shown += found
        return shown.decode()

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def end(self) -> tuple[int, str]:
        """Return the exit status, and what is shown until the end."""
        shown = self.read_until("")
        os.close(self._terminal)
        return self.process.wait(120), shown


@pytest.fixture(scope="session")
def open_terminal() -> type[Terminal]:
    return Terminal
