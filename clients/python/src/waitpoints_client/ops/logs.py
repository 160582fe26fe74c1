"""Read the lines that a stack's functions write into its log group."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from waitpoints_client.ops.deployed import Deployed

LATE = 10_000  # milliseconds: CloudWatch may show a line after later ones, so follow reads this much again
POLL_SECONDS = 2.0  # FilterLogEvents allows five requests a second for an account
_TEXT = ("INIT_START ", "START RequestId: ", "END RequestId: ", "REPORT RequestId: ")
_JSON = "platform."
OF_LAMBDA = (*_TEXT, _JSON)
"""What Lambda's own lines contain, in the format Text, and as JSON: the start of their `type`."""
_STATUS = re.compile(r"\tStatus: (\w+)")
_SUCCESS = "success"


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
    def failure(self) -> str:
        """How an invocation ended if Lambda reports here that it failed, such as "timeout" or "error"; else empty."""
        in_text = _STATUS.search(self.text) if self.text.startswith(_TEXT) else None
        status = in_text[1] if in_text else str(self._event.get("status", _SUCCESS))
        return "" if status == _SUCCESS else status

    @property
    def is_routine(self) -> bool:
        """Whether it only carries metrics, or Lambda wrote it and reports no failure."""
        is_of_lambda = self.text.startswith(_TEXT) or bool(self._event)
        return (is_of_lambda and not self.failure) or "_aws" in (self.record or {})

    @property
    def _event(self) -> dict[str, Any]:
        """What Lambda reports as JSON: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html"""
        line = self.record or {}
        event = line.get("record")
        return event if str(line.get("type")).startswith(_JSON) and isinstance(event, dict) else {}


def find_log_group(stack: Deployed) -> str:
    described = stack.client("cloudformation").describe_stack_resource(StackName=stack.name, LogicalResourceId="LogGroup")
    return str(described["StackResourceDetail"]["PhysicalResourceId"])


def read(logs: Any, group: str, since: int, text: str = "") -> Iterator[Line]:
    """Yield the lines since a time in epoch milliseconds that contain `text`, by time."""
    terms = filter_terms(text)
    pattern = {"filterPattern": terms} if terms else {}
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since, **pattern):
        for event in page["events"]:
            if text in event["message"]:  # the pattern alone lets others through
                yield Line(event["eventId"], event["timestamp"], event["message"].rstrip("\n"))


def filter_terms(text: str) -> str:
    """Return a filter pattern that finds every line with `text`: each part between quotation marks, as a term of its own.

    AWS does not say how a term, which has quotation marks around it, can contain one.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    parts = [part.strip() for part in re.split(r'["\\]', text)]
    return " ".join(f'"{part}"' for part in parts if re.search(r"\w", part))


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
