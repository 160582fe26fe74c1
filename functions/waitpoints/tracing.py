"""Traces in X-Ray. Imported only if the stack's parameter Tracing is Active, since only then its layer has X-Ray's SDK.

A trace has a part for each canonical line, annotated with the token's id, and in it one for each call to AWS: service,
operation and status. The SDK's own patch of botocore is not used, because it keeps the message of an error, and AWS repeats in
some messages what it was given, such as a task token.
"""

from typing import Any

from aws_lambda_powertools import Tracer

_recorder: Any = Tracer(auto_patch=False).provider  # X-Ray's, which the SDK leaves without types


def begin(message: str) -> None:
    _recorder.begin_subsegment(f"## {message}")


def end(token_id: str | None, *, failed: bool) -> None:
    if token_id is not None and (part := _recorder.current_subsegment()):
        part.put_annotation("tokenId", token_id)
    _end(failed=failed)


def trace_calls(session: Any) -> None:
    """Trace the calls of every client that this botocore session creates from now on."""
    session.register("before-call", _begin_call)
    session.register("after-call", _end_call)
    session.register("after-call-error", _end_failed_call)


def _begin_call(model: Any, **_: Any) -> None:  # what it returned would be taken for the response
    part = _recorder.begin_subsegment(model.service_model.service_id.replace(" ", ""), namespace="aws")
    part.set_aws({"operation": model.name})


def _end_call(http_response: Any, **_: Any) -> None:
    if part := _recorder.current_subsegment():
        part.put_http_meta("status", http_response.status_code)
    _end(failed=False)  # the status says it


def _end_failed_call(**_: Any) -> None:
    _end(failed=True)


def _end(*, failed: bool) -> None:
    """End the current part. There is none if the invocation has no trace, or while the function starts."""
    if part := _recorder.current_subsegment():
        if failed:
            part.add_fault_flag()
        _recorder.end_subsegment()
