"""How many sign-ins without a token's page reach the issuer: an item for each second, whose count all environments share.

No limit of the routes does it: API Gateway refuses to take away a route that has one, and its limits are only targets. TTL
removes the items, which the stream's filters and the doctor pass over.
"""

from typing import TYPE_CHECKING

from waitpoints.aws.items import primary_key
from waitpoints.aws.table import Added, Refused, Table
from waitpoints.errors import SignInsBusy
from waitpoints.ports import Clock

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

PARTITION = "sign-ins"
KEPT_FOR = 60  # seconds

IS_FIRST = "attribute_not_exists(#begun)"
HAS_ROOM = "#begun < :most"

MAY_BEGIN = f"{IS_FIRST} OR {HAS_ROOM}"


class SignInRate:
    """`most` a second, of the clock's seconds."""

    def __init__(self, client: "DynamoDBClient", table_name: str, most: int, now: Clock) -> None:
        self._table = Table(client, table_name)
        self._most = most
        self._now = now

    def count(self) -> None:
        """Count one more sign-in. Raises SignInsBusy if this second has `most`."""
        second = self._now() // 1000
        changes = {"begun": Added(1), "expiresAt": second + KEPT_FOR}
        if isinstance(self._table.update(primary_key(PARTITION, str(second)), changes, MAY_BEGIN, most=self._most), Refused):
            raise SignInsBusy("busy")
