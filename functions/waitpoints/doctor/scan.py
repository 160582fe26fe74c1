"""The doctor: it repairs what is marked, overdue or left by its earlier runs, and scans the table for the rest.

An operator's command scans all of the table, over as many invocations as that takes, with a cursor of its own.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from waitpoints.doctor.overdue import Overdue
from waitpoints.doctor.repair import Defect, DeliveryRepairs, Repair, Repairs
from waitpoints.ports import Clock
from waitpoints.scan_state import DoctorState, ScanCursor, SegmentRead, Waiting, oldest
from waitpoints.token import Attachment

if TYPE_CHECKING:
    from waitpoints.aws.doctor_store import DoctorStore

GRACE = 60_000  # milliseconds that the stream and the timers have to do their work
AT_ONCE = 8  # segments
MOST_REMEMBERED = 1_000  # tokens. A run that leaves more of them is repeated

type HasTime = Callable[[], bool]
type RepairDeliveries = Callable[[int], DeliveryRepairs]
"""Processes the recorded deliveries that were pending at an instant."""
type DeleteEnded = Callable[[Sequence[Mapping[str, Any]], int], None]
"""Deletes those of these items about recorded deliveries that had ended at an instant."""


@dataclass(frozen=True, slots=True)
class ScanJob:
    """What to scan and repair. Nothing more is read once `has_time_to_read` returns False, nor begun once `has_time` does.

    `is_continued`: an earlier invocation of the same scan has tried to repair the marked and the remembered tokens.
    """

    cursor: ScanCursor
    segments: list[int]
    oldest: tuple[Waiting, ...]
    marks: list[str]
    has_time_to_read: HasTime
    has_time: HasTime
    overdue: frozenset[str] = frozenset()
    is_continued: bool = False


@dataclass(slots=True)
class Findings:
    """What was read: the number of items, tokens to repair, attachments that may be orphans, and the oldest tokens."""

    items: int = 0
    defects: dict[str, Defect] = field(default_factory=dict)
    old_attachments: list[Attachment] = field(default_factory=list)
    oldest: tuple[Waiting, ...] = ()
    error: Exception | None = None
    """What stopped a segment, or a deletion."""

    def add(self, other: "Findings") -> None:
        self.items += other.items
        self.defects |= other.defects
        self.old_attachments += other.old_attachments
        self.oldest = oldest(self.oldest, other.oldest)
        self.error = self.error or other.error


@dataclass(frozen=True, slots=True)
class Report:
    """What a run or a whole scan found and did."""

    items: int
    repairs: Repairs
    cursor: ScanCursor
    oldest: tuple[Waiting, ...] = ()
    """The oldest tokens that wait without a timeout."""
    had_oldest: bool = False
    """Whether the run before knew of such a token."""
    scan_ended: bool = False
    """Whether this run ended a full scan, as one does each day."""
    oldest_scan: int | None = None
    """Milliseconds since the last full scan began: no item was last read before that."""
    error: Exception | None = None
    """What kept a segment, or pending deliveries, from being read, or what had ended from being deleted. All else was done."""
    deliveries: DeliveryRepairs = field(default_factory=DeliveryRepairs)


class Doctor:
    def __init__(
        self,
        store: "DoctorStore",
        overdue: Overdue,
        repair: Repair,
        clock: Clock,
        retention: int,
        deletion: Callable[[], DeleteEnded],
    ) -> None:
        """`retention` is in seconds. `deletion` makes what deletes for one run."""
        self._store = store
        self._overdue = overdue
        self._repair = repair
        self._clock = clock
        self._retention = retention * 1000
        self._deletion = deletion

    def run(self, has_time_to_read: HasTime, has_time: HasTime, repair_deliveries: RepairDeliveries) -> Report:
        """Scan the segments whose turn it is. Repair what is found, pending, marked, overdue or left by earlier runs."""
        now = self._clock()
        state = self._store.read_state(lambda: DoctorState(self._new_cursor(now), None, now))
        deliveries = _repair_pending(state, now, repair_deliveries)
        if state.needs_new_scan(now):
            state = replace(state, cursor=self._new_cursor(now))
        marks, known = self._store.read_marks(), self._store.still_waiting(state.oldest)
        slices = self._overdue.read(now - GRACE, has_time_to_read)
        overdue = frozenset().union(*(it.waiting for it in slices))
        job = ScanJob(state.cursor, state.choose(now), known, marks, has_time_to_read, has_time, overdue)
        report, is_remembered = self._scan(job, state, now)
        self._overdue.pass_over(slices, report.repairs.remaining)
        before, state = state, state.after(report.cursor if is_remembered else state.cursor, now, report.oldest)
        self._store.save_state(state)
        ended = state.cursor.is_at_end and not before.cursor.is_at_end
        age = self._clock() - state.last_scan
        report = replace(report, cursor=state.cursor, had_oldest=bool(before.oldest), scan_ended=ended, oldest_scan=age)
        return _with_deliveries(report, deliveries)

    def try_reading(self) -> None:
        """Read what a run begins with, and change nothing."""
        now = self._clock()
        state = self._store.read_state(lambda: DoctorState(self._new_cursor(now), None, now))
        self._store.read_marks()
        self._store.still_waiting(state.oldest)

    def scan_all(
        self, cursor: ScanCursor | None, has_time_to_read: HasTime, has_time: HasTime, repair_deliveries: RepairDeliveries
    ) -> Report:
        """Scan what remains of the table behind `cursor`, or all of it, and repair what is found."""
        now = self._clock()
        is_continued, begun = cursor is not None, cursor or self._new_cursor(now)
        state = self._store.read_state(lambda: DoctorState(begun, None, now))
        deliveries = DeliveryRepairs() if is_continued else _repair_pending(state, now, repair_deliveries)
        marks = self._store.read_marks()
        job = ScanJob(begun, begun.remaining, state.oldest, marks, has_time_to_read, has_time, is_continued=is_continued)
        return _with_deliveries(self._scan(job, state, now)[0], deliveries)

    def _new_cursor(self, now: int) -> ScanCursor:
        return ScanCursor(self._store.count_segments(), now)

    def _scan(self, job: ScanJob, state: DoctorState, now: int) -> tuple[Report, bool]:
        """Returns what was found and done, and whether all that remains is marked or remembered."""
        found, cursor = self._read(job, now)
        if job.is_continued:
            seen = state.unrepaired.union(job.marks)
            defects, marks = {it: kind for it, kind in found.defects.items() if it not in seen}, []
        else:
            defects, marks = dict.fromkeys(state.unrepaired, Defect.UNDELIVERED) | found.defects, job.marks
        overdue = dict.fromkeys(job.overdue, Defect.OVERDUE)
        repairs = self._repair.repair(_ordered(defects | overdue, marks), marks, job.has_time)
        self._repair.release(found.old_attachments, job.has_time)
        is_remembered = self._remember(repairs, defects, state, job.marks)
        return Report(found.items, repairs, cursor, oldest(job.oldest, found.oldest), error=found.error), is_remembered

    def _read(self, job: ScanJob, now: int) -> tuple[Findings, ScanCursor]:
        """Read the segments, several at once, and delete what was recorded and has ended."""
        deletion = cache(self._deletion)

        def read_segment(segment: int) -> tuple[Findings, SegmentRead]:
            findings, key = Findings(), job.cursor.partial.get(segment)
            pages = self._store.read_segment(segment, job.cursor.segments, key, now - GRACE - 1, job.oldest)
            try:
                while job.has_time_to_read():
                    page = next(pages)
                    try:
                        if page.recorded:
                            deletion()(page.recorded, now - GRACE)
                    except Exception as error:  # it must not stop the scan: the next one finds the same items
                        findings.error = error
                    findings.items += page.items
                    findings.defects |= dict.fromkeys(page.unresumed, Defect.UNDELIVERED)
                    findings.defects |= dict.fromkeys(page.overdue, Defect.OVERDUE)
                    findings.oldest = oldest(findings.oldest, page.oldest)
                    findings.old_attachments += [it for it in page.attachments if it.since + self._retention <= now]
                    if (key := page.last_key) is None:
                        return findings, SegmentRead(is_whole=True)
            except Exception as error:  # what was read before is repaired, and the segment read again
                findings.error = error
            return findings, SegmentRead(is_whole=False, last_key=key)

        total, read = Findings(), {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for segment, (findings, how_far) in zip(job.segments, pool.map(read_segment, job.segments), strict=True):
                total.add(findings)
                read[segment] = how_far
        return total, job.cursor.after(read)

    def _remember(self, repairs: Repairs, defects: dict[str, Defect], state: DoctorState, marks: list[str]) -> bool:
        """Remember the remaining tokens that no mark names. Returns False if they are too many: then read them again."""
        remaining = (repairs.remaining.keys() & defects.keys()) - repairs.marked - set(marks)
        if repaired := (state.unrepaired & defects.keys()) - remaining:
            self._store.forget(repaired)
        new = remaining - state.unrepaired
        if len(state.unrepaired) - len(repaired) + len(new) > MOST_REMEMBERED:
            return False
        if new:
            self._store.remember(new)
        return True


def _repair_pending(state: DoctorState, now: int, repair: RepairDeliveries) -> DeliveryRepairs:
    """A failure must not stop the scan."""
    if not state.records_deliveries:
        return DeliveryRepairs()
    try:
        return repair(now - GRACE)
    except Exception as error:
        return DeliveryRepairs(error=error)


def _with_deliveries(report: Report, deliveries: DeliveryRepairs) -> Report:
    return replace(report, deliveries=deliveries, error=report.error or deliveries.error)


def _ordered(defects: dict[str, Defect], marks: list[str]) -> dict[str, Defect]:
    """Marked tokens come last and in any order: many of them may fail again, and must not keep the others waiting."""
    marked = dict.fromkeys(random.sample(marks, len(marks)), Defect.UNDELIVERED)
    return {token_id: kind for token_id, kind in defects.items() if token_id not in marked} | marked
