"""Hand a waiting token's page over: change who may answer it.

A hand-over is one read and one conditional update, which holds only if nobody has answered or handed over since the read
(invariant 6). So an answer of somebody who is removed at the same moment either counts, and they stay, or is refused.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from waitpoints import telemetry
from waitpoints.access.caller import Caller
from waitpoints.errors import TokenHasEnded, attempts
from waitpoints.ports import Clock
from waitpoints.token import HandOver, Token
from waitpoints.tokens import Tokens

if TYPE_CHECKING:
    from waitpoints.aws.store import Store

MakeHandOver = Callable[[Token, int], HandOver | None]
"""Returns the hand-over of a waiting token, read with its page, at an instant. None: it has been done. Raises a refusal."""


class HandOvers:
    def __init__(self, tokens: Tokens, store: "Store", clock: Clock) -> None:
        self._tokens = tokens
        self._store = store
        self._clock = clock

    def hand_over(self, token_id: str, make: MakeHandOver, caller: Caller) -> Token:
        """Change who may answer a token, and return it as it was. A request that comes again changes nothing.

        Raises TokenNotFound, TokenHasEnded, WrittenLater, Forbidden unless the caller may create the token, and what
        `make` raises.
        """
        for _ in attempts("Others answer, or hand over, at the same moment. Send the same request again"):
            token = self._tokens.find(token_id)
            caller.check("create", token.tags)
            token.check_version()
            if token.outcome is not None:
                raise TokenHasEnded("The waitpoint has ended, so its approvers can no longer be changed")
            hand_over = make(token, self._clock())
            if hand_over is None:
                return token
            if hand_over.added and token.has_notify:
                caller.check("notify", token.tags)
            if self._store.hand_over(token, hand_over):
                telemetry.note(handOvers=len(token.hand_overs) + 1)
                return token
        raise AssertionError("the last attempt raises")
