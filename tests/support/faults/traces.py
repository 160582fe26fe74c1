"""The traces of a run with TRACING=Active, as they would go to the daemon of X-Ray."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

ACTIVE = os.environ.get("TRACING") == "Active"
MARK = '"rpc.method"'
"""In the span of every call."""


@contextmanager
def kept_in(log: io.StringIO) -> Iterator[None]:
    """Within this, each span of a trace is a line of the log, where secrets are looked for."""
    if not ACTIVE:
        yield
        return
    from waitpoints import tracing

    def keep(spans: Sequence[Any]) -> None:
        log.writelines(span.to_json(indent=None) + "\n" for span in spans)

    with mock.patch.object(tracing, "_send", keep):
        yield
