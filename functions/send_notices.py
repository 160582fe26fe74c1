"""Consume the notice queue: send what people have not been sent about a token. `waitpoints redrive` invokes this, too."""

from contextlib import suppress
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import ids, telemetry
from waitpoints.api.notices import channels
from waitpoints.api.notices.dispatcher import MayGoOn, NoticeDispatcher, SendLater
from waitpoints.wiring import services

LAST_STEP = 30_000  # milliseconds before the function's timeout: begin no step later than this

services.build_at_start(lambda s: (s.tokens, s.notice_store, s.dead_letters))
queue = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    def may_go_on() -> bool:
        return context.get_remaining_time_in_millis() > LAST_STEP

    if "noticesOf" in event:
        return {"notSent": sum(send_again(token_id, may_go_on) for token_id in event["noticesOf"])}

    def record_handler(record: SQSRecord) -> None:
        send(record, may_go_on)

    return process_partial_response(event=event, record_handler=record_handler, processor=queue, context=context)


def send(record: SQSRecord, may_go_on: MayGoOn) -> None:
    """Send what a message asks for. If something is left, the message comes again when the channel wants it."""
    message = record.json_body
    token_id = ids.parse(message["waitpointId"])
    with telemetry.canonical_line("send notices", tokenId=token_id):
        try:
            if "message" in message:
                sending().edit_unrecorded(token_id, message["message"])
            else:
                sending().send(token_id, may_go_on)
        except Exception as error:
            come_again(record, error.after if isinstance(error, SendLater) else None)
            raise


def come_again(record: SQSRecord, after: int | None) -> None:
    with suppress(Exception):  # if this fails, the queue's visibility timeout applies
        assert services.notice_queue is not None, "this function has the queue's URL"
        services.notice_queue.come_again(record.receipt_handle, int(record.attributes.approximate_receive_count), after)


def send_again(token_id: str, may_go_on: MayGoOn) -> int:
    """Send what was refused, too. Returns at how many targets that fails."""
    with telemetry.canonical_line("send notices again", tokenId=token_id):
        left = sending().send_again(ids.parse(token_id), may_go_on)
        telemetry.note(notSent=left)
        return left


def sending() -> NoticeDispatcher:
    return NoticeDispatcher(
        services.tokens,
        services.notice_store,
        channels.sender_of,
        channels.link_of,
        services.dead_letters,
        services.now,
    )
