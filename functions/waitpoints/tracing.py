"""Traces in X-Ray. Imported only if the stack's parameter Tracing is Active, since only then its layer has OpenTelemetry.

A trace has a span for each canonical line, annotated with the token's id, and in it one for each call to AWS: service,
operation and status. OpenTelemetry's own instrumentation of botocore is not used, because it keeps the message of an error,
and AWS repeats in some messages what it was given, such as a task token.

The spans go to the daemon that Lambda runs beside the function, so there is no collector. AWS's exporter for Python sends them
in the same form (aws-observability/aws-otel-python-instrumentation, `OTLPUdpSpanExporter`).
"""

import base64
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

AT_ONCE = 50  # spans of at most some 500 bytes: a datagram has at most 64 KB
_SAMPLED = b'{"format":"json","version":1}\nT1S'  # before the spans of a trace that X-Ray has chosen
_FAILED = trace.Status(trace.StatusCode.ERROR)


class _Spans(SpanProcessor):
    """The span of the canonical line, of which a function has one at a time, and the spans that have ended and are not sent."""

    def __init__(self) -> None:
        self.line: trace.Span | None = None
        self._ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self._ended.append(span)

    def take(self) -> list[ReadableSpan]:
        taken, self._ended = self._ended, []
        return taken


_spans = _Spans()
_provider = TracerProvider(
    ALWAYS_ON,
    Resource({"service.name": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "waitpoints")}, None),
    shutdown_on_exit=False,
)
_provider.add_span_processor(_spans)
_tracer = _provider.get_tracer("waitpoints")
_host, _, _port = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000").rpartition(":")
_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def begin(message: str) -> None:
    _spans.line = _start(f"## {message}", trace.SpanKind.INTERNAL)


def link(traceparent: str) -> None:
    """Link the line to the span that the create of its token named."""
    if line := _spans.line:
        _, trace_id, span_id, flags = (int(part, 16) for part in traceparent.split("-"))
        line.add_link(trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(flags)))


def end(token_id: str | None, *, failed: bool) -> None:
    if line := _spans.line:
        if token_id is not None:
            line.set_attributes({"tokenId": token_id, "aws.xray.annotations": ["tokenId"]})
        _end(line, failed=failed)
    _spans.line = None
    _send(_spans.take())


def trace_calls(session: Any) -> None:
    """Trace the calls of every client that this botocore session creates from now on."""
    session.register("before-call", _begin_call)
    session.register("after-call", _end_call)
    session.register("after-call-error", _end_failed_call)


def _begin_call(model: Any, context: dict[str, Any], **_: Any) -> None:  # what it returned would be taken for the response
    service = model.service_model.service_id.replace(" ", "")
    if span := _start(service, trace.SpanKind.CLIENT):
        span.set_attributes({"rpc.system": "aws-api", "rpc.service": service, "rpc.method": model.name})
        context["span"] = span


def _end_call(http_response: Any, context: dict[str, Any], **_: Any) -> None:
    if span := context.pop("span", None):
        span.set_attribute("http.response.status_code", http_response.status_code)
        _end(span, failed=http_response.status_code >= 400)


def _end_failed_call(context: dict[str, Any], **_: Any) -> None:
    if span := context.pop("span", None):
        _end(span, failed=True)


def _start(name: str, kind: trace.SpanKind) -> trace.Span | None:
    """Begin a span. There is none if the invocation is not traced, or while the function starts."""
    parent = _spans.line
    if parent is None and (caller := _of_invocation()):
        parent = trace.NonRecordingSpan(caller)
    return _tracer.start_span(name, trace.set_span_in_context(parent), kind) if parent else None


def _of_invocation() -> trace.SpanContext | None:
    """Return the span of this invocation, which Lambda names: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…;Sampled=1."""
    given = dict(part.split("=", 1) for part in os.environ.get("_X_AMZN_TRACE_ID", "").split(";") if "=" in part)
    if given.get("Sampled") != "1" or not {"Root", "Parent"} <= given.keys():
        return None
    trace_id, span_id = int(given["Root"][2:].replace("-", ""), 16), int(given["Parent"], 16)
    return trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))


def _end(span: trace.Span, *, failed: bool) -> None:
    if failed:
        span.set_status(_FAILED)
    span.end()


def _send(spans: Sequence[ReadableSpan]) -> None:
    """Send spans to the daemon. A trace that is lost fails nothing."""
    for first in range(0, len(spans), AT_ONCE):
        encoded = encode_spans(spans[first : first + AT_ONCE]).SerializeToString()
        with suppress(OSError):
            _socket.sendto(_SAMPLED + base64.b64encode(encoded), (_host, int(_port)))
