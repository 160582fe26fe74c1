"""Timeouts on the deployed stack: waiting executions get their `ok: false` about a second after the timeout at most."""

import json
import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support import figures
from tests.support.e2e.api import Api
from tests.support.e2e.permissions import physical_name
from tests.support.in_process.api_gateway import TOKENS
from waitpoints.aws.items import CURSORS, LIST_SHARDS
from waitpoints_local.stack import Stack

SHORTEST = 2  # seconds
LATENESS = 5.0  # seconds: about one, on a busy machine. The doctor would come much later
PROMPTLY = 1.0  # seconds
PATIENCE = 60  # seconds

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(api: Api) -> Call:
    """Call the API with its key, below the tokens' route or by a whole URL: `call("POST", "/…", body)`."""

    def call(method: str, path: str, body: Any = None) -> Any:
        answer = api.request(method, path if path.startswith("http") else TOKENS + path, body)
        assert answer.status == 200, answer
        return answer.body

    return call


@pytest.fixture(scope="module")
def wait(stack: Stack) -> Iterator[Callable[[str], str]]:
    """Start an execution whose only state waits for a token and returns the result. Returns its ARN."""
    iam, step_functions = stack.client("iam"), stack.client("stepfunctions")
    name = f"only-waits-{uuid.uuid4().hex[:12]}"
    wait_function = stack.client("lambda").get_function(FunctionName=stack.wait_function_name)["Configuration"]["FunctionArn"]
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may_invoke = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": wait_function}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="wait", PolicyDocument=policy(may_invoke))
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {
            "FunctionName": wait_function,
            "Payload": {"waitpointId.$": "$.token.id", "taskToken.$": "$$.Task.Token"},
        },
        "End": True,
    }
    definition = json.dumps({"StartAt": "Wait", "States": {"Wait": state}})
    machine = step_functions.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]

    def start(token_id: str) -> str:
        started = step_functions.start_execution(stateMachineArn=machine, input=json.dumps({"token": {"id": token_id}}))
        return str(started["executionArn"])

    yield start
    step_functions.delete_state_machine(stateMachineArn=machine)
    iam.delete_role_policy(RoleName=name, PolicyName="wait")
    iam.delete_role(RoleName=name)


