"""Consume the table's stream: guarantee that every waiter of a settled token is resumed.

Usually the function that settled the token has already resumed them, and one read for a whole batch shows that nothing is
left to do. If the stack has an event bus, this also puts the tokens' events. If it notifies people, this also sends the
notice queue the ids of their tokens that have ended.
"""

from collections.abc import Callable
from typing import Any, assert_never

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import telemetry
from waitpoints.aws.items import is_settled, waiter_count
from waitpoints.aws.services.queues import DeadLetters
from waitpoints.errors import CannotResume, CannotResumeNow
from waitpoints.resumer import NotResumed
from waitpoints.stream.record import image_of, keep, token_id_of
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.tokens, s.dead_letters, s.step_functions_client, s.event_publisher, s.notice_filter))
stream = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    if "command" in event:
        return COMMANDS[event["command"]](event.get("waitpointIds", []))
    # events and notices first: they take a few requests, while waiters that cannot be resumed may take all the time
    event_publisher, notices = services.event_publisher, services.notice_filter
    again = event_publisher.publish(event["Records"]) if event_publisher else []
    again += notices.enqueue([it for it in event["Records"] if is_settled(image_of(it))]) if notices else []
    failed: list[Any] = [{"itemIdentifier": number} for number in dict.fromkeys(again)]
    if left := find_unfinished(event["Records"]):
        answer = process_partial_response({"Records": left}, record_handler, stream, context)
        failed += answer["batchItemFailures"]
    return {"batchItemFailures": failed}


def find_unfinished(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records of tokens that may have a waiter without a reply. A settled token gets no more waiters."""
    settled = [record for record in records if is_settled(image_of(record))]
    counts = [(token_id_of(record), waiters_of(record)) for record in settled]
    waiters = {token_id: count for token_id, count in counts if count}
    if not waiters:  # with events or notices, the stream's filter also passes tokens without waiters, and some that wait
        return []
    with telemetry.canonical_line("check", tokens=len(waiters)):
        left = services.tokens.find_unfinished(waiters)
        telemetry.note(unfinished=len(left))
    return [record for record in settled if token_id_of(record) in left]


def waiters_of(record: dict[str, Any]) -> int:
    """How many waiters a token has, at least. One whose record cannot be read may have one."""
    try:
        return waiter_count(image_of(record))
    except (KeyError, TypeError, ValueError):
        return 1


def record_handler(record: DynamoDBRecord) -> None:
    try:
        resume(token_id_of(record.raw_event), services.dead_letters)
    except Exception as error:
        if not keep(record.raw_event, error, services.now(), services.dead_letters.put):
            raise


def resume(token_id: str, dead_letters: DeadLetters | None = None) -> list[NotResumed]:
    """Resume the waiters of a token without a reply; returns those that retrying won't resume.

    Raises CannotResumeNow while retrying may still resume a waiter. Marks and dead-letters the rest only once no such waiter is
    left, so that a retry does not dead-letter them twice.
    """
    with telemetry.canonical_line("resume", tokenId=token_id):
        left = services.tokens.resume_waiters(token_id)
        for waiter in left:
            match waiter.reason:
                case CannotResumeNow():
                    raise waiter.reason
                case CannotResume():
                    pass
                case unknown:
                    assert_never(unknown)
        if left:
            services.tokens.mark_unresumed(token_id)
        if left and dead_letters:
            telemetry.count("WaitersDeadLettered", len(left))
            dead_letters.put(token_id, str(left[0].reason))
        return left


def give_up(token_id: str) -> int:
    """Have the waiters of a token that nothing can resume reported no longer. Returns how many."""
    with telemetry.canonical_line("give up", tokenId=token_id):
        given_up = services.tokens.give_up(token_id)
        telemetry.note(givenUp=given_up)
        return given_up


def resume_again(token_ids: list[str]) -> dict[str, int]:
    """Resume the waiters of these tokens. Nothing is dead-lettered again: the operator sees the response."""
    return {"undelivered": sum(len(resume(token_id)) for token_id in token_ids)}


def give_up_all(token_ids: list[str]) -> dict[str, int]:
    return {"givenUp": sum(give_up(token_id) for token_id in token_ids)}


def publish_again(token_ids: list[str]) -> dict[str, int]:
    return {"notPut": services.event_publisher.publish_again(token_ids) if services.event_publisher else 0}


def describe_runtime(_: Any) -> dict[str, Any]:
    return {"boto3": boto3.__version__, "resumesDurableFunctions": services.durable_functions.can_resume}


COMMANDS: dict[str, Callable[[list[str]], dict[str, Any]]] = {
    "resume": resume_again,
    "giveUp": give_up_all,
    "publishEvents": publish_again,
    "describe": describe_runtime,
}
