"""The smoke test itself: a failed check never stops the others, and each reports what it saw or could not see."""

import json
import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import repeat
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from waitpoints_client.ops import smoke_checks
from waitpoints_client.ops import smoke_requests as requests
from waitpoints_client.ops import smoke_upkeep as upkeep
from waitpoints_client.ops import smoke_waits as waits
from waitpoints_client.ops.caller import Caller, Pace, RawAnswer, Skipped, Unexpected
from waitpoints_client.ops.deployed import Outputs
from waitpoints_client.ops.smoke import Line, prove
from waitpoints_client.ops.smoke_checks import Check
from waitpoints_client.version import __version__


@dataclass
class FakeDeployed:
    """Fakes of CloudWatch Logs, and of the functions that the checks invoke."""

    name = "s"
    is_local = True
    messages: Sequence[str] = ()
    answer: Any = None
    """What an invoked function returns, or what invoking it raises."""
    invoked: list[tuple[str, Any]] = field(default_factory=list)
    outputs: Outputs = field(
        default_factory=lambda: Outputs(
            DoctorFunctionName="doctor", ResumeFunctionName="resume", ApiUrl="http://x", Version=__version__
        )
    )

    def client(self, service: str) -> Any:
        return self

    def describe_stack_resource(self, **_: str) -> dict[str, Any]:
        return {"StackResourceDetail": {"PhysicalResourceId": "the-log-group"}}

    def get_paginator(self, operation: str) -> Any:
        return self

    def paginate(self, *, filterPattern: str = "", **_: Any) -> list[dict[str, Any]]:
        words = re.findall('"(.+?)"', filterPattern)
        found = [message for message in self.messages if all(word in message for word in words)]
        return [{"events": [{"eventId": message, "timestamp": 0, "message": message} for message in found]}]

    def invoke(self, function: str, payload: Any, seconds: int = 0) -> Any:
        self.invoked.append((function, payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def caller(stack: FakeDeployed | None = None) -> Caller:
    deployed: Any = stack or FakeDeployed()
    made = Caller(deployed, "key", Pace(patience=0.01, stream=1, total=5))
    made.tokens = ["waitpoint_1"]
    return made


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(timezone.utc).isoformat()
    monkeypatch.setattr(Caller, "retrieve", lambda *_: {"status": "COMPLETED", "createdAt": now})


class TestTheReport:
    @pytest.fixture
    def proved(self) -> Callable[..., tuple[int, list[Line]]]:
        def proved(*checks: Check, by: Caller | None = None) -> tuple[int, list[Line]]:
            shown: list[Any] = []
            status = prove(by or caller(), checks, shown.append)
            return status, [line for line in shown if isinstance(line, Line)]

        return proved

    @staticmethod
    def fails(*errors: Exception) -> Callable[[Caller], str]:
        def run(_: Caller) -> str:
            raise errors[0]

        return run

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (Unexpected("answered 500"), "answered 500"),
            (KeyError("url"), "a response lacks 'url'"),
            (RuntimeError("doctor failed"), "doctor failed"),
            (ClientError({"Error": {"Code": "ValidationException", "Message": "no"}}, "Scan"), "ValidationException"),
        ],
    )
    def test_a_failed_check_says_what_to_do_and_the_others_still_run(
        self, error: Exception, said: str, proved: Callable[..., tuple[int, list[Line]]]
    ) -> None:
        status, lines = proved(Check("a", self.fails(error), "mend it"), Check("b", lambda _: "fine", ""))

        assert (status, [line.outcome for line in lines]) == (1, ["failed", "ok", "failed"])  # once more at the end
        assert said in lines[0].figure
        assert "mend it (docs/operation.md" in str(lines[0])

    def test_a_check_is_skipped_when_one_it_depends_on_failed(self, proved: Callable[..., tuple[int, list[Line]]]) -> None:
        first = Check("a", self.fails(Unexpected("no")), "")
        status, lines = proved(first, Check("b", lambda _: "", "", "a"), Check("c", lambda _: "", "", "b"))

        assert (status, [line.outcome for line in lines]) == (1, ["failed", "skipped", "skipped"] * 2)

    def test_what_failed_is_tried_once_more_and_what_was_skipped_for_it(
        self, proved: Callable[..., tuple[int, list[Line]]]
    ) -> None:
        """A new stream, or a new role, may need minutes."""
        ready = iter([False, True])

        def later(_: Caller) -> str:
            if not next(ready):
                raise Unexpected("not yet")
            return "now"

        by = caller()
        checks = Check("a", later, ""), Check("b", lambda _: "", "", "a"), Check("c", lambda _: "", "")
        status, lines = proved(*checks, by=by)

        said = [("a", "failed"), ("b", "skipped"), ("c", "ok"), ("a", "ok"), ("b", "ok")]
        assert (status, [(line.name, line.outcome) for line in lines]) == (0, said)
        assert by.deadline - by.started == by.pace.stream

    def test_the_second_round_reads_its_own_log(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made, asked = caller(), list[str]()

        def retrieve(token: dict[str, str]) -> dict[str, str]:
            asked.append(token["id"])
            return {"createdAt": "2030-01-31T12:00:00Z"}

        monkeypatch.setattr(made, "retrieve", retrieve)
        made.begin_again()
        upkeep.first_created(made)
        made.tokens += ["waitpoint_2", "waitpoint_3"]
        upkeep.first_created(made)
        assert asked == ["waitpoint_1", "waitpoint_2"]

    def test_a_missing_right_is_named_and_the_others_still_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shown: list[Any] = []
        said = "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: states:StartExecution on resource: c"
        denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": said}}, "StartExecution")
        status = prove(caller(), [Check("a", self.fails(denied), ""), Check("b", lambda _: "", "")], shown.append)

        first, second = (line for line in shown if isinstance(line, Line))
        assert (first.outcome, first.figure) == ("skipped", "your credentials lack states:StartExecution")
        assert (status, second.outcome) == (0, "ok")
        assert "Skipped for rights that docs/operator-policy.json lists: 1" in shown

    def test_an_inconclusive_check_does_not_fail_the_run(self, proved: Callable[..., tuple[int, list[Line]]]) -> None:
        status, [line] = proved(Check("a", self.fails(Skipped("later")), ""))

        assert (status, line.outcome, line.figure) == (0, "skipped", "later")

    def test_after_the_deadline_no_check_starts(self, proved: Callable[..., tuple[int, list[Line]]]) -> None:
        late = caller()
        late.started -= 10

        status, lines = proved(Check("a", lambda _: "ran", ""), by=late)

        assert [(line.outcome, line.figure) for line in lines] == [("failed", "not run: out of time"), ("ok", "ran")]
        assert status == 0  # the second round has time of its own

    def test_ctrl_c_still_cleans_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shown: list[Any] = []
        monkeypatch.setattr(Caller, "clean_up", lambda _: "all cleaned")

        def interrupted(_: Caller) -> str:
            raise KeyboardInterrupt

        assert prove(caller(), [Check("a", interrupted, "")], shown.append) == 130
        assert "all cleaned" in shown[-1]


def of_lambda(kind: str, **record: str) -> str:
    """What Lambda writes in the format JSON: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html"""
    return json.dumps({"time": "2030-01-31T12:00:00.000Z", "type": kind, "record": {"requestId": "1", **record}})


class TestTheClock:
    @pytest.mark.parametrize(("is_local", "seconds"), [(True, (30, 120)), (False, (60, 480))])
    def test_fits_where_the_stack_runs(self, is_local: bool, seconds: tuple[float, float]) -> None:
        stack: Any = FakeDeployed()
        stack.is_local, stack.read_api_key = is_local, lambda: "key"
        made = Caller.of(stack)
        assert (made.pace.patience, made.deadline - made.started) == pytest.approx(seconds)

    @pytest.mark.parametrize(
        ("measured", "says"),
        [([[0.5], [9]], "late by 0.50 s"), ([[80], [0.2]], "late by 0.20 s"), ([[80], [11]], "11.00 s late")],
    )
    def test_a_late_timeout_is_tried_again(
        self, monkeypatch: pytest.MonkeyPatch, measured: list[list[float]], says: str
    ) -> None:
        """Lambda may begin to read a new stream minutes later."""
        monkeypatch.setattr(waits, "time_out_each", lambda _: measured.pop(0))
        try:
            said = waits.times_out(caller())
        except Unexpected as error:
            said = str(error)
        assert said == says


class TestAResumeByTheStream:
    def test_is_made_by_settling_a_waiting_token_in_the_table(self, long: Callable[..., Caller]) -> None:
        table = Table()
        made = long(table)
        waits.resumes_by_the_stream(made)

        [update] = table.updates
        values, created = update["ExpressionAttributeValues"], 1_896_091_200_000
        assert update["UpdateExpression"].startswith("SET #status = :completed, completedAt = :now, #output = :output")
        assert update["ConditionExpression"] == "#status = :waiting"
        assert (values[":completed"], values[":output"]) == ({"S": "COMPLETED"}, {"S": waits.PAYLOAD.decode()})
        assert created <= int(values[":now"]["N"]) < created + 10_000


class TestAPromptResume:
    @pytest.mark.parametrize("fastest", [20, 700])
    def test_fails_if_the_stream_made_each(self, long: Callable[..., Caller], fastest: int) -> None:
        made = long(Table(), *({"lagMs": lag} for lag in (1100, fastest, 1400)))
        if fastest == 20:
            assert "settled to resumed p50 1100 ms" in waits.resumes_promptly(made)
        else:
            with pytest.raises(Unexpected, match="by the stream alone: after 700 ms"):
                waits.resumes_promptly(made)


class Table:
    """The stack's table. An update of it raises `error`."""

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.updates: list[dict[str, Any]] = []

    def update_item(self, **update: Any) -> None:
        if self.error:
            raise ClientError({"Error": {"Code": self.error, "Message": "no"}}, "UpdateItem")
        self.updates.append(update)


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Caller]:
    """Makes a caller whose tokens wait for an hour and have these waiters, and whose executions end with PAYLOAD."""

    def long(table: Any, *waiters: dict[str, int]) -> Caller:
        stack = FakeDeployed()
        stack.outputs["TableName"] = "table"
        made = caller(stack)
        monkeypatch.setattr(stack, "client", lambda _: table)
        monkeypatch.setattr(made, "create", lambda: {"id": "waitpoint_1"})
        found = {"createdAt": "2030-01-31T12:00:00.000Z", "timeoutAt": "2030-01-31T13:00:00.000Z"}
        monkeypatch.setattr(made, "retrieve", lambda _: {**found, "waiters": waiters or [{"lagMs": 1000}]})
        monkeypatch.setattr(made, "start_waiting", lambda _: "the-execution")
        monkeypatch.setattr(made, "post_callback", lambda *_: None)
        monkeypatch.setattr(made, "wait_for_end", lambda *_: {"status": "SUCCEEDED", "output": waits.PAYLOAD.decode()})
        return made

    return long


