"""The endpoint and the command of docs/patterns.md, as they stand. test_pytest_plugin.py runs every path of its machines."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.support import patterns_doc, webhook_signer
from tests.support.e2e.api import Api
from tests.support.e2e.secrets import Secrets
from tools.openapi.operations import ENDPOINTS
from tools.stack import LOCAL, ROOT
from waitpoints_local.stack import Stack, clean_environment


@pytest.mark.parametrize(
    ("kind", "payment_status", "outcome"),
    [
        ("completed", "paid", "kept"),
        ("async_payment_succeeded", "paid", "kept"),
        ("completed", "unpaid", "notMatching"),
        ("expired", "unpaid", "kept"),
        ("async_payment_failed", "unpaid", "kept"),
    ],
)
def test_the_endpoint_of_payments_knows_what_ends_an_order(
    api: Api, secrets: Secrets, kind: str, payment_status: str, outcome: str
) -> None:
    secrets.make("STRIPE", webhook_signer.secret_of("stripe"))
    path = f"{ENDPOINTS}/payments"
    url = api.request("PUT", path, patterns_doc.ENDPOINTS["payments"]).body["url"]
    session = {"id": "cs_1", "client_reference_id": "order-4711", "payment_status": payment_status}
    body = json.dumps({"type": f"checkout.session.{kind}", "data": {"object": session}})
    signed = webhook_signer.sign("stripe", body.encode(), url, time.time())
    tried = api.request("POST", f"{path}/test", {"body": body, "headers": signed.headers}).body
    assert tried["outcome"] == outcome, tried
    assert outcome != "kept" or (tried["key"], json.loads(tried["output"])) == ("payments:order-4711", session)
    api.request("DELETE", path)


def test_the_command_completes_a_job_by_its_key(api: Api) -> None:
    command = ["sh", "-euc", patterns_doc.COMMANDS["complete by key"]]
    environment = {**os.environ, "API": api.stack.api_url, "KEY": api.stack.api_key, "NO_PROXY": "127.0.0.1,localhost"}
    answer = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert answer["success"] is True
    shown = api.retrieve(api.create(idempotencyKey="jobs:1001"))
    assert json.loads(shown["output"]) == {"rows": 3}


def test_the_commands_create_a_state_machine_that_invokes_the_stacks_functions(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    own = {"PATH": f"{LOCAL / 'sam' / 'bin'}:{os.environ['PATH']}", "ROLE": stack.machine_role_arn, "NO_PROXY": "127.0.0.1"}
    command = ["sh", "-euc", patterns_doc.COMMANDS["approval_with_escalation"]]
    environment = {**clean_environment(), **stack.endpoint.environment(), **own}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = stack.client("stepfunctions").describe_state_machine(stateMachineArn=json.loads(done.stdout)["stateMachineArn"])
    tasks = [state for state in json.loads(made["definition"])["States"].values() if state["Type"] == "Task"]
    invoked = [task["Arguments"]["FunctionName"] for task in tasks]
    assert invoked == [stack.create_function_name, "notify", stack.wait_function_name]
