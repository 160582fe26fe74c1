"""Lambda durable functions wait for tokens with AWS's own SDK: the emulator's engine calls them, and roles may resume them."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.e2e.api import Api
from tests.support.e2e.durable import Durable, code_of
from tests.support.e2e.race import CLIENTS, Race
from tests.support.e2e.waiting import until
from tests.support.in_process.api_gateway import TOKENS
from tests.support.programs import ended
from tests.support.readme import DURABLE_SNIPPETS, FIRST_OF_SEVERAL
from tools import durable_run
from tools.durable_run import EXAMPLE, Mail
from tools.run import Steps
from tools.stack import ROOT

APPROVED = {"approved": True}
OK = {"ok": True, "output": APPROVED}
LINK = r"http\S+/callback/\S+"


@pytest.fixture
def mail(api: Api, durable: Durable) -> Iterator[Mail]:
    """What the example publishes."""
    mail = Mail(api.stack, durable.outputs)
    yield mail
    mail.close()


def test_the_example_asks_and_goes_on_when_somebody_has_answered(api: Api, durable: Durable, mail: Mail) -> None:
    execution = durable.start(durable.approval, {"order": "4711"})
    [message] = mail.messages(20)
    [url] = re.findall(LINK, message)
    api.press(url, "Reject")
    assert durable.result(execution) == ("SUCCEEDED", {"order": "4711", "status": "rejected"})


def test_a_deployed_example_is_run_to_its_end(
    api: Api, durable: Durable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(durable_run, "served", lambda: api.stack)
    monkeypatch.setattr(durable_run, "deploy", lambda *_: durable.outputs)
    printed = ""

    def links() -> list[str]:
        nonlocal printed
        printed += capsys.readouterr().out
        return re.findall(LINK, printed)

    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(durable_run.run, Steps(), EXAMPLE, '{"order": "4714"}')
        api.press(until(links, "it prints no link")[0], "Approve")
        assert ending.result() == 0
    printed += capsys.readouterr().out
    assert "SUCCEEDED" in printed
    assert '{"order": "4714", "status": "approved"}' in printed


@pytest.mark.thorough  # it builds and deploys the example once more
def test_make_durable_runs_the_example_to_its_end(api: Api, stack_folder: Path, durable: Durable) -> None:
    environment = {**os.environ, "STACK_FOLDER": str(stack_folder), "INPUT": '{"order": "4713"}'}
    with subprocess.Popen(["make", "durable"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = next(url for line in process.stdout for url in re.findall(LINK, line))
        api.press(url, "Approve")
        rest = process.stdout.read()
    assert (process.returncode, "SUCCEEDED" in rest) == (0, True), rest
    assert '{"order": "4713", "status": "approved"}' in rest


@pytest.mark.parametrize(
    ("variables", "said"),
    [({}, "start one with `make run`"), ({"INPUT": "{"}, "not JSON"), ({"FOLDER": "x"}, "x has no")],
)
def test_make_durable_says_what_is_missing(tmp_path: Path, variables: dict[str, str], said: str) -> None:
    environment = {**os.environ, "STACK_FOLDER": str(tmp_path), **variables}
    done = ended(["make", "durable"], ROOT, environment)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_example_goes_on_after_the_timeout(durable: Durable) -> None:
    execution = durable.start(durable.approval, {"order": "4712", "timeout": "2s"})
    status, result = durable.result(execution)
    assert (status, result["status"]) == ("SUCCEEDED", "not approved")
    assert re.match(r"Waitpoint timed out at .*Z", result["reason"])


def test_every_execution_that_waits_gets_how_its_token_ended(api: Api, durable: Durable) -> None:
    """With `unwrap`, what fails raises. AWS's SDK does not show the type of a callback's error."""
    completed, failed, late = tokens = [api.create(), api.create(), api.create(timeout="1d")]
    executions = [(durable.wait(token), durable.wait(token, unwrap=True)) for token in tokens]
    for token in tokens:
        api.wait_until_registered(token, waiters=2)
    api.ask("PATCH", f"{TOKENS}/{late['id']}", {"timeout": "1s"})
    output, error = {"text": "x" * 1_000_000}, {"message": "It is out of stock", "name": "OutOfStock"}
    assert api.deliver(completed, output).status == 200
    api.complete(failed, error=error)
    whole, (result, raised), (timed_out, raised_late) = [[durable.result(it) for it in pair] for pair in executions]
    assert whole == [("SUCCEEDED", [{"ok": True, "output": output}]), ("SUCCEEDED", [output])]
    said = result[1][0]
    assert (said["error"]["name"], said["error"]["message"], said["timed_out"]) == (*reversed(error.values()), False)
    assert (raised[1][0]["raised"], raised[1][0]["message"]) == ("CallbackExternalError", error["message"])
    assert re.match(r"Waitpoint timed out at .*Z", raised_late[1][0]["message"])
    assert timed_out[1][0]["timed_out"] is True
    names = [json.loads(it[1][0]["data"])["name"] for it in (raised, raised_late)]
    assert names == ["OutOfStock", "WaitpointTimeoutError"]
    for token, pair in zip(tokens, executions, strict=True):
        shown = {(waiter["kind"], waiter["execution"], waiter["status"]) for waiter in api.retrieve(token)["waiters"]}
        assert shown == {("DURABLE_FUNCTION", execution, "RESUMED") for execution in pair}


@pytest.mark.thorough  # a longer way than that to a token of its own
def test_the_documented_way_to_the_name_of_an_error(api: Api, durable: Durable) -> None:
    durable.create("documented", DURABLE_SNIPPETS["own token"])
    assert durable.result(durable.start("documented", {"timeout": "1s"})) == ("SUCCEEDED", "WaitpointTimeoutError")


def test_the_documented_way_to_a_token_of_its_own(api: Api, durable: Durable) -> None:
    durable.create("documented", DURABLE_SNIPPETS["own token"])
    execution = durable.start("documented", {})
    token = api.find("idempotencyKey", execution)
    api.wait_until_registered(token)
    api.press(token["url"], "Submit")
    assert durable.result(execution) == ("SUCCEEDED", {"action": "submit", "fields": {}})


@pytest.mark.thorough  # a longer way than that to a token of its own
def test_the_documented_way_to_the_first_of_several(api: Api, durable: Durable) -> None:
    durable.create("first", FIRST_OF_SEVERAL)
    failed, first, late = tokens = [api.create() for _ in range(3)]
    execution = durable.start("first", {"tokens": [token["id"] for token in tokens]})
    for token in tokens:
        api.wait_until_registered(token)
    api.complete(failed, error={"message": "on leave"})
    api.deliver(first, APPROVED)
    assert durable.result(execution) == ("SUCCEEDED", APPROVED)
    assert durable.result(durable.start("first", {"tokens": [failed["id"]]})) == ("SUCCEEDED", "nobody answered")
    api.deliver(late, APPROVED)
    assert [waiter["status"] for waiter in api.retrieve(late)["waiters"]] == ["GONE"]


def test_the_waiter_of_a_stopped_execution_does_not_block_the_others(api: Api, durable: Durable) -> None:
    token = api.create()
    stopped, other = durable.wait(token), durable.wait(token)
    api.wait_until_registered(token, waiters=2)
    durable.stop(stopped)
    api.deliver(token, APPROVED)
    assert durable.result(other) == ("SUCCEEDED", [OK])
    assert durable.result(stopped)[0] == "STOPPED"
    statuses = {waiter["execution"]: waiter["status"] for waiter in api.retrieve(token)["waiters"]}
    assert statuses == {stopped: "GONE", other: "RESUMED"}


@pytest.fixture(scope="module")
def submitter(durable: Durable) -> str:
    """A durable function that invokes the wait function by itself."""
    durable.create("durable-submitter", code_of("durable_submitter.py"))
    return "durable-submitter"


def test_a_step_that_is_tried_again_after_a_lost_answer_counts_once(api: Api, durable: Durable, submitter: str) -> None:
    token = api.create()
    execution = durable.start(submitter, {"payload": {"waitpointId": token["id"]}, "answersLost": 2})
    until(lambda: "StepSucceeded" in api.history(execution), "no attempt has succeeded")
    invocations = api.history(execution).count("InvocationCompleted")
    assert invocations >= 2  # each attempt but the last has one of its own
    api.deliver(token, APPROVED)
    assert durable.result(execution) == ("SUCCEEDED", OK)
    assert [waiter["status"] for waiter in api.retrieve(token)["waiters"]] == ["RESUMED"]


@pytest.mark.parametrize("tokens", [pytest.param(25, marks=pytest.mark.few), pytest.param(50, marks=pytest.mark.thorough)])
def test_a_waiter_and_a_callback_at_the_same_moment_always_resume(api: Api, durable: Durable, tokens: int) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        race = Race(api, pool, durable.wait, durable.result)
        race.run(tokens)
        numbers = range(len(race.tokens))
        assert race.results() == {number: ("SUCCEEDED", [{"ok": True, "output": {"number": number}}]) for number in numbers}
    assert len(set(race.executions.values())) == len(numbers)
    assert race.was_close("Durable functions")
