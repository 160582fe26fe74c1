"""What can happen to a token: it is created, completed, waited for, timed out, and its waiters are resumed.

Whoever settles a token resumes its waiters at once: the fast path. The table's stream then resumes whatever is not
recorded as delivered: the guarantee. A waiter that comes after the outcome is told it there and then.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from waitpoints import telemetry
from waitpoints.errors import TokenNotFound, TooManyWaiters
from waitpoints.ids import new_id
from waitpoints.listing import ListQuery, Page, page
from waitpoints.outputs import Outputs
from waitpoints.step_functions import CannotResume, CannotResumeNow, StepFunctions
from waitpoints.store import MAX_WAITERS, IdempotencyKey, KeyHolder, Store
from waitpoints.token import Answer, Delivery, Outcome, Token, Waiter
from waitpoints.waiter_result import waiter_result

Clock = Callable[[], int]
"""Now, in epoch milliseconds."""

_PARALLEL_RESUMES = 16


@dataclass(frozen=True, slots=True)
class Created:
    """The token that a create stands for, and whether an earlier call had made it."""

    token_id: str
    is_cached: bool


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A waiter for which Step Functions has given no final answer, and why."""

    waiter: Waiter
    reason: CannotResume | CannotResumeNow


class Tokens:
    def __init__(self, store: Store, outputs: Outputs, step_functions: StepFunctions, clock: Clock) -> None:
        self._store = store
        self._outputs = outputs
        self._step_functions = step_functions
        self._clock = clock

    def create(
        self,
        *,
        now: int,
        timeout_at: int | None = None,
        tags: tuple[str, ...] = (),
        idempotency_key: str | None = None,
        key: IdempotencyKey | None = None,
        waiter: Waiter | None = None,
    ) -> Created:
        """Make a token, or find the live one that holds `key`. A `waiter` waits for whichever it is."""
        token = Token(
            id=new_id(now),
            created_at=now,
            timeout_at=timeout_at,
            tags=tags,
            idempotency_key=idempotency_key,
            idempotency_key_expires_at=key.expires_at if key and idempotency_key is not None else None,
            waiters={waiter.key: waiter} if waiter else {},
        )
        holder = self._store.create(token, key, now)
        telemetry.note(tokenId=holder.token_id if holder else token.id, isNew=holder is None)
        if key and holder and self._may_be_removed(holder, now) and self._is_removed(holder.token_id, now):
            holder = self._store.create(token, key, now, removed_token=holder.token_id)
        if holder is None:
            telemetry.count("TokensCreated")
            return Created(token.id, is_cached=False)
        if waiter:
            self.wait(holder.token_id, waiter)
        return Created(holder.token_id, is_cached=not holder.same_request)

    def retrieve(self, token_id: str) -> Token:
        """The token as everybody sees it now, its output at hand. Raises TokenNotFound."""
        telemetry.note(tokenId=token_id)
        token, now = self._store.get(token_id), self._clock()
        if self._is_past_retention(token, now):
            raise TokenNotFound
        outcome = token.outcome(now)
        return replace(token, settled=outcome and self._with_output(outcome))

    def check_exists(self, token_id: str) -> None:
        """Raises TokenNotFound if there is no such token."""
        if self._is_removed(token_id, self._clock()):
            raise TokenNotFound

    def list_page(self, query: ListQuery) -> Page:
        """A page of tokens as everybody sees them now, without their outputs and waiters."""
        now = self._clock()
        found = page(self._store.partitions(query.filter, now), query)
        kept = [token for token in found.tokens if not self._is_past_retention(token, now)]
        return replace(found, tokens=[replace(token, settled=token.outcome(now)) for token in kept])

    def complete(self, token_id: str, output: str | None, source: str = "Complete") -> None:
        """Settle a waiting token with `output` (JSON text) and resume its waiters; `source` says who did it.

        A token that has ended already stays as it is, and so does one past its timeout, which is settled as timed out.
        Raises TokenNotFound.
        """
        kept = self._outputs.keep(token_id, output)
        now = self._clock()
        won, token = self._store.complete(token_id, kept, now)
        telemetry.note(tokenId=token_id, won=won)
        if won:
            telemetry.count(f"TokensSettledBy{source}")
            self._resume_fast(token)
        elif token.settled is None:
            self._time_out(token_id, now)  # by the same clock reading: a clock may be set back in between

    def wait(self, token_id: str, waiter: Waiter) -> None:
        """Keep a waiter on a waiting token, or tell it the outcome at once: there is nothing in between.

        Raises TokenNotFound, TooManyWaiters, and CannotResume or CannotResumeNow when it could not be told.
        """
        now = self._clock()
        kept, token = self._store.add_waiter(token_id, waiter, now)
        telemetry.note(tokenId=token_id, waiter=waiter.key, toldAtOnce=not kept)
        if kept:
            return
        if token.outcome(now) is None:
            if waiter.key in token.waiters:
                return
            raise TooManyWaiters(f"A waitpoint can have {MAX_WAITERS} waiters, and this one has them all")
        if self._is_past_retention(token, now):
            raise TokenNotFound
        if token.settled is None:
            token = self._time_out(token_id, now)
        _, undelivered = self._tell(token, [waiter])
        for failure in undelivered:
            raise failure.reason

    def expire(self, token_id: str) -> int | None:
        """Time a token out if it is due. Returns when it will be if it is not yet, else None: nothing is left to do.

        Most tokens have settled by then, so it looks first: a write that is refused costs as much as the whole item.
        """
        now = self._clock()
        try:
            token = self._store.get(token_id)
            if token.settled is None and token.outcome(now) is not None:
                token = self._time_out(token_id, now)
        except TokenNotFound:
            return None
        return token.timeout_at if token.settled is None else None

    def resume_waiters(self, token_id: str) -> list[Undelivered]:
        """Resume every waiter of a settled token that is not recorded as delivered; returns those that still are not."""
        try:
            token = self._store.get(token_id)
        except TokenNotFound:
            return []
        if token.settled is None or not token.undelivered():
            return []
        telemetry.count("WaitersRepaired", len(token.undelivered()))
        return self._deliver(token)

    def _may_be_removed(self, holder: KeyHolder, now: int) -> bool:
        return now - holder.since >= self._store.retention * 1000

    def _is_removed(self, token_id: str, now: int) -> bool:
        try:
            return self._is_past_retention(self._store.get(token_id), now)
        except TokenNotFound:
            return True

    def _is_past_retention(self, token: Token, now: int) -> bool:
        """Whether TTL may have removed it. TTL is days late, and the bucket may have let go of its output before."""
        return token.settled is not None and token.settled.settled_at + self._store.retention * 1000 <= now

    def _time_out(self, token_id: str, now: int) -> Token:
        """Settle a token as timed out if it is due at `now`, and return what it is now, whoever settled it."""
        won, token = self._store.time_out(token_id, now)
        telemetry.note(tokenId=token_id, timedOut=won)
        if won:
            telemetry.count("TokensSettledByTimeout")
            self._resume_fast(token)
        return token

    def _resume_fast(self, token: Token) -> None:
        """Resume the waiters of a token that was just settled. Whatever fails here, the stream does again."""
        if not token.waiters:
            return
        try:
            undelivered = self._deliver(token)
        except Exception as error:  # the outcome is written, so no failure after it may reach the caller
            telemetry.logger.warning("Left to the stream", tokenId=token.id, error=type(error).__name__)
            return
        if undelivered:
            telemetry.note(leftToStream=len(undelivered), reason=str(undelivered[0].reason))

    def _deliver(self, token: Token) -> list[Undelivered]:
        """Resume the undelivered waiters and record the answers of Step Functions, after it has given them."""
        deliveries, undelivered = self._tell(token, token.undelivered())
        if deliveries:
            self._store.record_deliveries(token.id, deliveries, self._clock())
        return undelivered

    def _tell(self, token: Token, waiters: Iterable[Waiter]) -> tuple[dict[str, Delivery], list[Undelivered]]:
        """Give waiters the outcome of a settled token: the answers by waiter key, and those that got none."""
        assert token.settled is not None
        outcome = self._with_output(token.settled)

        def tell(waiter: Waiter) -> Delivery | Undelivered:
            result = waiter_result(token, outcome, waiter, self._outputs.bucket)
            try:
                answer = self._step_functions.resume(waiter.task_token, result)
            except (CannotResume, CannotResumeNow) as reason:
                return Undelivered(waiter, reason)
            return Delivery(answer, self._clock())

        deliveries: dict[str, Delivery] = {}
        undelivered: list[Undelivered] = []
        waiters = list(waiters)
        for waiter, told in zip(waiters, _each(tell, waiters), strict=True):
            if isinstance(told, Undelivered):
                undelivered.append(told)
                continue
            deliveries[waiter.key] = told
            if told.answer is Answer.RESUMED:
                telemetry.milliseconds("ResumeLag", told.at - max(outcome.settled_at, waiter.registered_at))
        for answer, metric in ((Answer.RESUMED, "WaitersResumed"), (Answer.GONE, "WaitersGone")):
            telemetry.count(metric, sum(delivery.answer is answer for delivery in deliveries.values()))
        return deliveries, undelivered

    def _with_output(self, outcome: Outcome) -> Outcome:
        return replace(outcome, output=self._outputs.load(outcome.output))


def _each[Result](do: Callable[[Waiter], Result], waiters: list[Waiter]) -> list[Result]:
    if len(waiters) < 2:
        return [do(waiter) for waiter in waiters]
    with ThreadPoolExecutor(min(len(waiters), _PARALLEL_RESUMES)) as pool:
        return list(pool.map(do, waiters))
