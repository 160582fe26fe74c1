"""`waitpoints --version`: the client's version, and that of the stack that a command would be for."""

import json
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from waitpoints_client import __version__
from waitpoints_client.cli import stacks
from waitpoints_client.cli.problems import CommandProblem
from waitpoints_client.cli.program import program
from waitpoints_client.ops.deployed import NotFound, Outputs

OURS = f"waitpoints {__version__}\n"
OLDER = "0.0.1"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments)


class Console:
    """A stack's console."""

    status, version = 200, __version__

    def answer(self, request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        page = f'<meta name="generator" content="Waitpoints {self.version}">'
        return self.status, {}, page.encode() if (request.path, self.status) == ("/console", 200) else b""


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def served(no_stack: Path, monkeypatch: pytest.MonkeyPatch, console: Console, serve_url: Callable[..., str]) -> str:
    """The URL of a stack that the environment names."""
    url = serve_url(console.answer)
    monkeypatch.setenv("WAITPOINTS_URL", url)
    monkeypatch.setenv("WAITPOINTS_API_KEY", "key")
    return url


Named = Callable[..., list[str | None]]


@pytest.fixture
def named(no_stack: Path, monkeypatch: pytest.MonkeyPatch) -> Named:
    """Let a stack with these outputs be found. Returns the names by which it is looked for."""

    def named(**outputs: str) -> list[str | None]:
        asked: list[str | None] = []

        def find(name: str | None) -> SimpleNamespace:
            asked.append(name)
            return SimpleNamespace(name="prod", outputs=Outputs(ApiUrl="https://a", **outputs))

        monkeypatch.setattr(stacks, "find_stack", find)
        return asked

    return named


def test_without_a_stack_it_is_the_clients(no_stack: Path) -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout, result.stderr) == (0, OURS, "")


@pytest.mark.parametrize("arguments", [["--version", "--stack", "prod"], ["--stack", "prod", "--version"]])
def test_a_named_stack_says_its_version(named: Named, arguments: list[str]) -> None:
    asked = named(Version=__version__)
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{OURS}stack {__version__} (prod at https://a)\n"
    assert asked == ["prod"]


def test_a_difference_is_reported_with_what_it_means(named: Named) -> None:
    named(Version=OLDER)
    result = run("--version", "--stack", "prod")
    assert result.stdout == f"{OURS}stack {OLDER} (prod at https://a)\n"
    assert result.stderr.startswith(f"This client ({__version__}) is newer than the stack ({OLDER}), which is fine.")

    named(Version="99.0.0")
    assert "upgrade the client" in run("--version", "--stack", "prod").stderr


def test_the_stack_of_make_run_says_its_version(named: Named, no_stack: Path) -> None:
    asked = named(Version=__version__)
    (no_stack / ".local").mkdir()
    (no_stack / ".local" / "stack.json").write_text(json.dumps({}))
    assert run("--version").stdout == f"{OURS}stack {__version__} (prod at https://a)\n"
    assert asked == [None]


def test_the_stack_of_the_environment_says_it_in_its_console(served: str) -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{OURS}stack {__version__} ({served})\n", "")


@pytest.mark.parametrize(("status", "version"), [(404, __version__), (200, "")])
def test_a_stack_that_says_nothing_is_reported(served: str, console: Console, status: int, version: str) -> None:
    console.status, console.version = status, version
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, OURS)
    assert result.stderr == f"The stack at {served} does not say its version: its console is off\n"


def test_a_stack_out_of_reach_fails_only_a_question_for_it(no_stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str | None) -> None:
        raise NotFound("No stack") if name else CommandProblem("It has ended")

    monkeypatch.setattr(stacks, "find_stack", missing)
    (no_stack / ".local").mkdir()
    (no_stack / ".local" / "stack.json").write_text(json.dumps({}))
    result = run("--version")
    assert (result.exit_code, result.stdout, result.stderr) == (0, OURS, "It has ended\n")
    result = run("--version", "--stack", "prod")
    assert (result.exit_code, result.stdout, result.stderr) == (1, OURS, "Error: No stack\n")

    monkeypatch.setenv("WAITPOINTS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WAITPOINTS_API_KEY", "key")
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, OURS)
    assert result.stderr == "The stack at http://127.0.0.1:9 does not answer: ConnectError\n"


def test_a_stack_before_a_command_is_never_ignored(no_stack: Path) -> None:
    result = run("--stack", "prod", "list")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: --stack comes after the command, such as waitpoints list --stack NAME\n"


def test_it_needs_no_boto3_without_a_stack_in_aws(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)  # as if it was not installed
    monkeypatch.delitem(sys.modules, "waitpoints_client.ops.deployed", raising=False)
    assert run("--version").stderr == ""
