"""Consume the table's stream: send the message of each new token that is due soon.

If the stack notifies people, this also sends the notice queue the ids of their waiting tokens that are new or have changed.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import telemetry
from waitpoints.aws.items import TOKEN, is_later
from waitpoints.stream.record import image_of, is_new, keep, number_of, token_of
from waitpoints.token import Token
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.timers, s.notice_filter))


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    numbers: dict[str, str] = {}
    tokens: list[Token] = []
    failed: list[str] = []
    notices = services.notice_filter
    for record in event["Records"]:
        if not is_known(record) or (notices and not has_timer(record)):
            continue
        number = number_of(record)
        try:
            token = token_of(record)
        except Exception as error:  # an older version may read what a newer one wrote
            telemetry.logger.warning("Record not read", error=type(error).__name__)
            if not keep(record, error, services.now(), services.dead_letters.put):
                failed.append(number)
            continue
        numbers[token.id] = number
        tokens.append(token)
    failed += [numbers[token_id] for token_id in start(tokens)]
    failed += notices.enqueue(event["Records"]) if notices else []
    return {"batchItemFailures": [{"itemIdentifier": number} for number in dict.fromkeys(failed)]}


def is_known(record: dict[str, Any]) -> bool:
    """Whether this version reads the item. It leaves a later one's token to that version, and counts it."""
    image = record["dynamodb"]["NewImage"]
    later = is_later(image)
    telemetry.count("TokensWrittenLater", later)
    return not later and image["item"]["S"] == TOKEN


def has_timer(record: dict[str, Any]) -> bool:
    """Whether a record is of a new token whose timer the stream starts. With notices, the filter also passes others."""
    return is_new(record) and "soon" in image_of(record)


def start(tokens: list[Token]) -> set[str]:
    """Send the messages of these tokens. Returns the ids of those whose message was not sent."""
    if not tokens:
        return set()
    ids = [token.id for token in tokens]
    with telemetry.canonical_line("schedule", **{"tokenId": ids[0]} if len(ids) == 1 else {"tokenIds": ids}):
        failed = services.timers.start_new(tokens)
        telemetry.note(failed=len(failed))
        return failed
