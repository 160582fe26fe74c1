"""The commands of docs/webhooks.md and docs/patterns.md, pasted into a shell as they stand.

`integration/test_recipes.py` has the pages' endpoints, and test_pytest_plugin.py every path of their machines.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import patterns_doc, webhook_signer, webhooks_doc
from tests.support.e2e.api import Api
from tests.support.e2e.command_line import CommandLine
from tests.support.e2e.secrets import Secrets
from tests.support.programs import need
from tools.openapi.operations import ENDPOINTS
from tools.stack import LOCAL, ROOT
from waitpoints_local.stack import clean_environment


def paste(lines: str, folder: Path, environment: dict[str, str], typed: str = "") -> subprocess.CompletedProcess[str]:
    command = ["sh", "-euc", lines]
    return subprocess.run(command, cwd=folder, env=environment, input=typed, capture_output=True, text=True, check=True)


@pytest.fixture
def with_key(api: Api) -> dict[str, str]:
    """For the lines of curl."""
    need("curl")
    return {**os.environ, "API": api.stack.api_url, "KEY": api.stack.api_key, "NO_PROXY": "127.0.0.1,localhost"}


def test_they_make_an_endpoint_and_say_why_a_run_waits(
    api: Api, secrets: Secrets, with_key: dict[str, str], tmp_path: Path
) -> None:
    def run(command: str) -> Any:
        return json.loads(paste(webhooks_doc.COMMANDS[command], tmp_path, with_key).stdout)

    settings = webhooks_doc.ENDPOINTS["GitHub: a workflow run"]
    secrets.make(settings["verify"]["secret"], webhook_signer.secret_of("github"))
    (tmp_path / "endpoint.json").write_text(json.dumps(settings))
    api.request("DELETE", f"{ENDPOINTS}/github")  # another test's, with what it has received
    made = run("put endpoint")
    tried = run("test endpoint")
    assert (tried["outcome"], tried["key"]) == ("refused", "github:17412345678")  # the page has no signature to send
    assert run("retrieve endpoint") == {**made, "deliveries": {}}
    api.ask("DELETE", f"{ENDPOINTS}/github")


def test_one_stores_a_secret(api: Api, secrets: Secrets, tmp_path: Path) -> None:
    name, value = f"waitpoints/{api.stack.stack_name}/webhooks/STRIPE", webhook_signer.secret_of("stripe")
    secrets.make("STRIPE", "another one")
    environment = {**os.environ, **CommandLine(api.stack, tmp_path).environment}
    done = paste(webhooks_doc.COMMANDS["put secret"], tmp_path, environment, f"{value}\n")
    assert done.stdout == ""
    assert f"Changed {name} on this machine ({api.stack.endpoint_url}). The previous value is accepted for 24" in done.stderr
    assert api.stack.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"] == value


def test_one_completes_a_job_by_its_key(api: Api, with_key: dict[str, str], tmp_path: Path) -> None:
    answer = json.loads(paste(patterns_doc.COMMANDS["complete by key"], tmp_path, with_key).stdout)
    assert answer["success"] is True
    shown = api.retrieve(api.create(idempotencyKey="jobs:1001"))
    assert json.loads(shown["output"]) == {"rows": 3}


def test_they_create_a_state_machine_that_invokes_the_stacks_functions(api: Api, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    stack = api.stack
    own = {"PATH": f"{LOCAL / 'sam' / 'bin'}:{os.environ['PATH']}", "ROLE": stack.machine_role_arn, "NO_PROXY": "127.0.0.1"}
    environment = {**clean_environment(), **stack.endpoint.environment(), **own}
    done = paste(patterns_doc.COMMANDS["approval_with_escalation"], tmp_path, environment)
    made = stack.client("stepfunctions").describe_state_machine(stateMachineArn=json.loads(done.stdout)["stateMachineArn"])
    tasks = [state for state in json.loads(made["definition"])["States"].values() if state["Type"] == "Task"]
    invoked = [task["Arguments"]["FunctionName"] for task in tasks]
    assert invoked == [stack.create_function_name, "notify", stack.wait_function_name]
