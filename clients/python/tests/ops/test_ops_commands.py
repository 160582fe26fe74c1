"""The operator's commands on fakes of AWS: what they print, and their exit status."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from waitpoints_client.cli import operate, show, stacks
from waitpoints_client.cli.program import program
from waitpoints_client.ops import logs as stack_logs
from waitpoints_client.ops import smoke_checks
from waitpoints_client.ops.deployed import Outputs
from waitpoints_client.ops.restore import Copied
from waitpoints_client.testing import FakeWaitpoints
from waitpoints_client.version import __version__

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key"
FOUND = {"items": 3, "repaired": 1, "unrepaired": 0, "undelivered": [], "overdue": [], "pending": []}
UNDONE = {**FOUND, "repaired": 0, "unrepaired": 2, "undelivered": ["waitpoint_1"], "overdue": ["waitpoint_2"]}
NOON = datetime(2030, 1, 31, 12, tzinfo=timezone.utc)
CURRENT, PREVIOUS = (
    {"VersionStages": ["AWSCURRENT"], "CreatedDate": NOON},
    {"VersionStages": ["AWSPREVIOUS"], "CreatedDate": NOON.replace(day=1)},
)


def logged(number: int, message: Any) -> dict[str, Any]:
    """An event of CloudWatch, a second after the one before it."""
    text = message if isinstance(message, str) else json.dumps(message)
    return {"eventId": str(number), "timestamp": int(NOON.timestamp() * 1000) + number * 1000, "message": f"{text}\n"}


@dataclass
class OperatedStack:
    """A deployed stack, and the AWS services that its operator calls."""

    name: str = "s"
    findings: dict[str, Any] = field(default_factory=lambda: dict(FOUND))
    versions: list[dict[str, Any]] = field(default_factory=lambda: [CURRENT])
    pages: list[list[dict[str, Any]]] = field(default_factory=list)
    """What each read of the log returns, as pages of events."""
    put: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    """The doctor's, before it returns its findings."""
    looked: list[dict[str, Any]] = field(default_factory=list)
    endpoint: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=lambda: {"ResumableStateMachines": "*"})
    concurrency: int = 1000
    has_left_the_sandbox: bool | None = True
    is_local: bool = False

    def __post_init__(self) -> None:
        names = ("DoctorFunctionName", "DeadLetterQueueUrl", "ExpireFunctionName", "ResumeFunctionName")
        self.outputs = Outputs(Version=__version__, ApiUrl="https://a", ApiKeySecret=SECRET, **{name: name for name in names})

    def client(self, service: str) -> Any:
        return self

    def invoke(self, function: str, payload: Any) -> Any:
        if function == "DoctorFunctionName":
            self.looked.append(payload)
            return self.answers.pop(0) if self.answers else self.findings
        if payload.get("command") == "giveUp":
            self.given_up += payload["waitpointIds"]
            return {"givenUp": len(payload["waitpointIds"])}
        return {"batchItemFailures": [{}]}

    def get_account_settings(self) -> Any:
        if not self.concurrency:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetAccountSettings")
        return {"AccountLimit": {"ConcurrentExecutions": self.concurrency}}

    def get_account(self) -> Any:
        if self.has_left_the_sandbox is None:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetAccount")
        return {"ProductionAccessEnabled": self.has_left_the_sandbox}

    def receive_message(self, **_: Any) -> Any:
        return {}

    def list_secret_version_ids(self, *, SecretId: str) -> Any:
        assert SecretId == SECRET
        return {"Versions": self.versions}

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:
        assert SecretId == SECRET
        self.put.append(SecretString)

    def describe_stack_resource(self, *, StackName: str, LogicalResourceId: str) -> Any:
        assert (StackName, LogicalResourceId) == ("s", "LogGroup")
        return {"StackResourceDetail": {"PhysicalResourceId": "the-log-group"}}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "filter_log_events"
        return self

    def paginate(self, **asked: Any) -> Iterator[Any]:
        self.asked.append(asked)
        yield from ({"events": events} for events in self.pages)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> OperatedStack:
    stack = OperatedStack()
    monkeypatch.setattr(stacks, "find_stack", lambda _: stack)
    monkeypatch.chdir(tmp_path)
    return stack


