"""Scan the whole table for unfinished work and finish it. Runs on a schedule and when an operator invokes it.

The metric `Undone`, which has an alarm, counts the tokens that it could not finish. The response lists their ids.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import audit, telemetry
from waitpoints.wiring import services

SHOWN = 1000  # ids of each kind in the response
LAST_START = 30_000  # milliseconds before the function's timeout: start nothing later than this

services.build_at_start("tokens", "step_functions_client")


def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    found = audit.search(services.store, services.now())
    left = audit.finish(services.tokens, found, lambda: context.get_remaining_time_in_millis() > LAST_START)
    with telemetry.canonical_line("doctor", requestId=context.aws_request_id):
        undone = len(left.undelivered) + len(left.overdue)
        finished = len(found.undelivered) + len(found.overdue) - undone
        telemetry.measure("Undone", undone)
        telemetry.count("FinishedByDoctor", finished)
        telemetry.note(items=found.items, finished=finished, undelivered=len(left.undelivered), overdue=len(left.overdue))
        return {
            "items": found.items,
            "finished": finished,
            "undone": undone,
            "undelivered": left.undelivered[:SHOWN],
            "overdue": left.overdue[:SHOWN],
        }