class TestALongTimeout:
    def test_is_moved_only_as_it_was_read_and_beyond_what_a_round_sees(self, long: Callable[..., Caller]) -> None:
        table = Table()
        made = long(table)
        waits.begins_a_long_timeout(made)

        [update] = table.updates
        values, created = update["ExpressionAttributeValues"], 1_896_091_200_000
        assert update["ConditionExpression"] == "#status = :waiting AND dueAt = :was AND timeoutAt = :was"
        assert values[":was"] == {"N": str(created + 3_600_000)}
        assert 240_000 <= int(values[":soon"]["N"]) - created < 250_000
        assert made.later == ({"id": "waitpoint_1"}, "the-execution")

    def test_whose_token_has_changed_meanwhile_fails(self, long: Callable[..., Caller]) -> None:
        with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
            waits.begins_a_long_timeout(long(Table("ConditionalCheckFailedException")))

    @pytest.mark.parametrize("seconds", [0.5, 11])
    def test_fails_only_if_it_is_late(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        made = caller()
        made.later = {"id": "waitpoint_1"}, "the-execution"
        monkeypatch.setattr(waits, "measure_lateness", lambda *_: seconds)
        if seconds < waits.LATE:
            assert waits.times_out_after_long(made) == "late by 0.50 s"
        else:
            with pytest.raises(Unexpected, match=r"11\.00 s late"):
                waits.times_out_after_long(made)

    def test_and_a_revoked_key_are_all_that_the_quick_run_leaves_out(self) -> None:
        left = [check.name for check in smoke_checks.CHECKS if check not in smoke_checks.QUICK]
        assert left == ["begins a long timeout", "refuses a revoked key", "times out after long"]


@dataclass
class SwitchedStack(FakeDeployed):
    """A stack whose mapping, schedule and TTL are in these states. A call of `denied` is refused."""

    states: dict[str, str] = field(default_factory=dict)
    denied: str = ""

    class QueueDoesNotExist(Exception):
        """What SQS raises."""

    exceptions = SimpleNamespace(QueueDoesNotExist=QueueDoesNotExist)

    def __post_init__(self) -> None:
        self.outputs |= {"TableName": "table", "DeadLetterQueueUrl": "https://queue"}

    def list_physical_ids(self, kind: str) -> dict[str, str]:
        return {f"the {kind.rpartition(':')[2]}": "its-id"}

    def state(self, call: str, usual: str) -> str:
        if call == self.denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, call)
        return self.states.get(call, usual)

    def get_event_source_mapping(self, **_: str) -> Any:
        return {"State": self.state("GetEventSourceMapping", "Enabled")}

    def get_schedule(self, **_: str) -> Any:
        return {"State": self.state("GetSchedule", "ENABLED")}

    def describe_time_to_live(self, **_: str) -> Any:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": self.state("DescribeTimeToLive", "ENABLED")}}

    def get_queue_attributes(self, **_: Any) -> None:
        if self.state("GetQueueAttributes", "") == "missing":
            raise self.QueueDoesNotExist


