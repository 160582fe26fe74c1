"""Repair tokens whose resume, timeout or reminder was missed, and process recorded deliveries that are still pending. Runs on a
schedule, and by a command of an operator or a gradual deployment:

{"command": "scanAll"}    scan all of the table. As long as the answer has `next`, invoke it again with that as `cursor`
{"command": "try"}        only read what a run begins with, which takes seconds

A scheduled run repairs what is pending, marked or overdue, and scans the next segments of the table. A scan also deletes what
was recorded and has ended.

The metric `Unrepaired`, which has alarms, counts the tokens and deliveries that remain. Each run sends it, so that one that
does nothing is missed. The answer lists their ids.
`OldestScan` is the number of seconds since the last full scan began: each item has been read since. `OldestWaiting` is the
number of days that the oldest token without a timeout has waited. The log line lists the oldest ones. A metric is billed for
the hours in which it is sent: these two are sent while they have something to say, when it is over, and once a day.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import telemetry
from waitpoints.doctor.repair import Defect, DeliveryRepairs
from waitpoints.doctor.scan import Report
from waitpoints.scan_state import DAY, LATE, ScanCursor
from waitpoints.wiring import services

SHOWN = 1000  # ids of each kind in the answer
LAST_READ = 240_000  # milliseconds before the function's timeout: read nothing later than this
LAST_START = 30_000  # and begin no repair later than this
LAST_DELIVERY = 600_000  # nor of a delivery later than this: the tokens have the rest of the time

services.build_at_start(lambda s: (s.timers, s.step_functions_client))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    def has_time_to_read() -> bool:
        return context.get_remaining_time_in_millis() > LAST_READ

    def has_time() -> bool:
        return context.get_remaining_time_in_millis() > LAST_START

    def has_time_for_deliveries() -> bool:
        return context.get_remaining_time_in_millis() > LAST_DELIVERY

    if event.get("command") == "try":
        with telemetry.canonical_line("try the doctor", requestId=context.aws_request_id):
            services.doctor.try_reading()
        return {}
    repair_deliveries = partial(repair_pending, has_time=has_time_for_deliveries)
    scans_all = event.get("command") == "scanAll"
    if scans_all:
        report = services.doctor.scan_all(read_cursor(event.get("cursor")), has_time_to_read, has_time, repair_deliveries)
    else:
        report = services.doctor.run(has_time_to_read, has_time, repair_deliveries)
    with telemetry.canonical_line("doctor", requestId=context.aws_request_id):
        answer = measured(report)
        if report.error:
            raise report.error
    if scans_all and not report.cursor.is_at_end:
        answer["next"] = shown_cursor(report.cursor)
    return answer


def repair_pending(until: int, has_time: Callable[[], bool]) -> DeliveryRepairs:
    """Process the recorded deliveries that were pending at `until`. Without one, nothing more is imported."""
    marks = list(services.deliveries.pending(until))
    if not marks:
        return DeliveryRepairs()
    from waitpoints.api.endpoints import pending

    return pending.repair(marks, has_time)


def measured(report: Report) -> dict[str, Any]:
    """Log and measure what a run found and did. Returns the answer."""
    remaining = {kind: report.repairs.remaining_of(kind) for kind in Defect}
    pending = report.deliveries.remaining
    repaired = len(report.repairs.repaired) + report.deliveries.repaired
    counts = {"items": report.items, "repaired": repaired, "unrepaired": len(report.repairs.remaining) + len(pending)}
    telemetry.measure("Unrepaired", counts["unrepaired"])
    telemetry.count("RepairedByDoctor", counts["repaired"])
    if report.oldest_scan is not None:
        measure_ages(report, report.oldest_scan)
    segments = f"{report.cursor.next - len(report.cursor.partial)} of {report.cursor.segments}"
    found = {**{str(kind): ids for kind, ids in remaining.items()}, "pending": pending}
    telemetry.note(**counts, segments=segments, **{kind: len(ids) for kind, ids in found.items()})
    return {**counts, **{kind: ids[:SHOWN] for kind, ids in found.items()}}


def measure_ages(report: Report, oldest_scan: int) -> None:
    """Measure how long ago the last full scan began, and for how long the oldest token has waited, if that says something."""
    if report.scan_ended or oldest_scan > LATE:
        telemetry.measure("OldestScan", oldest_scan // 1000)
    if report.oldest or report.had_oldest or report.scan_ended:
        days = (services.now() - report.oldest[0][0]) / DAY if report.oldest else 0
        telemetry.measure("OldestWaiting", round(days, 3))
    if report.oldest:
        telemetry.note(oldestWaiting=[token_id for _, token_id in report.oldest])


def shown_cursor(cursor: ScanCursor) -> dict[str, Any]:
    """Return a cursor as JSON."""
    return {"segments": cursor.segments, "begun": cursor.begun, "next": cursor.next, "partial": [*cursor.partial.items()]}


def read_cursor(given: dict[str, Any] | None) -> ScanCursor | None:
    """Return the cursor in an event."""
    if given is None:
        return None
    keys = {segment: (key[0], key[1]) if key else None for segment, key in given["partial"]}
    return ScanCursor(given["segments"], given["begun"], given["next"], keys)
