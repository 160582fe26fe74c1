"""The table in memory: every method does what `waitpoints.store.Store` does, as a whole, for any number of threads.

`tests/integration/test_store.py` holds both to the same promises.
"""

import threading
from collections.abc import Mapping
from dataclasses import replace

from waitpoints.errors import TokenNotFound
from waitpoints.listing import Filter, IdRange, ReadRange
from waitpoints.store import MAX_WAITERS, IdempotencyKey, KeyHolder
from waitpoints.token import Answer, Delivery, Outcome, Output, Status, Token, Waiter


class MemoryStore:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.tokens: dict[str, Token] = {}
        self._keys: dict[str, tuple[str, IdempotencyKey]] = {}

    def create(self, token: Token, key: IdempotencyKey | None, now: int) -> KeyHolder | None:
        with self._lock:
            if key is not None:
                held_by, held = self._keys.get(key.name, ("", None))
                if held is not None and (held.expires_at is None or held.expires_at > now):
                    return KeyHolder(held_by, key.request is not None and key.request == held.request)
                self._keys[key.name] = (token.id, key)
            self.tokens.setdefault(token.id, token)
        return None

    def get(self, token_id: str) -> Token:
        with self._lock:
            return self._token(token_id)

    def complete(self, token_id: str, output: Output, now: int) -> tuple[bool, Token]:
        with self._lock:
            token = self._without_deliveries(token_id)
            if token.outcome(now) is not None:
                return False, token
            return True, self._keep(replace(token, settled=Outcome(Status.COMPLETED, now, output)))

    def time_out(self, token_id: str, now: int) -> tuple[bool, Token]:
        with self._lock:
            token = self._without_deliveries(token_id)
            if token.settled is not None or token.timeout_at is None or token.timeout_at > now:
                return False, token
            return True, self._keep(replace(token, settled=Outcome(Status.TIMED_OUT, token.timeout_at)))

    def add_waiter(self, token_id: str, waiter: Waiter, now: int) -> tuple[bool, Token]:
        with self._lock:
            token = self._without_deliveries(token_id)
            if token.outcome(now) is not None or waiter.key in token.waiters or len(token.waiters) >= MAX_WAITERS:
                return False, token
            return True, self._keep(replace(token, waiters={**token.waiters, waiter.key: waiter}))

    def record_deliveries(self, token_id: str, deliveries: Mapping[str, Delivery], _now: int) -> None:
        with self._lock:
            recorded = dict(self._token(token_id).deliveries)
            for key, delivery in deliveries.items():
                if delivery.answer is not Answer.GONE or key not in recorded:
                    recorded[key] = delivery
            self.tokens[token_id] = replace(self._token(token_id), deliveries=recorded)

    def partitions(self, wanted: Filter, now: int) -> list[ReadRange]:
        def read(within: IdRange, limit: int) -> tuple[list[Token], str | None]:
            with self._lock:
                ids = sorted((id for id in self.tokens if within.first <= id <= within.last), reverse=not within.backward)
                looked_at = [self.tokens[id] for id in ids[:limit]]
            found = [token for token in looked_at if _passes(wanted, token, now)]
            return found, ids[limit - 1] if len(ids) > limit else None

        return [read]

    def _token(self, token_id: str) -> Token:
        if token_id not in self.tokens:
            raise TokenNotFound
        return self.tokens[token_id]

    def _without_deliveries(self, token_id: str) -> Token:
        return replace(self._token(token_id), deliveries={})

    def _keep(self, token: Token) -> Token:
        self.tokens[token.id] = replace(token, deliveries=self.tokens[token.id].deliveries)
        return token


def _passes(wanted: Filter, token: Token, now: int) -> bool:
    outcome = token.outcome(now)
    status = outcome.status if outcome else Status.WAITING
    return (
        (not wanted.statuses or status in wanted.statuses)
        and (not wanted.tags or not wanted.tags.isdisjoint(token.tags))
        and (wanted.idempotency_key is None or wanted.idempotency_key == token.idempotency_key)
    )
