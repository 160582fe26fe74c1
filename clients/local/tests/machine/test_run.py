"""`waitpoints try` on a fake of Step Functions: what it starts, what it tells, and what it leaves behind."""

import io
import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.error import HTTPError

import httpx
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from typer.testing import CliRunner, Result
from waitpoints_client import APIConnectionError, CreatedToken, Waitpoints, calls, local_stacks
from waitpoints_client.cli import problems, stacks, try_machine
from waitpoints_client.cli.program import program
from waitpoints_client.ops.deployed import Outputs
from waitpoints_client.testing import FakeWaitpoints

from waitpoints_local import webhook_signer
from waitpoints_local.clocks import Skipped
from waitpoints_local.machine import clock, following, routes
from waitpoints_local.machine import run as machine_run
from waitpoints_local.machine.clock import Coming, Seen
from waitpoints_local.machine.definition import Definition
from waitpoints_local.machine.history import History, Location
from waitpoints_local.machine.tasks import TaskToken

EXAMPLE = "arn:aws:states:us-east-1:000000000000:stateMachine:example"
EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:mine:1"
NOW = datetime.now(UTC)
WAITING = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": True}
WAITS: dict[str, Any] = {
    "StartAt": "Wait",
    "States": {"Wait": {**WAITING, "Parameters": {"FunctionName": "${WaitForToken}"}}},
}
CREATES = {
    "StartAt": "Both",
    "States": {"Both": {"Type": "Task", "Parameters": {"FunctionName": "<CreateFunctionName>"}, "End": True}},
}
OTHERS: dict[str, Any] = {
    "StartAt": "Charge",
    "States": {
        "Charge": {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Next": "Pay"},
        "Pay": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "f"},
            "Next": "Wait",
        },
        "Wait": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": "${Queue}"},
            "TimeoutSeconds": 60,
            "End": True,
        },
    },
}
"""A service that is not here, a function of another account, and a queue that gets a task token."""
PASSES = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}


def event(seconds: float, kind: str, **details: Any) -> dict[str, Any]:
    of_a_state = next((end for end in ("Entered", "Exited") if kind.endswith(f"State{end}")), None)
    name = f"state{of_a_state}EventDetails" if of_a_state else f"{kind[0].lower()}{kind[1:]}EventDetails"
    return {"type": kind, "timestamp": NOW + timedelta(seconds=seconds), name: details}


def scheduled(function: str, seconds: float = 0.2, resource: str = "invoke.waitForTaskToken", **payload: Any) -> dict[str, Any]:
    parameters = json.dumps({"FunctionName": function, "Payload": payload})
    return event(seconds, "TaskScheduled", resource=resource, resourceType="lambda", parameters=parameters)


STARTED = event(0, "ExecutionStarted", input="{}")
ENTERED = event(0.1, "TaskStateEntered", name="Wait")
SCHEDULED = event(0.2, "TaskScheduled", resource="invoke.waitForTaskToken", resourceType="lambda")
RESUMED = event(5, "TaskSucceeded", resource="invoke.waitForTaskToken", output="{}")
SUCCEEDED = event(5.1, "ExecutionSucceeded", output='{"approved": true}')
FAILED = event(5.1, "ExecutionFailed", error="Rejected", cause="by legal")


class NotThere(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "Get")


@dataclass
class TriedStack:
    """The local stack, and Step Functions, whose history grows by one part with each look."""

    waitpoints: Waitpoints
    history: list[list[dict[str, Any]]] = field(default_factory=lambda: [[STARTED, SUCCEEDED]])
    machines: list[dict[str, str]] = field(default_factory=list)
    made: list[dict[str, str]] = field(default_factory=list)
    """Every machine that was created, also those that were deleted."""
    given: Any = None
    stopped: list[str] = field(default_factory=list)
    ends_meanwhile: bool = False
    keeps_machines: bool = False
    secrets: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The values and descriptions, by the names."""
    verify: Mapping[str, str] = field(default_factory=dict)
    """Of every token in the table."""
    diagnostics: list[dict[str, str]] = field(default_factory=list)
    """What Step Functions finds in the definition."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """What the engine was told."""
    waits: list[dict[str, str]] = field(default_factory=list)
    """The task tokens that are waited for, for each time that the engine is asked."""
    children: list[list[list[Any]]] = field(default_factory=list)
    """Those of distributed Maps' children, with their states and items."""
    parameters: dict[str, str] = field(default_factory=dict)
    sent: list[dict[str, str]] = field(default_factory=list)
    refuses: str = ""
    described: ClassVar[dict[str, str]] = {}
    name: str = "stack"
    while_it_runs: Callable[[], None] | None = None
    seen: Seen = field(default_factory=lambda: Seen(True, [], 0))

    def __post_init__(self) -> None:
        names = {"WaitFunctionName": "stack-Wait-1", "CreateFunctionName": "stack-Create-1", "TableName": "table"}
        self.outputs = Outputs(ApiUrl="https://a", StateMachineArn=EXAMPLE, **names)
        self._seen: list[dict[str, Any]] = []

    def list_physical_ids(self) -> dict[str, str]:
        return {"WaitForToken": "stack-Wait-1"}

    def client(self, service: str) -> Any:
        return self

    @property
    def exceptions(self) -> Any:
        return SimpleNamespace(ResourceNotFoundException=NotThere, ResourceExistsException=FileExistsError)

    def get_function(self, *, FunctionName: str) -> Any:
        if FunctionName != "mine":
            raise NotThere

    def describe_secret(self, *, SecretId: str) -> Any:
        return {"Description": self.secrets[SecretId][1], "VersionIdsToStages": {"1": ["AWSCURRENT"]}}

    def create_secret(self, *, Name: str, SecretString: str, Description: str) -> None:
        if Name in self.secrets:
            raise FileExistsError
        self.secrets[Name] = SecretString, Description

    def get_secret_value(self, *, SecretId: str) -> Any:
        return {"SecretString": self.secrets[SecretId][0]}

    def get_item(self, *, Key: Any, **_: Any) -> Any:
        members = {name: {"S": value} for name, value in self.verify.items()}
        return {"Item": {**Key, "deliveryRules": {"M": {"verify": {"M": members}}}}}

    def describe_state_machine(self, *, stateMachineArn: str) -> Any:
        assert stateMachineArn == EXAMPLE
        return {"roleArn": "the-role"}

    def validate_state_machine_definition(self, *, definition: str) -> Any:
        assert "<WaitFunctionName>" not in definition
        return {"result": "FAIL" if self.diagnostics else "OK", "diagnostics": self.diagnostics}

    def create_state_machine(self, **machine: str) -> Any:
        self.machines.append(machine)
        self.made.append(machine)
        return {"stateMachineArn": f"arn:{machine['name']}"}

    def start_execution(self, *, stateMachineArn: str, input: str) -> Any:
        self.given, self._seen = json.loads(input), []
        return {"executionArn": EXECUTION}

    def ask_emulator(self, _: Any, path: str, body: bytes) -> Any:
        assert path == "/_waitpoints/stand-ins"
        asked = json.loads(body)
        if "execution" in asked:
            found = (self.waits.pop(0) if self.waits else {}, self.children.pop(0) if self.children else [])
            return io.BytesIO(json.dumps(dict(zip(("waits", "of_children"), found, strict=True))).encode())
        self.asked.append(asked)
        return io.BytesIO(b"{}")

    def send_task_success(self, **said: str) -> None:
        if self.refuses:
            raise ClientError({"Error": {"Code": "TaskTimedOut", "Message": self.refuses}}, "SendTaskSuccess")
        self.sent.append(said)

    def get_paginator(self, operation: str) -> Any:
        assert operation == "get_execution_history"
        if self.while_it_runs:
            self.while_it_runs()
        return self

    def paginate(self, *, executionArn: str) -> Iterator[Any]:
        if not self.history:
            raise KeyboardInterrupt
        for number, happened in enumerate(self.history.pop(0), len(self._seen) + 1):
            self._seen.append({"id": number, "previousEventId": number - 1, **self._with_parameters(happened)})
        half = len(self._seen) // 2
        return iter([{"events": self._seen[:half]}, {"events": self._seen[half:]}])

    def _with_parameters(self, happened: dict[str, Any]) -> dict[str, Any]:
        """Complete a scheduled task that says nothing of what it is given: it waits for the token of the input."""
        details = happened.get("taskScheduledEventDetails", {"parameters": ""})
        if "parameters" in details or "token" not in self.given:
            return happened
        payload = {"waitpointId": self.given["token"]["id"]}
        parameters = json.dumps({"FunctionName": "stack-Wait-1", "Payload": payload})
        return {**happened, "taskScheduledEventDetails": {**details, "parameters": parameters}}

    def stop_execution(self, *, executionArn: str, cause: str) -> None:
        self.stopped.append(executionArn)
        if self.ends_meanwhile:
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "not running"}}, "StopExecution")

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:
        return {"status": "SUCCEEDED" if executionArn in self.stopped else "RUNNING"}

    def delete_state_machine(self, *, stateMachineArn: str) -> None:
        if self.keeps_machines:
            raise ClientError({"Error": {"Code": "Throttled", "Message": ""}}, "DeleteStateMachine")
        self.machines = [machine for machine in self.machines if f"arn:{machine['name']}" != stateMachineArn]


