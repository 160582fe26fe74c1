"""Find work that was left undone, and finish it. Runs on a schedule, and when an operator invokes it.

A scheduled round looks at what is marked or overdue, and reads the next part of the table. The event `{"whole": true}` reads
all of it, which may take several invocations: as long as the response has `next`, invoke it again with that.

The metric `Undone`, which has an alarm, counts the tokens that it could not finish. The response lists their ids. `OldestPass`
is the number of seconds since the last full pass began: each item has been read since. `OldestWaiting` is the number of days
that the oldest token without a timeout has waited. The log line lists the oldest ones.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import telemetry
from waitpoints.doctor.repair import Undone
from waitpoints.doctor.scan import Report
from waitpoints.scan_state import DAY, Place
from waitpoints.wiring import services

SHOWN = 1000  # ids of each kind in the response
LAST_READ = 240_000  # milliseconds before the function's timeout: read nothing later than this
LAST_START = 30_000  # and start to finish nothing later than this

services.build_at_start(lambda s: (s.timers, s.step_functions_client))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    def has_time_to_read() -> bool:
        return context.get_remaining_time_in_millis() > LAST_READ

    def has_time() -> bool:
        return context.get_remaining_time_in_millis() > LAST_START

    is_whole = "whole" in event
    if is_whole:
        report = services.rounds.look_at_everything(_place(event.get("next")), has_time_to_read, has_time)
    else:
        report = services.rounds.make_round(has_time_to_read, has_time)
    with telemetry.canonical_line("doctor", requestId=context.aws_request_id):
        answer = _tell(report)
        if report.error:
            raise report.error
    if is_whole and not report.place.is_at_end:
        answer["next"] = _next(report.place)
    return answer


def _tell(report: Report) -> dict[str, Any]:
    """Log and measure what a round found and did. Returns the response."""
    left = {kind: report.done.of(kind) for kind in Undone}
    undone, finished = len(report.done.left), len(report.done.finished)
    telemetry.measure("Undone", undone)
    telemetry.count("FinishedByDoctor", finished)
    if report.oldest_pass is not None:
        telemetry.measure("OldestPass", report.oldest_pass // 1000)
        _tell_oldest(report)
    place = f"{report.place.next - len(report.place.open)} of {report.place.parts}"
    telemetry.note(items=report.items, finished=finished, parts=place, **{kind: len(ids) for kind, ids in left.items()})
    shown = {str(kind): ids[:SHOWN] for kind, ids in left.items()}
    return {"items": report.items, "finished": finished, "undone": undone, **shown}


def _tell_oldest(report: Report) -> None:
    days = (services.now() - report.oldest[0][0]) / DAY if report.oldest else 0
    telemetry.measure("OldestWaiting", round(days, 3))
    if report.oldest:
        telemetry.note(oldestWaiting=[token_id for _, token_id in report.oldest])


def _next(place: Place) -> dict[str, Any]:
    """Return a place as JSON."""
    return {"parts": place.parts, "begun": place.begun, "next": place.next, "open": [*place.open.items()]}


def _place(given: dict[str, Any] | None) -> Place | None:
    """Return the place in an event."""
    if given is None:
        return None
    keys = {part: (key[0], key[1]) if key else None for part, key in given["open"]}
    return Place(given["parts"], given["begun"], given["next"], keys)