METRICS = '{"_aws": {}, "TokensCreated": [1.0]}'
TIMED_OUT = of_lambda("platform.report", status="timeout")
ERRORS = (
    '{"level":"INFO","task":"schedule","error":"ClientError"}',
    "[ERROR] KeyError: 'x'",
    '{"level":"ERROR"}',
    "Traceback (most recent call last):",
    "1 Task timed out after 20 s",
    of_lambda("platform.runtimeDone", status="timeout"),
)
OWN = "1 lines of Lambda's own about what went well, such as "
UNREPAIRED = {"items": 9, "repaired": 0, "unrepaired": 1}
ABOUT_THE_TOKEN = '{"level": "INFO", "tokenId": "waitpoint_1", "error": "Unauthorized"}'


def off(denied: str = "", **states: str) -> SwitchedStack:
    return SwitchedStack(denied=denied, states=states)


def durable(boto3: str, *, knows: bool) -> FakeDeployed:
    return FakeDeployed(answer={"boto3": boto3, "resumesDurableFunctions": knows})


@pytest.mark.parametrize(
    ("check", "stack", "says"),
    [
        (upkeep.is_switched_on, off(GetEventSourceMapping="Updating"), "mappings, schedules, TTL, dead-letter queue"),
        (upkeep.logs_no_error, FakeDeployed([ABOUT_THE_TOKEN]), "1 lines about the newest token, no error"),
        (upkeep.logs_metrics_but_not_each_invocation, FakeDeployed([METRICS]), "1 lines of metrics, none of"),
        (upkeep.logs_metrics_but_not_each_invocation, FakeDeployed([METRICS, TIMED_OUT]), "1 lines of metrics, none of"),
        (upkeep.can_resume_durable_functions, durable("1.42.1", knows=True), "boto3 1.42.1 knows their callbacks"),
    ],
)
def test_what_is_right_passes(check: Callable[[Caller], str], stack: FakeDeployed, says: str) -> None:
    assert check(caller(stack)).startswith(says)


