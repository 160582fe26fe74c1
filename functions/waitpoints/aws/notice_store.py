"""What was sent about a token: one item beside it, with a map for each place (see `waitpoints.notices`).

Two functions may look at one token at the same moment, as when the queue delivers a message twice. `claimedUntil` lets one of
them send (invariant 7). A function that dies leaves its claim, which then ends by itself.
"""

from typing import TYPE_CHECKING

from waitpoints.aws.items import NOTICES, primary_key, wire_values
from waitpoints.notices import Notice
from waitpoints.token import Token

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

CLAIMED_FOR = 90_000  # milliseconds, longer than the function may run

IS_FREE = "attribute_not_exists(claimedUntil) OR claimedUntil <= :now"
IS_RECORDED = "attribute_exists(id)"


class NoticeStore:
    def __init__(self, client: "DynamoDBClient", table_name: str, retention_seconds: int) -> None:
        self._client = client
        self._table = table_name
        self._retention = retention_seconds

    def claim(self, token: Token, now: int) -> bool:
        """The item expires as the token's other items do; without a timeout, the doctor deletes it after its token."""
        named = {"until": now + CLAIMED_FOR, "now": now, "tokenId": token.id, "createdAt": token.created_at}
        update = "SET claimedUntil = :until, tokenId = :tokenId, createdAt = :createdAt"
        if token.timeout_at is not None:
            named |= {"expiresAt": token.timeout_at // 1000 + self._retention}
            update += ", expiresAt = :expiresAt"
        else:
            update += " REMOVE expiresAt"
        try:
            self._client.update_item(
                TableName=self._table,
                Key=primary_key(token.id, NOTICES),
                UpdateExpression=update,
                ConditionExpression=IS_FREE,
                ExpressionAttributeValues=wire_values(**named),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def record(self, token_id: str, place: str, notice: Notice) -> None:
        self._update(token_id, "SET #place = :notice", {"#place": place}, notice=notice.members())

    def free(self, token_id: str) -> None:
        self._update(token_id, "REMOVE claimedUntil", {})

    def ask_again(self, token: Token) -> None:
        """A place that has got nothing is asked as if for the first time; of another, the next look sends what is missing."""
        for place, notice in token.notices.items():
            if notice.refused is None:
                continue
            names = {"#place": place}
            if notice.ref is None:
                self._update(token.id, "REMOVE #place", names)
            else:
                self._update(token.id, "REMOVE #place.refused, #place.shows", names)

    def _update(self, token_id: str, update: str, names: dict[str, str], **values: object) -> None:
        """Change the item. TTL may have removed it: then nothing is recorded any more."""
        arguments: dict[str, object] = {"ExpressionAttributeNames": names} if names else {}
        if values:
            arguments |= {"ExpressionAttributeValues": wire_values(**values)}
        try:
            self._client.update_item(  # type: ignore[call-overload]
                TableName=self._table,
                Key=primary_key(token_id, NOTICES),
                UpdateExpression=update,
                ConditionExpression=IS_RECORDED,
                **arguments,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return
