"""Find unfinished work in the table and finish it.

    undelivered    a token settled more than GRACE ago that has a waiter without a recorded reply
    overdue        a WAITING token whose timeout passed more than GRACE ago
    orphan         an item without expiry whose token is past its retention: nothing else deletes it
    mark           a token that is still listed as undelivered though its waiters have replies

Scans are eventually consistent, so `finish` reads each token again and skips those that need no more work.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from waitpoints import telemetry
from waitpoints.ports import Scanned, TokenStore
from waitpoints.token import Attachment, Token
from waitpoints.tokens import Tokens
from waitpoints.waking import Waking

GRACE = 60_000  # milliseconds that the stream and the timers have to do their work
PARTS = 32  # of the table. A round that runs out of time has read some of them, and the next round others
AT_ONCE = 8  # parts
LOOKED_AT = 1 / 24  # share of old attachments checked per run: each check costs a read, and none is urgent


@dataclass(slots=True)
class Findings:
    """The number of items read, the ids of tokens with unfinished work, attachments that may be orphans, and marked tokens.

    `unread` is the number of parts of the table that were not read to their end.
    """

    items: int = 0
    unread: int = 0
    unresumed: list[str] = field(default_factory=list)
    overdue: list[str] = field(default_factory=list)
    old_attachments: list[Attachment] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)


def search(store: TokenStore, now: int, has_time: Callable[[], bool], chance: Callable[[], float] = random.random) -> Findings:
    """Scan the table part by part, in random order, several parts at once. Reads no further once `has_time` returns False.

    `now` is in epoch milliseconds; `chance` returns a number in [0, 1).
    """

    def search_part(part: int) -> Findings:
        findings = Findings()
        reads = store.scan(part, PARTS, now)
        while has_time():
            scanned = next(reads, None)
            if scanned is None:
                return findings
            _sort_in(findings, scanned, now)
            findings.old_attachments += [
                one for one in scanned.attachments if _is_old(one, store, now) and chance() < LOOKED_AT
            ]
        findings.unread = 1
        return findings

    total = Findings()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for part in pool.map(search_part, sorted(range(PARTS), key=lambda _: chance())):
            total.items += part.items
            total.unread += part.unread
            total.unresumed += part.unresumed
            total.overdue += part.overdue
            total.old_attachments += part.old_attachments
            total.marked += part.marked
    return total


def finish(tokens: Tokens, waking: Waking, findings: Findings, has_time: Callable[[], bool]) -> Findings:
    """Time out, resume and release what was found. Returns what is still unfinished.

    Starts nothing more once `has_time` returns False. The next run finds the rest again.
    """
    return Findings(
        items=findings.items,
        unread=findings.unread,
        overdue=_left(findings.overdue, lambda token_id: _look(waking, token_id), has_time),
        unresumed=_left(findings.unresumed, lambda token_id: _resume(tokens, token_id), has_time),
        marked=_left(sorted({*findings.marked} - {*findings.unresumed}), lambda id: _remove_mark(tokens, id), has_time),
        old_attachments=_left(findings.old_attachments, tokens.release_if_orphaned, has_time),
    )


def _look(waking: Waking, token_id: str) -> bool:
    """Time a token out. If its deadline was moved since it was found, its timer looks at it."""
    waking.look(token_id)
    return True


def _resume(tokens: Tokens, token_id: str) -> bool:
    """Resume a token's waiters. Returns False if some could not be resumed, and marks the token."""
    left = tokens.resume_waiters(token_id)
    if left:
        tokens.mark_unresumed(token_id)
    return not left


def _remove_mark(tokens: Tokens, token_id: str) -> bool:
    """Remove the mark of a token whose waiters all have replies."""
    if not tokens.resume_waiters(token_id):
        tokens.unmark_unresumed(token_id)
    return True


def _left[Found](found: list[Found], finish_one: Callable[[Found], bool], has_time: Callable[[], bool]) -> list[Found]:
    return [one for one in found if not has_time() or not _is_finished(one, finish_one)]


def _is_finished[Found](one: Found, finish_one: Callable[[Found], bool]) -> bool:
    with telemetry.canonical_line("finish", tokenId=one.token_id if isinstance(one, Attachment) else one):
        try:
            return finish_one(one)
        except Exception as error:  # a failure must not stop the other tokens
            telemetry.note(error=type(error).__name__)
            return False


def _is_old(attachment: Attachment, store: TokenStore, now: int) -> bool:
    return attachment.since + store.retention * 1000 <= now


def _sort_in(findings: Findings, scanned: Scanned, now: int) -> None:
    findings.items += scanned.items
    findings.marked += scanned.marked
    findings.unresumed += [token.id for token in scanned.tokens if is_unresumed(token, now)]
    findings.overdue += [token.id for token in scanned.tokens if is_overdue(token, now)]


def is_unresumed(token: Token, now: int) -> bool:
    return token.outcome is not None and token.outcome.at < now - GRACE and bool(token.unresumed())


def is_overdue(token: Token, now: int) -> bool:
    return token.outcome is None and token.timeout_at is not None and token.timeout_at < now - GRACE