@pytest.fixture(scope="module")
def result(stack: Stack) -> Callable[[str], tuple[Any, float]]:
    """Wait for the end of an execution. Returns its result, and when it ended, in epoch seconds."""
    step_functions = stack.client("stepfunctions")

    def result(execution: str) -> tuple[Any, float]:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            described = step_functions.describe_execution(executionArn=execution)
            if described["status"] != "RUNNING":
                assert described["status"] == "SUCCEEDED", described
                return json.loads(described["output"]), described["stopDate"].timestamp()
            time.sleep(0.1)
        raise AssertionError(f"{execution} still waits")

    return result


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def instant(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


def iso(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(scope="module")
def time_out(
    call: Call, wait: Callable[[str], str], result: Callable[[str], tuple[Any, float]]
) -> Callable[[list[str]], list[float]]:
    """Run one execution for each timeout until it ends. Returns how late each was (s)."""

    def begin(timeout: str) -> tuple[str, str]:
        token_id = call("POST", "", {"timeout": timeout})["id"]
        return token_id, wait(token_id)

    def lateness(started: tuple[str, str]) -> float:
        token_id, execution = started
        output, ended_at = result(execution)
        token = call("GET", f"/{token_id}")
        message = f"Waitpoint timed out at {token['timeoutAt']}"
        error = {"name": "WaitpointTimeoutError", "code": "TRIGGER_WAITPOINT_TIMEOUT", "message": message}
        assert output == {"ok": False, "error": error}
        assert token["status"] == "TIMED_OUT"
        return ended_at - instant(token["timeoutAt"])

    def time_out(timeouts: list[str]) -> list[float]:
        with ThreadPoolExecutor(8) as pool:
            started = list(pool.map(begin, timeouts))
        time.sleep(max(int(timeout[:-1]) for timeout in timeouts))
        return [lateness(one) for one in started]

    return time_out


@pytest.mark.parametrize(("tokens", "longest"), [(60, 8), pytest.param(100, 20, marks=pytest.mark.thorough)])
def test_every_waiting_execution_is_resumed_within_about_a_second(
    time_out: Callable[[list[str]], list[float]], tokens: int, longest: int
) -> None:
    time_out(["2s"] * 20)  # start the functions' processes before measuring
    chosen = random.Random(5)  # noqa: S311
    late = time_out([f"{chosen.randint(SHORTEST, longest)}s" for _ in range(tokens)])
    p50, p95 = statistics.median(late), statistics.quantiles(late, n=20)[-1]
    figures.show(f"{tokens} timeouts: late by p50 {p50:.2f} s, p95 {p95:.2f} s, max {max(late):.2f} s")
    assert min(late) >= 0
    assert p50 < LATENESS


@pytest.fixture
def just_timed_out(call: Call) -> Callable[[], dict[str, Any]]:
    """A token in the first milliseconds after its timeout. Its timer, rounded up to whole seconds, has hardly run."""

    def just_timed_out() -> dict[str, Any]:
        call("POST", "", {})  # start the function's process, so that the timeout is still in the future when it is read
        at = time.time() + 2.001
        created: dict[str, Any] = call("POST", "", {"timeout": iso(at), "tags": "late"})
        time.sleep(max(0, at - time.time()) + 0.001)
        return {**created, "timeoutAt": iso(at)}

    return just_timed_out


def test_retrieve_and_list_show_timed_out_from_the_first_millisecond(
    call: Call, just_timed_out: Callable[[], dict[str, Any]]
) -> None:
    created = just_timed_out()
    token = call("GET", f"/{created['id']}")
    listed = call("GET", "?filter[status]=TIMED_OUT&filter[tags]=late")
    waiting = call("GET", "?filter[status]=WAITING&filter[tags]=late")
    assert token["status"] == "TIMED_OUT"
    assert token["outputIsError"] is True
    error = {"code": "TRIGGER_WAITPOINT_TIMEOUT", "message": f"Waitpoint timed out at {created['timeoutAt']}"}
    assert json.loads(token["output"]) == error
    assert created["id"] in {token["id"] for token in listed["data"]}
    assert created["id"] not in {token["id"] for token in waiting["data"]}


@pytest.mark.parametrize("way", ["complete", "callback"])
def test_a_late_completion_is_discarded(call: Call, just_timed_out: Callable[[], dict[str, Any]], way: str) -> None:
    created = just_timed_out()
    if way == "complete":
        assert call("POST", f"/{created['id']}/complete", {"data": "late"}) == {"success": True, "settled": False}
    else:
        assert call("POST", created["url"], "late") == {"success": True}
    token = call("GET", f"/{created['id']}")
    assert token["status"] == "TIMED_OUT"
    assert "late" not in token["output"]
    assert token["completedAt"] == created["timeoutAt"]


def test_a_late_waiter_is_resumed_at_once(
    just_timed_out: Callable[[], dict[str, Any]],
    wait: Callable[[str], str],
    result: Callable[[str], tuple[Any, float]],
) -> None:
    created = just_timed_out()
    result(wait(created["id"]))  # start the function's process before measuring
    started_at = time.time()
    output, ended_at = result(wait(created["id"]))
    assert output["ok"] is False
    assert created["timeoutAt"] in output["error"]["message"]
    assert ended_at - started_at < PROMPTLY


def test_a_round_starts_the_timer_of_a_long_timeout(api: Api) -> None:
    """The token's instants are moved to a few seconds ahead, and the cursors back, as its time would bring them near."""
    token = api.create(timeout="30d")
    execution = api.start_waiting(token)
    api.wait_until_registered(token)
    table = api.stack.client("dynamodb")
    table.update_item(
        TableName=api.stack.table_name,
        Key={"id": {"S": token["id"]}, "item": {"S": "token"}},
        UpdateExpression="SET dueAt = :soon, timeoutAt = :soon",
        ExpressionAttributeValues={":soon": {"N": str(round((time.time() + 3) * 1000))}},
    )
    for shard in range(LIST_SHARDS):
        table.delete_item(TableName=api.stack.table_name, Key={"id": {"S": CURSORS}, "item": {"S": str(shard)}})

    answer = api.stack.client("lambda").invoke(FunctionName=physical_name(api.stack, "StartTimers"), Payload="{}")

    assert "FunctionError" not in answer
    assert api.result(execution) == ("FAILED", "WaitpointTimeoutError")
