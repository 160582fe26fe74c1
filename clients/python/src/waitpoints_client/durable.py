"""Wait for a token in a Lambda durable function. Needs the extra `durable`: boto3 and AWS's SDK for durable functions.

The SDK needs Python 3.11. On 3.10 the extra installs nothing.
"""

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from waitpoints_client.errors import ConfigurationError, WaitpointsError
from waitpoints_client.models import Failed, Ok, Result, TokenError
from waitpoints_client.options import TokenOrId, id_of
from waitpoints_client.wire import read_json

if TYPE_CHECKING:
    from aws_durable_execution_sdk_python import DurableContext
    from aws_durable_execution_sdk_python.config import WaitForCallbackConfig

WAIT_FUNCTION = "WAITPOINTS_WAIT_FUNCTION"
_TIMEOUT = "WaitpointTimeoutError"  # a name that only the stack gives


class NotRegisteredError(WaitpointsError):
    """The wait function failed. The SDK tries the step again, and raises CallbackError when it gives up."""


class StoredOutput(NamedTuple):
    """The place of an output that is too large for a result: an object in the stack's bucket, as JSON."""

    bucket: str
    key: str


@overload
def wait_for_token(
    context: "DurableContext",
    token: TokenOrId,
    *,
    unwrap: Literal[False] = False,
    function: str | None = None,
    name: str = "token",
    config: "WaitForCallbackConfig | None" = None,
) -> Result: ...
@overload
def wait_for_token(
    context: "DurableContext",
    token: TokenOrId,
    *,
    unwrap: Literal[True],
    function: str | None = None,
    name: str = "token",
    config: "WaitForCallbackConfig | None" = None,
) -> Any: ...
def wait_for_token(
    context: "DurableContext",
    token: TokenOrId,
    *,
    unwrap: bool = False,
    function: str | None = None,
    name: str = "token",
    config: "WaitForCallbackConfig | None" = None,
) -> Any:
    """Suspend the durable execution until the token ends. Returns Ok or Failed, or with `unwrap` the bare output.

    `function` is the stack's wait function, by default that of the environment variable WAITPOINTS_WAIT_FUNCTION. `name`
    and `config` are those of the SDK's `wait_for_callback`. The output of an Ok is a StoredOutput if it is over 1 MiB.

    The SDK cannot keep an Ok or a Failed, so a branch of `parallel` or `map` must return something of it.

    Raises the SDK's CallbackError if the stack refuses to wait, if the `timeout` of `config` is over, and with `unwrap` if
    the token was failed or timed out. Its `data` is JSON with the error's `name`, such as TokenNotFound, its message and code.
    """
    wait_function = function or os.environ.get(WAIT_FUNCTION)
    if not wait_function:
        raise ConfigurationError(f"No wait function: give function=…, or set {WAIT_FUNCTION} to the output WaitFunctionName")
    payload = {"waitpointId": id_of(token), "unwrap": unwrap, "execution": context.execution_context.durable_execution_arn}

    def register(callback_id: str, _: object) -> None:
        _invoke(wait_function, {**payload, "callbackId": callback_id})

    text = context.wait_for_callback(register, name=name, config=config)
    return read_json(text) if unwrap else read_result(read_json(text))


def _invoke(function: str, payload: dict[str, Any]) -> None:
    """Invoke the wait function. Raises NotRegisteredError, also for an error that Lambda answers with success."""
    answer = _make_lambda_client().invoke(FunctionName=function, Payload=json.dumps(payload).encode())
    if "FunctionError" in answer:
        raise NotRegisteredError(answer["Payload"].read().decode())


@cache
def _make_lambda_client() -> Any:
    try:
        import boto3  # noqa: PLC0415 - part of the extra
    except ImportError:
        raise ConfigurationError(
            'To wait in a durable function, install the extra "durable" (Python 3.11 or newer): in a clone, '
            'pip install "./clients/python[durable]"'
        ) from None

    return boto3.client("lambda")


def read_result(found: dict[str, Any]) -> Result:
    """Return what the stack has sent as the result of a callback, without `unwrap`."""
    if not found["ok"]:
        error = TokenError.model_validate(found["error"])
        return Failed(error, timed_out=error.name == _TIMEOUT)
    return Ok(StoredOutput(**found["outputReference"]) if "outputReference" in found else found["output"])
