"""The table in memory: every method does what `waitpoints.aws.store.Store` does, as a whole, for any number of threads.

`tests/integration/test_store.py` holds both to the same promises.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from waitpoints.errors import TokenNotFound
from waitpoints.listing import Filter, IdRange, ReadRange
from waitpoints.ports import Cursor, Timer
from waitpoints.token import (
    MAX_WAITERS,
    SINCE,
    Answer,
    Attachment,
    Completed,
    CompletedBy,
    Document,
    DocumentKind,
    Failed,
    HandOver,
    IdempotencyKey,
    KeyHolder,
    OtherDeliveries,
    Outcome,
    Reply,
    ReplyKind,
    Rule,
    Status,
    TimedOut,
    Token,
    Waiter,
)


class MemoryStore:
    def __init__(self, retention_seconds: int) -> None:
        self._lock = threading.Lock()
        self.retention = retention_seconds
        self.tokens: dict[str, Token] = {}
        self.marked: set[str] = set()
        self._documents: dict[tuple[str, DocumentKind], str] = {}
        self._notify: dict[str, str] = {}
        self._keys: dict[tuple[str, str], tuple[Token, IdempotencyKey]] = {}

    def create(
        self,
        token: Token,
        key: IdempotencyKey | None,
        now: int,
        *,
        document: Document | None = None,
        replaced: KeyHolder | None = None,
    ) -> KeyHolder | None:
        with self._lock:
            if key is not None:
                holder = self._holder(key)
                if holder and not self._may_replace(holder, token, replaced) and not holder.is_expired(now):
                    return holder
                self._keys[key.kind, key.text] = (token, key)
            if token.id not in self.tokens:
                self.tokens[token.id] = replace(token, metadata=None)
            if document is not None:
                self._documents[token.id, document.kind] = document.text
                self._notify |= {token.id: document.notify} if document.notify else {}
            self._write_metadata(token.id, token)
        return None

    def _write_metadata(self, token_id: str, token: Token) -> None:
        if token.metadata is not None:
            self._documents[token_id, DocumentKind.METADATA] = token.metadata

    def put_early(self, token: Token, key: IdempotencyKey, now: int, *, replaced: KeyHolder | None = None) -> KeyHolder | None:
        with self._lock:
            holder = self._holder(key)
            if holder and not self._may_replace(holder, token, replaced):
                return holder
            self._keys[key.kind, key.text] = (token, key)
            if token.id not in self.tokens:
                self.tokens[token.id] = token
        return None

    def find_key_holder(self, key: IdempotencyKey) -> KeyHolder | None:
        with self._lock:
            return self._holder(key)

    def claim(self, holder: KeyHolder, token: Token, key: IdempotencyKey, now: int) -> bool:
        with self._lock:
            held, kept = self._holder(key), self.tokens.get(holder.token_id)
            if held is None or held.token_id != holder.token_id:
                return False
            if not held.is_early:
                return True
            if kept is None or kept.early_until is None or kept.early_until <= now:
                return False
            end = token.idempotency_key_expires_at
            claimed = replace(
                kept,
                early_until=None,
                tags=token.tags,
                idempotency_key_expires_at=end,
                traceparent=token.traceparent,
                created_by=token.created_by,
                has_metadata=token.has_metadata,
            )
            self.tokens[kept.id] = claimed
            self._write_metadata(kept.id, token)
            self._keys[key.kind, key.text] = (claimed, replace(key, request=None))
            return True

    def release_early(self, token: Token) -> bool:
        with self._lock:
            found = self.tokens.get(token.id)
            if found is None or found.early_until is None:
                return False
            for name in [name for name, (holder, _) in self._keys.items() if holder.id == token.id]:
                del self._keys[name]
            return True

    def delete_early(self, token_id: str) -> bool:
        with self._lock:
            found = self.tokens.get(token_id)
            if found is None or found.early_until is None:
                return False
            del self.tokens[token_id]
            return True

    @staticmethod
    def _may_replace(holder: KeyHolder, token: Token, replaced: KeyHolder | None) -> bool:
        if holder.token_id == token.id:
            return True
        return replaced is not None and replaced.token_id == holder.token_id and holder.is_early >= replaced.is_early

    def _holder(self, key: IdempotencyKey) -> KeyHolder | None:
        if (key.kind, key.text) not in self._keys:
            return None
        token, held = self._keys[key.kind, key.text]
        same_request = key.request is not None and key.request == held.request
        return KeyHolder(token.id, token.created_at, same_request, held.expires_at, is_early=token.early_until is not None)

    def remove(self, token_id: str) -> None:
        """Delete a token as TTL does after retention: its idempotency key stays."""
        del self.tokens[token_id]

    def get(self, token_id: str) -> Token:
        with self._lock:
            metadata = self._documents.get((token_id, DocumentKind.METADATA))
            page, notify = self._documents.get((token_id, DocumentKind.PAGE)), self._notify.get(token_id)
            return replace(self._token(token_id), page=page, notify=notify, metadata=metadata)

    def find(self, token_id: str) -> Token | None:
        try:
            return self.get(token_id)
        except TokenNotFound:
            return None

    def complete(
        self, token_id: str, outcome: Completed | Failed, checked: frozenset[Rule], only_tag: str | None = None
    ) -> tuple[bool, Token]:
        with self._lock:
            token = self._changeable(token_id)
            if token.outcome_at(outcome.at) is not None or (token.rules and not token.rules.are_met(checked)):
                return False, token
            if only_tag is not None and only_tag not in token.tags:
                return False, token
            return True, self._keep(replace(token, outcome=outcome))

    def answer(self, token: Token, answer: Answer, outcome: Completed | None) -> tuple[bool, Token]:
        with self._lock:
            now = self._changeable(token.id)
            if not _has_approval_as_read(now, token, answer.at):
                return False, now
            return True, self._keep(replace(now, outcome=outcome, answers=(*now.answers, answer)))

    def hand_over(self, token: Token, hand_over: HandOver) -> bool:
        with self._lock:
            now = self._changeable(token.id)
            if not _has_approval_as_read(now, token, hand_over.at):
                return False
            self._keep(
                replace(
                    now, hand_overs=(*now.hand_overs, hand_over), since_version=max(now.since_version or 0, SINCE["handOvers"])
                )
            )
            return True

    def peek(self, token_id: str) -> Token:
        return self._without_replies(token_id)

    def read_document(self, token_id: str, kind: DocumentKind) -> str | None:
        return self._documents.get((token_id, kind))

    def count_delivery(self, token_id: str, outcome: Outcome | None, by: CompletedBy, now: int) -> None:
        with self._lock:
            token = self._token(token_id)
            count = token.other_deliveries.count if token.other_deliveries else 0
            others = OtherDeliveries(count + 1, now, by.ip, by.delivery_id)
            self.tokens[token_id] = replace(token, other_deliveries=others)

    def time_out(self, token_id: str, now: int) -> tuple[bool, Token]:
        with self._lock:
            token = self._changeable(token_id)
            if token.outcome is not None or token.timeout_at is None or token.timeout_at > now:
                return False, token
            return True, self._keep(replace(token, outcome=TimedOut(token.timeout_at)))

    def keep_longer(self, token: Token, timeout_at: int | None) -> None:
        """Nothing expires here."""

    def remind(self, token: Token, asked: Token) -> bool:
        with self._lock:
            if not self._waits_as_read(token):
                return False
            noted = {name: getattr(asked, name) for name in ("reminded_count", "reminded_at", "escalated_at", "due_at")}
            self._keep(replace(self._without_replies(token.id), **noted))
            return True

    def move_deadline(self, token: Token, timeout_at: int | None, due_at: int | None, now: int) -> bool:
        with self._lock:
            if not self._waits_as_read(token) or self.tokens[token.id].outcome_at(now) is not None:
                return False
            self._keep(replace(self._without_replies(token.id), timeout_at=timeout_at, due_at=due_at))
            return True

    def _changeable(self, token_id: str) -> Token:
        token = self._without_replies(token_id)
        token.check_version()
        return token

    def _waits_as_read(self, read: Token) -> bool:
        found = self.tokens.get(read.id)
        if found:
            found.check_version()
        return (
            found is not None and found.outcome is None and (found.due_at, found.timeout_at) == (read.due_at, read.timeout_at)
        )

    def add_waiter(self, token_id: str, waiter: Waiter, now: int) -> tuple[bool, Token]:
        with self._lock:
            token = self._changeable(token_id)
            if token.outcome_at(now) is not None or waiter.key in token.waiters or len(token.waiters) >= MAX_WAITERS:
                return False, token
            return True, self._keep(replace(token, waiters={**token.waiters, waiter.key: waiter}))

    def mark_unresumed(self, token_id: str, now: int) -> None:
        with self._lock:
            self.marked.add(token_id)

    def unmark_unresumed(self, token_id: str) -> None:
        with self._lock:
            self.marked.discard(token_id)

    def record_replies(self, token_id: str, replies: Mapping[str, Reply], now: int) -> None:
        with self._lock:
            recorded = dict(self._token(token_id).replies)
            for key, reply in replies.items():
                if reply.kind is not ReplyKind.GONE or key not in recorded:
                    recorded[key] = reply
            self.tokens[token_id] = replace(self._token(token_id), replies=recorded)

    def count_replies(self, token_ids: Collection[str]) -> Mapping[str, int]:
        with self._lock:
            return {token_id: len(self.tokens[token_id].replies) for token_id in token_ids if token_id in self.tokens}

    def release(self, attachment: Attachment) -> bool:
        kind, _, text = attachment.id.partition("#")
        with self._lock:
            holder = self._keys.get((kind, text))
            if holder is None or holder[0].id != attachment.token_id:
                return False
            del self._keys[kind, text]
        return True

    def partitions(self, wanted: Filter, now: int) -> list[ReadRange[Token]]:
        def read(within: IdRange, limit: int) -> tuple[list[Token], str | None]:
            with self._lock:
                listed = (id for id, token in self.tokens.items() if token.early_until is None)
                if wanted.undelivered:
                    listed = (id for id in self.marked if id in self.tokens)
                ids = sorted((id for id in listed if within.first <= id <= within.last), reverse=not within.ascending)
                looked_at = [self.tokens[id] for id in ids[:limit]]
            found = [token for token in looked_at if _passes(wanted, token, now)]
            return found, ids[limit - 1] if len(ids) > limit else None

        return [read]

    def _token(self, token_id: str) -> Token:
        if token_id not in self.tokens:
            raise TokenNotFound
        return self.tokens[token_id]

    def _without_replies(self, token_id: str) -> Token:
        return replace(self._token(token_id), replies={}, other_deliveries=None)

    def _keep(self, token: Token) -> Token:
        kept = self.tokens[token.id]
        self.tokens[token.id] = replace(token, replies=kept.replies, other_deliveries=kept.other_deliveries)
        return token


class MemoryDueIndex:
    """The index `due` of a table in memory, in one shard. It does not lag."""

    shards = 1

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.cursor = Cursor()

    def entries(self) -> list[tuple[int, str]]:
        with self._store._lock:
            return sorted((it.due_at, it.id) for it in self._store.tokens.values() if it.due_at is not None)

    def read(self, shard: int, start: Cursor, until: int, limit: int) -> tuple[list[Timer], Cursor]:
        ahead = [(at, id) for at, id in self.entries() if (start.due_at, start.after) < (at, id) and at <= until]
        read = [Timer(id, at) for at, id in ahead[:limit]]
        return read, Cursor(read[-1].due_at, read[-1].token_id) if len(ahead) > limit else Cursor(until + 1)

    def find_waiting(self, token_ids: Sequence[str]) -> set[str]:
        with self._store._lock:
            found = [self._store.tokens[token_id] for token_id in token_ids if token_id in self._store.tokens]
        return {token.id for token in found if token.outcome is None}

    def cursors(self) -> list[Cursor]:
        return [self.cursor]

    def move_cursor(self, shard: int, start: Cursor, end: Cursor) -> bool:
        with self._store._lock:
            if self.cursor != start:
                return False
            self.cursor = end
            return True


def _has_approval_as_read(now: Token, read: Token, at: int) -> bool:
    counts = (len(now.answers), len(now.hand_overs))
    return now.outcome_at(at) is None and counts == (len(read.answers), len(read.hand_overs))


def _passes(wanted: Filter, token: Token, now: int) -> bool:
    outcome = token.outcome_at(now)
    status = outcome.status if outcome else Status.WAITING
    return (
        (not wanted.undelivered or (token.outcome is not None and bool(token.unresumed())))
        and (not wanted.statuses or status in wanted.statuses)
        and (wanted.only_tag is None or wanted.only_tag in token.tags)
        and (not wanted.tags or not wanted.tags.isdisjoint(token.tags))
        and (wanted.idempotency_key is None or wanted.idempotency_key == token.idempotency_key)
        and (wanted.completed_from is None or (outcome is not None and outcome.at >= wanted.completed_from))
        and (wanted.completed_to is None or (outcome is not None and outcome.at <= wanted.completed_to))
        and wanted.output_is_error in (None, isinstance(outcome, Failed | TimedOut))
    )
