"""docs/events.md shows an event as it is, and its patterns match what they say."""

import json
import re
from typing import Any

import pytest
from moto.events.models import EventPattern

from local.stack import ROOT
from tests.support.readme import SNIPPETS
from waitpoints.settled_event import SOURCE, settled_event
from waitpoints.token import Completed, Failed, Origin, Outcome, Output, Source, TimedOut, Token, TokenError

PAGE = (ROOT / "docs" / "events.md").read_text()
SHOWN = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])  # type: ignore[index]
PATTERNS: dict[str, str] = dict(re.findall(r"^\| ([^|]+) \| `(\{.*\})` \|$", PAGE, re.MULTILINE))
QUEUE = (ROOT / "examples" / "events_to_queue" / "template.yaml").read_text()
CREATED, SETTLED = 1_795_529_546_123, 1_795_529_551_007
COMPLETED = Completed(SETTLED, Output('{"approved":true}'), Origin(source=Source.CALLBACK, ip="192.0.2.1"))


def event(outcome: Outcome, **more: Any) -> dict[str, Any]:
    """An event as a rule sees it."""
    token = Token(id="waitpoint_01mcc5rm00hh7k2v9q3w8x5n4t", created_at=CREATED, outcome=outcome, **more)
    made = settled_event(token, "outputs")
    return {"source": SOURCE, "detail-type": made.type, "detail": json.loads(made.detail)}


def test_the_event_is_one_of_the_stack() -> None:
    made = event(COMPLETED, tags=("order-1",), idempotency_key="orders:1001")
    assert {name: SHOWN[name] for name in made} == made
    assert SHOWN["time"] == made["detail"]["completedAt"][:19] + "Z"


@pytest.mark.parametrize(
    ("wanted", "matching"),
    [
        ("every settled token", {"completed", "failed", "timed out", "tagged", "keyed"}),
        ("those with an output", {"completed", "tagged", "keyed"}),
        ("those that failed or timed out", {"failed", "timed out"}),
        ("timeouts only", {"timed out"}),
        ("those with a tag", {"tagged"}),
        ("those of one endpoint", {"keyed"}),
    ],
)
def test_a_pattern_matches_what_it_says(wanted: str, matching: set[str]) -> None:
    events = {
        "completed": event(COMPLETED),
        "failed": event(Failed(SETTLED, TokenError("no"))),
        "timed out": event(TimedOut(SETTLED)),
        "tagged": event(COMPLETED, tags=("order-1", "b")),
        "keyed": event(COMPLETED, idempotency_key="orders:1001"),
    }
    pattern: Any = EventPattern.load(PATTERNS[wanted])
    assert {name for name, made in events.items() if pattern.matches_event(made)} == matching


def test_the_readmes_pattern_is_that_of_the_example_and_of_the_page() -> None:
    pattern = SNIPPETS["event pattern"].strip()
    assert pattern == PATTERNS["those that failed or timed out"]
    assert f"EventPattern: {pattern.replace('"', '')}" in QUEUE
