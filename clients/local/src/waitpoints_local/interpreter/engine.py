"""Put moto's interpreter into the emulator."""

from typing import Any

from waitpoints_local.interpreter import (
    api,
    batches,
    expressions,
    jsonata_mends,
    mends,
    runs,
    services,
    stand_ins,
    tokens,
    waits,
)


def run_executions(stepfunctions: Any, of: services.Services) -> None:
    """Let moto's interpreter run the executions of MiniStack 1.5.33, whose own one evaluates otherwise than AWS."""
    waits.wait_by_the_clock()
    runs.run_with_moto(stepfunctions)
    api.answer_about_executions(stepfunctions)
    runs.follow_programs()
    tokens.answer_tokens(stepfunctions)
    api.refuse_large_data(stepfunctions)
    expressions.evaluate_with_values(stepfunctions)
    jsonata_mends.follow_the_reference()
    services.call_services(of)
    stand_ins.answer_tasks(stepfunctions)
    for mend in (*mends.MENDS, batches.batch_items):
        mend()
