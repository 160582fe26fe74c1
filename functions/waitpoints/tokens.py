"""What can happen to a token: create, complete, wait for it, and time it out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from waitpoints import json_text, telemetry
from waitpoints.access.caller import ROOT, Caller
from waitpoints.aws.services.outputs import Outputs
from waitpoints.errors import CannotResumeNow, KeyTaken, TokenNotFound, TooManyWaiters, TryAgain, attempts
from waitpoints.ids import new_id
from waitpoints.known_tokens import KnownTokens
from waitpoints.ports import Clock
from waitpoints.resumer import NotResumed, Resumer
from waitpoints.token import (
    ALL_CHECKED,
    MAX_WAITERS,
    Attachment,
    Completed,
    CompletedBy,
    Document,
    DocumentKind,
    Failed,
    IdempotencyKey,
    KeyHolder,
    KeyKind,
    NewToken,
    Outcome,
    Rule,
    Rules,
    Source,
    TimedOut,
    Token,
    TokenError,
    Waiter,
)

if TYPE_CHECKING:
    from waitpoints.aws.store import Store
    from waitpoints.listing import ListQuery, ListSlice


# A function whose clock is behind has just moved the deadline of a due token.
_MOVED = "The token's timeout is changed at the same moment. Send the same request again"


@dataclass(frozen=True, slots=True)
class Created:
    """The token that a create returns, and whether an earlier call created it: another one, or an attempt of this one."""

    token_id: str
    is_cached: bool
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """This completion settled the token."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The token had already ended, with this outcome."""

    outcome: Outcome | None
    rules: Rules | None = None


@dataclass(frozen=True, slots=True)
class RulesApply:
    """The token is still waiting: it has rules that the completion has not been checked against."""

    rules: Rules


Result = str | TokenError | None
"""What completes a token: the JSON text of an output, an error, or neither."""

Accepts = Callable[[str], bool]
"""Whether a token's document accepts an output, which is a JSON text."""

Completion = Settled | Ended | RulesApply
"""The result of an attempt to complete a token."""


