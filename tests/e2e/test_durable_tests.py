"""The fixture `durable` in a project of its own, on a deployed stack: each test is red for its own reason if it should be."""

import json
import re
import shutil
from pathlib import Path

from waitpoints_client import Waitpoints

from tests.support.e2e import own_tests
from tools.durable_run import EXAMPLE
from waitpoints_local.stack import Stack

TESTS = """
import pytest
from waitpoints_local.testing import Durable

@pytest.fixture
def topic(waitpoints_stack):
    return waitpoints_stack.client("sns").create_topic(Name="requests")["TopicArn"]

@pytest.fixture
def start(durable: Durable, topic):
    return lambda **event: durable("functions/approval.py", {"order": "1", **event}, environment={"TOPIC": topic})

def test_approved(start):
    run = start()
    run.waiting("approval").answer({"action": "approve"})
    assert run.output == {"order": "1", "status": "approved"}
    assert [state.name for state in run.states] == ["create token", "tell", "approval"]

def test_its_token_times_out_after_days(start):
    run = start(timeout="30d")
    run.waiting()
    assert [(it.state, it.what, round(it.seconds / 86400)) for it in run.skip("31d")] == [("approval", "timeout", 30)]
    assert run.output["status"] == "not approved"

def test_rejected(start):
    run = start()
    run.waiting("approval").answer({"action": "approve"})
    assert run.output["status"] == "rejected"

def test_a_callback_times_out_and_a_wait_and_a_retry_end_in_moments(durable: Durable):
    run = durable("functions/night.py:work")
    passed = [(it.state, it.what, round(it.seconds / 3600)) for it in [*run.skip("6h"), *run.skip("1d")]]
    assert passed == [("night", "Wait", 4), ("attempt", "Retry", 2), ("never", "TimeoutSeconds", 24)]
    assert run.output == "CallbackTimeoutError after 2 attempts"

def test_waits_for_the_token_of_its_event(durable: Durable):
    run = durable("functions/told.py", token={"timeout": "2h"})
    with pytest.raises(ValueError, match="pass the name, too"):
        run.waiting(item=1)
    run.waiting("token").answer(7)
    assert run.output == 7

def test_leaves_its_token(durable: Durable):
    durable("functions/told.py", token={"tags": ["left"]}).waiting()

def test_an_event_without_room_for_a_token(durable: Durable):
    with pytest.raises(TypeError, match="The event must be an object"):
        durable("functions/told.py", [], token={})

def test_a_library_is_missing(durable: Durable):
    assert durable("functions/broken.py").error == "never"
"""
NIGHT = """
from aws_durable_execution_sdk_python import CallbackError, DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig, WaitForCallbackConfig
from aws_durable_execution_sdk_python.retries import RetryDecision

attempts = []


def attempt(_):
    attempts.append(1)
    if len(attempts) < 2:
        raise RuntimeError("busy")
    return len(attempts)


def in_two_hours(error, number):
    return RetryDecision(should_retry=True, delay=Duration.from_hours(2))


@durable_execution
def work(event, context: DurableContext):
    context.wait(Duration.from_hours(4), name="night")
    number = context.step(attempt, name="attempt", config=StepConfig(retry_strategy=in_two_hours))
    try:
        context.wait_for_callback(lambda *_: None, name="never", config=WaitForCallbackConfig(timeout=Duration.from_days(1)))
    except CallbackError as error:
        return f"{type(error).__name__} after {number} attempts"
"""


TOLD = """
from aws_durable_execution_sdk_python import durable_execution
from waitpoints_client.durable import wait_for_token


@durable_execution
def handler(event, context):
    return wait_for_token(context, event["token"]["id"], name="token").output
"""


def test_a_projects_durable_functions_are_tested_on_the_stack_that_is_there(stack: Stack, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "functions", tmp_path / "functions")
    (tmp_path / "functions" / "night.py").write_text(NIGHT)
    (tmp_path / "functions" / "told.py").write_text(TOLD)
    (tmp_path / "functions" / "broken.py").write_text("import nothing_of_this_name\ndef handler(event, context): ...")
    (tmp_path / "test_durable.py").write_text(TESTS)
    done = own_tests.run(stack, tmp_path)
    assert (done.returncode, "2 failed, 6 passed" in done.stdout) == (1, True), done.stdout + done.stderr
    assert "assert 'approved' == 'rejected'" in done.stdout
    with Waitpoints(stack.api_url, stack.api_key) as waitpoints:
        assert [token.status for token in waitpoints.list(tags="left")] == ["COMPLETED"]
    assert '  3. "approval"\n     gave {"ok": true, "output": {"action": "approve"' in done.stdout
    assert "No module named 'nothing_of_this_name'" in done.stdout, own_tests.said(done)
    [file] = re.findall(r"^All of it, uncut: (.*/approval-0\.json)$", done.stdout, re.MULTILINE)
    assert json.loads(Path(file).read_text())["output"]["status"] == "approved"
