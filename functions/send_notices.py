"""Consume the notice queue: notify people of a token. `waitpoints redrive` also sends a command to this function.

{"command": "sendNotices", "waitpointIds": […]}    send what is missing or was refused; answers {"notSent": 1}
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import ids, telemetry
from waitpoints.api.notices.dispatcher import NoticeDispatcher
from waitpoints.errors import NotSentNow, WrittenLater
from waitpoints.wiring import services

MEMBERS = {"waitpointId", "message", "undone"}  # of the queue's messages; one of a later version stays queued
LAST_STEP = 30_000  # milliseconds before the function's timeout: begin no step later than this

services.build_at_start(lambda s: (s.tokens, s.notice_store, s.dead_letters))
queue = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    def has_time() -> bool:
        return context.get_remaining_time_in_millis() > LAST_STEP

    dispatcher = NoticeDispatcher(services.tokens, services.notice_store, services.dead_letters, services.now, has_time)
    if command := event.get("command"):
        return COMMANDS[command](dispatcher, event)
    return process_partial_response(event, lambda record: send(dispatcher, record), queue, context)


def send(dispatcher: NoticeDispatcher, record: SQSRecord) -> None:
    """Send what a message is about. If something remains, the message comes again when the channel wants it."""
    message = record.json_body
    token_id = ids.parse(message["waitpointId"])
    with telemetry.canonical_line("send notices", tokenId=token_id):
        try:
            if not message.keys() <= MEMBERS:
                raise WrittenLater
            if "message" in message:
                dispatcher.edit_unrecorded(token_id, message["message"])
            else:
                dispatcher.send(token_id)
        except Exception as error:
            come_again(record, error.after if isinstance(error, NotSentNow) else None)
            raise


def come_again(record: SQSRecord, after: int | None) -> None:
    with suppress(Exception):  # if this fails, the queue's visibility timeout applies
        assert services.notice_queue is not None, "this function has the queue's URL"
        services.notice_queue.come_again(record.receipt_handle, int(record.attributes.approximate_receive_count), after)


def send_again(dispatcher: NoticeDispatcher, event: dict[str, Any]) -> dict[str, int]:
    """Also send what was refused. Returns to how many targets that fails."""
    not_sent = 0
    for token_id in event["waitpointIds"]:
        with telemetry.canonical_line("send notices again", tokenId=token_id):
            failed = dispatcher.send_again(ids.parse(token_id))
            telemetry.note(notSent=failed)
            not_sent += failed
    return {"notSent": not_sent}


COMMANDS: dict[str, Callable[[NoticeDispatcher, dict[str, Any]], dict[str, int]]] = {"sendNotices": send_again}
