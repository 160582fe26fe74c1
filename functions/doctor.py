"""Looks the whole table through for work that was left undone: on a schedule, and whenever an operator asks.

Emits the count as the metric `Undone`, on which there is an alarm for anything above zero, and answers with the ids.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import telemetry
from waitpoints.audit import examine
from waitpoints.wiring import services

SHOWN = 1000  # ids of each kind in an answer

services.build_at_start("tokens", "step_functions_client")


def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    with telemetry.canonical_line("doctor", requestId=context.aws_request_id):
        findings = examine(services.store, services.now())
        undone = len(findings.undelivered) + len(findings.overdue)
        telemetry.measure("Undone", undone)
        telemetry.note(tokens=findings.tokens, undelivered=len(findings.undelivered), overdue=len(findings.overdue))
        return {
            "tokens": findings.tokens,
            "undone": undone,
            "undelivered": findings.undelivered[:SHOWN],
            "overdue": findings.overdue[:SHOWN],
        }
