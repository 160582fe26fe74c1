"""Start the timers of the tokens that are due within three minutes. Runs once a minute.

The metric `TimersBehind`, which has an alarm, is by how much the clock has passed the instant up to which timers are started.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from waitpoints import telemetry
from waitpoints.wiring import services

LAST_SLICE = 15_000  # milliseconds before the function's timeout: begin no slice later than this

services.build_at_start(lambda s: s.timer_starter)


def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    with telemetry.canonical_line("start timers", requestId=context.aws_request_id):
        started = services.timer_starter.start(lambda: context.get_remaining_time_in_millis() > LAST_SLICE)
        telemetry.record_milliseconds("TimersBehind", max(0, services.now() - started.up_to))
        telemetry.count("TimersStarted", started.messages)
        telemetry.note(messages=started.messages)
        if started.failure is not None:
            raise started.failure
        return {"messages": started.messages}