@pytest.fixture
def fake() -> FakeWaitpoints:
    return FakeWaitpoints()


@pytest.fixture
def stack(fake: FakeWaitpoints, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TriedStack:
    stack = TriedStack(fake.client())
    monkeypatch.setattr(stacks, "read_local_stack", lambda _: stack)
    monkeypatch.setattr(local_stacks, "find", lambda: tmp_path / "stack.json")
    monkeypatch.setattr(stacks, "read_local_client", lambda _: fake.client())
    monkeypatch.setattr(local_stacks, "ask_emulator", stack.ask_emulator)
    monkeypatch.setattr(following, "POLL_SECONDS", 0)
    monkeypatch.setattr(clock, "look", lambda *_: stack.seen)
    monkeypatch.setattr(try_machine, "end_in_order", lambda: None)  # this process keeps its signals
    monkeypatch.chdir(tmp_path)
    return stack


def run(definition: Any, *arguments: str, given: Any = None) -> Result:
    Path("mine.asl.json").write_text(definition if isinstance(definition, str) else json.dumps(definition))
    if given is not None:
        Path("input.json").write_text(json.dumps(given))
        arguments = (*arguments, "--input", "input.json")
    return CliRunner().invoke(program, ["try", "mine.asl.json", *arguments])


def told(definition: Any, *arguments: str, given: Any = None) -> list[dict[str, Any]]:
    """The events that a run prints as JSON."""
    return [json.loads(line) for line in run(definition, *arguments, "--json", given=given).stdout.splitlines()]


def answering(
    fake: FakeWaitpoints,
    monkeypatch: pytest.MonkeyPatch,
    instead: Callable[[httpx.Request], httpx.Response | None],
    path: str = "/callback/",
) -> None:
    """Let the stack answer otherwise if a path has this in it, unless `instead` returns None."""
    answer = fake.handle_request

    def handle(request: httpx.Request) -> httpx.Response:
        return (instead(request) if path in request.url.path else None) or answer(request)

    monkeypatch.setattr(fake, "handle_request", handle)


def create_then_wait(token: CreatedToken, **payload: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A machine that creates a token in one state and waits for it in the next, and its history until it waits."""
    creates = {"Type": "Task", "Parameters": {"FunctionName": "<CreateFunctionName>", "Payload": payload}, "Next": "Wait"}
    waits = {**WAITING, "Parameters": {"FunctionName": "<WaitFunctionName>"}}
    entered, creating = event(0, "TaskStateEntered", name="Create"), scheduled("stack-Create-1", resource="invoke", **payload)
    made = event(0.1, "TaskSucceeded", resource="invoke", output=json.dumps({"Payload": {"id": token.id}}))
    history = [STARTED, entered, creating, made, ENTERED, scheduled("stack-Wait-1", waitpointId=token.id)]
    return {"StartAt": "Create", "States": {"Create": creates, "Wait": waits}}, history


def test_a_token_is_put_into_the_input_and_its_line_shown(stack: TriedStack) -> None:
    stack.history = [[STARTED, ENTERED, SCHEDULED], [RESUMED, SUCCEEDED]]

    result = run(WAITS, "--timeout", "2h", given={"order": 1})

    [token] = stack.waitpoints.list()
    assert stack.given == {"order": 1, "token": {"id": token.id, "url": token.url}}
    assert token.timeout_at == token.created_at + timedelta(hours=2)
    assert result.exit_code == 0
    lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    assert lines[0] == "0.00 s  Wait"
    assert lines[1] == "0.10 s    waits"
    assert lines[2] == f"To complete {token.id}, paste this into another terminal:"
    assert lines[3] == f"""curl -sw '\\n' -d '{{"approved": true}}' {token.url}"""
    assert lines[4:6] == ["4.90 s    resumed", "5.00 s  SUCCEEDED"]
    assert json.loads("".join(lines[6:])) == {"approved": True}


def test_a_machine_that_aws_would_refuse_is_not_run_but_one_with_hints_alone_is(stack: TriedStack) -> None:
    wrong = [("ERROR", 'States.Wait does not have required field "Next"'), ("WARNING", "a hint"), ("ERROR", "more")]
    stack.diagnostics = [{"severity": severity, "message": message} for severity, message in wrong]
    notifies = {"Type": "Task", "Parameters": {"FunctionName": "${NotifyFunction}"}, "Next": "Wait"}

    result = run({"StartAt": "Notify", "States": {"Notify": notifies, **WAITS["States"]}})

    said = 'AWS would not create this state machine: States.Wait does not have required field "Next"; more'
    assert (result.exit_code, said in result.stderr) == (2, True)
    assert (stack.made, list(stack.waitpoints.list())) == ([], [])
    del stack.diagnostics[::2]
    assert run(WAITS).exit_code == 0


def test_the_machine_has_the_role_of_the_example_and_is_deleted(stack: TriedStack) -> None:

    run(WAITS, "--name", "of mine")

    [machine] = stack.made
    assert (machine["roleArn"], machine["name"][:-8]) == ("the-role", "try-of-mine-")
    assert json.loads(machine["definition"])["States"]["Wait"]["Parameters"]["FunctionName"] == "stack-Wait-1"
    assert stack.machines == []


def test_a_token_of_the_input_is_used(stack: TriedStack) -> None:
    stack.history = [[STARTED, ENTERED, SCHEDULED, SUCCEEDED]]
    token = stack.waitpoints.create()

    result = run(WAITS, given={"token": {"id": token.id}})

    assert stack.given == {"token": {"id": token.id}}
    assert token.url in result.stdout
    assert [listed.status for listed in stack.waitpoints.list()] == ["WAITING"]  # it is not this run's to end


@pytest.mark.parametrize("definition", [PASSES, CREATES])
def test_no_token_is_created_for_a_machine_that_needs_none(stack: TriedStack, definition: Any) -> None:
    assert run(definition).exit_code == 0
    assert stack.given == {}
    assert list(stack.waitpoints.list()) == []


def test_a_token_that_a_state_creates_is_found_by_its_waiter(stack: TriedStack) -> None:
    other = stack.waitpoints.create(task_token="a" * 100)
    token = stack.waitpoints.create(task_token="b" * 100, execution=EXECUTION)
    both = scheduled("stack-Create-1", taskToken="b" * 100)
    stack.history = [[{**STARTED, "timestamp": NOW - timedelta(hours=1)}, ENTERED, both], [], [RESUMED, SUCCEEDED]]

    events = told(CREATES)

    assert [it["event"] for it in events] == ["started", "entered", "waits", "token", "resumed", "SUCCEEDED"]
    assert (events[3]["token"]["id"], events[3]["token"]["url"]) == (token.id, token.url)
    assert events[5]["output"] == {"approved": True}
    assert other.id not in str(events)


def test_a_token_is_found_if_its_wait_does_not_name_the_execution(stack: TriedStack) -> None:
    stack.waitpoints.create(task_token="a" * 100)
    token = stack.waitpoints.create(task_token="b" * 100)
    machine, history = create_then_wait(token)
    stack.history = [history, [], [RESUMED, SUCCEEDED]]

    assert [it["token"]["id"] for it in told(machine) if it["event"] == "token"] == [token.id]


def test_what_another_function_got_is_not_how_its_token_was_created(stack: TriedStack) -> None:
    token = stack.waitpoints.create()
    machine, history = create_then_wait(token, verify={"scheme": "github", "secret": "GITHUB"})
    history[2] = scheduled("mine", resource="invoke", verify={"scheme": "github", "secret": "GITHUB"})
    machine["States"]["Create"]["Parameters"]["FunctionName"] = "mine"
    stack.history = [history, [RESUMED, SUCCEEDED]]

    assert token.url in run(machine).stdout


def test_a_token_with_a_key_is_found_that_was_created_before(stack: TriedStack) -> None:
    token = stack.waitpoints.create(task_token="b" * 100, idempotency_key="k")
    waiting = scheduled("arn:aws:lambda:us-east-1:1:function:stack-Create-1:live", taskToken="b" * 100, idempotencyKey="k")
    tomorrow = {**STARTED, "timestamp": NOW + timedelta(days=1)}
    stack.history = [[tomorrow, ENTERED, waiting], [], [SUCCEEDED]]
    assert f"To complete {token.id}, paste this" in run(CREATES).stdout


def after(number: int, happened: dict[str, Any]) -> dict[str, Any]:
    return {**happened, "previousEventId": number}


class TestAnAnswer:
    """A token is answered as soon as a state waits for it. The fake's execution then goes on."""

    WAITING: ClassVar = [STARTED, ENTERED, SCHEDULED]

    def test_completes_the_token_by_its_url(self, stack: TriedStack) -> None:
        stack.history = [self.WAITING, [RESUMED, event(5, "TaskStateExited", name="Wait", output='{"n": 1}'), SUCCEEDED]]

        result = run(WAITS, "--answer", 'Wait={"approved": false}')

        [token] = stack.waitpoints.list()
        ended = stack.waitpoints.get(token)
        assert (ended.output, ended.completed_by and ended.completed_by.source) == ({"approved": False}, "callback")
        assert (result.exit_code, result.stderr) == (0, "")
        lines = [re.sub(r"^[\d.-]+ s +", "", line.strip()) for line in result.stdout.splitlines()]
        assert lines[:5] == ["Wait", "waits", 'answered with {"approved": false}', "resumed", "SUCCEEDED"]
        assert token.url not in result.stdout

    def test_is_reported_as_json_with_what_each_state_got_and_gave(self, stack: TriedStack) -> None:
        entered = event(0.1, "TaskStateEntered", name="Wait", input='{"order": 1}')
        left = event(5, "TaskStateExited", name="Wait", output='{"n": 1}')
        stack.history = [[STARTED, entered, SCHEDULED], [RESUMED, left, SUCCEEDED]]

        events = told(WAITS, "--answer", "[1]")

        token = events[3]["token"]["id"]
        assert [{name: value for name, value in it.items() if name not in ("at", "token")} for it in events] == [
            {"event": "started", "version": 1, "input": {}},
            {"event": "entered", "state": "Wait", "input": {"order": 1}},
            {"event": "waits", "state": "Wait"},
            {"event": "token", "state": "Wait"},
            {"event": "answered", "state": "Wait", "answer": [1]},
            {"event": "resumed", "state": "Wait", "output": {}},
            {"event": "left", "state": "Wait", "output": {"n": 1}},
            {"event": "SUCCEEDED", "output": {"approved": True}},
        ]
        assert events[4]["token"] == {"id": token}

    def test_is_told_before_what_it_leads_to(self, stack: TriedStack, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two tokens are answered: each answer has the time at which it is given, and the second one follows what is new."""
        given: list[datetime] = []
        fake_deliver = routes.deliver

        def deliver(*arguments: Any) -> None:
            fake_deliver(*arguments)
            time.sleep(0.05)
            given.append(datetime.now(UTC))

        monkeypatch.setattr(routes, "deliver", deliver)
        other = stack.waitpoints.create()
        again = scheduled("stack-Wait-1", waitpointId=other.id)
        stack.history = [[*self.WAITING, event(0.3, "TaskStateEntered", name="Again"), again], [RESUMED], [SUCCEEDED]]
        events = [it for it in told(WAITS, "--answer", "1") if it["event"] in ("answered", "resumed")]
        assert [it["event"] for it in events] == ["answered", "resumed", "answered"]
        assert datetime.fromisoformat(events[0]["at"]) < given[0] - timedelta(seconds=0.04)

    def test_that_is_refused_stops_the_run(
        self, stack: TriedStack, fake: FakeWaitpoints, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stack.history = [self.WAITING]
        answering(fake, monkeypatch, lambda _: httpx.Response(422, json={"error": "It does not fit"}))
        page = json.dumps({"title": "?", "approvers": ["ann"], "actions": [{"id": "yes", "label": "Yes"}]})

        result = run(WAITS, "--page", page, "--answer", '{"action": "no"}')

        assert result.exit_code == 1
        assert "refused ann: 422: " in result.stdout
        assert result.stderr == "The answer is refused: the execution is stopped\n"
        assert stack.stopped == [EXECUTION]
        assert stack.machines == []

    def test_of_each_approver_is_given_by_their_link(
        self, stack: TriedStack, fake: FakeWaitpoints, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = iter([httpx.Response(200, json={"success": True})])  # one of two that are needed
        answering(fake, monkeypatch, lambda _: next(first, None))
        stack.history = [self.WAITING, [RESUMED, SUCCEEDED]]
        page = json.dumps({"title": "?", "approvers": ["ann", "bo"], "actions": [{"id": "yes", "label": "Y", "needs": 2}]})
        given = ["--answer", 'Wait as bo={"action": "yes"}', "--answer", 'Wait as ann={"action": "yes"}']

        answered = [it for it in told(WAITS, "--page", page, *given) if it["event"] == "answered"]

        assert [(it["as"], it["answer"]) for it in answered] == [("ann", {"action": "yes"}), ("bo", {"action": "yes"})]
        assert [token.status for token in stack.waitpoints.list()] == ["COMPLETED"]

    def test_of_someone_whom_a_page_escalates_to_is_given_later(
        self, stack: TriedStack, fake: FakeWaitpoints, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks, escalation = iter(range(100)), {"at": NOW.isoformat(), "to": [{"id": "lead"}]}
        get = fake.handle_request
        answering(
            fake, monkeypatch, lambda it: httpx.Response(200, json={**get(it).json(), "escalation": escalation}), "/tokens/"
        )
        stack.while_it_runs = lambda: escalation.update(askedAt=NOW.isoformat()) if next(looks) == 1 else None
        stack.history = [self.WAITING, *([] for _ in range(machine_run.POLLS_PER_CHECK)), [RESUMED, SUCCEEDED]]
        page = json.dumps({"title": "?", "approvers": ["ann"], "escalate": {"after": "10m", "to": ["lead"]}})

        result = run(WAITS, "--page", page, "--answer", 'Wait as lead={"action": "submit"}')

        assert (result.exit_code, result.stderr) == (0, "")
        assert 'answered as lead with {"action": "submit"}' in result.stdout

    def test_that_no_token_got_is_an_error_at_the_end(self, stack: TriedStack) -> None:
        both = {**WAITS["States"], "Never": WAITS["States"]["Wait"]}
        stack.history = [self.WAITING, [RESUMED, SUCCEEDED]]
        result = run({"StartAt": "Wait", "States": both}, "--answer", "Wait=1", "--answer", "Never=2")
        assert result.exit_code == 1
        assert "SUCCEEDED" in result.stdout
        assert result.stderr == 'Error: --answer for Never was not used: the states that waited are "Wait"\n'

    def test_can_be_that_the_token_times_out(self, stack: TriedStack, monkeypatch: pytest.MonkeyPatch) -> None:
        timed_out: list[str] = []
        monkeypatch.setattr(clock, "time_out", lambda found, token: timed_out.append(token) if found is stack else None)
        stack.history = [self.WAITING, [event(5, "TaskFailed", error="WaitpointTimeoutError"), FAILED]]
        result = run(WAITS, "--time-out", "Wait")
        assert timed_out == [token.id for token in stack.waitpoints.list()]
        assert re.search(r"waits\n.*times out now\n.*failed WaitpointTimeoutError", result.stdout)
        assert result.exit_code == 1

    def test_that_a_token_times_out_can_be_refused(self, stack: TriedStack, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any) -> None:
            raise clock.ClockProblem("it has no timeout")

        monkeypatch.setattr(clock, "time_out", refuse)
        stack.history = [self.WAITING, []]
        result = run(WAITS, "--time-out", "Wait")
        assert (result.exit_code, stack.stopped) == (1, [EXECUTION])
        assert "refused it has no timeout" in result.stdout


@pytest.mark.parametrize("ends_meanwhile", [False, True])
def test_a_run_that_is_not_over_in_time_is_stopped_with_status_2(stack: TriedStack, ends_meanwhile: bool) -> None:
    stack.ends_meanwhile = ends_meanwhile
    stack.history = [[STARTED, ENTERED, SCHEDULED], [], []]
    result = run(WAITS, "--for", "0s")
    assert (result.exit_code, stack.stopped, stack.machines) == (2, [EXECUTION], [])
    [token] = stack.waitpoints.list()
    late = f'It still runs after 0 s, and waits in "Wait" for {token.id}: the execution is stopped\n'
    assert result.stderr == late

    stack.history = [[STARTED], [], []]
    result = run(WAITS, "--for", "0s", "--answer", "Wait=1")
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: --answer for Wait was not used: no state waited\n")


class TestTime:
    """What `try` says of time, and how it lets it pass. The clock is a list of what each step skips."""

    ENTERED: ClassVar = [STARTED, event(0.1, "WaitStateEntered", name="Night")]
    MACHINE: ClassVar = {"StartAt": "Night", "States": {"Night": {"Type": "Wait", "Seconds": 14400, "End": True}}}

    @pytest.fixture
    def steps(self, stack: TriedStack, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """What each step skips; None at the end. Then come the seconds that were asked for."""
        steps: list[Any] = []

        class Passing:
            now, is_over = NOW, False

            def __init__(self, found: Any, execution: str, seconds: float) -> None:
                assert (found, execution) == (stack, EXECUTION)
                self.seconds = seconds

            def rests(self) -> bool:
                return True

            def step(self) -> list[Skipped]:
                skipped = steps.pop(0)
                self.is_over, self.now = skipped is None, self.now + timedelta(hours=1)
                return skipped or []

            def end(self) -> list[Skipped]:
                steps.append(self.seconds)
                return [Skipped("Ask", "Wait", 60)] if self.is_over else []

        monkeypatch.setattr(following, "Passing", Passing)
        return steps

    def test_a_wait_and_a_retry_say_once_how_they_pass_and_the_last_line_repeats_it(self, stack: TriedStack) -> None:
        stack.history = [self.ENTERED, *([] for _ in range(5))]
        stack.seen = Seen(True, [Coming("Night", "Wait", 14399.2), Coming("Pay", "Retry", 600), Coming("Pay", "Retry", 1)], 0)
        ticks = iter(range(100))
        stack.while_it_runs = lambda: None if next(ticks) < 4 else time.sleep(1.1)
        result = run(self.MACHINE, "--for", "1s")
        said = [line.partition(" s    ")[2] for line in result.stdout.splitlines() if "--skip" in line]
        assert [re.sub(r"until [-0-9]+ [0-9:]+", "until …", line) for line in said] == [
            "waits until … UTC; --skip 4h passes it",
            "Pay: retries in 600 s; --skip 10m passes it",
        ]
        wait = 'waits 4h in "Night", which --skip 4h lets pass'
        assert result.stderr.startswith(f'It still runs after 1 s, and {wait} and retries "Pay" in 10m, which --skip 10m')

    def test_nothing_is_said_while_a_state_is_at_work(self, stack: TriedStack) -> None:
        stack.history = [self.ENTERED, [], [SUCCEEDED]]
        stack.seen = Seen(False, [Coming("Night", "Wait", 14399.2)], 0)
        assert "--skip" not in run(self.MACHINE).output

    def test_it_passes_while_nothing_else_happens_and_is_told(self, stack: TriedStack, steps: list[Any]) -> None:
        stack.history = [self.ENTERED, [], [event(1, "WaitStateExited", name="Night", output="{}")], [], [], [SUCCEEDED]]
        steps += [[Skipped("Night", "Wait", 14399.2)], None]
        result = run(self.MACHINE, "--skip", "3h", "--skip", "60m")
        assert result.exit_code == 0, result.output
        lines = [line.partition(" s  ")[2] for line in result.stdout.splitlines()]
        assert lines[:4] == ["Night", "  skipped 4h: Wait", "  Ask: skipped 1m: Wait", "SUCCEEDED"]
        assert steps == [14400]

    def test_it_passes_only_after_the_answers_were_given(self, stack: TriedStack, steps: list[Any]) -> None:
        stack.history = [[STARTED, ENTERED, SCHEDULED], [RESUMED], [], [SUCCEEDED]]
        steps += [[Skipped("Wait", "Wait", 60)]]
        events = told(WAITS, "--skip", "1h", "--answer", "Wait=1")
        assert [it["event"] for it in events][3:] == ["token", "answered", "resumed", "skipped", "SUCCEEDED"]
        [skipped] = [it for it in events if it["event"] == "skipped"]
        assert (skipped["state"], skipped["what"], skipped["seconds"]) == ("Wait", "Wait", 60)
        assert datetime.fromisoformat(skipped["at"]) - NOW.replace(microsecond=0) > timedelta(minutes=59)
        assert steps == [3600]  # the clock goes on by itself


def test_an_execution_that_times_out_has_status_2(stack: TriedStack) -> None:
    stack.history = [[STARTED, event(1, "ExecutionTimedOut")]]
    assert run(PASSES).exit_code == 2


class TestAMap:
    """Two items at once: one creates a token and then waits for it, one does both in one state. Each has a page of its own."""

    EACH: ClassVar[dict[str, Any]] = {"Type": "Map", "ItemProcessor": CREATES, "End": True}
    MACHINE: ClassVar[dict[str, Any]] = {"StartAt": "Each", "States": {"Each": EACH}}

    @pytest.fixture
    def tokens(self, stack: TriedStack) -> list[str]:
        tokens = [stack.waitpoints.create().id, stack.waitpoints.create(task_token="b" * 100).id]
        pages = [{"fields": {"required": ["n"], "properties": {"n": {"minimum": least}}}} for least in (10, 20)]
        made = event(0.3, "TaskSucceeded", resource="invoke", output=json.dumps({"Payload": {"id": tokens[0]}}))
        stack.history = [
            [
                {**STARTED, "timestamp": NOW - timedelta(hours=1)},
                after(1, event(0, "MapStateEntered", name="Each")),
                after(2, event(0, "MapIterationStarted", name="Each", index=0)),
                after(2, event(0, "MapIterationStarted", name="Each", index=1)),
                after(3, event(0.1, "TaskStateEntered", name="Create")),
                after(4, event(0.1, "TaskStateEntered", name="Both")),
                after(5, scheduled("stack-Create-1", 0.2, "invoke", page=pages[0])),
                after(6, scheduled("stack-Create-1", 0.2, taskToken="b" * 100, page=pages[1])),
                after(7, made),
                after(9, event(0.4, "TaskStateEntered", name="Wait")),
                after(10, scheduled("stack-Wait-1", 0.5, waitpointId=tokens[0])),
            ],
            [after(8, RESUMED), after(12, event(5, "MapIterationSucceeded", name="Each", index=1)), SUCCEEDED],
        ]
        return tokens

    def test_names_the_state_and_the_item_wherever_another_one_was_named_before(
        self, stack: TriedStack, tokens: list[str]
    ) -> None:
        lines = re.findall(
            r"^ +(?:[\d.]+ s  +)?(.*(?:Each|Create|Both|Wait|waits|resumed|Open).*)$", run(self.MACHINE).stdout, re.M
        )
        found = [line.partition(" http")[0] for line in lines]
        assert found == [
            "Each",
            "Create, item 0",
            "Both, item 1",
            "waits",
            "Wait, item 0",
            "waits",
            "Wait, item 0: Open",
            "Both, item 1: Open",
            "Both, item 1: resumed",
        ]

    def test_tells_what_fits_each_token(self, stack: TriedStack, tokens: list[str]) -> None:
        events = told(self.MACHINE)
        found = [(it["state"], it["items"], it["token"]["id"], it["token"]["fits"]) for it in events if it["event"] == "token"]
        assert found == [
            ("Wait", [0], tokens[0], {"action": "submit", "fields": {"n": 10}}),
            ("Both", [1], tokens[1], {"action": "submit", "fields": {"n": 20}}),
        ]
        assert [(it["event"], it["state"], it["items"]) for it in events[2:-1]][-1] == ("resumed", "Both", [1])


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_nothing_that_a_machine_says_is_obeyed_by_a_terminal(stack: TriedStack, as_json: list[str]) -> None:
    text = "\x1b[31m\x9b\x7f\u202e\u2066\r"
    stack.history = [
        [
            STARTED,
            event(0.1, "PassStateEntered", name=text),
            event(1, "TaskFailed", error=text, cause=text),
            {**SUCCEEDED, "executionSucceededEventDetails": {"output": json.dumps({text: text})}},
        ]
    ]
    result = run({**PASSES, "Comment": text}, *as_json)
    assert not set(result.output) & set(text) - set("[31m")
    assert result.output.count(r"\u202e") >= 5
    if as_json:
        assert json.loads(result.stdout.splitlines()[-1])["output"] == {text: text}


def test_a_map_within_an_item_that_is_over_gives_no_item() -> None:
    events = [
        event(0, "MapIterationStarted", name="Outer", index=4),
        event(0, "MapStateEntered", name="Inner"),
        event(0, "MapIterationStarted", name="Inner", index=7),
        event(0, "PassStateEntered", name="Within"),
        event(0, "MapIterationSucceeded", name="Inner", index=7),
        event(0, "MapStateExited", name="Inner", output="[]"),
        event(0, "PassStateEntered", name="Later"),
    ]
    history = History([{"id": number, "previousEventId": number - 1, **one} for number, one in enumerate(events, 1)])
    entered = [history.read(event) for event in history.events]
    assert [it.location for it in entered if it and it.kind == "entered"] == [
        Location("Inner", (4,)),
        Location("Within", (4, 7)),
        Location("Later", (4,)),
    ]
    assert [it.location for it in entered if it and it.kind == "left"] == [Location("Inner", (4,))]


def test_a_token_that_has_ended_before_needs_no_line(stack: TriedStack) -> None:
    token = stack.waitpoints.create()
    stack.waitpoints.complete(token)
    stack.history = [[STARTED, ENTERED, SCHEDULED, RESUMED, SUCCEEDED]] * 2

    lines = run(WAITS, given={"token": {"id": token.id}}).stdout.splitlines()

    assert lines[1] == f"    0.10 s    waits for {token.id}, which is COMPLETED"
    assert len(lines[1]) == 80
    assert lines[2].endswith("resumed")
    assert token.url not in "".join(lines)
    events = told(WAITS, given={"token": {"id": token.id}})
    assert [it["event"] for it in events] == ["started", "entered", "waits", "resumed", "SUCCEEDED"]
    assert events[2]["token"] == {"id": token.id, "status": "COMPLETED"}


def test_a_token_that_two_states_wait_for_is_reported_once_and_then_named(stack: TriedStack) -> None:
    again = [event(0.3, "TaskStateEntered", name="Again"), {**SCHEDULED, "timestamp": NOW + timedelta(seconds=0.4)}]
    stack.history = [[STARTED, ENTERED, SCHEDULED, *again, SUCCEEDED]]
    printed = run(WAITS).stdout
    [token] = stack.waitpoints.list()
    assert printed.count(token.url) == 1
    assert f"Again\n    0.30 s    waits for {token.id}, which is WAITING\n" in printed


def test_an_id_that_names_no_token_is_left_to_the_state(stack: TriedStack) -> None:
    for wrong in ("..", "nope", None):
        stack.history = [[STARTED, ENTERED, scheduled("stack-Wait-1", waitpointId=wrong), SUCCEEDED]]
        result = run(WAITS)
        assert (result.exit_code, result.stderr) == (0, "")
        assert "To complete" not in result.stdout


def test_fields_without_a_value_that_fits_are_named(stack: TriedStack) -> None:
    code = {"type": "string", "pattern": "^[A-Z]{2}/[0-9]{2}$"}
    page = json.dumps(
        {"title": "?", "fields": {"required": ["n", "code"], "properties": {"n": {"type": "number"}, "code": code}}}
    )
    stack.history = [[STARTED, ENTERED, SCHEDULED, SUCCEEDED]] * 2

    printed = run(WAITS, "--page", page).stdout

    assert "Put values that fit into it first: code\n" in printed
    assert """-d '{"action": "submit", "fields": {"n": 1}}' http""" in printed
    assert [it["token"]["missing"] for it in told(WAITS, "--page", page) if it["event"] == "token"] == [["code"]]


@pytest.mark.parametrize(
    ("status", "seconds", "times"), [("GONE", 0, 1), ("UNDELIVERED", 0, 0), ("UNDELIVERED", 60, 0), ("UNDELIVERED", 180, 1)]
)
def test_a_result_that_reached_no_one_is_reported_once(
    stack: TriedStack, monkeypatch: pytest.MonkeyPatch, status: str, seconds: int, times: int
) -> None:
    """As after `"taskToken.$": "$$.Execution.Name"`: the token completes, and the execution waits on.

    A waiter that is still to be resumed is UNDELIVERED, too: that is not lost yet.
    """
    token = stack.waitpoints.create(task_token="b" * 100)
    stack.history = [[STARTED, ENTERED, SCHEDULED], *([] for _ in range(2 * machine_run.POLLS_PER_CHECK)), [SUCCEEDED]]
    found = stack.waitpoints.get(token)
    [waiter] = found.waiters
    ended = datetime.now(UTC) - timedelta(seconds=seconds)
    gone = found.model_copy(update={"completed_at": ended, "waiters": (waiter.model_copy(update={"status": status}),)})
    answers = iter([found])
    tried = SimpleNamespace(**{name: getattr(stack.waitpoints, name) for name in ("create", "list", "fail")})
    tried.get = lambda _: next(answers, gone)
    monkeypatch.setattr(stacks, "read_local_client", lambda _: nullcontext(tried))

    lines = run(WAITS, given={"token": {"id": token.id}}).stdout.splitlines()

    lost = [line for line in lines if f"lost the result: its waiter is {status}." in line and "$$.Task.Token" in line]
    assert len(lost) == times


def test_an_execution_that_fails_says_why_and_has_status_1(stack: TriedStack) -> None:
    stack.history = [[STARTED, event(1, "TaskFailed", error="Lambda.Unknown", cause="no such function"), FAILED]]
    result = run(PASSES)
    assert result.exit_code == 1
    assert "failed Lambda.Unknown: no such function" in result.stdout
    assert "FAILED Rejected: by legal" in result.stdout


def test_an_error_is_said_once_and_the_message_of_a_function_for_people(stack: TriedStack) -> None:
    refused = {"error": "NotFound", "cause": json.dumps({"errorMessage": "no token", "errorType": "NotFound"})}
    stack.history = [[STARTED, event(1, "TaskFailed", **refused), event(2, "ExecutionFailed", **refused)]]
    lines = run(PASSES).stdout.splitlines()
    assert [line.strip() for line in lines] == ["0.00 s    failed NotFound: no token", "1.00 s  FAILED NotFound"]


def test_a_machine_without_its_input_gets_advice(stack: TriedStack) -> None:
    stack.history = [[STARTED, event(1, "ExecutionFailed", error="States.Runtime", cause="no $.orderId")]]
    result = run({**PASSES, "Comment": 'Input: {"orderId": "1"}'})
    assert result.stderr == 'Its input was {}. Give it another with --input. Its comment: Input: {"orderId": "1"}\n'


@pytest.mark.parametrize(
    ("given", "value"),
    [('{"a": 1}', {"a": 1}), ("input.json", {"a": 2}), ("@input.json", {"a": 2}), ('"text"', "text"), ("5", 5), ("-", [3])],
)
def test_the_input_can_be_json_or_a_file(stack: TriedStack, given: str, value: Any) -> None:
    Path("input.json").write_text('{"a": 2}')
    Path("passes.json").write_text(json.dumps(PASSES))
    result = CliRunner().invoke(program, ["try", "@passes.json", "--input", given], input="[3]")
    assert (result.exit_code, stack.given) == (0, value)


CALLS = {
    "Type": "Task",
    "Resource": "arn:${Partition}:states:::lambda:invoke",
    "Arguments": {"FunctionName": "${StartFunction}"},
    "Output": "{% $states.result.Payload.run_id %}",
    "End": True,
}
CALLING: dict[str, Any] = {"StartAt": "A", "States": {"A": CALLS}}
ELSEWHERE = json.dumps(CALLING).replace("${StartFunction}", "arn:aws:lambda:us-east-1:1:function:f")
ENDLESS = {"StartAt": "Wait", "States": {"Wait": {**WAITING, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"}}}
CREATING = {"FunctionName": "<CreateFunctionName>", "Payload": {"taskToken.$": "$$.Task.Token", "tags": ["a"]}}
ASKS = {"StartAt": "Ask", "States": {"Ask": {**WAITING, "Parameters": CREATING}}}


@pytest.mark.parametrize(
    ("definition", "words", "said"),
    [
        ('{"StartAt":', [], "mine.asl.json, line 1, column 12: not JSON"),
        ({**PASSES, "Comment": "${Nothing}"}, [], "no value for the placeholder ${Nothing}"),
        (WAITS, ["--input", "[1]"], "The input must be an object"),
        (PASSES, ["--set", "Nothing"], ""),
        (PASSES, ["--input", "nofile"], "--input nofile is neither JSON nor a file: No such file or directory"),
        (PASSES, ["--input", "{"], "--input is not JSON"),
        (PASSES, ["--page", "nofile"], "--page nofile is neither JSON nor a file: No such file or directory"),
        (PASSES, ["--local", "nofile"], "--local nofile is neither the file of a local stack nor a folder with a stack"),
        (PASSES, ["--for", "soon"], "'soon' is no duration"),
        (PASSES, ["--skip", "1h", "--skip", "4"], "'4' is no duration: write 30s, 10m, 2h"),
        (PASSES, ["--stand-in", "Pay=fails"], '--stand-in Pay=fails has another form than "Pay=fails PaymentDeclined"'),
        (CALLING, ["--stand-in", "Pay=1"], "no function and no Task state Pay: its functions are StartFunction"),
        (ELSEWHERE, [], 'the state "A" invokes arn:aws:lambda:us-east-1:1:function:f, which is not on the local stack: add '),
        (ELSEWHERE, [], "add --stand-in 'A={…}', or write ${MyFunction} instead"),
        (PASSES, ["--answer", "{}"], "--answer {}: no state of it waits for a token"),
        (ASKS, ["--time-out", "Ask"], 'Error: --time-out: "Ask" creates a token without a timeout, so it never times out\n'),
        (
            ENDLESS,
            ["--time-out", "Wait"],
            '--time-out: "Wait" has neither TimeoutSeconds nor HeartbeatSeconds, so it never times out\n',
        ),
    ],
)
def test_a_mistake_starts_nothing(stack: TriedStack, definition: Any, words: list[str], said: str) -> None:
    result = run(definition, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert (stack.made, stack.given, list(stack.waitpoints.list())) == ([], None, [])


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("nofile", "nofile cannot be read: No such file or directory"),
        ("README.md", "README.md, line 1, column 1: not JSON"),
        ("mine.asl.json#Machine", "mine.asl.json is no template, so it has no Machine: leave out #Machine"),
    ],
)
def test_a_file_that_cannot_be_used_is_wrong_usage(stack: TriedStack, file: str, said: str) -> None:
    Path("mine.asl.json").write_text(json.dumps(PASSES))
    Path("README.md").write_text("# A text")
    result = CliRunner().invoke(program, ["try", file])
    assert (result.exit_code, result.stdout, stack.machines) == (2, "", [])
    assert said in result.stderr


def test_a_token_without_a_timeout_times_out_by_that_of_its_stack(stack: TriedStack) -> None:
    stack.parameters["DefaultTimeout"] = "7d"
    assert "never times out" not in run(ASKS, "--time-out", "Ask").stderr


def test_its_token_can_have_a_page(stack: TriedStack) -> None:
    stack.history = [[STARTED, ENTERED, SCHEDULED, SUCCEEDED]]
    printed = run(WAITS, "--page", '{"title": "Deploy?", "actions": [{"id": "yes", "label": "Yes"}]}').stdout
    [token] = stack.waitpoints.list()
    assert f"Open {token.url}\n" in printed
    assert """curl -sw '\\n' -d '{"action": "yes"}' http""" in printed


def test_each_approver_of_its_page_has_a_link_of_their_own(stack: TriedStack) -> None:
    stack.history = [[STARTED, ENTERED, SCHEDULED, SUCCEEDED]] * 2
    page = json.dumps({"title": "Deploy?", "approvers": ["ann", "bo"], "escalate": {"after": "10m", "to": ["lead"]}})
    printed = run(WAITS, "--page", page).stdout
    events = told(WAITS, "--page", page)

    second, first = stack.waitpoints.list()
    ann, bo, _ = stack.waitpoints.get(first).links
    assert f"As ann, open {ann.url}\n" in printed
    assert f"As bo, open {bo.url}\n" in printed
    assert [words for words in ("Open http", "As lead", "curl", " complete ") if words in printed] == []
    assert """ --answer 'Wait as ann={"action": "submit"}'\n""" in printed
    assert """ --answer 'Wait as bo={"action": "submit"}'\n""" in printed
    [token] = [it["token"] for it in events if it["event"] == "token"]
    links = stack.waitpoints.get(second).links
    assert [(it["approver"], it["url"]) for it in token["links"]] == [(it.approver, it.url) for it in links]


class TestATokenThatMustBeSigned:
    VERIFY: ClassVar[Any] = {"scheme": "github", "secret": "GITHUB"}

    def start(self, stack: TriedStack, *options: str) -> tuple[CreatedToken, Result]:
        token = stack.waitpoints.create(task_token="a" * 100, execution=EXECUTION)
        machine, history = create_then_wait(token, verify=self.VERIFY, completeWhen="body.a == 'closed'")
        stack.history, stack.verify = [history, [], [RESUMED, SUCCEEDED]], self.VERIFY
        return token, run(machine, *options)

    def test_is_completed_by_a_delivery_with_a_stand_in_for_its_secret(self, stack: TriedStack) -> None:
        for _ in range(2):
            token, result = self.start(stack)
            assert f"""deliver {token.id} '{{"a": "closed"}}'\n""" in result.stdout
            assert "The secret GITHUB is a stand-in that no provider has: answers are signed with it." in result.stderr
            [(name, (value, _))] = stack.secrets.items()  # it stays, for the functions remember it
            assert (name, value[:6]) == ("waitpoints/stack/webhooks/GITHUB", "whsec_")
            assert value not in result.output

    def test_is_answered_with_a_signature(self, stack: TriedStack, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[Any] = []

        def deliver(*delivery: Any) -> Any:
            sent.append(delivery)
            return calls.complete(next(iter(stack.waitpoints.list())), True)

        monkeypatch.setattr(calls, "deliver", deliver)
        token, result = self.start(stack, "--answer", '{"a": "closed"}')
        assert result.exit_code == 0, result.output
        [(url, body, headers)] = sent
        assert (url, body) == (token.url, b'{"a": "closed"}')
        signed = webhook_signer.sign("github", stack.secrets["waitpoints/stack/webhooks/GITHUB"][0], body, url, 0)
        assert headers == {**signed.headers, "content-type": "application/json"}


class TestAStandIn:
    def test_returns_what_it_is_given_and_what_the_machine_reads(self, stack: TriedStack) -> None:
        result = run(CALLING)
        [(name, [turn])] = stack.asked[0]["stand_ins"].items()
        assert (set(turn["returns"]), stack.asked[0]["echoing"]) == ({"run_id"}, [name])
        said = f"StartFunction is a stand-in that returns what it is given, with run_id {turn['returns']['run_id']}. "
        assert result.stderr.startswith(f"{said}Name a function of yours with --set StartFunction=…")
        assert name.startswith("try-StartFunction-")
        assert name in stack.made[0]["definition"]

    def test_returns_the_json_that_is_given(self, stack: TriedStack) -> None:
        result = run(CALLING, "--set", 'StartFunction={"run_id": 7}')
        assert (*stack.asked[0]["stand_ins"].values(), stack.asked[0]["echoing"]) == ([{"returns": {"run_id": 7}}], [])
        assert result.stderr == 'StartFunction is a stand-in that returns {"run_id": 7}.\n'

    def test_does_call_by_call_what_it_is_given(self, stack: TriedStack) -> None:
        told = [
            "StartFunction=fails Busy",
            "StartFunction=fails Lambda.ServiceException: not now",
            'StartFunction={"run_id": 7}',
        ]
        result = run(CALLING, *(word for text in told for word in ("--stand-in", text)))
        busy = {"error": "Busy", "message": "The stand-in fails, as it was asked to"}
        late = {"error": "Lambda.ServiceException", "message": "not now"}
        assert [*stack.asked[0]["stand_ins"].values()] == [[busy, late, {"returns": {"run_id": 7}}]]
        assert result.exit_code == 0, result.output
        said = 'fails with Busy, then fails with Lambda.ServiceException, then returns {"run_id": 7}'
        assert result.stderr == f"StartFunction is a stand-in that {said}.\n"

    def test_stands_in_for_a_function_that_is_named_without_a_placeholder(self, stack: TriedStack) -> None:
        arn = "arn:aws:lambda:us-east-1:1:function:pay:live"
        text = json.dumps(CALLING).replace("${StartFunction}", arn)
        assert run(text, "--stand-in", "pay=[1]").exit_code == 0
        [(name, turns)] = stack.asked[0]["stand_ins"].items()
        assert (name[:8], turns) == ("try-pay-", [{"returns": [1]}])
        assert arn not in stack.made[0]["definition"]


class TestAStandInOfAState:
    def test_is_told_to_the_engine_call_by_call_and_makes_no_function(self, stack: TriedStack) -> None:
        texts = ["Charge=fails Busy: later", 'Charge={"id": 7}', "Pay=fails Broke", "Pay=1", "Wait=2"]
        result = run(OTHERS, *(word for text in texts for word in ("--stand-in", text)))
        assert result.exit_code == 0, result.output
        assert 'The state "Charge" is a stand-in that fails with Busy, then returns {"id": 7}.' in result.stderr
        invoked = {"ExecutedVersion": "$LATEST", "StatusCode": 200}
        broke = {"error": "Broke", "message": "The stand-in fails, as it was asked to", "of_function": True}
        assert stack.asked[0] == {
            "machine": f"arn:{stack.made[0]['name']}",
            "stand_ins": {
                "Charge": [{"error": "Busy", "message": "later", "of_function": False}, {"returns": {"id": 7}}],
                "Pay": [broke, {"returns": {**invoked, "Payload": 1}}],
                "Wait": [{"returns": 2}],
            },
            "echoing": [],
            "unsent": ["Wait"],
        }

    @pytest.mark.parametrize("definition", [PASSES, WAITS])
    def test_costs_nothing_where_there_is_none(self, stack: TriedStack, definition: Any) -> None:
        assert run(definition).exit_code == 0
        assert stack.asked == []

    def test_needs_a_stack_of_this_version(self, stack: TriedStack, monkeypatch: pytest.MonkeyPatch) -> None:
        def ask(*_: Any) -> Any:
            raise HTTPError("http://127.0.0.1:8787/", 404, "", SimpleNamespace(), None)  # type: ignore[arg-type]

        monkeypatch.setattr(local_stacks, "ask_emulator", ask)
        result = run(OTHERS, "--stand-in", "Charge=1", "--stand-in", "Pay=1")
        assert (result.exit_code, stack.machines, stack.stopped) == (2, [], [])
        assert "start it with this version of Waitpoints" in result.stderr


class TestATaskTokenOfSomethingElse:
    """A queue gets it, which is not here."""

    @pytest.fixture(autouse=True)
    def waits(self, stack: TriedStack) -> None:
        sent = event(0.2, "TaskScheduled", resource="sendMessage.waitForTaskToken", parameters='{"MessageBody": "…"}')
        resumed = event(5, "TaskSucceeded", resource="sendMessage.waitForTaskToken", output="{}")
        stack.history = [[STARTED, ENTERED, sent], [], [resumed, SUCCEEDED]]
        stack.waits = [{}, {"3": "the-token"}]

    def try_it(self, *arguments: str) -> Result:
        return run(OTHERS, "--stand-in", "Charge=1", "--stand-in", "Pay=1", *arguments)

    def test_is_shown_once_it_is_waited_for_with_both_lines_that_answer_it(self, stack: TriedStack) -> None:
        lines = [line.strip() for line in self.try_it().stdout.splitlines() if line.strip()]
        assert lines[1] == "0.10 s    waits"
        assert lines[2].startswith("""Run it again with --answer 'Wait={"approved": true}', or paste this into another""")
        assert lines[3].startswith('(eval "$(')
        sends = """env)"; aws stepfunctions send-task-success --task-output '{"approved": true}' --task-token the-token)"""
        assert lines[3].endswith(sends)

    def test_is_answered(self, stack: TriedStack) -> None:
        result = self.try_it("--answer", "Wait={}", "--json")
        assert stack.sent == [{"taskToken": "the-token", "output": "{}"}]
        told = [json.loads(line) for line in result.stdout.splitlines()]
        [token] = [it["token"] for it in told if it["event"] == "token"]
        assert (token["id"], token["fits"], sorted(token)) == ("the-token", {"approved": True}, ["command", "fits", "id"])
        assert [it["event"] for it in told if it.get("answer") == {}] == ["answered"]

    def test_that_refuses_its_answer_stops_the_run(self, stack: TriedStack) -> None:
        stack.refuses = "Task Timed Out"
        result = self.try_it("--answer", "Wait={}")
        assert (result.exit_code, stack.stopped) == (1, [EXECUTION])
        assert "refused Task Timed Out" in result.stdout

    def test_has_no_approvers(self, stack: TriedStack) -> None:
        result = self.try_it("--answer", "Wait as ann={}")
        assert (result.exit_code, stack.sent, stack.stopped) == (1, [], [EXECUTION])
        assert "refused ann is none of its approvers: it has none" in result.stdout

    def test_times_out_if_its_state_can(self, stack: TriedStack, monkeypatch: pytest.MonkeyPatch) -> None:
        late: list[Any] = []
        monkeypatch.setattr(clock, "time_out_task", lambda *found: late.append(found))
        self.try_it("--time-out", "Wait")
        assert late == [(stack, EXECUTION, "the-token")]

    def test_of_a_state_without_a_timeout_is_not_let_time_out(self, stack: TriedStack) -> None:
        asks = Definition(json.dumps({"StartAt": "Ask", "States": {"Ask": WAITING}}))
        tried = machine_run.MachineRun(stack, stack.waitpoints, asks)  # type: ignore[arg-type]
        with pytest.raises(clock.ClockProblem, match=r'^"Ask" has neither TimeoutSeconds nor HeartbeatSeconds'):
            tried.time_out(Location("Ask"), TaskToken("the-token", {}))


class TestTheTokensOfADistributedMap:
    """Its children have histories of their own, so the engine says which tasks of them wait."""

    def machine(self, **task: Any) -> dict[str, Any]:
        children = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "Ask", "States": {"Ask": {**WAITING, **task}}}
        return {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemProcessor": children, "End": True}}}

    def test_of_something_else_are_answered_by_their_items(self, stack: TriedStack) -> None:
        stack.history = [[STARTED], [], [SUCCEEDED]]
        stack.children = [[["one", "Ask", [1]], ["zero", "Ask", [0]]], [["one", "Ask", [1]]]]
        queue = {"Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Parameters": {"QueueUrl": "q"}}
        events = told(self.machine(**queue), "--answer", "Ask[0]=true", "--answer", "Ask[1]=false")
        assert stack.sent == [{"taskToken": "zero", "output": "true"}, {"taskToken": "one", "output": "false"}]
        assert [(it["event"], it["items"]) for it in events if "items" in it] == [
            *(("waits", [0]), ("token", [0]), ("waits", [1]), ("token", [1])),
            *(("answered", [0]), ("resumed", [0]), ("answered", [1])),
        ]

    def test_of_ours_are_found_by_their_waiters(self, stack: TriedStack) -> None:
        stack.history = [[STARTED], [], [SUCCEEDED]]
        stack.children = [[["a" * 100, "Ask", [0]]]] * 2
        other = stack.waitpoints.create(task_token="b" * 100, execution=EXECUTION)
        token = stack.waitpoints.create(task_token="a" * 100, execution=EXECUTION)
        ask = {"Parameters": {"FunctionName": "<CreateFunctionName>", "Payload": {"taskToken.$": "$$.Task.Token"}}}
        assert run(self.machine(**ask), "--answer", "Ask[0]=1").exit_code == 0
        assert [stack.waitpoints.get(it).status for it in (token, other)] == ["COMPLETED", "WAITING"]


def test_ctrl_c_stops_the_execution_and_leaves_nothing_waiting(stack: TriedStack) -> None:
    stack.history = [[STARTED, ENTERED, SCHEDULED]]  # then the fake interrupts
    result = run(WAITS)
    assert (result.exit_code, result.stderr) == (130, "Interrupted: the execution is stopped\n")
    assert (stack.stopped, stack.machines) == ([EXECUTION], [])
    assert [(token.status, token.ok) for token in stack.waitpoints.list()] == [("COMPLETED", False)]


GONE = "http://127.0.0.1:1"  # where nothing listens
ENDED = f"The local stack at {GONE} has ended"


@pytest.mark.parametrize(
    ("error", "said", "stopped"),
    [
        (EndpointConnectionError(endpoint_url=GONE, error=""), ENDED, []),
        (APIConnectionError("refused", GONE), ENDED, []),
        (problems.CommandProblem("It is full"), "It is full", [EXECUTION]),
    ],
)
def test_an_error_is_reported_and_stops_what_a_stack_still_runs(
    stack: TriedStack, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str, stopped: list[str]
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    stack.history = [[STARTED]]
    monkeypatch.setattr(stack, "paginate", fail)
    if not stopped:
        monkeypatch.setattr(stack, "delete_state_machine", fail)
    result = run(PASSES)
    assert (result.exit_code, result.stdout, stack.stopped) == (1, "", stopped)
    assert result.stderr == f"Error: {said}\n"


def test_a_stack_that_listens_has_not_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert not problems.has_ended(APIConnectionError("slow", url))
    assert problems.has_ended(APIConnectionError("refused", url))
    assert not problems.has_ended(APIConnectionError("refused", "https://example.com"))
    assert not problems.has_ended(ValueError("refused"))


def test_a_machine_that_cannot_be_deleted_is_named(stack: TriedStack) -> None:
    stack.keeps_machines = True
    result = run(PASSES)
    assert f"The state machine could not be deleted: arn:{stack.machines[0]['name']}" in result.stderr


def test_another_placeholder_can_be_given(stack: TriedStack) -> None:
    assert run({**PASSES, "Comment": "${Nothing}"}, "--set", "Nothing=something").exit_code == 0


def test_it_runs_on_the_local_stack_only(stack: TriedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_stacks, "find", lambda: None)
    assert "runs on a local stack only: start one with `waitpoints up` or `make run`" in run(PASSES).stderr
    assert "No such option: --stack" in run(PASSES, "--stack", "production").stderr
