"""`make redrive`: does what is in the dead-letter queue again, and everything that the doctor finds undone.

Three kinds of message are there: a token whose waiters cannot be resumed (from `resume_waiters`), a timer that could
not be handled (from the timer queue), and a part of the table's stream that a function failed on for too long (from
Lambda; only its place in the stream, which is read again). A message leaves the queue only once it has been done.
"""

import json
import sys
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from deployed import Deployed, NotFound

READ_AT_ONCE = 1000


def main() -> int:
    try:
        return redrive(Deployed.chosen())
    except (NotFound, RuntimeError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 2


def redrive(stack: Deployed) -> int:
    """Do everything again: 0 if nothing is left, else 1."""
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
            except (RuntimeError, KeyError, ValueError, ClientError) as error:
                left += 1
                print(f"  still not done: {error}")
                continue
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            done += 1
    findings = stack.invoke(stack.outputs["DoctorFunctionName"], {})
    for token_id in [*findings["undelivered"], *findings["overdue"]]:
        try:
            finish(stack, token_id)
        except RuntimeError as error:
            left += 1
            print(f"  {token_id} still not done: {error}")
    print(f"{done} messages done again, {findings['undone']} tokens found undone, {left} left")
    return 1 if left else 0


def do_again(stack: Deployed, message: dict[str, Any]) -> None:
    if "DDBStreamBatchInfo" not in message:
        finish(stack, message["waitpointId"])
        return
    function = message["requestContext"]["functionArn"].removesuffix(":$LATEST")
    answer = stack.invoke(function, {"Records": records(stack, message["DDBStreamBatchInfo"])})
    if answer and answer.get("batchItemFailures"):
        raise RuntimeError(f"{len(answer['batchItemFailures'])} records of the stream failed again")


def records(stack: Deployed, place: dict[str, Any]) -> list[dict[str, Any]]:
    """The stream records of a failed batch, as Lambda had handed them over."""
    streams = stack.client("dynamodbstreams")
    found: list[dict[str, Any]] = []
    iterator = streams.get_shard_iterator(
        StreamArn=place["streamArn"],
        ShardId=place["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=place["startSequenceNumber"],
    )["ShardIterator"]
    while iterator:
        answer = streams.get_records(ShardIterator=iterator, Limit=READ_AT_ONCE)
        for record in answer["Records"]:
            found.append(plain(record, place["streamArn"]))
            if int(record["dynamodb"]["SequenceNumber"]) >= int(place["endSequenceNumber"]):
                return found
        iterator = answer.get("NextShardIterator") if answer["Records"] else None
    return found


def plain(record: dict[str, Any], stream_arn: str) -> dict[str, Any]:
    change = {name: record["dynamodb"][name] for name in ("Keys", "NewImage", "SequenceNumber") if name in record["dynamodb"]}
    return {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventSource": "aws:dynamodb",
        "eventSourceARN": stream_arn,
        "dynamodb": change,
    }


def finish(stack: Deployed, token_id: str) -> None:
    """Time the token out if it is due, and resume whichever of its waiters have not been told."""
    timer = {"messageId": token_id, "eventSource": "aws:sqs", "body": json.dumps({"waitpointId": token_id})}
    answer = stack.invoke(stack.outputs["ExpireFunctionName"], {"Records": [timer]})
    if answer["batchItemFailures"]:
        raise RuntimeError("it cannot be timed out")
    if stack.invoke(stack.outputs["ResumeFunctionName"], {"waitpointIds": [token_id]})["undelivered"]:
        raise RuntimeError("Step Functions still refuses to resume a waiter")


if __name__ == "__main__":
    sys.exit(main())
