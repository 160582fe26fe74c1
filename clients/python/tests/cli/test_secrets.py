"""`waitpoints secrets …` on a fake of Secrets Manager. What AWS does is in tests/integration/test_webhook_secrets.py."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from waitpoints_client.cli import stacks
from waitpoints_client.cli.program import program
from waitpoints_client.ops.deployed import NotFound, Outputs

STRIPE, GITHUB = "waitpoints/shop/webhooks/STRIPE", "waitpoints/shop/webhooks/GITHUB"
VALUE = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Missing(ClientError):
    pass


class ToBeDeleted(ClientError):
    pass


@dataclass
class SecretsManager:
    """A stack with this Secrets Manager."""

    name: str = "shop"
    place: str = "in eu-west-1"
    values: dict[str, list[str]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    denied: str = ""

    keys: dict[str, str] = field(default_factory=dict)
    outputs: Outputs = field(default_factory=lambda: Outputs(ApiUrl="https://a"))

    exceptions = SimpleNamespace(ResourceNotFoundException=Missing, InvalidRequestException=ToBeDeleted)

    def client(self, service: str) -> Any:
        assert service == "secretsmanager"
        return self

    def get_secret_value(self, SecretId: str) -> Any:
        self._refuse("GetSecretValue", SecretId)
        return {"SecretString": self.values[SecretId][-1]}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:
        self._refuse("PutSecretValue", SecretId)
        self.values[SecretId].append(SecretString)

    def create_secret(self, Name: str, SecretString: str, KmsKeyId: str = "") -> None:
        self._refuse("CreateSecret")
        self.keys[Name] = KmsKeyId
        assert self.values.setdefault(Name, [SecretString]) == [SecretString]

    def update_secret(self, SecretId: str, KmsKeyId: str) -> None:
        assert SecretId in self.values
        self.keys[SecretId] = KmsKeyId

    def restore_secret(self, SecretId: str) -> None:
        self.deleted.remove(SecretId)

    def _refuse(self, call: str, path: str | None = None) -> None:
        if call == self.denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no policy allows it"}}, call)
        if path in self.deleted:
            raise ToBeDeleted({"Error": {"Code": "InvalidRequestException", "Message": "marked for deletion"}}, call)
        if path is not None and path not in self.values:
            raise Missing({"Error": {"Code": "ResourceNotFoundException", "Message": "none"}}, call)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> SecretsManager:
    stack = SecretsManager()
    monkeypatch.setattr(stacks, "find_stack", lambda _: stack)
    return stack


def put(*arguments: str, input: str | None = f"{VALUE}\n") -> Result:
    return CliRunner().invoke(program, ["secrets", "put", *arguments], input=input, prog_name="waitpoints")


def test_a_pipe_is_stored_under_the_stacks_name_without_its_line_break(stack: SecretsManager) -> None:
    result = put("STRIPE")
    assert stack.values == {STRIPE: [VALUE]}
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "The line break at its end is left out.\nStored as waitpoints/shop/webhooks/STRIPE in eu-west-1.\n"
    assert put("OTHER", input=VALUE).stderr == "Stored as waitpoints/shop/webhooks/OTHER in eu-west-1.\n"


@pytest.mark.parametrize(("source", "input"), [("@file", None), ("-", VALUE)])
def test_a_file_is_stored(
    stack: SecretsManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, input: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text(f"{VALUE}\r\n")
    assert put("STRIPE", source, input=input).exit_code == 0
    assert stack.values == {STRIPE: [VALUE]}


def test_a_stack_may_be_named_by_its_arn(stack: SecretsManager) -> None:
    stack.name = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/5f0c"
    put("STRIPE")
    assert [*stack.values] == [STRIPE]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("channels/SLACK_BOT_TOKEN", "xoxb-1-2-a"),
        ("channels/SLACK_BOT_TOKEN", "xoxe.xoxb-1-2-a"),  # docs.slack.dev/authentication/tokens: with token rotation
        ("channels/SLACK_SIGNING_SECRET", "8f742231b10e8888abcd99yyyzzz85a5"),
        ("channels/TEAMS", "https://prod-1.westeurope.logic.azure.com/workflows/1?sig=a"),
        ("channels/TEAMS_DEPLOYS", "http://127.0.0.1:8080/teams"),
        ("sign-in/OIDC_CLIENT_SECRET", "a secret"),
    ],
)
def test_a_credential_of_a_channel_or_the_issuer_is_kept_apart(stack: SecretsManager, path: str, value: str) -> None:
    assert put(path.partition("/")[2], input=value).stderr == f"Stored as waitpoints/shop/{path} in eu-west-1.\n"
    assert stack.values == {f"waitpoints/shop/{path}": [value]}


def test_the_stacks_key_encrypts_a_new_secret_and_one_that_had_another(stack: SecretsManager) -> None:
    put("GITHUB")
    stack.outputs = Outputs(ApiUrl="https://a", KmsKeyArn="arn:mine")
    put("STRIPE")
    assert stack.keys == {GITHUB: "", STRIPE: "arn:mine"}
    assert "already" in put("GITHUB").stderr
    assert stack.keys == {GITHUB: "arn:mine", STRIPE: "arn:mine"}


def test_another_value_is_the_next_version_and_the_same_one_is_none(stack: SecretsManager) -> None:
    put("STRIPE")
    result = put("STRIPE", input="new")
    assert result.stderr == f"Changed {STRIPE} in eu-west-1. The previous value is accepted for 24 hours.\n"
    again = put("STRIPE", "--json", input="new")
    assert json.loads(again.stdout) == {"secret": STRIPE, "outcome": "unchanged"}
    assert again.stderr == "waitpoints/shop/webhooks/STRIPE in eu-west-1 has this value already.\n"
    assert stack.values == {STRIPE: [VALUE, "new"]}


def test_the_previous_value_ends_at_once_if_asked(stack: SecretsManager) -> None:
    put("STRIPE", "--no-previous")
    result = put("STRIPE", "--no-previous", input="new")
    assert result.stderr == f"Changed {STRIPE} in eu-west-1. The previous value is accepted for up to five minutes.\n"
    assert put("STRIPE", "--no-previous", input="new").stderr == f"{STRIPE} in eu-west-1 has this value already.\n"
    assert stack.values == {STRIPE: [VALUE, "new", "new", "new"]}


@pytest.mark.parametrize(("name", "value"), [("TEAMS", "https://example.com/a"), ("OIDC_CLIENT_SECRET", "a")])
def test_what_is_not_a_webhooks_has_no_previous_value_to_end(stack: SecretsManager, name: str, value: str) -> None:
    result = put(name, "--no-previous", input=value)
    assert (result.exit_code, stack.values) == (2, {})
    assert result.stderr.endswith(f"--no-previous is for a webhook's secret: of {name}, only the current value is used\n")
    put(name, input=value)
    assert "previous" not in put(name, input=f"{value}b").stderr


def test_who_may_write_secrets_only_makes_the_next_version(stack: SecretsManager) -> None:
    stack.values[STRIPE], stack.denied = ["old"], "GetSecretValue"
    assert put("STRIPE").exit_code == 0
    assert stack.values[STRIPE] == ["old", VALUE]


def test_one_that_is_about_to_be_deleted_is_restored(stack: SecretsManager) -> None:
    stack.values[STRIPE], stack.deleted = ["old"], {STRIPE}
    result = put("STRIPE", input=VALUE)
    assert (stack.values[STRIPE], stack.deleted) == (["old", VALUE], set())
    assert result.stderr == (
        f"{STRIPE} in eu-west-1 was about to be deleted, and is restored. Changed {STRIPE} in eu-west-1. "
        "The previous value is accepted for 24 hours.\n"
    )


def test_one_that_is_made_is_printed_once_and_every_scheme_with_a_shared_key_accepts_it(stack: SecretsManager) -> None:
    result = put("GITHUB", "--generate", input=None)
    assert stack.values == {GITHUB: [result.stdout.strip()]}
    assert result.stdout.startswith("whsec_")
    assert len(result.stdout) == len("whsec_") + 44 + 1
    assert result.stderr == "Stored as waitpoints/shop/webhooks/GITHUB in eu-west-1.\n"
    made = json.loads(put("GITHUB", "--generate", "--json", input=None).stdout)
    assert made == {"secret": GITHUB, "outcome": "changed", "value": stack.values[GITHUB][1]}


NAME = "A secret's name is 1 to 64 letters, digits, hyphens or underscores, without the stack's name"
BOT_TOKEN = 'SLACK_BOT_TOKEN must be a bot token of Slack, which begins with "xoxb-", so nothing was stored'
WORKFLOW = 'must be the URL of a workflow in Teams, which begins with "https://", so nothing was stored'


@pytest.mark.parametrize(
    ("arguments", "value", "said"),
    [
        *(([name], VALUE, NAME) for name in ("", "a b", STRIPE, "x" * 65, "schlüssel")),
        (["STRIPE", VALUE], None, "A secret is no argument"),
        (["STRIPE", "@file", "--generate"], None, "--generate makes the value: leave the file out"),
        (["STRIPE"], "", "The secret is empty"),
        (["STRIPE"], "\n", "The secret is empty"),
        (["STRIPE"], "é" * 32_769, "The secret has 65,538 bytes, and Secrets Manager takes 65,536"),
        (["STRIPE"], "a\x1b[200~b", "The secret has a control character"),
        (["SLACK_BOT_TOKEN"], "xoxp-hidden", BOT_TOKEN),
        (["SLACK_BOT_TOKEN"], "xoxb-hid den", BOT_TOKEN),
        (["SLACK_SIGNING_SECRET"], "hid den", "SLACK_SIGNING_SECRET must be Slack's signing secret, one word"),
        (["TEAMS"], "http://example.com/hidden", f"TEAMS {WORKFLOW}"),
        (["TEAMS_DEPLOYS"], VALUE, f"TEAMS_DEPLOYS {WORKFLOW}"),
    ],
)
def test_a_value_that_cannot_be_one_is_refused_unseen(
    stack: SecretsManager, arguments: list[str], value: str | None, said: str
) -> None:
    result = put(*arguments, input=value)
    assert (result.exit_code, stack.values) == (2, {})
    assert result.stderr.splitlines()[-1].startswith(f"Error: {said}")
    secret = (value or VALUE).strip()
    assert not secret or secret not in result.output
    assert put("STRIPE", input="é" * 32_768).exit_code == 0


@pytest.mark.parametrize("call", ["PutSecretValue", "CreateSecret"])
def test_a_missing_permission_is_named(stack: SecretsManager, call: str) -> None:
    stack.denied = call
    result = put("STRIPE", input=VALUE)
    assert result.exit_code == 1
    assert result.stderr == f"Error: These AWS credentials may not call {call} (AccessDeniedException): no policy allows it\n"


def test_without_the_stack_nothing_is_read_or_stored(stack: SecretsManager, monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing(Outputs):
        def __missing__(self, name: str) -> str:
            raise NotFound("No stack shop in eu-west-1 of this account")

    monkeypatch.setattr(stack, "outputs", Nothing())
    result = put("STRIPE")
    assert (result.exit_code, stack.values) == (1, {})
    assert result.stderr == "Error: No stack shop in eu-west-1 of this account\n"


PROGRAM = """
import signal, sys
from types import SimpleNamespace
from waitpoints_client.cli import stacks
from waitpoints_client.cli.program import program
from waitpoints_client.ops import webhook_secrets

signal.signal(signal.SIGINT, signal.default_int_handler)
stacks.find_stack = lambda _: SimpleNamespace(name="shop", place="here", outputs={"ApiUrl": ""})
webhook_secrets.put = lambda stack, name, value, no_previous: webhook_secrets.Stored(f"{len(value)} characters", "created")
program(["secrets", "put", "STRIPE"], prog_name="waitpoints")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "status", "said"),
    [
        (f"{VALUE}\n", 0, f"Stored as {len(VALUE)} characters here."),
        (f"{'x' * 5000}\n", 1, "A terminal cuts so long a line"),
        ("\x04", 1, "Nothing was typed, so nothing was stored"),
        ("\n", 2, "The secret is empty"),
        (f"{VALUE}\x03", 130, ""),
    ],
)
def test_a_terminal_does_not_show_what_is_typed(open_terminal: Callable[..., Any], typed: str, status: int, said: str) -> None:
    terminal = open_terminal(PROGRAM)
    shown = terminal.read_until("shown: ")
    terminal.type(typed)
    ended, rest = terminal.end()
    shown += rest
    assert "STRIPE, which is not shown: " in shown
    assert said in shown
    assert VALUE not in shown
    assert "xxx" not in shown
    assert ended == status
