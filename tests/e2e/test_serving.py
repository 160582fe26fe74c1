"""What `waitpoints up` leaves running, and `down` ends, with a small template. test_local_wheel.py has the whole stack."""

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.e2e import prepared
from tests.support.e2e.waiting import until
from tests.support.programs import ended
from tools.stack import ROOT, on_path
from waitpoints_local import serving
from waitpoints_local.deployment import deploy
from waitpoints_local.stack import Endpoint, LocalError, free_port, is_serving

OUTPUTS = "StateMachineArn ApiUrl ApiId TableName WaitFunctionName CreateFunctionName OutputBucketName"
TEMPLATE = """
Parameters:
  Architecture: {Type: String}
  PublicBaseUrl: {Type: String}
  ResumableStateMachines: {Type: String}
Resources:
  ApiKey: {Type: AWS::SecretsManager::Secret, Properties: {GenerateSecretString: {PasswordLength: 20}}}
Outputs:
  ApiKeySecret: {Value: !Ref ApiKey}
""" + "".join(f"  {name}: {{Value: !Ref PublicBaseUrl}}\n" for name in OUTPUTS.split())


class Folder:
    """Where stacks are described, and the content that they have."""

    def __init__(self, folder: Path) -> None:
        self.path, self._content = folder / "stacks", folder / "content"
        self._content.mkdir()
        (self._content / "template.yaml").write_text(TEMPLATE)

    def up(self, port: int, killed_at: str = "") -> Any:
        """Start a stack in a process of its own. Returns what it printed before it ended."""
        named = {"PYTHONPATH": os.pathsep.join([str(ROOT / "clients" / "python" / "src"), on_path()["PYTHONPATH"]])}
        arguments = [str(self._content), str(port), str(self.path), *([killed_at] if killed_at else [])]
        python = prepared.command(sys.executable, "boto3", "botocore.handlers")
        command = [*python, "-m", "tests.support.e2e.serving_driver", *arguments]
        done = ended(command, ROOT, {**os.environ, **named})
        assert done.returncode == (-signal.SIGKILL if killed_at else 0), done.stderr
        return json.loads(done.stdout or "null")

    def described(self) -> str:
        """The address that other commands find."""
        return str(json.loads((self.path / "stack.json").read_text())["endpoint_url"])


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    made = Folder(tmp_path)
    yield made
    for stack in serving.find_all(made.path):
        serving.down(stack.port, made.path)


def test_stacks_outlive_who_started_them_until_they_are_ended(folder: Folder) -> None:
    port, other = free_port(), free_port()
    folder.up(port, killed_at="Deploying the stack")  # its emulator has nothing to serve, and ends

    started = folder.up(port)
    assert started.pop("is_new") is True
    stack = serving.Served(**started)
    assert is_serving(stack.endpoint_url)
    assert stack.client("secretsmanager").list_secrets()["SecretList"]
    again = folder.up(port)
    assert (again.pop("is_new"), again) == (False, started)

    os.kill(stack.process, signal.SIGKILL)
    until(lambda: not is_serving(stack.endpoint_url), "it serves on")
    second, third = folder.up(port), folder.up(other)
    assert (second["is_new"], third["is_new"]) == (True, True)
    assert second["api_key"] != started["api_key"]
    assert {one.port for one in serving.find_all(folder.path)} == {port, other}
    assert folder.described() == third["endpoint_url"]
    says_why_a_stack_cannot_be_made(Endpoint(*(third[name] for name in ENDPOINT)))

    assert serving.down(other, folder.path)
    assert folder.described() == second["endpoint_url"]
    assert serving.down(port, folder.path)
    assert not any(is_serving(f"http://127.0.0.1:{one}") for one in (port, other))
    assert [path.name for path in folder.path.iterdir()] == ["locks"]
    assert living(second["process"]) + living(third["process"]) == []


ENDPOINT = ("endpoint_url", "access_key_id", "secret_access_key")


def says_why_a_stack_cannot_be_made(endpoint: Endpoint) -> None:
    for template, why in {
        "Parameters: {Needed: {Type: String}}\nResources: {Queue: {Type: AWS::SQS::Queue}}": "Needed",
        "Resources: {Thing: {Type: AWS::Nothing::Here}}": "AWS::Nothing::Here",
        "Resources: {Link: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: none}}}": "Link: .*none",
    }.items():
        with pytest.raises(LocalError, match=f"The stack was not deployed: .*{why}"):
            deploy(endpoint, template, lambda _: b"", {}, f"refused-{abs(hash(why))}")


def living(group: int) -> list[int]:
    """The processes of a group that have not ended. One that has may still be listed."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, _, its_group, *_ = stat.read_text().rpartition(")")[2].split()
            if its_group == str(group) and state != "Z":
                found.append(int(stat.parent.name))
    return found
