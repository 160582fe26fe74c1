"""Consume the table's stream: arm a timer for each new token that has a timeout."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import telemetry
from waitpoints.errors import CannotArm
from waitpoints.wiring import services

services.build_at_start("timers", "dead_letters")
stream = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    return process_partial_response(event=event, record_handler=record_handler, processor=stream, context=context)


def record_handler(record: DynamoDBRecord) -> None:
    image = (record.dynamodb.new_image if record.dynamodb else None) or {}
    if "timeoutAt" not in image:
        return
    with telemetry.canonical_line("schedule", tokenId=image["id"]):
        try:
            services.timers.arm(image["id"], int(image["timeoutAt"]), services.now())
        except CannotArm as reason:  # a retry would block every later timer; the doctor times this token out
            telemetry.count("TimersNotArmed")
            services.dead_letters.put(image["id"], str(reason))
