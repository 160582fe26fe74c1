"""Read the lines that a stack's functions write into its log group."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from waitpoints_client.operator.deployed import Deployed

LATE = 10_000  # milliseconds: CloudWatch may show a line after later ones, so follow reads this much again
POLL_SECONDS = 2.0  # FilterLogEvents allows five requests a second for an account
_PLATFORM = ("INIT_START ", "START RequestId: ", "END RequestId: ", "REPORT RequestId: ")


@dataclass(frozen=True)
class Line:
    id: str
    milliseconds: int
    """When it was logged, in epoch milliseconds."""
    text: str

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.milliseconds / 1000, timezone.utc)

    @property
    def record(self) -> dict[str, Any] | None:
        """The fields of a structured line; None for other text, such as a traceback."""
        try:
            record = json.loads(self.text)
        except ValueError:
            return None
        return record if isinstance(record, dict) else None

    @property
    def is_of_lambda(self) -> bool:
        """Whether Lambda wrote it to report an invocation, or it only carries metrics."""
        return self.text.startswith(_PLATFORM) or "_aws" in (self.record or {})


def find_log_group(stack: Deployed) -> str:
    described = stack.client("cloudformation").describe_stack_resource(StackName=stack.name, LogicalResourceId="LogGroup")
    return str(described["StackResourceDetail"]["PhysicalResourceId"])


def read(logs: Any, group: str, since: int, text: str = "") -> Iterator[Line]:
    """Yield the lines since a time in epoch milliseconds that contain `text`, by time."""
    pattern = {"filterPattern": f'"{text}"'} if text and '"' not in text else {}
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since, **pattern):
        for event in page["events"]:
            if text in event["message"]:  # the pattern alone may let others through
                yield Line(event["eventId"], event["timestamp"], event["message"].rstrip("\n"))


def follow(logs: Any, group: str, since: int, text: str = "", pause: Callable[[float], Any] = time.sleep) -> Iterator[Line]:
    """Yield what `read` does, then each later line as it comes, until `pause` raises or the caller stops."""
    seen: dict[str, int] = {}
    newest = since
    while True:
        for line in read(logs, group, max(since, newest - LATE), text):
            if line.id not in seen:
                seen[line.id] = line.milliseconds
                newest = max(newest, line.milliseconds)
                yield line
        seen = {known: at for known, at in seen.items() if at >= newest - LATE}
        pause(POLL_SECONDS)
