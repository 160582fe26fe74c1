"""Resume the waiters of a settled token, and record AWS's replies.

Fast path: the function that settles a token resumes its waiters at once, without repeating what AWS throttles. Guarantee:
the table's stream then resumes every waiter without a recorded reply. A late waiter, which registers after the token has
settled, is resumed at once.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from waitpoints import telemetry
from waitpoints.aws.services import throttling
from waitpoints.aws.services.outputs import Outputs
from waitpoints.errors import CannotResume, CannotResumeNow, OutputRefused
from waitpoints.ports import Clock, WaitService, WaitServices
from waitpoints.token import Completed, DocumentKind, Failed, Outcome, Reply, ReplyKind, TimedOut, Token, Waiter, WaiterKind
from waitpoints.waiter_result import OUTPUT_REFUSED, Failure, Success, waiter_results

if TYPE_CHECKING:
    from waitpoints.aws.store import Store


@dataclass(frozen=True, slots=True)
class NotResumed:
    """A waiter without a reply from AWS, and the reason."""

    waiter: Waiter
    reason: CannotResume | CannotResumeNow


class Resumer:
    """Resumes the waiters of a settled token, `parallel` of them at once."""

    def __init__(self, store: "Store", outputs: Outputs, resumers: WaitServices, clock: Clock, parallel: int) -> None:
        self._store = store
        self._outputs = outputs
        self._resumers = resumers
        self._clock = clock
        self._parallel = parallel

    def resume_fast(self, token: Token) -> None:
        """Resume the waiters of a token that was just settled. The stream retries anything that fails here."""
        if not token.waiters:
            return
        telemetry.count("SettledWithWaiters")
        try:
            left = self._resume_and_record(token, repeat=False)
        except Exception as error:  # the outcome is stored, so the caller's request has succeeded
            telemetry.logger.warning("Left for the stream to resume", tokenId=token.id, error=type(error).__name__)
            return
        if left:
            telemetry.note(leftToStream=len(left), reason=str(left[0].reason))

    def resume(self, token: Token) -> list[NotResumed]:
        """Resume every waiter without a reply and record the new replies. Returns the waiters that still have none."""
        return self._resume_and_record(token, repeat=True)

    def resume_late(self, token: Token, waiter: Waiter) -> None:
        """Resume one late waiter, which is not stored on the token.

        Raises CannotResume or CannotResumeNow. No stream backs up a late waiter: if its function cannot resume it,
        the function fails, and the Retry of the state or step runs it again.
        """
        _, left = self._resume_each(token, [waiter], repeat=True)
        for failure in left:
            raise failure.reason

    def give_up(self, token_id: str, waiters: Sequence[Waiter]) -> None:
        """Record that nothing waits behind these waiters any longer."""
        now = self._clock()
        self._store.record_replies(token_id, {waiter.key: Reply(ReplyKind.GONE, now) for waiter in waiters}, now)
        telemetry.count(metric_of(ReplyKind.GONE), len(waiters))

    def load_output(self, outcome: Outcome) -> Outcome:
        """Return the outcome with its output loaded."""
        match outcome:
            case Completed(_, output) if not output.is_loaded:
                return replace(outcome, output=self._outputs.load(output))
            case Completed() | Failed() | TimedOut():
                return outcome
        assert_never(outcome)

    def load_metadata(self, token: Token) -> Token:
        """Return a token that has metadata with it. A token that was read alone, as a settling write returns it, lacks it."""
        if token.metadata is not None:
            return token
        return replace(token, metadata=self._store.read_document(token.id, DocumentKind.METADATA))

    def _resume(self, waiter: Waiter, results: Sequence[Success | Failure]) -> ReplyKind:
        """Send the first of these results that AWS accepts, else an error."""
        resumer = service_of(waiter.kind, self._resumers)
        for result in results:
            with suppress(OutputRefused):
                return resumer.resume(waiter.handle, result)
        reply = resumer.resume(waiter.handle, OUTPUT_REFUSED)
        telemetry.count("OutputsRefused")
        return reply

    def _resume_and_record(self, token: Token, *, repeat: bool) -> list[NotResumed]:
        replies, left = self._resume_each(token, token.unresumed(), repeat=repeat)
        if replies:
            self._store.record_replies(token.id, replies, self._clock())
        return left

    def _resume_each(
        self, token: Token, waiters: Sequence[Waiter], *, repeat: bool
    ) -> tuple[dict[str, Reply], list[NotResumed]]:
        """`repeat` is whether a throttled call is repeated."""
        assert token.outcome is not None, "only a settled token has waiters to resume"
        outcome = self.load_output(token.outcome)
        settled = token if outcome is token.outcome else replace(token, outcome=outcome)
        if token.has_metadata and any(waiter.context for waiter in waiters):
            settled = self.load_metadata(settled)
        telemetry.link(token.traceparent)

        def resume_one(waiter: Waiter) -> Reply | NotResumed:
            results = waiter_results(settled, waiter, self._outputs.bucket)
            try:
                with nullcontext() if repeat else throttling.not_repeated():
                    kind = self._resume(waiter, results)
            except (CannotResume, CannotResumeNow) as reason:
                return NotResumed(waiter, reason)
            return Reply(kind, self._clock())

        replies: dict[str, Reply] = {}
        left: list[NotResumed] = []
        for waiter, answer in zip(waiters, self._in_parallel(resume_one, waiters), strict=True):
            match answer:
                case NotResumed():
                    left.append(answer)
                case Reply(kind, at):
                    replies[waiter.key] = answer
                    if kind is ReplyKind.RESUMED:
                        telemetry.record_milliseconds("ResumeLag", at - max(outcome.at, waiter.registered_at))
                case _:
                    assert_never(answer)
        for kind in ReplyKind:
            telemetry.count(metric_of(kind), sum(reply.kind is kind for reply in replies.values()))
        return replies, left

    def _in_parallel[Result](self, do: Callable[[Waiter], Result], waiters: Sequence[Waiter]) -> list[Result]:
        if len(waiters) < 2:
            return [do(waiter) for waiter in waiters]
        with ThreadPoolExecutor(min(len(waiters), self._parallel)) as pool:
            return list(pool.map(do, waiters))


def service_of(kind: WaiterKind, resumers: WaitServices) -> WaitService:
    match kind:
        case WaiterKind.STEP_FUNCTIONS:
            return resumers.step_functions
        case WaiterKind.DURABLE_FUNCTION:
            return resumers.durable_functions
    assert_never(kind)


def metric_of(kind: ReplyKind) -> str:
    match kind:
        case ReplyKind.RESUMED:
            return "WaitersResumed"
        case ReplyKind.GONE:
            return "WaitersGone"
    assert_never(kind)
