"""Connecting to a stack: an error says in one sentence what is missing and what to set."""

import signal
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from waitpoints_client.cli.program import program
from waitpoints_client.ops.deployed import Deployed, NotFound, Outputs, invocation_config

COMMANDS = ["smoke", "doctor", "redrive"]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # else a stack of the developer's is found
    monkeypatch.setattr(signal, "signal", lambda *_: None)


def told(command: str, *arguments: str) -> str:
    """What a command that cannot reach its stack says."""
    result = CliRunner().invoke(program, [command, *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr.removeprefix("Error: ")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "AWS_REGION",
            "",
            "No region: set AWS_REGION, such as AWS_REGION=eu-west-1, or choose a profile with a region with AWS_",
        ),
        ("AWS_REGION", "eu-west-1", "No AWS credentials: set AWS_PROFILE, or log in with `aws configure` or `aws sso login`\n"),
        ("AWS_PROFILE", "absent", "No profile absent in AWS's configuration: check AWS_PROFILE\n"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, command: str, variable: str, value: str, said: str) -> None:
    monkeypatch.setenv(variable, value)
    assert told(command, "--stack", "nope").startswith(said)


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_stack_the_message_says_how_to_get_one(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    message = told(command)

    assert message.startswith("No stack: start one with `waitpoints up`")
    assert str(tmp_path) in message


class TestAStack:
    @pytest.fixture
    def stubbed(self, monkeypatch: pytest.MonkeyPatch) -> tuple[Deployed, Stubber]:
        session = boto3.Session("id", "secret", region_name="eu-west-1")
        client = session.client("cloudformation")
        monkeypatch.setattr(Deployed, "client", lambda *_: client)
        return Deployed("nope", session), Stubber(client)

    def test_that_does_not_exist_names_the_region_searched(self, stubbed: tuple[Deployed, Stubber]) -> None:
        stack, answers = stubbed
        answers.add_client_error("describe_stacks", "ValidationError", "Stack with id nope does not exist")

        with answers, pytest.raises(NotFound, match="No stack nope in eu-west-1 of this account: check its name"):
            _ = stack.outputs

    def test_without_the_expected_outputs_is_refused(self, stubbed: tuple[Deployed, Stubber]) -> None:
        stack, answers = stubbed
        described = {"StackName": "nope", "CreationTime": 0, "StackStatus": "ROLLBACK_COMPLETE"}
        answers.add_response("describe_stacks", {"Stacks": [described]})

        with answers, pytest.raises(NotFound, match="no output ApiUrl"):
            _ = stack.outputs["ApiUrl"]


def test_outputs_are_returned() -> None:
    assert Outputs({"ApiUrl": "https://a"})["ApiUrl"] == "https://a"


@pytest.fixture
def stack_that_answers(serve_url: Callable[..., str]) -> Callable[..., Deployed]:
    """Makes a stack whose Lambda is on this machine, and gives each invocation this answer."""

    def stack(headers: dict[str, str], body: bytes) -> Deployed:
        def answer(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
            request.rfile.read(int(request.headers["Content-Length"]))
            return 200, headers, body

        session = boto3.Session("id", "secret", region_name="eu-west-1")
        return Deployed("waitpoints", session, {"endpoint_url": serve_url(answer)})

    return stack


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="macOS gives the option another name")
def test_an_invocation_sends_a_probe_long_before_a_nat_gateway_forgets_its_connection(
    stack_that_answers: Callable[..., Deployed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 350 seconds: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html."""
    options = (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    )
    seen: list[list[int]] = []
    connect = socket.socket.connect

    def note_options(self: socket.socket, address: Any) -> None:
        seen.append([self.getsockopt(*option) for option in options])
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", note_options)

    assert stack_that_answers({}, b"null").invoke("doctor", {}) is None

    [(on, after, pause)] = seen
    assert on == 1
    assert max(after, pause) < 350


def test_a_long_invocation_is_awaited_and_not_retried() -> None:
    config = invocation_config(900)

    functions = boto3.Session("id", "secret", region_name="eu-west-1").client("lambda", config=config)

    assert functions.meta.config.read_timeout > 900
    assert functions.meta.config.retries["total_max_attempts"] == 1


@pytest.mark.parametrize("qualifier", ["", ":live"])
def test_the_error_of_a_function_names_it(stack_that_answers: Callable[..., Deployed], qualifier: str) -> None:
    error = b'{"errorType": "Bug", "errorMessage": "why"}'
    stack = stack_that_answers({"X-Amz-Function-Error": "Unhandled"}, error)

    with pytest.raises(RuntimeError, match=r"^doctor failed: Bug: why$"):
        stack.invoke(f"arn:aws:lambda:eu-west-1:123456789012:function:doctor{qualifier}", {})


def test_it_says_whether_it_is_on_this_machine_or_where_in_aws() -> None:
    session = boto3.Session("a", "b", region_name="eu-west-1")
    assert Deployed("waitpoints", session).place == "in eu-west-1"
    assert Deployed("waitpoints", session, {"endpoint_url": "http://127.0.0.1:8787"}).place == (
        "on this machine (http://127.0.0.1:8787)"
    )