@pytest.mark.parametrize(
    ("check", "stack", "says"),
    [
        (upkeep.is_switched_on, off(GetEventSourceMapping="Disabled"), "the EventSourceMapping is Disabled"),
        (upkeep.is_switched_on, off(GetEventSourceMapping="Disabling"), "the EventSourceMapping is Disabling"),
        (upkeep.is_switched_on, off(GetSchedule="DISABLED"), "the Schedule is DISABLED"),
        (upkeep.is_switched_on, off(DescribeTimeToLive="DISABLED"), "TTL of the table is off"),
        (upkeep.is_switched_on, off(GetQueueAttributes="missing"), "DeadLetterQueue does not exist"),
        (upkeep.is_switched_on, off("GetSchedule", DescribeTimeToLive="DISABLED"), "TTL of the table is off"),
        (upkeep.logs_no_error, FakeDeployed(), "no log line about waitpoint_1 in the-log-group after"),
        (upkeep.logs_no_error, FakeDeployed(["START RequestId: 1", "REPORT RequestId: 1"]), "no log line about"),
        *(
            (upkeep.logs_no_error, FakeDeployed(["waitpoint_1", message]), f"1 log lines with an error, such as {message}")
            for message in ERRORS
        ),
        (upkeep.logs_metrics_but_not_each_invocation, FakeDeployed(["a"]), "no line of the metric TokensCreated"),
        *(
            (upkeep.logs_metrics_but_not_each_invocation, FakeDeployed([METRICS, message]), f"{OWN}{message}")
            for message in ("START RequestId: 1 Version: $LATEST", of_lambda("platform.report", status="success"))
        ),
        (upkeep.can_resume_durable_functions, durable("1.40.4", knows=False), "the functions' boto3 1.40.4 does not know"),
        (upkeep.has_nothing_undone, FakeDeployed(answer=UNREPAIRED), "9 items checked: 0 finished, 1 left undone"),
    ],
)
def test_what_is_wrong_is_named(check: Callable[[Caller], str], stack: FakeDeployed, says: str) -> None:
    with pytest.raises(Unexpected) as failure:
        check(caller(stack))
    assert str(failure.value).startswith(says)


