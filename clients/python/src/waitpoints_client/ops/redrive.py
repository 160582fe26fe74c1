"""Retry everything in the dead-letter queue, and everything that the doctor finds undone.

The queue holds five kinds of message: a token whose waiters cannot be resumed, or whose event could not be put (both from
`resume_waiters`), a timer that could not be handled (from the timer queue), a token of which people could not be notified (from
`send_notices` and the notice queue), and a batch of stream records that a function could not process (from Lambda; the message
has only its position, so the stream is read again). A message is deleted only once its work is done.

A stream keeps its records for 24 hours. A message about expired records counts as done, because redrive always runs the
doctor, which checks every token in the table.
"""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from waitpoints_client.ops import aws_errors
from waitpoints_client.ops.deployed import Deployed, unqualified
from waitpoints_client.ops.doctor import scan
from waitpoints_client.ops.stream_filter import passes

Say = Callable[[str], Any]

READ_AT_ONCE = 1000
CHUNK_RECORDS = 100  # the mappings' BatchSize, which fits the functions' timeout
CHUNK_BYTES = 5_000_000  # the payload of a synchronous invocation is limited to 6 MiB
_GONE = {"TrimmedDataAccessException", "ExpiredIteratorException", "ResourceNotFoundException"}


class RecordsGone(Exception):
    """The stream no longer has a batch's records: they are older than 24 hours, or the stream was replaced."""


@dataclass(frozen=True)
class Redriven:
    done: int
    """Messages of the dead-letter queue whose work is done."""
    left: int
    """Messages, tokens and recorded deliveries that failed again."""
    findings: dict[str, Any]
    """The doctor's, after the queue was emptied."""

    def __str__(self) -> str:
        by_the_doctor = f"the doctor finished {self.findings['repaired']} tokens and left {self.findings['unrepaired']} undone"
        return f"{self.done} messages done, {by_the_doctor}, {self.left} left"


def redrive(stack: Deployed, say: Say = print) -> Redriven:
    """Retry everything. `say` is called with a line for each failure as it happens."""
    done, left = empty_the_queue(stack, say)
    findings = scan(stack)
    listed = [*findings["undelivered"], *findings["overdue"]]
    for token_id in listed:
        try:
            finish(stack, token_id)
        except RuntimeError as error:
            left += 1
            say(f"  {token_id} failed again: {error}")
    pending = findings.get("pending", [])
    for delivery_id in pending:
        say(f"  {delivery_id} was not processed")
    if unlisted := findings["unrepaired"] - len(listed) - len(pending):
        say(f"  the doctor listed only {len(listed) + len(pending)} tokens and deliveries: redrive again")
    left += len(pending) + unlisted
    return Redriven(done, left, findings)


def empty_the_queue(stack: Deployed, say: Say) -> tuple[int, int]:
    """Retry each dead letter. Returns how many are done, and how many stay in the queue."""
    queue, sqs = stack.outputs["DeadLetterQueueUrl"], stack.client("sqs")
    done = left = 0
    seen: set[str] = set()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
        new = [message for message in messages if message["MessageId"] not in seen]
        if not new:
            break
        for message in new:
            seen.add(message["MessageId"])
            try:
                do_again(stack, json.loads(message["Body"]))
            except RecordsGone as gone:
                say(f"  {gone}: the doctor checks its tokens")
            except (RuntimeError, KeyError, ValueError, ClientError) as error:
                left += 1
                say(f"  failed again: {aws_errors.sentence(error)}")
                continue
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            done += 1
    return done, left


def do_again(stack: Deployed, message: dict[str, Any]) -> None:
    """Retry one dead letter. Raises RecordsGone, or RuntimeError, KeyError, ValueError or ClientError if it fails again."""
    if message.get("undone") == "event":
        put_event(stack, message["waitpointId"])
        return
    if message.get("undone") == "notice":
        send_notices(stack, message)
        return
    if "DDBStreamBatchInfo" not in message:
        finish(stack, message["waitpointId"])
        return
    place = message["DDBStreamBatchInfo"]
    records = read_records(stack, place)
    mapping = find_mapping(stack, message["requestContext"]["functionArn"], place["streamArn"])
    patterns = [json.loads(one["Pattern"]) for one in mapping.get("FilterCriteria", {}).get("Filters", [])]
    failed = 0
    for chunk in chunks([record for record in records if passes(patterns, record)]):
        answer = stack.invoke(mapping["FunctionArn"], {"Records": chunk})
        failed += len(answer["batchItemFailures"]) if answer else 0
    if failed:
        raise RuntimeError(f"{failed} records of the stream failed again")


