"""The interfaces to AWS that the core uses. `aws/` implements them, `tests/support/fakes` replaces them in memory.

`outputs` has none: the core uses it directly, and tests replace the bucket below it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from waitpoints.scan_state import DoctorState, Key, Waiting
from waitpoints.token import (
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
    Outcome,
    Reply,
    ReplyKind,
    Rule,
    Token,
    Waiter,
)
from waitpoints.waiter_result import Failure, Success

if TYPE_CHECKING:
    from waitpoints.listing import Filter, ReadRange
    from waitpoints.notices import NoticeRecord

Clock = Callable[[], int]
"""Now, in epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class ScanPage:
    """One read of the table: how many items it had, and what may need the doctor.

    `unresumed` are tokens that seem to have a waiter without a reply, `overdue` those that are past their timeout or their next
    timer. `oldest` may be the oldest without a timeout. The next read of this segment goes on after `last_key`. None: the
    segment has been read to its end. `recorded` are the items of recorded deliveries.
    """

    items: int
    unresumed: list[str]
    overdue: list[str]
    attachments: list[Attachment]
    oldest: list[Waiting]
    last_key: Key | None
    recorded: list[Mapping[str, Any]] = field(default_factory=list)


class TokenStore(Protocol):
    @property
    def retention(self) -> int:
        """Seconds for which a settled token is kept."""

    def create(
        self,
        token: Token,
        key: IdempotencyKey | None,
        now: int,
        *,
        document: Document | None = None,
        replaced: KeyHolder | None = None,
    ) -> KeyHolder | None:
        """Write a new token, or return the token that already holds `key` (invariant 3: one key, one live token).

        `document` and its metadata are written with it. The key of `replaced` is free: retention has removed this holder, or it
        is an early completion that ended or that the create does not accept. It is not free if another create has claimed it
        meanwhile.
        """

    def put_early(self, token: Token, key: IdempotencyKey, now: int, *, replaced: KeyHolder | None = None) -> KeyHolder | None:
        """Write a completed token that no create has asked for, or return the token that already holds `key` (invariant 5).

        Unlike `create`, an expired key is not free: its token may still be waiting. `replaced` is a holder that has ended, or
        that retention has removed.
        """

    def find_key_holder(self, key: IdempotencyKey) -> KeyHolder | None:
        """The token that holds a key, even after the key has expired, read consistently."""

    def claim(self, holder: KeyHolder, token: Token, key: IdempotencyKey, now: int) -> bool:
        """Make an early completion a token like any other, with the tags and metadata of `token` and `key`'s lifetime.

        Returns whether the holder exists: False if it has ended. Claiming it again changes nothing.
        """

    def release_early(self, token: Token) -> bool:
        """Free an early completion's key, so that no create claims it any more. Returns False if one has, or if it is gone."""

    def delete_early(self, token_id: str) -> bool:
        """Delete an early completion, and what was counted beside it, once its key is free. Returns whether there was one."""

    def get(self, token_id: str) -> Token:
        """The token with its replies and its other deliveries, read consistently. Raises TokenNotFound."""

    def find(self, token_id: str) -> Token | None:
        """As `get`. None: there is no such token."""

    def peek(self, token_id: str) -> Token:
        """The token without its replies and its other deliveries, read consistently. Raises TokenNotFound."""

    def release(self, attachment: Attachment) -> bool:
        """Delete an attachment if it still belongs to its token. Returns whether it did."""

    def partitions(self, wanted: "Filter", now: int) -> "list[ReadRange[Token]]":
        """Return a reader for each partition of the index that suits the filter best."""

    def complete(
        self, token_id: str, outcome: Completed | Failed, checked: frozenset[Rule], only_tag: str | None = None
    ) -> tuple[bool, Token]:
        """Settle a waiting token that has no rule but those `checked`, and has the tag `only_tag` if it is given (invariant 1).

        Returns whether it did, and the token as it is now.
        """

    def answer(self, token: Token, answer: Answer, outcome: Completed | None) -> tuple[bool, Token]:
        """Add an answer to a waiting token that has the answers and hand-overs of `token` and no other (invariant 6).

        With an outcome, the answer settles the token. Returns whether it was added, and the token as it is now.
        """

    def hand_over(self, token: Token, hand_over: HandOver) -> bool:
        """Add a hand-over to a waiting token that has the answers and hand-overs of `token` and no other (invariant 6).

        Returns False if it no longer waits so.
        """

    def read_document(self, token_id: str, kind: DocumentKind) -> str | None:
        """The JSON text of a token's payloadSchema, page or metadata."""

    def count_delivery(self, token_id: str, outcome: Outcome | None, by: CompletedBy, now: int) -> None:
        """Count a delivery that did not settle its token."""

    def time_out(self, token_id: str, now: int) -> tuple[bool, Token]:
        """Settle a due token as timed out (invariant 1). Returns whether it did, and the token as it is now."""

    def keep_longer(self, token: Token, timeout_at: int | None) -> None:
        """Let what is stored beside a token, and expires after its timeout, outlive this one. Nothing expires earlier."""

    def remind(self, token: Token, reminded: Token) -> bool:
        """Record a waiting token's reminder or escalation, as `reminded` says, and when it is due next.

        Returns False if it no longer waits as `token` says, or is gone.
        """

    def move_deadline(self, token: Token, timeout_at: int | None, due_at: int | None, now: int) -> bool:
        """Give a waiting token another timeout, or none. Returns False if it no longer waits as `token` says, is due, or is
        gone.
        """

    def add_waiter(self, token_id: str, waiter: Waiter, now: int) -> tuple[bool, Token]:
        """Store a waiter on a waiting token (invariant 2). Returns whether it did, and the token as it is now."""

    def mark_unresumed(self, token_id: str, now: int) -> None:
        """Mark a settled token with a waiter that could not be resumed, so that a list finds it."""

    def unmark_unresumed(self, token_id: str) -> None:
        """Remove the mark, if there is one."""

    def record_replies(self, token_id: str, replies: Mapping[str, Reply], now: int) -> None:
        """Record AWS's replies for some of a token's waiters."""

    def count_replies(self, token_ids: Collection[str]) -> Mapping[str, int]:
        """How many waiters of each of these tokens, at most a hundred, have a recorded reply.

        Reads all of them at once and may miss the latest replies, or leave a token out.
        """