class Tokens:
    def __init__(self, store: "Store", outputs: Outputs, resumer: Resumer, clock: Clock) -> None:
        self._store = store
        self._outputs = outputs
        self._resumer = resumer
        self._clock = clock
        self._known = KnownTokens()

    def create(self, new: NewToken, now: int, accepts: Accepts | None = None) -> Created:
        """Create a token, or find the live one that holds `new.key`. Registers `new.waiter` on either.

        `accepts` says whether an output fits `new.document`. An early completion that does not fit is counted, and the new
        token waits for the next one. Raises KeyTaken.
        """
        token, key = _token(new, now), new.key
        refused: Completed | Failed | None = None
        holder = self._store.create(token, key, now, document=new.document)
        while key and holder:
            refused = self._find_misfit(holder, new, accepts)
            if not refused and not self._is_gone(holder, token, key, now):
                break
            holder = self._store.create(token, key, now, document=new.document, replaced=holder)  # if nobody was faster
        telemetry.note(tokenId=holder.token_id if holder else token.id, isNew=holder is None)
        if holder is None:
            telemetry.count("TokensCreated")
            telemetry.count("CreatedDueSoon", token.is_due_soon())
            if refused:
                self.count_delivery(token.id, None, refused.completed_by or CompletedBy(source=Source.COMPLETE))
            return Created(token.id, is_cached=False, is_new=True)
        if new.rules.has_sign_in and new.document:
            self._check_page(holder, new.document)
        if new.waiter:
            try:
                self.wait(holder.token_id, new.waiter)
            except TokenNotFound:
                raise TryAgain("The waitpoint of this key is deleted at the same moment. Send the same request again") from None
        return Created(holder.token_id, is_cached=not holder.same_request)

    def retrieve(self, token_id: str) -> Token:
        """Return the token as of now, with its output. Raises TokenNotFound."""
        telemetry.note(tokenId=token_id)
        token = self.find(token_id)
        return replace(token, outcome=token.outcome and self._resumer.load_output(token.outcome))

    def find(self, token_id: str) -> Token:
        """Return the token as of now, with its output only if that is in the table. Raises TokenNotFound."""
        found = self.find_or_none(token_id)
        if found is None:
            raise TokenNotFound
        return found

    def find_or_none(self, token_id: str) -> Token | None:
        token, now = self._store.find(token_id), self._clock()
        if token is None or self._is_removed(token, now):
            return None
        outcome = token.outcome_at(now)
        return replace(token, outcome=outcome, is_due=outcome is not token.outcome)

    def list_tokens(self, query: "ListQuery") -> "ListSlice[Token]":
        """Return tokens as of now, without their outputs and waiters."""
        from waitpoints.listing import read_slice

        now = self._clock()
        found = read_slice(self._store.partitions(query.filter, now), query)
        live = [token for token in found.items if not self._is_removed(token, now)]
        return replace(found, items=[replace(token, outcome=token.outcome_at(now)) for token in live])

    def complete(
        self,
        token_id: str,
        result: Result,
        by: CompletedBy,
        checked: frozenset[Rule] = ALL_CHECKED,
        caller: Caller = ROOT,
    ) -> Completion:
        """Settle a waiting token with an output or an error, and resume its waiters.

        Returns Ended if the token has ended; a token past its timeout is settled as timed out first. Returns RulesApply if
        the token has other rules than those `checked`: complete it again once they accept the output. An
        output that does not fit into the item is stored only if neither is so, which takes a read. So does a token that is
        known to have such rules; one that is known to have ended takes no call. Raises TokenNotFound, and OutsideTag if the
        token, in whatever state, lacks the tag that limits the caller: that changes nothing.
        """
        for _ in attempts(_MOVED):
            completion = self._complete(token_id, result, by, checked, caller)
            if completion is not None:
                return completion
        raise AssertionError("the last attempt raises")

    def _complete(
        self, token_id: str, result: Result, by: CompletedBy, checked: frozenset[Rule], caller: Caller
    ) -> Completion | None:
        """Try to complete a token once. Returns None if its deadline was moved meanwhile."""
        now = self._clock()
        if seen := self._read_first(token_id, result, checked, now):
            _check_may_complete(caller, seen)
            if seen.outcome_at(now) is not None or (seen.rules and not seen.rules.are_met(checked)):
                return self._explain(seen, now)
        outcome = self.make_outcome(token_id, result, by, now)
        won, token = self._store.complete(token_id, outcome, checked, caller.only_tag("complete"))
        self._known.note(token, now)
        if not won:
            _check_may_complete(caller, token)
            return self._explain(token, now)
        telemetry.note(tokenId=token_id, won=True)
        telemetry.count(f"TokensSettledBy{by.source.capitalize()}")
        self._resumer.resume_fast(token)
        return Settled()

    def _read_first(self, token_id: str, result: Result, checked: frozenset[Rule], now: int) -> Token | None:
        """Return the token if the write would fail for all that is known, or stores a large output first. None: just write."""
        known = self._known.find(token_id, now)
        if known and known.outcome is not None and not self.outcome_is_past_retention(known.outcome, now):
            return known
        is_prevented = known and known.rules and not known.rules.are_met(checked)
        is_large = not isinstance(result, TokenError) and not self._outputs.fits_item(result)
        if checked >= ALL_CHECKED or not (is_prevented or is_large):
            return None
        token = self._store.peek(token_id)
        token.check_version()
        self._known.note(token, now)
        return token

    def make_outcome(self, token_id: str, result: Result, by: CompletedBy, now: int) -> Completed | Failed:
        """Return how a completion ends a token. Stores an output that is too large for the token's item."""
        if isinstance(result, TokenError):
            return Failed(now, result, by)
        return Completed(now, self._outputs.store(token_id, result), by)

    def delete_output(self, token: Token) -> None:
        """Delete the stored output of a token that was deleted."""
        if isinstance(token.outcome, Completed):
            self._outputs.delete(token.outcome.output)

    def read_document(self, token_id: str, kind: DocumentKind) -> str | None:
        """Return the JSON text of a token's document, or None."""
        return self._store.read_document(token_id, kind)

    def count_delivery(self, token_id: str, outcome: Outcome | None, by: CompletedBy) -> None:
        """Count a delivery that did not settle its token. Failures are only logged: they must not fail the delivery."""
        with telemetry.only_logging("Delivery not counted", tokenId=token_id):
            self._store.count_delivery(token_id, outcome, by, self._clock())

    def wait(self, token_id: str, waiter: Waiter) -> None:
        """Store a waiter on a waiting token, or resume it at once if the token has settled.

        Raises TokenNotFound or TooManyWaiters, and CannotResume or CannotResumeNow if it could not be resumed at once.
        """
        for _ in attempts(_MOVED):
            if self._wait(token_id, waiter):
                return

    def _wait(self, token_id: str, waiter: Waiter) -> bool:
        """Try once. Returns False if the token's deadline was moved meanwhile."""
        now = self._clock()
        token = self._store.add_waiter(token_id, waiter, now)
        telemetry.note(tokenId=token_id, waiter=waiter.key, resumedAtOnce=token is not None)
        if token is None:
            return True
        if token.outcome_at(now) is None:
            if waiter.key in token.waiters:
                return True
            raise TooManyWaiters(f"A waitpoint can have at most {MAX_WAITERS} waiters, and this one has reached that limit")
        if self._is_removed(token, now):
            raise TokenNotFound
        if token.outcome is None:
            token = self._time_out(token_id, now)
            if token.outcome is None:
                return False
        self._resumer.resume_late(token, waiter)
        return True

    def expire(self, token_id: str) -> Token | None:
        """Time a token out if it is due. Returns it if it still waits, else None. Raises WrittenLater.

        Reads the token first: most have settled by then, and a failed conditional write is billed by the item's size.
        """
        now = self._clock()
        try:
            token = self._store.get(token_id)
            token.check_version()
            if token.outcome is None and token.outcome_at(now) is not None:
                token = self._time_out(token_id, now)
        except TokenNotFound:
            return None
        return token if token.outcome is None else None

    def find_unfinished(self, waiters: Mapping[str, int]) -> set[str]:
        """Return which settled tokens may have a waiter without a reply. `waiters` is how many waiters each token has.

        One read serves all of them. If it fails, or misses the latest replies, more tokens are returned than need be, so
        look at each with `resume_waiters`.
        """
        replies: Mapping[str, int] = {}
        with telemetry.only_logging("Replies not read", tokens=len(waiters)):
            replies = self._store.count_replies(waiters)
        return {token_id for token_id, count in waiters.items() if replies.get(token_id, 0) < count}

    def resume_waiters(self, token_id: str) -> list[NotResumed]:
        """Resume every waiter of a settled token that has no recorded reply. Returns those that still have none."""
        token = self._store.find(token_id)
        if token is None or token.outcome is None or not token.unresumed():
            return []
        left = self._resumer.resume(token)
        telemetry.count("WaitersRepaired", len(token.unresumed()) - len(left))
        if left:
            telemetry.note(left=len(left), reason=str(left[0].reason))
        else:
            self.unmark_unresumed(token_id)
        return left

    def give_up(self, token_id: str) -> int:
        """Record that nothing waits behind the waiters that AWS does not let us resume, after one more try. Returns how many.

        Raises CannotResumeNow, and gives nothing up, while retrying may still resume a waiter.
        """
        left = self.resume_waiters(token_id)
        for waiter in left:
            if isinstance(waiter.reason, CannotResumeNow):
                raise waiter.reason
        if left:
            self._resumer.give_up(token_id, [failure.waiter for failure in left])
            self.unmark_unresumed(token_id)
        return len(left)

    def mark_unresumed(self, token_id: str) -> bool:
        """List a token among those with a waiter that could not be resumed. Failures are only logged: the doctor repeats it.

        Returns whether it is listed now.
        """
        with telemetry.only_logging("Not marked as undelivered", tokenId=token_id):
            self._store.mark_unresumed(token_id, self._clock())
            return True
        return False

    def unmark_unresumed(self, token_id: str) -> None:
        """List it there no longer. Failures are only logged: lists read each token, and the doctor repeats it."""
        with telemetry.only_logging("Still marked as undelivered", tokenId=token_id):
            self._store.unmark_unresumed(token_id)

    def release_if_orphaned(self, attachment: Attachment) -> bool:
        """Delete an attachment if retention has removed its token. Always returns True: nothing is left to do."""
        if self._no_longer_exists(attachment.token_id, self._clock()) and self._store.release(attachment):
            telemetry.count("OrphansReleased")
        return True

    def _find_misfit(self, holder: KeyHolder, new: NewToken, accepts: Accepts | None) -> Completed | Failed | None:
        """Return the outcome of an early completion whose output the create does not accept. Approvers accept none."""
        if not holder.is_early or accepts is None:
            return None
        found = self._store.find(holder.token_id)
        outcome = found.outcome if found else None
        if new.rules.has_approvers and not isinstance(outcome, TimedOut):
            return outcome
        if not isinstance(outcome, Completed):
            return None
        complete = self._resumer.load_output(outcome)
        assert isinstance(complete, Completed)
        return None if accepts(complete.output.json or "null") else outcome

    def _check_page(self, holder: KeyHolder, document: Document) -> None:
        """Raises KeyTaken if the holder of its key has another page than this one, which has a sign-in: others answer that, or
        another question. Hand-overs do not count, as they may also come later.
        """
        page = self._store.read_document(holder.token_id, DocumentKind.PAGE)
        if page is None or json_text.parse(page) != json_text.parse(document.text):
            raise KeyTaken

    def _is_gone(self, holder: KeyHolder, new: Token, key: IdempotencyKey, now: int) -> bool:
        """Whether the holder of a key no longer exists. An early completion is claimed as the `new` token instead."""
        if holder.is_early:
            return not self._store.claim(holder, new, key, now)
        may_be_removed = now - holder.since >= self._store.retention * 1000
        return may_be_removed and self._no_longer_exists(holder.token_id, now)

    def _no_longer_exists(self, token_id: str, now: int) -> bool:
        token = self._store.find(token_id)
        return token is None or self._is_removed(token, now)

    def _is_removed(self, token: Token, now: int) -> bool:
        """Whether the retention is over. TTL may delete the token days later, and the bucket its output earlier."""
        if token.early_until is not None:
            return token.early_until <= now
        return token.outcome is not None and self.outcome_is_past_retention(token.outcome, now)

    def outcome_is_past_retention(self, outcome: Outcome, now: int) -> bool:
        return outcome.at + self._store.retention * 1000 <= now

    def _explain(self, token: Token, now: int) -> Ended | RulesApply | None:
        """Return why a token was not completed at `now`, or None if its deadline was moved meanwhile. Times out a due one."""
        telemetry.note(tokenId=token.id, won=False)
        if token.outcome_at(now) is None:
            assert token.rules is not None, "only rules prevent the completion of a waiting token"
            return RulesApply(token.rules)
        if token.outcome is None:
            token = self._time_out(token.id, now)  # the same `now`, as the clock may have been set back
            self._known.note(token, now)
            if token.outcome is None:
                return None
        return Ended(token.outcome, token.rules)

    def _time_out(self, token_id: str, now: int) -> Token:
        """Settle a token as timed out if it is due at `now`. Returns its current state, whichever call settled it."""
        won, token = self._store.time_out(token_id, now)
        telemetry.note(tokenId=token_id, timedOut=won)
        if won:
            telemetry.count("TokensSettledByTimeout")
            self._resumer.resume_fast(token)
        return token


