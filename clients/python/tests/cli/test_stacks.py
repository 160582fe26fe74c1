"""Which stack a command is for."""

import json
import socket
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from waitpoints_client import Waitpoints
from waitpoints_client.cli import stacks
from waitpoints_client.cli.problems import CommandProblem
from waitpoints_client.cli.program import program


def serve(folder: Path, port: int = 8787) -> None:
    """Leave the file with which `make run` describes its stack."""
    (folder / ".local").mkdir()
    (folder / ".local" / "stack.json").write_text(json.dumps({"api_url": f"http://127.0.0.1:{port}", "api_key": "local"}))


def test_the_stack_of_make_run_is_found_from_a_folder_below(no_stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(no_stack)
    (no_stack / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(no_stack / "a" / "b")

    assert stacks.find_client(None).url == "http://127.0.0.1:8787"


def test_the_environment_comes_before_the_stack_of_make_run(no_stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(no_stack)
    monkeypatch.setenv("WAITPOINTS_URL", "https://waitpoints.example")
    monkeypatch.setenv("WAITPOINTS_API_KEY", "key")

    assert stacks.find_client(None).url == "https://waitpoints.example"


@pytest.mark.parametrize(("one", "other"), [("WAITPOINTS_URL", "WAITPOINTS_API_KEY"), ("WAITPOINTS_API_KEY", "WAITPOINTS_URL")])
def test_half_of_the_environment_is_refused(no_stack: Path, monkeypatch: pytest.MonkeyPatch, one: str, other: str) -> None:
    serve(no_stack)
    monkeypatch.setenv(one, "https://waitpoints.example")

    with pytest.raises(CommandProblem, match=f"{one} is set, but {other} is not: set both"):
        stacks.find_client(None)


def test_without_a_stack_the_message_says_what_was_tried(no_stack: Path) -> None:
    result = CliRunner().invoke(program, ["list"])

    assert (result.exit_code, result.stdout) == (1, "")
    for tried in ("--stack", "WAITPOINTS_URL", "WAITPOINTS_API_KEY", "make run", str(no_stack), ".local/stack.json"):
        assert tried in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_stack_of_the_environment_that_does_not_answer_is_reported(no_stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("WAITPOINTS_URL", f"http://{host}")
    monkeypatch.setenv("WAITPOINTS_API_KEY", "key")
    monkeypatch.setattr("time.sleep", lambda _: None)

    result = CliRunner().invoke(program, ["list"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {host} did not answer: ")
    assert result.stderr.endswith(
        ". WAITPOINTS_URL names it: start it, or correct the URL, or unset WAITPOINTS_URL and WAITPOINTS_API_KEY\n"
    )


def test_a_stack_that_has_ended_since_is_reported(no_stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is left only if it was killed. A command that waits meanwhile says the same."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    serve(no_stack, port)
    monkeypatch.setattr("time.sleep", lambda _: None)

    result = CliRunner().invoke(program, ["list"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: The local stack at http://127.0.0.1:{port} has ended\n"


def test_what_was_typed_is_checked_before_a_stack_is_looked_for(no_stack: Path) -> None:
    result = CliRunner().invoke(program, ["create", "--verify", "github"])

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: --verify github has another form")


def test_a_command_closes_its_connections_also_if_it_fails(no_stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Waitpoints] = []
    client = Waitpoints("http://127.0.0.1:9", "key")
    monkeypatch.setattr(stacks, "find_client", lambda _: client)
    monkeypatch.setattr(client, "close", lambda: closed.append(client))
    monkeypatch.setattr("time.sleep", lambda _: None)

    assert CliRunner().invoke(program, ["list"]).exit_code == 1
    assert closed == [client]


@pytest.mark.parametrize("command", [["create"], ["list"], ["doctor"], ["rotate-key", "--yes"]])
def test_an_empty_name_is_no_other_stack(no_stack: Path, command: list[str]) -> None:
    """As `--stack "$STACK"` gives it, with STACK unset."""
    serve(no_stack)

    result = CliRunner().invoke(program, [*command, "--stack", ""])

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: --stack is empty: name a stack in your AWS account, or leave it out")


@pytest.mark.parametrize("command", [["list", "--stack", "s"], ["doctor"], ["logs"], ["rotate-key"]])
def test_without_boto3_the_message_names_the_extra(no_stack: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.delitem(sys.modules, "waitpoints_client.ops.deployed", raising=False)
    monkeypatch.setitem(sys.modules, "boto3", None)  # as if it was not installed

    result = CliRunner().invoke(program, command)

    assert result.exit_code != 0
    assert 'pip install "./clients/python[aws]"' in result.stderr


def test_try_uses_the_stack_that_is_named_and_no_other(no_stack: Path) -> None:
    """Also from a folder that has one."""
    pytest.importorskip("waitpoints_local")
    serve(no_stack)
    (no_stack / "machine.json").write_text('{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')
    (no_stack / "other").mkdir()
    file = no_stack / "other" / "stack.json"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    said = {
        json.dumps({"endpoint_url": f"http://127.0.0.1:{port}"}): f"The stack at http://127.0.0.1:{port} no longer runs",
        "{}": "other/stack.json does not describe a local stack",
        "[]": "other/stack.json does not describe a local stack",
    }
    for text, error in said.items():
        file.write_text(text)
        for named in ("other", "other/stack.json"):
            assert error in CliRunner().invoke(program, ["try", "machine.json", "--local", named]).stderr
