"""The traces of a run with TRACING=Active, as they would go to the daemon of X-Ray."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

ACTIVE = os.environ.get("TRACING") == "Active"
MARK = '"operation"'
"""In the part of every call."""


@contextmanager
def kept_in(log: io.StringIO) -> Iterator[None]:
    """Within this, each part of a trace is a line of the log, where secrets are looked for."""
    if not ACTIVE:
        yield
        return
    from waitpoints import tracing

    def keep(part: Any) -> None:
        log.write(part.serialize() + "\n")

    with mock.patch.object(tracing._recorder.emitter, "send_entity", keep):
        yield