def _check_may_complete(caller: Caller, token: Token) -> None:
    """Raises OutsideTag."""
    if not caller.may("complete", token.tags):
        telemetry.note(tokenId=token.id, won=False)
    caller.check("complete", token.tags)


def _token(new: NewToken, now: int) -> Token:
    users_key = _users_key(new.key) if new.key else None
    kind = new.document.kind if new.document else None
    rules = replace(new.rules, has_schema=kind is DocumentKind.SCHEMA, has_page=kind is DocumentKind.PAGE)
    return Token(
        id=new_id(now),
        created_at=now,
        timeout_at=new.timeout_at,
        due_at=new.timeout_at if new.first_ask is None else min(new.first_ask, new.timeout_at or new.first_ask),
        tags=new.tags,
        idempotency_key=users_key.text if users_key else None,
        idempotency_key_expires_at=users_key.expires_at if users_key else None,
        waiters={new.waiter.key: new.waiter} if new.waiter else {},
        rules=None if rules == Rules() else rules,
        metadata=new.metadata,
        has_metadata=new.metadata is not None,
        has_notify=new.document is not None and new.document.notify is not None,
        page_title=new.document.title if new.document else None,
        since_version=new.rules.since_version or (new.document.since_version if new.document else None),
        traceparent=new.traceparent,
        created_by=new.created_by,
    )


def _users_key(key: IdempotencyKey) -> IdempotencyKey | None:
    """Return the key if the user chose it, else None: the SDK's own keys are never shown."""
    match key.kind:
        case KeyKind.IDEMPOTENCY:
            return key
        case KeyKind.REQUEST:
            return None
    assert_never(key.kind)
