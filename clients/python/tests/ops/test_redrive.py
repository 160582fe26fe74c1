"""Redrive on fakes: what it sends to each function, and which messages it removes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from waitpoints_client.ops import redrive as command
from waitpoints_client.ops.doctor import report, scan, summary

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:schedule"
STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1"
INSERTS = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"timeoutAt": {"N": [{"exists": True}]}}}}
NOTHING_FOUND = {"items": 3, "repaired": 0, "unrepaired": 0, "undelivered": [], "overdue": []}


def change(number: int, **image: Any) -> dict[str, Any]:
    """A stream record as boto3 gives it."""
    new_image = {"timeoutAt": {"N": "1"}, **image}
    made = {"Keys": {"id": {"S": f"w{number}"}}, "NewImage": new_image, "SequenceNumber": str(number)}
    return {"eventID": str(number), "eventName": "INSERT", "dynamodb": made}


def letter(first: int, last: int, qualifier: str = ":$LATEST") -> dict[str, Any]:
    """The message that Lambda sends to the queue when it gives up on a batch."""
    place = {"streamArn": STREAM, "shardId": "s", "startSequenceNumber": str(first), "endSequenceNumber": str(last)}
    return {"requestContext": {"functionArn": f"{FUNCTION}{qualifier}"}, "DDBStreamBatchInfo": place}


@dataclass
class StuckStack:
    letters: list[Any] = field(default_factory=list)
    changes: Sequence[dict[str, Any]] = ()
    patterns: Sequence[dict[str, Any]] = (INSERTS,)
    mapped: str | None = FUNCTION
    findings: dict[str, Any] = field(default_factory=lambda: dict(NOTHING_FOUND))
    answer: Any = field(default_factory=lambda: {"batchItemFailures": [], "undelivered": 0})
    stream_error: str = ""
    invocations: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = ("DeadLetterQueueUrl", "DoctorFunctionName", "ExpireFunctionName", "ResumeFunctionName", "NoticesFunctionName")
        self.outputs = {name: name for name in names}

    def client(self, service: str) -> Any:
        return self

    def invoke(self, function: str, payload: Any) -> Any:
        self.invocations.append((function, payload))
        return self.findings if function == "DoctorFunctionName" else self.answer

    def sent(self) -> list[list[dict[str, Any]]]:
        """The records of each invocation of the stream's function."""
        return [json.loads(json.dumps(payload["Records"])) for function, payload in self.invocations if function == self.mapped]

    # SQS, Lambda and DynamoDB Streams

    def receive_message(self, **_: Any) -> Any:
        return {
            "Messages": [{"MessageId": str(n), "ReceiptHandle": n, "Body": json.dumps(m)} for n, m in enumerate(self.letters)]
        }

    def delete_message(self, *, ReceiptHandle: int, **_: Any) -> None:
        del self.letters[ReceiptHandle]

    def list_event_source_mappings(self, *, EventSourceArn: str) -> Any:
        assert EventSourceArn == STREAM
        other = {
            "FunctionArn": f"{FUNCTION}-too",
            "FilterCriteria": {"Filters": [{"Pattern": "{}"}]},
        }  # lets everything through
        filters = [{"Pattern": json.dumps(pattern)} for pattern in self.patterns]
        mapping = {"FunctionArn": self.mapped, "FilterCriteria": {"Filters": filters}}
        return {"EventSourceMappings": [other, mapping] if self.mapped else [other]}

    def get_shard_iterator(self, *, SequenceNumber: str, **_: Any) -> Any:
        if self.stream_error:
            raise ClientError({"Error": {"Code": self.stream_error, "Message": ""}}, "GetShardIterator")
        return {"ShardIterator": SequenceNumber}

    def get_records(self, *, ShardIterator: str, Limit: int) -> Any:
        found = [one for one in self.changes if int(one["dynamodb"]["SequenceNumber"]) >= int(ShardIterator)]
        return {"Records": found[:2], "NextShardIterator": str(int(ShardIterator) + 2)}


def run(stack: StuckStack) -> int:
    """Redrive. Returns how much is left undone."""
    deployed: Any = stack
    return command.redrive(deployed).left


