"""Send what must be sent about a token: look, take the next step, record it, and look again.

A look reads the token consistently. So a message that was posted while the token ended is edited at once, and no button
outlives the decision. A function that dies between a step and its record repeats this one step: whoever it asks is asked twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from waitpoints import json_text, telemetry
from waitpoints.api.notices import plan
from waitpoints.api.notices.plan import Kind, Place, Step
from waitpoints.api.page import definition
from waitpoints.api.page.definition import Page
from waitpoints.aws.dead_letters import DeadLetters
from waitpoints.errors import NotSent, NotSentNow, TokenNotFound
from waitpoints.notices import Channel, Notice, Notify
from waitpoints.ports import NoticeStore
from waitpoints.resuming import Clock
from waitpoints.token import Token
from waitpoints.tokens import Tokens

CLAIMED_PAUSE = 5  # seconds until a token is looked at again that another function sends about


@dataclass(frozen=True, slots=True)
class Request:
    """What a channel renders and sends: one step about a token. `link` is the reader's own, or the token's callback URL."""

    step: Step
    token: Token
    page: Page
    link: str | None


class Sender(Protocol):
    """Sends to one channel."""

    def send(self, request: Request) -> str | None:
        """Send or edit a message in one call. Returns the channel's name of it. Raises NotSentNow or NotSent."""


@dataclass(frozen=True, slots=True)
class LookAgain(Exception):
    """Not everything could be sent. The token's message comes again after so many seconds."""

    after: int | None


LinkOf = Callable[[Token, Place, Page], str | None]
"""Returns the link that a place gets. None: nobody there can answer by a link."""


class Sending:
    def __init__(
        self,
        tokens: Tokens,
        store: NoticeStore,
        senders: Mapping[Channel, Sender],
        link_of: LinkOf,
        dead_letters: DeadLetters,
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._store = store
        self._senders = senders
        self._link_of = link_of
        self._dead_letters = dead_letters
        self._clock = clock

    def send(self, token_id: str, may_go_on: Callable[[], bool]) -> None:
        """Send all that is missing about a token. Raises LookAgain. A message that came twice costs one read."""
        if self._next(token_id, {}) is None:
            return
        token = self._tokens.find(token_id)
        if not self._store.claim(token, self._clock()):
            raise LookAgain(CLAIMED_PAUSE)
        failed: dict[str, NotSentNow] = {}
        try:
            while request := self._next(token_id, failed):
                if not may_go_on():
                    raise LookAgain(0)
                self._take(request, failed)
        finally:
            self._store.free(token_id)
        if failed:
            raise LookAgain(min((error.after for error in failed.values() if error.after is not None), default=None))

    def _next(self, token_id: str, skip: Mapping[str, NotSentNow]) -> Request | None:
        try:
            token = self._tokens.find(token_id)
        except TokenNotFound:
            return None
        if token.notify is None or token.page is None:
            return None
        page = definition.load(token.page)
        step = plan.next_step(token, page, Notify.of(json_text.parse(token.notify)), skip)
        return step and Request(step, token, page, self._link_of(token, step.place, page))

    def _take(self, request: Request, failed: dict[str, NotSentNow]) -> None:
        step, token_id = request.step, request.token.id
        place = step.place
        try:
            ref = self._senders[place.channel].send(request)
        except NotSentNow as error:
            telemetry.note(notSent=place.key, reason=str(error))
            failed[place.key] = error
            return
        except NotSent as error:
            telemetry.count("NoticesRefused")
            self._dead_letters.put_notice(token_id, place.key, str(error))
            self._store.record(token_id, place.key, self._done(step, step.ref, refused=str(error)))
            return
        telemetry.count("NoticesSent")
        self._store.record(token_id, place.key, self._done(step, step.ref if step.kind is not Kind.ASK else ref))

    def _done(self, step: Step, ref: str | None, refused: str | None = None) -> Notice:
        return replace(step.done, at=self._clock(), ref=ref, refused=refused)
