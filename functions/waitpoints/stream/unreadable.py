"""Records of the table's stream that this version cannot read, such as a newer version's after a rollback.

Lambda begins again at the first failed record of a shard, so all that is behind it waits. So such a record comes again for
GIVE_UP_AFTER only. Then a dead letter names its token, and what is behind it goes on.
"""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from waitpoints import telemetry
from waitpoints.aws.error_codes import error_code
from waitpoints.errors import CannotResumeNow

GIVE_UP_AFTER = 300_000  # milliseconds from the write that a record is of: an update may have just begun, or be going back
_MAY_PASS = (ClientError, BotoCoreError, CannotResumeNow)
_GONE = {"NoSuchKey", "AccessDenied"}  # of S3: an object that is gone. The latter if the function may not list the bucket

Record = Mapping[str, Any]
"""A record of the table's stream, as Lambda gets it."""


def may_be_read_later(error: Exception) -> bool:
    """Whether AWS failed, and not what was read."""
    return isinstance(error, _MAY_PASS) and error_code(error) not in _GONE


def is_given_up(record: Record, now: int, after: int = GIVE_UP_AFTER) -> bool:
    """Whether a record has come for long enough. A redrive's records have no time: they are tried once each."""
    written_at = record["dynamodb"].get("ApproximateCreationDateTime")
    return written_at is not None and written_at * 1000 + after <= now


def keep(record: Record, error: Exception, now: int, put: Callable[[str, str], None]) -> bool:
    """Put a dead letter about a record that cannot be read. Returns False if it must come again."""
    if may_be_read_later(error) or not is_given_up(record, now):
        return False
    try:
        put(token_id_of(record), f"not read: {type(error).__name__}")
    except Exception as failure:
        telemetry.logger.warning("Dead letter not put", error=type(failure).__name__)
        return False
    return True


def token_id_of(record: Record) -> str:
    return str(record["dynamodb"]["Keys"]["id"]["S"])
