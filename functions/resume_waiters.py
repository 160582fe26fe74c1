"""Fed by the table's stream with every settled token that has waiters: the guarantee that each of them is resumed.

The function that settled the token has usually done it already; then there is nothing left to do here. An operator's
redrive invokes it with `{"waitpointIds": […]}`.
"""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import aws, telemetry
from waitpoints.step_functions import CannotResume

aws.build_at_start(aws.tokens, aws.dead_letters)
stream = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    if "waitpointIds" in event:
        return {"undelivered": sum(resume(token_id) for token_id in event["waitpointIds"])}
    return process_partial_response(event=event, record_handler=record_handler, processor=stream, context=context)


def record_handler(record: DynamoDBRecord) -> None:
    keys = record.dynamodb.keys if record.dynamodb else None
    if keys:
        resume(keys["id"])


def resume(token_id: str) -> int:
    """Resume what is left of a token's waiters. Raises CannotResumeNow when trying again may help.

    What can never succeed is put with the dead letters, its waiters kept, and counted in the answer.
    """
    with telemetry.canonical_line("resume", tokenId=token_id):
        undelivered = aws.tokens().resume_waiters(token_id)
        never = [failure for failure in undelivered if isinstance(failure.reason, CannotResume)]
        if never:
            telemetry.count("WaitersDeadLettered", len(never))
            aws.dead_letters().put(token_id, str(never[0].reason))
        for failure in undelivered:
            if failure not in never:
                raise failure.reason
        return len(never)
