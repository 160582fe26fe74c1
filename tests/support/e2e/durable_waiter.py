"""A durable function that waits for every token of its input at the same time, and returns what each wait returned or raised.

The input is `{"tokens": [ids], "unwrap": true or false}`.
"""

from functools import partial
from typing import Any

from aws_durable_execution_sdk_python import CallbackError, DurableContext, durable_execution
from waitpoints_client import Failed
from waitpoints_client.durable import wait_for_token


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> list[Any]:
    waits = [partial(wait, token=token, unwrap=event.get("unwrap", False)) for token in event["tokens"]]
    if len(waits) == 1:
        return [waits[0](context)]
    return list(context.parallel(waits, name="all").get_results())


def wait(context: DurableContext, token: str, unwrap: bool) -> Any:
    try:
        if unwrap:
            return wait_for_token(context, token, unwrap=True)
        result = wait_for_token(context, token)
    except CallbackError as error:
        return {"raised": type(error).__name__, "message": error.message, "data": error.data}
    if isinstance(result, Failed):
        return {"ok": result.ok, "error": result.error.model_dump(), "timed_out": result.timed_out}
    return {"ok": result.ok, "output": result.output}