@dataclass(frozen=True, slots=True)
class Cursor:
    """Up to where a shard of the due index was read: all entries before `due_at`, and those at `due_at` up to a token.

    `after` is the id of this token, or "" if none at `due_at` was read.
    """

    due_at: int = 0
    after: str = ""


@dataclass(frozen=True, slots=True)
class Timer:
    """A token, and when its timer fires."""

    token_id: str
    due_at: int


class DueIndex(Protocol):
    """The tokens in the order in which they are due, in `shards` parts. A token stays in it when it settles."""

    @property
    def shards(self) -> int: ...

    def read(self, shard: int, start: Cursor, until: int, limit: int) -> tuple[list[Timer], Cursor]:
        """Read at most `limit` entries behind `start` up to the instant `until`. Returns them, and where this read ended."""

    def find_waiting(self, token_ids: Sequence[str]) -> set[str]:
        """Return which of these tokens, at most a hundred, may still wait. The others have ended or are gone.

        Raises TimersNotStarted if it cannot tell for each of them.
        """

    def cursors(self) -> list[Cursor]:
        """Return up to where the timers of each shard are started."""

    def move_cursor(self, shard: int, start: Cursor, end: Cursor) -> bool:
        """Move a shard's cursor forwards. Returns False if it is no longer at `start`: another run has moved it."""


class TimerQueue(Protocol):
    def send(self, timer: Timer, now: int, *, names_instant: bool = False) -> None:
        """Start a token's timer. With `names_instant`, its message comes back while the token does not have that instant."""

    def send_all(self, timers: Sequence[Timer], now: int) -> set[str]:
        """Start these tokens' timers. Returns the ids of those whose message was not sent."""


class NoticeStore(Protocol):
    """What was sent about a token, in an item beside it. `token` is as it was just read."""

    def claim(self, token: Token, now: int) -> int | None:
        """Keep other functions from sending about this token until `free`, or for CLAIMED_FOR (invariant 7).

        Returns what names the claim. None: another function has one.
        """

    def record(self, token_id: str, target: str, record: "NoticeRecord") -> bool:
        """Store a target's record. Returns False if there is no record any more."""

    def free(self, token_id: str, claim: int) -> None:
        """End a claim, unless it has ended and another function has one."""

    def clear_refusals(self, token: Token) -> None:
        """Forget what was refused, so that it is sent again."""


class NoticeQueue(Protocol):
    def send_all(self, token_ids: Sequence[str]) -> set[str]:
        """Have what is missing sent about these tokens. Returns the ids of those whose message was not sent."""

    def send_unrecorded(self, token_id: str, message: str) -> None:
        """Have a message that was not recorded, about a token that has ended, show the end."""


class DoctorStore(Protocol):
    """What the doctor reads of the table, and remembers in it."""

    def read_marks(self) -> list[str]:
        """The ids of the tokens that are marked as unresumed, read consistently."""

    def count_segments(self) -> int:
        """How many segments a new scan should have."""

    def read_segment(
        self, segment: int, segments: int, after: Key | None, until: int, known: tuple[Waiting, ...] = ()
    ) -> Iterator[ScanPage]:
        """Yield the reads of one of `segments` segments of the table, eventually consistent, from its start or `after` a key.

        It has the tokens that settled, or were due, at the time `until` or before. The last page has no `last_key`.
        Of the tokens without a timeout it has those that may be among the oldest, if these are `known`.
        """

    def still_waiting(self, tokens: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
        """Return those of these tokens, at most a hundred, that may still wait and have no timeout, eventually consistent."""

    def read_state(self, first: Callable[[], DoctorState]) -> DoctorState:
        """What the doctor remembers, or the `first` state if it has not run yet."""

    def save_state(self, state: DoctorState) -> None:
        """Save all but `unrepaired` and `records_deliveries`.

        Two runs at once may write in any order: each says what was read.
        """

    def remember(self, token_ids: Collection[str]) -> None:
        """Add to `unrepaired`."""

    def forget(self, token_ids: Collection[str]) -> None:
        """Take out of `unrepaired`."""


class WaitService(Protocol):
    """Resumes the waiters of one kind."""

    def resume(self, handle: str, result: Success | Failure) -> ReplyKind:
        """Send a waiter its result in one call. Raises CannotResumeNow, CannotResume or OutputRefused."""


class WaitServices(Protocol):
    """The resumer of each kind of waiter. Each is made when it is first used."""

    @property
    def step_functions(self) -> WaitService: ...

    @property
    def durable_functions(self) -> WaitService: ...


class Secret(Protocol):
    """A secret that may be rotated. What a version signed stays valid through one rotation."""

    def read_current(self) -> str:
        """Return the version to sign with."""

    def read_accepted(self) -> Iterator[str]:
        """Yield the versions to verify with, likeliest first."""

    def read_latest(self) -> Iterator[str]:
        """Yield the current version. If the caller asks on, yield what is current now, if that is another one."""