def run(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(program, arguments, input=input)


class TestDoctor:
    def test_that_finishes_everything_has_status_0(self, stack: OperatedStack) -> None:
        result = run("doctor")
        assert (result.exit_code, result.output) == (0, "3 items checked: 1 finished, 0 left undone\n")
        assert json.loads(run("doctor", "--json").stdout) == FOUND

    def test_that_leaves_work_lists_it_and_has_status_1(self, stack: OperatedStack) -> None:
        stack.findings = UNDONE
        result = run("doctor")
        assert result.exit_code == 1
        assert "  waitpoint_1  settled, but a waiter has not been resumed\n  waitpoint_2  past its timeout\n" in result.stdout

    @pytest.mark.parametrize("arguments", [["doctor"], ["doctor", "--json"], ["redrive"], ["redrive", "--json"]])
    def test_says_first_if_the_stack_is_of_another_version(self, stack: OperatedStack, arguments: list[str]) -> None:
        same = run(*arguments)
        stack.outputs["Version"] = "99.0.0"
        other = run(*arguments)
        assert (other.exit_code, other.stdout, same.stderr) == (0, same.stdout, "")
        said = f"Stack s: This client ({__version__}) is older than the stack (99.0.0): upgrade the client."
        assert other.stderr.startswith(said)
        assert len(other.stderr.splitlines()) == 1

    def test_goes_on_until_the_whole_table_was_read(self, stack: OperatedStack) -> None:
        first, second = {"parts": 9, "next": 3, "open": []}, {"parts": 9, "next": 7, "open": [[2, ["a", "token"]]]}
        stack.answers = [{**UNDONE, "next": first}, {**FOUND, "next": second}]
        found = json.loads(run("doctor", "--json").stdout)
        assert stack.looked == [
            {"command": "scanAll"},
            {"command": "scanAll", "cursor": first},
            {"command": "scanAll", "cursor": second},
        ]
        assert found == {**UNDONE, "items": 9, "repaired": 2}


HOSTILE = "\x1b[31m\x9b\x7f\u202e\u2066\r"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("command", ["doctor", "doctor --json", "redrive", "redrive --json", "logs", "logs --json"])
def test_nothing_that_a_stack_says_is_obeyed_by_a_terminal(
    stack: OperatedStack, monkeypatch: pytest.MonkeyPatch, terminal: bool, command: str
) -> None:
    monkeypatch.setattr(show, "is_terminal", lambda _: terminal)
    stack.findings = {**UNDONE, "undelivered": [HOSTILE], "overdue": []}
    stack.pages = [[logged(0, {"level": HOSTILE, "message": HOSTILE, HOSTILE: HOSTILE, "a": [HOSTILE]}), logged(1, HOSTILE)]]
    printed = re.sub(r"\x1b\[\d+m", "", run(*command.split()).output)
    assert r"\u202e" in printed
    assert not set(printed) & set(HOSTILE) - set("[31m")


@pytest.mark.parametrize("command", ["doctor", "redrive", "logs", "rotate-key", "give-up t", "restore t", "smoke"])
def test_no_error_of_aws_is_obeyed_by_a_terminal(stack: OperatedStack, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    def rejected(*_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": HOSTILE}}, "Invoke")

    monkeypatch.setattr(stacks, "find_stack", rejected)
    result = run(*command.split())
    assert (result.exit_code, result.stdout) == (2 if command in ("doctor", "redrive", "smoke") else 1, "")
    assert r"\u202e" in result.stderr
    assert not set(result.stderr) & set(HOSTILE) - set("[31m")


class TestRedrive:
    def test_says_what_it_did(self, stack: OperatedStack) -> None:
        result = run("redrive")
        said = "0 messages done, the doctor finished 1 tokens and left 0 undone, 0 left\n"
        assert (result.exit_code, result.output) == (0, said)

    def test_that_leaves_work_prints_why_as_json(self, stack: OperatedStack) -> None:
        stack.findings = UNDONE
        result = run("redrive", "--json")
        assert result.exit_code == 1
        found = json.loads(result.stdout)
        assert (found["done"], found["left"], found["doctor"]) == (0, 2, UNDONE)
        assert found["problems"][0] == "waitpoint_1 failed again: the token cannot be timed out"


class TestGiveUp:
    @pytest.fixture
    def tokens(self, stack: OperatedStack, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        fake = FakeWaitpoints()
        monkeypatch.setattr(stacks, "make_client", lambda _: fake.client())
        return [fake.client().create().id for _ in range(2)]

    def test_asks_first_and_then_says_how_many(self, stack: OperatedStack, tokens: list[str]) -> None:
        refused = run("give-up", tokens[0], input="n\n")
        assert (refused.exit_code, stack.given_up) == (1, [])
        assert f"nothing will resume what still waits for {tokens[0]}." in refused.stderr

        result = run("give-up", *tokens, "--yes")

        assert (result.exit_code, result.stdout) == (0, "2 waiters given up\n")
        assert stack.given_up == tokens
        assert json.loads(run("give-up", tokens[0], "--yes", "--json").stdout) == {"givenUp": 1}

    @pytest.mark.parametrize("unknown", ["nope", "waitpoint_01jd3rj5v0000000000000000a"])
    @pytest.mark.parametrize("more", [[], ["--yes"], ["--json"]])
    def test_of_no_token_asks_nothing_and_is_an_error(
        self, stack: OperatedStack, tokens: list[str], unknown: str, more: list[str]
    ) -> None:
        result = run("give-up", tokens[0], unknown, *more)
        assert (result.exit_code, result.stdout, stack.given_up) == (1, "", [])
        assert result.stderr == f"Error: 404: Waitpoint not found: {unknown}\n"


class TestRestore:
    """What is copied is tested with the real table, in integration/test_restore.py."""

    @pytest.fixture
    def copied(self, stack: OperatedStack, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        asked: list[Any] = []

        def copy(_stack: OperatedStack, table: str, region: str | None, say: Any, ask_again: bool) -> Copied:
            asked.append((table, region, ask_again))
            say("1 items read, 1 copied")
            return Copied(3, 2)

        stack.outputs["TableName"] = "mine"
        monkeypatch.setattr("waitpoints_client.ops.restore.copy", copy)
        monkeypatch.setattr("waitpoints_client.ops.restore.check", lambda *_: None)
        return asked

    def test_names_both_tables_and_asks(self, copied: list[Any]) -> None:
        result = run("restore", "restored", input="n\n")
        assert (result.exit_code, copied) == (1, [])
        assert "its table mine gets the items of restored that it lacks" in " ".join(result.stderr.split())

    def test_says_how_far_it_is_and_what_it_did(self, copied: list[Any]) -> None:
        result = run("restore", "restored", "--region", "eu-west-1", "--yes")
        assert (result.exit_code, result.stdout, copied) == (0, "3 items read, 2 copied\n", [("restored", "eu-west-1", False)])
        assert "1 items read, 1 copied" in result.stderr
        assert json.loads(run("restore", "restored", "--yes", "--json").stdout) == {"read": 3, "written": 2}

    def test_notifies_people_again_only_on_demand(self, copied: list[Any]) -> None:
        run("restore", "restored", "--yes", "--ask-again")
        assert copied == [("restored", None, True)]


class TestSmoke:
    @pytest.fixture(autouse=True)
    def one_check(self, monkeypatch: pytest.MonkeyPatch) -> None:
        checks = (smoke_checks.Check("works", lambda _: "in 1 s", ""),)
        for module in ("smoke", "smoke_checks"):
            monkeypatch.setattr(f"waitpoints_client.ops.{module}.CHECKS", checks)
        monkeypatch.setattr(OperatedStack, "read_api_key", lambda _: "key", raising=False)
        monkeypatch.setattr(operate, "end_in_order", lambda: None)

    def test_begins_with_the_stacks_version(self, stack: OperatedStack) -> None:
        first, *_ = run("smoke").stdout.splitlines()
        assert first.startswith(f"Stack s {__version__} at https://a. This costs")

    @pytest.mark.parametrize(
        ("concurrency", "says"),
        [
            (1000, "The account runs 1,000 functions at once."),
            (10, "WARNING: this account runs only 10 functions at once"),
            (0, "The account's concurrency is unknown: These AWS credentials may not call GetAccountSettings"),
        ],
    )
    def test_says_how_much_the_account_runs(self, stack: OperatedStack, concurrency: int, says: str) -> None:
        stack.concurrency = concurrency
        _, second, *_ = run("smoke").stdout.splitlines()
        assert second.startswith(says)
        assert ("L-B99A9384" in second) == (concurrency == 10)

    @pytest.mark.parametrize(
        ("has_left", "says"),
        [
            (True, None),
            (False, "WARNING: SES is in its sandbox"),
            (None, "Whether SES is in its sandbox is unknown: These AWS credentials may not call GetAccount"),
        ],
    )
    def test_says_whether_mail_reaches_everybody(self, stack: OperatedStack, has_left: bool | None, says: str | None) -> None:
        stack.has_left_the_sandbox = has_left
        assert "SES" not in run("smoke").stdout  # the stack sends no mail
        stack.parameters["MailFrom"] = "ops@example.com"
        found = [line for line in run("smoke").stdout.splitlines() if "SES" in line]
        assert found == [] if says is None else found[0].startswith(says)

    def test_says_that_the_stack_may_resume_everything(self, stack: OperatedStack) -> None:
        assert "may resume" not in run("smoke").stdout
        stack.parameters |= {"ResumableStateMachines": "", "ResumableFunctions": ""}
        assert "ResumableStateMachines and ResumableFunctions: empty, so the stack may resume all" in run("smoke").stdout

    def test_says_what_a_difference_means(self, stack: OperatedStack) -> None:
        stack.outputs["Version"] = "0.0.1"
        first, second, *_ = run("smoke").stdout.splitlines()
        assert first.startswith("Stack s 0.0.1 at https://a. This costs")
        assert second.startswith(f"This client ({__version__}) is newer than the stack (0.0.1), which is fine.")
        assert run("smoke", "--json").stderr.startswith(f"Stack s: {second}\n")

    def test_prints_each_check_as_json(self, stack: OperatedStack) -> None:
        result = run("smoke", "--json")
        assert (result.exit_code, json.loads(result.stdout)) == (
            0,
            [{"name": "works", "outcome": "ok", "figure": "in 1 s", "advice": "", "lacks": False}],
        )


class TestRotateKey:
    def test_says_what_stops_working_and_asks(self, stack: OperatedStack) -> None:
        stack.versions = [CURRENT, PREVIOUS]

        result = run("rotate-key", input="n\n")

        assert result.exit_code == 1
        assert stack.put == []
        said = " ".join(result.stderr.split())
        assert "The current key, of 2030-01-31 12:00, keeps working until the rotation after this one." in said
        assert "The key before it, of 2030-01-01 12:00, stops working within five minutes" in said

    def test_says_that_no_key_stops_working_the_first_time(self, stack: OperatedStack) -> None:
        assert "No key stops working" in run("rotate-key", input="").stderr
        assert stack.put == []

    def test_does_not_print_the_key(self, stack: OperatedStack) -> None:
        result = run("rotate-key", "--yes")

        [key] = stack.put
        assert (result.exit_code, result.stdout) == (0, "")
        assert key not in result.output
        assert SECRET in result.stderr
        assert json.loads(run("rotate-key", "--yes", "--json").stdout) == {"secret": SECRET}

    def test_prints_the_key_on_demand(self, stack: OperatedStack) -> None:
        assert run("rotate-key", "--yes", "--show").stdout == f"{stack.put[0]}\n"
        assert json.loads(run("rotate-key", "--yes", "--show", "--json").stdout)["apiKey"] == stack.put[1]
        assert len({*stack.put}) == 2
        assert all(len(key) == 48 and key.isalnum() for key in stack.put)

    def test_gives_the_new_key_to_the_commands_of_the_local_stack(self, stack: OperatedStack, tmp_path: Path) -> None:
        (tmp_path / ".local").mkdir()
        ours, other = (tmp_path / ".local" / name for name in ("stack.json", "stack.9.json"))
        ours.write_text('{"endpoint_url": "http://127.0.0.1:1", "api_key": "old"}')
        other.write_text('{"endpoint_url": "http://127.0.0.1:9", "api_key": "other"}')
        stack.endpoint = {"endpoint_url": "http://127.0.0.1:1"}

        run("rotate-key", "--yes")

        assert json.loads(ours.read_text())["api_key"] == stack.put[0]
        assert json.loads(other.read_text())["api_key"] == "other"


class TestLogs:
    RECORD: dict[str, Any] = {"level": "INFO", "message": "request", "tokenId": "waitpoint_1"}  # noqa: RUF012 - not changed
    START, METRICS = "START RequestId: 1 Version: $LATEST", {"_aws": {}, "TokensCreated": [1.0]}

    def test_are_the_lines_of_all_pages_without_lambdas_own(self, stack: OperatedStack) -> None:
        stack.pages = [[logged(0, self.START), logged(1, self.RECORD)], [logged(2, self.METRICS), logged(3, "Traceback")]]

        assert run("logs").stdout.splitlines() == [
            f"2030-01-31T12:00:01.000Z\t{json.dumps(self.RECORD)}",
            "2030-01-31T12:00:03.000Z\tTraceback",
        ]
        assert len(run("logs", "--all").stdout.splitlines()) == 4
        lines = [json.loads(line) for line in run("logs", "--json").stdout.splitlines()]
        assert lines == [
            {"at": "2030-01-31T12:00:01.000Z", "line": self.RECORD},
            {"at": "2030-01-31T12:00:03.000Z", "line": "Traceback"},
        ]

    @pytest.mark.parametrize(
        "failed",
        [
            "1 Task timed out after 20.00 seconds",
            "REPORT RequestId: 1\tDuration: 20000.00 ms\tStatus: timeout",
            {"type": "platform.runtimeDone", "record": {"requestId": "1", "status": "timeout"}},
            {"type": "platform.report", "record": {"requestId": "1", "status": "error", "errorType": "Runtime.OutOfMemory"}},
        ],
    )
    def test_have_those_of_lambda_about_a_failed_invocation(self, stack: OperatedStack, failed: Any) -> None:
        success = {"requestId": "1", "status": "success"}
        passed = ["REPORT RequestId: 1\tDuration: 1.00 ms", {"type": "platform.report", "record": success}]
        passed += [self.START, {"type": "platform.start", "record": {"requestId": "1"}}]
        stack.pages = [[logged(at, line) for at, line in enumerate([*passed, failed])]]

        [shown] = (json.loads(line) for line in run("logs", "--json").stdout.splitlines())
        assert shown["line"] == failed
        assert len(run("logs", "--all").stdout.splitlines()) == 5

    @pytest.mark.parametrize(("words", "said"), [([], "was found"), (["x"], "has x")])
    def test_that_are_none_are_printed_beside_the_output(self, stack: OperatedStack, words: list[str], said: str) -> None:
        result = run("logs", *words)
        assert (result.stdout, result.stderr) == ("", f"No line of the last 10m {said}\n")

    def test_are_searched_from_a_time_on(self, stack: OperatedStack) -> None:
        run("logs", "waitpoint_1", "--since", "1h")

        [asked] = stack.asked
        assert (asked["logGroupName"], asked["filterPattern"]) == ("the-log-group", '"waitpoint_1"')
        assert abs(asked["startTime"] - (datetime.now(timezone.utc).timestamp() - 3600) * 1000) < 60_000

    @pytest.mark.parametrize(
        ("text", "pattern"),
        [
            ("Task timed out", '"Task timed out"'),
            ('"error":', '"error"'),
            ('"endpoint":"github"', '"endpoint" "github"'),
            ('a \\"b', '"a" "b"'),
            ('":"', None),
            ("", None),
        ],
    )
    def test_are_searched_by_aws_for_all_between_quotation_marks(
        self, stack: OperatedStack, text: str, pattern: str | None
    ) -> None:
        stack.pages = [[logged(1, f"{{{text}}}"), logged(2, text.replace('"', "'")), logged(3, "error endpoint github a b")]]
        result = run("logs", text)

        assert [asked.get("filterPattern") for asked in stack.asked] == [pattern]
        assert (f"{{{text}}}" in result.stdout, "'" in result.stdout, "github a b" in result.stdout) == (True, False, not text)

    def test_followed_show_each_line_once_also_one_that_comes_late(
        self, stack: OperatedStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reads: Iterator[list[list[dict[str, Any]]]] = iter(
            [[[logged(30, "a")]], [[logged(25, "late"), logged(30, "a")], [logged(31, "b")]]]
        )
        stack.pages = next(reads)

        def pause(_: float) -> None:
            try:
                stack.pages = next(reads)
            except StopIteration:
                raise KeyboardInterrupt from None

        monkeypatch.setattr(show, "pause", pause)
        result = run("logs", "-f", "--since", "999w")  # or the lines are older than what was asked for

        assert result.exit_code == 130
        assert [line.split("\t")[1] for line in result.stdout.splitlines()] == ["a", "late", "b"]
        newest = logged(30, "a")["timestamp"]
        assert stack.asked[1]["startTime"] == newest - stack_logs.LATE