def find_mapping(stack: Deployed, function_arn: str, stream_arn: str) -> dict[str, Any]:
    """Return the event source mapping from this stream to this function, whatever its alias is now. RuntimeError without one.

    A gradual deployment gives the functions an alias, and a usual one takes it away: a message may name either.
    """
    function = unqualified(function_arn)
    mappings: list[dict[str, Any]] = stack.client("lambda").list_event_source_mappings(EventSourceArn=stream_arn)[
        "EventSourceMappings"
    ]
    for mapping in mappings:
        if unqualified(mapping["FunctionArn"]) == function:
            return mapping
    raise RuntimeError(
        f"no event source mapping leads from the stream to {function.rpartition(':')[2]}: deploy the stack again"
    )


def read_records(stack: Deployed, place: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the stream records of a failed batch in the shape of a Lambda event. Raises RecordsGone."""
    try:
        return list(read(stack.client("dynamodbstreams"), place))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in _GONE:
            raise
        batch = f"{place['shardId']}, {place['startSequenceNumber']} to {place['endSequenceNumber']}"
        raise RecordsGone(f"the stream no longer has its records {batch} ({code})") from None


def read(streams: Any, place: dict[str, Any]) -> Iterator[dict[str, Any]]:
    iterator = streams.get_shard_iterator(
        StreamArn=place["streamArn"],
        ShardId=place["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=place["startSequenceNumber"],
    )["ShardIterator"]
    while iterator:
        answer = streams.get_records(ShardIterator=iterator, Limit=READ_AT_ONCE)
        for record in answer["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > int(place["endSequenceNumber"]):
                return
            yield plain(record, place["streamArn"])
        iterator = answer.get("NextShardIterator") if answer["Records"] else None


def plain(record: dict[str, Any], stream_arn: str) -> dict[str, Any]:
    change = {name: record["dynamodb"][name] for name in ("Keys", "NewImage", "SequenceNumber") if name in record["dynamodb"]}
    return {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventSource": "aws:dynamodb",
        "eventSourceARN": stream_arn,
        "dynamodb": json.loads(json.dumps(change, default=_base64)),
    }


def _base64(value: bytes) -> str:
    """Encode a binary attribute, such as a waiter's handle, as in a Lambda event. boto3 returns it as bytes."""
    return base64.b64encode(value).decode()


def chunks(found: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Split the records, in order, into lists that fit one invocation."""
    chunk: list[dict[str, Any]] = []
    size = 0
    for record in found:
        length = len(json.dumps(record)) + 2  # plus the comma and a space
        if chunk and (len(chunk) == CHUNK_RECORDS or size + length > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += length
    if chunk:
        yield chunk


def finish(stack: Deployed, token_id: str) -> None:
    """Time the token out if it is due, and resume its waiters without a reply. Raises RuntimeError if either fails."""
    timer = {"messageId": token_id, "eventSource": "aws:sqs", "body": json.dumps({"waitpointId": token_id})}
    answer = stack.invoke(stack.outputs["ExpireFunctionName"], {"Records": [timer]})
    if answer["batchItemFailures"]:
        raise RuntimeError("the token cannot be timed out")
    if stack.invoke(stack.outputs["ResumeFunctionName"], {"command": "resume", "waitpointIds": [token_id]})["undelivered"]:
        raise RuntimeError("AWS still rejects the resume of a waiter")


def send_notices(stack: Deployed, message: dict[str, Any]) -> None:
    """Notify people of the token, also where a channel has refused it. Raises RuntimeError if that fails.

    A message from the notice queue may name one message in Slack: then only that is edited.
    """
    function = stack.outputs.get("NoticesFunctionName")
    if function is None:
        raise RuntimeError(
            f"no one can be notified of {message['waitpointId']}: the stack has no mail, Slack or Teams. Deploy it with "
            "MailFrom, Slack or Teams, or delete the message from the dead-letter queue"
        )
    if "message" in message:
        notice = {"messageId": message["waitpointId"], "eventSource": "aws:sqs", "body": json.dumps(message)}
        left = len(stack.invoke(function, {"Records": [notice]})["batchItemFailures"])
    else:
        left = stack.invoke(function, {"command": "sendNotices", "waitpointIds": [message["waitpointId"]]})["notSent"]
    if left:
        raise RuntimeError(f"a channel still refuses the notices of {message['waitpointId']}")


def put_event(stack: Deployed, token_id: str) -> None:
    """Put the token's event on the event bus, if the stack has one. Raises RuntimeError if that fails."""
    if stack.invoke(stack.outputs["ResumeFunctionName"], {"command": "publishEvents", "waitpointIds": [token_id]})["notPut"]:
        raise RuntimeError("EventBridge still rejects the event of a token")
