"""Scan the whole table for unfinished work and finish it. Runs on a schedule and when an operator invokes it.

The metric `Undone`, which has an alarm, counts the tokens that it could not finish. The response lists their ids. Without time
for the whole table, it finishes what it has found and then fails, which has an alarm, too.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import telemetry, unfinished
from waitpoints.wiring import services

SHOWN = 1000  # ids of each kind in the response
LAST_READ = 240_000  # milliseconds before the function's timeout: read nothing later than this
LAST_START = 30_000  # and start to finish nothing later than this

services.build_at_start("waking", "step_functions_client")


class TableTooLarge(Exception):
    """One round cannot read the whole table."""


def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    found = unfinished.search(services.store, services.now(), lambda: context.get_remaining_time_in_millis() > LAST_READ)
    left = unfinished.finish(
        services.tokens, services.waking, found, lambda: context.get_remaining_time_in_millis() > LAST_START
    )
    with telemetry.canonical_line("doctor", requestId=context.aws_request_id):
        undone = len(left.unresumed) + len(left.overdue)
        finished = len(found.unresumed) + len(found.overdue) - undone
        telemetry.measure("Undone", undone)
        telemetry.count("FinishedByDoctor", finished)
        telemetry.note(items=found.items, finished=finished, undelivered=len(left.unresumed), overdue=len(left.overdue))
        if found.unread:
            raise TableTooLarge(
                f"no time to read {found.unread} of {unfinished.PARTS} parts of the table. In the others {finished} tokens "
                f"were finished and {undone} left undone. The next round begins elsewhere"
            )
        return {
            "items": found.items,
            "finished": finished,
            "undone": undone,
            "undelivered": left.unresumed[:SHOWN],
            "overdue": left.overdue[:SHOWN],
        }