@pytest.mark.parametrize("code", ["TrimmedDataAccessException", "ResourceNotFoundException", "ExpiredIteratorException"])
def test_a_batch_whose_records_have_expired_is_left_to_the_doctor(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    stack = StuckStack([letter(1, 2)], stream_error=code)

    assert (run(stack), stack.letters) == (0, [])
    assert [function for function, _ in stack.invocations] == ["DoctorFunctionName"]
    assert "no longer has its records s, 1 to 2" in capsys.readouterr().out


def test_only_records_of_the_batch_that_pass_the_filter_are_sent() -> None:
    removed = {**change(3), "eventName": "REMOVE"}
    stack = StuckStack([letter(2, 5)], [change(1), change(2), removed, change(4), change(5), change(6)])

    assert run(stack) == 0

    [sent] = stack.sent()
    assert [record["dynamodb"]["SequenceNumber"] for record in sent] == ["2", "4", "5"]
    assert stack.letters == []


@pytest.mark.parametrize("named", ["", ":$LATEST", ":live"])
@pytest.mark.parametrize("mapped", [FUNCTION, f"{FUNCTION}:live"])
def test_a_batch_goes_to_whatever_reads_the_stream_now(named: str, mapped: str) -> None:
    """The function may have got its alias, or lost it, since the batch failed."""
    stack = StuckStack([letter(1, 2, named)], [change(1), {**change(2), "eventName": "REMOVE"}], mapped=mapped)

    assert run(stack) == 0

    assert [record["eventID"] for [record] in stack.sent()] == ["1"]
    assert stack.letters == []


def test_a_batch_of_a_function_that_reads_the_stream_no_more_stays_while_its_records_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack = StuckStack([letter(1, 1)], [change(1)], mapped=None)

    assert (run(stack), stack.letters) == (1, [letter(1, 1)])
    assert "no event source mapping leads from the stream to schedule: deploy the stack again" in capsys.readouterr().out
    stack.stream_error = "TrimmedDataAccessException"
    assert run(stack) == 0
    assert stack.letters == []


def test_without_matching_records_no_function_is_invoked() -> None:
    stack = StuckStack([letter(1, 1)], [{**change(1), "eventName": "REMOVE"}])

    assert run(stack) == 0

    assert stack.sent() == []


def test_no_invocation_exceeds_lambdas_payload_limit() -> None:
    large = [change(number, output={"S": "x" * 300_000}) for number in range(40)]
    stack = StuckStack([letter(0, 39)], large)

    assert run(stack) == 0

    assert len(stack.sent()) > 1
    assert all(len(json.dumps({"Records": chunk})) < 6 * 1024 * 1024 for chunk in stack.sent())
    assert [int(record["eventID"]) for chunk in stack.sent() for record in chunk] == list(range(40))


def test_no_invocation_has_more_records_than_the_function_has_time_for() -> None:
    stack = StuckStack([letter(0, 249)], [change(number) for number in range(250)])

    assert run(stack) == 0

    assert [len(chunk) for chunk in stack.sent()] == [100, 100, 50]


def test_a_binary_attribute_is_sent_as_base64() -> None:
    stack = StuckStack([letter(1, 1)], [change(1, waiters={"M": {"a": {"B": b"\x00\xff"}}})])

    assert run(stack) == 0

    assert stack.sent()[0][0]["dynamodb"]["NewImage"]["waiters"] == {"M": {"a": {"B": "AP8="}}}


EVENT = {"waitpointId": "w1", "reason": "ThrottlingException", "undone": "event"}
REFUSED = {"waitpointId": "w1", "reason": "slack: channel_not_found", "undone": "notice"}


@pytest.mark.parametrize(
    ("letter", "function", "command", "answer"),
    [
        (EVENT, "ResumeFunctionName", "publishEvents", {"notPut": 0}),
        (REFUSED, "NoticesFunctionName", "sendNotices", {"notSent": 0}),
        ({"waitpointId": "w1", "undone": "notice"}, "NoticesFunctionName", "sendNotices", {"notSent": 0}),
    ],
    ids=["event", "refused notice", "notice of the queue"],
)
def test_an_event_or_a_notice_is_sent_without_looking_at_its_token(
    letter: dict[str, str], function: str, command: str, answer: dict[str, int]
) -> None:
    stack = StuckStack([letter], answer=answer)

    assert (run(stack), stack.letters) == (0, [])

    assert stack.invocations == [
        (function, {"command": command, "waitpointIds": ["w1"]}),
        ("DoctorFunctionName", {"command": "scanAll"}),
    ]


UNRECORDED = {"waitpointId": "w1", "message": "C1/1700000000.1", "undone": "notice"}


@pytest.mark.parametrize(("failed", "left"), [([], 0), ([{"itemIdentifier": "w1"}], 1)])
def test_an_edit_of_one_message_in_slack_is_done_as_the_queue_asked_for_it(failed: list[Any], left: int) -> None:
    stack = StuckStack([UNRECORDED], answer={"batchItemFailures": failed})

    assert (run(stack), len(stack.letters)) == (left, left)

    function, given = stack.invocations[0]
    [record] = given["Records"]
    assert (function, record["eventSource"], json.loads(record["body"])) == ("NoticesFunctionName", "aws:sqs", UNRECORDED)


@pytest.mark.parametrize("letter", [REFUSED, UNRECORDED])
def test_notices_stay_if_the_stack_has_no_channel(letter: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    stack = StuckStack([letter, {"waitpointId": "w2", "reason": "AccessDenied"}])
    del stack.outputs["NoticesFunctionName"]

    assert (run(stack), stack.letters) == (1, [letter])

    said = " ".join(capsys.readouterr().out.split())
    assert "no one can be notified of w1: the stack has no mail, Slack or Teams. Deploy it with MailFrom, Slack or" in said


FAILED = {"batchItemFailures": [{"itemIdentifier": "1"}], "undelivered": 0}


@pytest.mark.parametrize(
    ("kept", "more", "said"),
    [
        (letter(1, 2), {"stream_error": "AccessDenied"}, "failed again: These AWS credentials may not call GetShardIterator"),
        (letter(1, 1), {"changes": [change(1)], "answer": FAILED}, "1 records of the stream failed again"),
        (EVENT, {"answer": {"notPut": 1}}, "EventBridge still rejects the event"),
        (REFUSED, {"answer": {"notSent": 2}}, "failed again: a channel still refuses the notices of w1"),
        (letter(1, 1), {"changes": [change(1)], "patterns": [{"eventName": [{"prefix": "IN"}]}]}, "redrive does not support"),
    ],
)
def test_a_message_whose_work_fails_again_stays_in_the_queue(
    kept: dict[str, Any], more: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = StuckStack([kept], **more)
    assert (run(stack), stack.letters) == (1, [kept])

    assert said in capsys.readouterr().out


def test_tokens_that_the_doctor_finished_are_counted() -> None:
    stack = StuckStack(findings={**NOTHING_FOUND, "repaired": 2})

    deployed: Any = stack

    assert str(command.redrive(deployed)) == "0 messages done, the doctor finished 2 tokens and left 0 undone, 0 left"
    assert summary(stack.findings) == "3 items checked: 2 finished, 0 left undone"


def test_deliveries_that_the_doctor_could_not_process_are_reported_as_left(capsys: pytest.CaptureFixture[str]) -> None:
    stack: Any = StuckStack(findings={**NOTHING_FOUND, "unrepaired": 2, "overdue": ["a"], "pending": ["delivery_1"]})
    redriven = command.redrive(stack)
    assert redriven.left == 1
    assert capsys.readouterr().out == "  delivery_1 was not processed\n"
    assert [*report(scan(stack))][1:] == [
        "  a  past its timeout",
        "  delivery_1  a recorded delivery that was not processed",
    ]


def test_tokens_that_the_doctor_counts_but_does_not_list_are_reported_as_left(capsys: pytest.CaptureFixture[str]) -> None:
    stack = StuckStack(findings={**NOTHING_FOUND, "unrepaired": 5, "overdue": ["a", "b"]})

    assert run(stack) == 3

    assert "redrive again" in capsys.readouterr().out
