"""Consume the timer queue: time out tokens that are due, and re-arm the timer of a message that came early."""

from contextlib import suppress
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import ids, telemetry
from waitpoints.wiring import services

services.build_at_start("tokens", "timers", "step_functions_client")
queue = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    return process_partial_response(event=event, record_handler=record_handler, processor=queue, context=context)


def record_handler(record: SQSRecord) -> None:
    token_id = ids.parse(record.json_body["waitpointId"])
    with telemetry.canonical_line("expire", tokenId=token_id):
        try:
            due_at = services.tokens.expire(token_id)
            if due_at is not None:
                services.timers.arm(token_id, due_at, services.now())
        except Exception:
            with suppress(Exception):  # if this fails, the queue's visibility timeout applies
                services.timers.come_again_soon(record.receipt_handle, int(record.attributes.approximate_receive_count))
            raise