@pytest.mark.parametrize(
    ("statuses", "says"),
    [((200, 404), None), ((200, 200), "GET answered 200 after it"), ((500,), "DELETE answered 500"), ((405,), "has none")],
)
def test_a_deleted_token_is_gone_and_an_older_version_has_no_delete(
    monkeypatch: pytest.MonkeyPatch, statuses: tuple[int, ...], says: str | None
) -> None:
    answers = map(RawAnswer, statuses, repeat(b""))
    for name, answer in {"create": {"id": "waitpoint_2"}, "post_callback": None}.items():
        monkeypatch.setattr(Caller, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr(Caller, "request", lambda *_, **__: next(answers))
    asked = caller()
    asked.tokens.append("waitpoint_2")
    with pytest.raises((Unexpected, Skipped), match=says) if says else nullcontext():
        requests.deletes_a_token(asked)
    assert ("waitpoint_2" in asked.tokens) == (statuses[0] != 200)


@pytest.mark.parametrize(
    ("check", "stack", "says"),
    [
        (upkeep.is_switched_on, off("GetSchedule"), "your credentials lack GetSchedule"),
        (upkeep.has_nothing_undone, FakeDeployed(answer=ReadTimeoutError(endpoint_url="x")), "run the doctor by itself"),
    ],
)
def test_what_cannot_be_seen_is_skipped(check: Callable[[Caller], str], stack: FakeDeployed, says: str) -> None:
    with pytest.raises(Skipped) as why:
        check(caller(stack))
    assert str(why.value).endswith(says)


class TestTheCaller:
    def test_keeps_its_connection(self, serve_url: Callable[..., str]) -> None:
        url = serve_url(lambda request: (200, {"x-port": str(request.client_address[1])}, b"{}"))
        made = caller()
        ports = {made.request("GET", url).headers["x-port"] for _ in range(3)}
        assert len(ports) == 1

    def test_does_not_follow_redirects(self, serve_url: Callable[..., str]) -> None:
        url = serve_url(lambda _: (307, {"location": "http://127.0.0.1:9/"}, b""))
        assert caller().request("GET", url) == RawAnswer(307, b"")

    def test_reports_the_apis_message(self, serve_url: Callable[..., str]) -> None:
        url = serve_url(lambda _: (401, {}, b'{"error": "Invalid API key"}'))
        assert caller().request("GET", url).reason() == "401 Invalid API key"

    @pytest.mark.parametrize(
        ("status", "body", "said"),
        [(200, b"<html>", "without JSON: 200 <html>"), (200, b"", "without JSON: 200"), (404, b"{}", "404 {}")],
    )
    def test_expects_json(self, serve_url: Callable[..., str], status: int, body: bytes, said: str) -> None:
        url = serve_url(lambda _: (status, {}, body))
        with pytest.raises(Unexpected) as raised:
            caller().call("GET", url)
        assert str(raised.value) == f"GET {url} answered {said}"

    @pytest.mark.parametrize(
        ("path", "shown"),
        [("/api/v1/waitpoints/tokens/waitpoint_1/callback/secret", ""), ("/key?X-Amz-Signature=secret", "/key")],
    )
    def test_does_not_show_the_secret_in_a_url_that_is_out_of_reach(self, path: str, shown: str) -> None:
        with pytest.raises(Unexpected, match=f"^http://127.0.0.1:9{shown} did not respond") as failure:
            caller().request("POST", f"http://127.0.0.1:9{path}", b"")
        assert "secret" not in str(failure.value)

    def test_removes_what_a_failed_check_has_made(self) -> None:
        made, removed = caller(), list[str]()
        with pytest.raises(KeyboardInterrupt), made.removed_after("the key", lambda: removed.append("the key")):
            raise KeyboardInterrupt
        assert removed == ["the key"]

    def test_removes_nothing_of_what_it_might_not_make(self) -> None:
        made = caller()
        with pytest.raises(Skipped), made.removed_after("the secret", lambda: pytest.fail("there is none")):
            raise Skipped("your credentials lack secretsmanager:CreateSecret")
        assert made.left == []

    def test_names_what_it_could_not_remove(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse() -> None:
            raise Unexpected("DELETE answered 500")

        made = caller()
        made.tokens.clear()
        with made.removed_after("the endpoint smoke-1", refuse):
            pass
        assert made.clean_up().endswith("; NOT removed: the endpoint smoke-1: DELETE answered 500")

    def test_cleans_up_the_rest_when_one_item_fails(self) -> None:
        class StepFunctions:
            def __init__(self) -> None:
                self.stopped: list[str] = []

            def describe_execution(self, *, executionArn: str) -> Any:
                if executionArn == "unknown":
                    raise ClientError({"Error": {"Code": "ExecutionDoesNotExist", "Message": ""}}, "DescribeExecution")
                return {"status": "SUCCEEDED" if executionArn == "ended" else "RUNNING"}

            def stop_execution(self, *, executionArn: str, **_: Any) -> None:
                self.stopped.append(executionArn)

        made = caller()
        made.step_functions, made.executions = StepFunctions(), ["unknown", "ended", "hangs"]

        why = "1 could not be checked: AWS refused DescribeExecution (ExecutionDoesNotExist)"
        assert made.clean_up() == f"1 ({why}) executions stopped, 0 waiting tokens completed"
        assert made.step_functions.stopped == ["hangs"]
