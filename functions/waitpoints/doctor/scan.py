"""The doctor's rounds: what is marked, what the last rounds left undone, what is overdue, and the next parts of the table.

An operator's look is at all of the table at once, over as many invocations as it takes. It has a place of its own.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from waitpoints.doctor.overdue import Overdue
from waitpoints.doctor.repair import Finished, Finishing, Undone
from waitpoints.ports import Clock, DoctorStore
from waitpoints.scan_state import Place, Progress, Read, Waiting, oldest
from waitpoints.token import Attachment

GRACE = 60_000  # milliseconds that the stream and the timers have to do their work
AT_ONCE = 8  # parts
MOST_REMEMBERED = 1_000  # tokens. A round that leaves more of them undone is repeated

type HasTime = Callable[[], bool]


@dataclass(slots=True)
class Findings:
    """What was read: the number of items, tokens with unfinished work, and attachments that may be orphans.

    `without_due_at` are tokens of an older version that wait for a timeout and are not in the due index. `oldest` are the
    oldest ones without a timeout.
    """

    items: int = 0
    undone: dict[str, Undone] = field(default_factory=dict)
    without_due_at: list[str] = field(default_factory=list)
    old_attachments: list[Attachment] = field(default_factory=list)
    oldest: tuple[Waiting, ...] = ()
    error: Exception | None = None
    """What stopped a part."""

    def add(self, other: "Findings") -> None:
        self.items += other.items
        self.undone |= other.undone
        self.without_due_at += other.without_due_at
        self.old_attachments += other.old_attachments
        self.oldest = oldest(self.oldest, other.oldest)
        self.error = self.error or other.error


@dataclass(frozen=True, slots=True)
class Report:
    """What a round or a look found and did. `place` is how far a look has come."""

    items: int
    done: Finished
    place: Place
    oldest_pass: int | None = None
    """Milliseconds since the last full pass began: no item was last read before that."""
    oldest: tuple[Waiting, ...] = ()
    """The oldest tokens that wait without a timeout."""
    error: Exception | None = None
    """What kept a part of the table from being read. All else was done."""


class Rounds:
    def __init__(self, store: DoctorStore, overdue: Overdue, finishing: Finishing, clock: Clock, retention: int) -> None:
        """`retention` is in seconds."""
        self._store = store
        self._overdue = overdue
        self._finishing = finishing
        self._clock = clock
        self._retention = retention * 1000

    def make_round(self, has_time_to_read: HasTime, has_time: HasTime) -> Report:
        """Read what is due of the table. Finish that, what is marked or overdue, and what earlier rounds have left undone.

        Reads nothing more once `has_time_to_read` returns False, and starts nothing more once `has_time` does.
        """
        now = self._clock()
        progress = self._store.read_progress() or Progress(self._new_place(now), None, now)
        if progress.needs_new_pass(now):
            progress = progress.at_new(self._new_place(now))
        marks = self._store.read_marks()
        known = self._store.still_waiting(progress.oldest)
        slices = self._overdue.read(now - GRACE, has_time_to_read)
        overdue = dict.fromkeys((token_id for it in slices for token_id in it.waiting), Undone.OVERDUE)
        found, place = self._read(progress.place, progress.choose(now), now, has_time_to_read, known)
        undone = dict.fromkeys(progress.undone, Undone.UNDELIVERED) | found.undone
        done = self._finish(undone | overdue, marks, found, has_time)
        self._overdue.pass_over(slices, done.left)
        if not self._remember(done, undone, progress, marks):
            place = progress.place
        progress = progress.at(place, now, oldest(known, found.oldest))
        self._store.save_progress(progress)
        return Report(found.items, done, place, self._clock() - progress.last_pass, progress.oldest, found.error)

    def look_at_everything(self, place: Place | None, has_time_to_read: HasTime, has_time: HasTime) -> Report:
        """Read the rest of the table after `place`, and finish what is found. The first look also does what a round does.

        A later one passes over what the first one has looked at: marked tokens, and those that rounds have left undone.
        """
        now = self._clock()
        begun, place = place is not None, place or self._new_place(now)
        progress = self._store.read_progress() or Progress(place, None, now)
        marks = self._store.read_marks()
        found, place = self._read(place, place.rest, now, has_time_to_read, progress.oldest)
        undone = dict.fromkeys(progress.undone, Undone.UNDELIVERED) | found.undone
        if begun:
            seen = progress.undone.union(marks)
            undone = {token_id: kind for token_id, kind in found.undone.items() if token_id not in seen}
        done = self._finish(undone, [] if begun else marks, found, has_time)
        self._remember(done, undone, progress, marks)
        return Report(found.items, done, place, error=found.error)

    def _new_place(self, now: int) -> Place:
        return Place(self._store.count_parts(), now)

    def _read(
        self, place: Place, parts: list[int], now: int, has_time: HasTime, known: tuple[Waiting, ...]
    ) -> tuple[Findings, Place]:
        """Read these parts, several at once. `known` are the oldest tokens so far."""

        def read_part(part: int) -> tuple[Findings, Read]:
            findings, at = Findings(), place.open.get(part)
            pages = self._store.read_part(part, place.parts, at, now - GRACE - 1, known)
            try:
                while has_time():
                    page = next(pages)
                    findings.items += page.items
                    findings.undone |= dict.fromkeys(page.unresumed, Undone.UNDELIVERED)
                    findings.undone |= dict.fromkeys(page.overdue, Undone.OVERDUE)
                    findings.without_due_at += page.without_due_at
                    findings.oldest = oldest(findings.oldest, page.oldest)
                    findings.old_attachments += [it for it in page.attachments if it.since + self._retention <= now]
                    if (at := page.stopped_at) is None:
                        return findings, Read(is_whole=True)
            except Exception as error:  # what was read before is finished, and the part read again
                findings.error = error
            return findings, Read(is_whole=False, stopped_at=at)

        total, read = Findings(), {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for part, (findings, how_far) in zip(parts, pool.map(read_part, parts), strict=True):
                total.add(findings)
                read[part] = how_far
        return total, place.after(read)

    def _finish(self, undone: dict[str, Undone], marks: list[str], found: Findings, has_time: HasTime) -> Finished:
        """Marked tokens come last and in any order: many of them may fail again, and must not keep the others waiting."""
        marked = dict.fromkeys(random.sample(marks, len(marks)), Undone.UNDELIVERED)
        first = {token_id: kind for token_id, kind in undone.items() if token_id not in marked}
        done = self._finishing.finish(first | marked, marked, has_time)
        self._finishing.wake(found.without_due_at, has_time)
        self._finishing.release(found.old_attachments, has_time)
        return done

    def _remember(self, done: Finished, undone: dict[str, Undone], progress: Progress, marks: list[str]) -> bool:
        """Remember what was left `undone`, unless a mark does. Returns False if it is too much: then read it again."""
        left = (done.left.keys() & undone.keys()) - done.marked - set(marks)
        if finished := (progress.undone & undone.keys()) - left:
            self._store.forget_undone(finished)
        new = left - progress.undone
        if len(progress.undone) - len(finished) + len(new) > MOST_REMEMBERED:
            return False
        if new:
            self._store.remember_undone(new)
        return True
