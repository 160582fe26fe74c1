"""What was sent about a token: one item beside it, with a map for each target (see `waitpoints.notices`).

Two functions may handle one token at the same moment, as when the queue delivers a message twice. `claimedUntil` lets one of
them send (invariant 7). A function that dies leaves its claim, which then ends by itself.

The item has no expiry: the doctor deletes it after its token, wherever the token's timeout has been moved.
"""

from typing import TYPE_CHECKING, Any

from waitpoints.aws.items import NOTICES, primary_key
from waitpoints.aws.table import Changes, Table, Updated
from waitpoints.notices import NoticeRecord, Notify
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
        self._table = Table(client, table_name)

    def claim(self, token: Token, now: int) -> int | None:
        """Keep other functions from sending about this token until `free`, or for CLAIMED_FOR (invariant 7).

        Returns what names the claim. None: another function has one.
        """
        until = now + CLAIMED_FOR
        changes = {"claimedUntil": until, "tokenId": token.id, "createdAt": token.created_at}
        return until if self._update(token.id, changes, IS_FREE, now=now) else None

    def record(self, token_id: str, target: str, record: NoticeRecord) -> bool:
        """Store a target's record. Returns False if there is no record any more.

        Does not need the claim: what was sent is never forgotten.
        """
        return self._update(token_id, {target: record.members()}, IS_THERE)

    def free(self, token_id: str, claim: int) -> None:
        """End a claim, unless it has ended and another function has one."""
        self._update(token_id, {"claimedUntil": None}, IS_OWN_CLAIM, claim=claim)

    def clear_refusals(self, token: Token) -> None:
        """Forget what was refused, so that it is sent again.

        A target without a message loses its record, unless it gets no more. Of any other, what is missing is sent.
        """
        gone: dict[Any, None] = {}
        notify = Notify.of_text(token.notify or "{}")
        for target, record in token.notices.items():
            is_over = token.outcome is not None and not notify.sends_outcome_to(target)
            if record.refused is None or (record.ref is None and is_over):
                continue
            gone |= {target: None} if record.ref is None else {(target, "refused"): None, (target, "shows"): None}
        if gone:
            self._update(token.id, gone, IS_THERE)

    def _update(self, token_id: str, changes: Changes, condition: str, **values: Any) -> bool:
        return isinstance(self._table.update(primary_key(token_id, NOTICES), changes, condition, **values), Updated)
