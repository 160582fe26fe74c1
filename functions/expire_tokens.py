"""Consume the timer queue: fire the timers of its messages' tokens."""

from contextlib import suppress
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import ids, telemetry
from waitpoints.timers.due import Named
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.timers, s.step_functions_client))
queue = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    return process_partial_response(event=event, record_handler=record_handler, processor=queue, context=context)


def record_handler(record: SQSRecord) -> None:
    message = record.json_body
    token_id = ids.parse(message["waitpointId"])
    with telemetry.canonical_line("expire", tokenId=token_id):
        try:
            services.timers.fire(token_id, named_in(message, record))
        except Exception:
            with suppress(Exception):  # if this fails, the queue's visibility timeout applies
                services.timer_queue.come_again_soon(record.receipt_handle, int(record.attributes.approximate_receive_count))
            raise


def named_in(message: dict[str, Any], record: SQSRecord) -> Named | None:
    if "instant" not in message:
        return None
    return Named(int(message["instant"]), int(record.attributes.sent_timestamp))
