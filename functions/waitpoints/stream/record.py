"""The records of the table's stream: what they say, and how long one comes again that cannot be read.

Lambda begins again at the first failed record of a shard, so all that is behind it waits. So a record that this version cannot
read, such as a newer version's after a rollback, comes again for GIVE_UP_AFTER only. Then a dead letter names its token.
"""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from waitpoints import telemetry
from waitpoints.aws.error_codes import error_code
from waitpoints.aws.items import plain, token_from
from waitpoints.errors import CannotResumeNow
from waitpoints.token import Token

GIVE_UP_AFTER = 300_000  # milliseconds from the write that a record is of: an update may have just begun, or be going back
_MAY_PASS = (ClientError, BotoCoreError, CannotResumeNow)
_GONE = {"NoSuchKey", "AccessDenied"}  # of S3: an object that is gone. The latter if the function may not list the bucket

Record = Mapping[str, Any]
"""A record of the table's stream, as Lambda gets it."""


def image_of(record: Record) -> Mapping[str, Any]:
    """Return the token's new item."""
    image: Mapping[str, Any] = record["dynamodb"]["NewImage"]
    return image


def token_id_of(record: Record) -> str:
    return str(record["dynamodb"]["Keys"]["id"]["S"])


def number_of(record: Record) -> str:
    """Return the sequence number, which names a record that must come again."""
    return str(record["dynamodb"]["SequenceNumber"])


def is_new(record: Record) -> bool:
    return str(record["eventName"]) == "INSERT"


def token_of(record: Record) -> Token:
    """Return the token without its waiters. Raises an error if this version cannot read it, as right after a rollback."""
    return token_from(plain({name: value for name, value in image_of(record).items() if name != "waiters"}))


def age_of(record: Record, instant: int) -> int | None:
    """Return the milliseconds from the record's write to an instant. None: a redrive's records have no time."""
    written_at = record["dynamodb"].get("ApproximateCreationDateTime")
    return None if written_at is None else instant - int(written_at * 1000)


def may_be_read_later(error: Exception) -> bool:
    """Whether AWS failed, and not what was read."""
    return isinstance(error, _MAY_PASS) and error_code(error) not in _GONE


def is_given_up(record: Record, now: int, after: int = GIVE_UP_AFTER) -> bool:
    """Whether a record has come for long enough. A redrive's records are tried once each."""
    age = age_of(record, now)
    return age is not None and age >= after


def keep(record: Record, error: Exception, now: int, put: Callable[[str, str], None]) -> bool:
    """Put a dead letter about a record that cannot be read. Returns False if it must come again."""
    if may_be_read_later(error) or not is_given_up(record, now):
        return False
    with telemetry.only_logging("Dead letter not put"):
        put(token_id_of(record), f"not read: {type(error).__name__}")
        return True
    return False
