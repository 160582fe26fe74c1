"""The calls to AWS that each function makes, as data. A test compares them with those that the code makes."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Call:
    """One call, with the write units that it takes of each partition."""

    operation: str
    token: int = 0
    """Of the token's partition of the table."""
    key: int = 0
    """Of the partition of its token's key."""
    list_index: int = 0
    """Of a partition of the index `list`."""
    key_index: int = 0
    """Of a partition of the index `idempotencyKey`."""
    marks: int = 0
    """Of the one partition of the table that marks undelivered tokens."""
    reads: float = 0

    @property
    def write_units(self) -> int:
        return self.token + self.key + self.list_index + self.key_index + self.marks


UPDATE, QUERY, PUT = "DynamoDB:UpdateItem", "DynamoDB:Query", "DynamoDB:PutItem"
TRANSACTION, RESUME = "DynamoDB:TransactWriteItems", "SFN:SendTaskSuccess"

CREATE: Final = (Call(PUT, token=1, list_index=1),)
CREATE_WITH_KEY: Final = (Call(TRANSACTION, token=2, key=2, list_index=1, key_index=1),)
CREATE_AGAIN: Final = (Call(TRANSACTION, token=2, key=2),)
"""Another create with that key. It is refused, and billed like a transaction of the smallest items."""
WAIT: Final = (Call(UPDATE, token=1),)
START_NOTHING: Final = (Call("DynamoDB:BatchGetItem", reads=0.5),)
"""What a round asks once for a hundred tokens. So many read units are for one that has ended."""

SETTLE: Final = Call(UPDATE, token=1, list_index=1)
SEND: Final = Call(RESUME)
RECORD: Final = Call(UPDATE, token=1)
CALLBACK: Final = (SETTLE, SEND, RECORD)
LATE_CALLBACK: Final = (Call(UPDATE, token=1), Call(UPDATE, token=1))
"""Of a token that has ended: a refused update, and the count of the delivery."""

UNMARK: Final = Call("DynamoDB:DeleteItem", marks=1)
GUARANTEE: Final = Call("DynamoDB:BatchGetItem", reads=0.5)
"""What `resume_waiters` asks once for a batch of records. So many read units are for each."""
TIME_OUT: Final = (Call(QUERY, reads=1), SETTLE, SEND, RECORD)
"""What `expire_tokens` does for a message of a token that is due and has a waiter."""
REPAIR: Final = (Call(QUERY, reads=1), SEND, RECORD, UNMARK)
"""For each record whose waiter has no reply."""

COMPLETED_WAIT: Final = {
    "create": CREATE,
    "wait": WAIT,
    "settle and resume": CALLBACK,
    "start the timer": START_NOTHING,
    "guarantee": (GUARANTEE,),
}
"""The steps of a wait that is completed before its timeout, by the names of `in_process.counting.waits`."""
