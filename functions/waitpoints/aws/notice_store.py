"""What was sent about a token: one item beside it, with a map for each target (see `waitpoints.notices`).

Two functions may look at one token at the same moment, as when the queue delivers a message twice. `claimedUntil` lets one of
them send (invariant 7). A function that dies leaves its claim, which then ends by itself.

The item has no expiry: the doctor deletes it after its token, wherever the token's timeout has been moved.
"""

from typing import TYPE_CHECKING, Any

from waitpoints.aws.items import NOTICES, primary_key, wire_values
from waitpoints.notices import NoticeRecord
from waitpoints.token import Token

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

CLAIMED_FOR = 90_000  # milliseconds, longer than the function may run

IS_UNCLAIMED = "attribute_not_exists(claimedUntil)"
CLAIM_HAS_ENDED = "claimedUntil <= :now"
IS_OWN_CLAIM = "claimedUntil = :claim"
IS_THERE = "attribute_exists(id)"

IS_FREE = f"{IS_UNCLAIMED} OR {CLAIM_HAS_ENDED}"


class NoticeStore:
    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name

    def claim(self, token: Token, now: int) -> int | None:
        until = now + CLAIMED_FOR
        update = "SET claimedUntil = :until, tokenId = :tokenId, createdAt = :createdAt"
        values = {"until": until, "tokenId": token.id, "createdAt": token.created_at, "now": now}
        return until if self._update(token.id, update, IS_FREE, {}, **values) else None

    def record(self, token_id: str, target: str, record: NoticeRecord) -> bool:
        """Whoever has the claim by now: what was sent is never forgotten."""
        return self._update(token_id, "SET #target = :record", IS_THERE, {"#target": target}, record=record.members())

    def free(self, token_id: str, claim: int) -> None:
        self._update(token_id, "REMOVE claimedUntil", IS_OWN_CLAIM, {}, claim=claim)

    def ask_again(self, token: Token) -> None:
        """A target that has got nothing is asked as if for the first time, unless the token has ended.

        Of another, the next look sends what is missing.
        """
        names, gone = {}, []
        for number, (target, record) in enumerate(token.notices.items()):
            if record.refused is None or (record.ref is None and token.outcome is not None):
                continue
            names[f"#{number}"] = target
            gone += [f"#{number}"] if record.ref is None else [f"#{number}.refused", f"#{number}.shows"]
        if gone:
            self._update(token.id, f"REMOVE {', '.join(gone)}", IS_THERE, names)

    def _update(self, token_id: str, update: str, condition: str, names: dict[str, str], **values: object) -> bool:
        """Change the item. Returns False if the condition does not hold."""
        arguments: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}  # DynamoDB rejects an empty map
        if values:
            arguments |= {"ExpressionAttributeValues": wire_values(**values)}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=primary_key(token_id, NOTICES),
                UpdateExpression=update,
                ConditionExpression=condition,
                **arguments,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True
