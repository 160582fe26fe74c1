"""docs/events.md shows an event as it is, and its patterns match what they say."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from moto.events.models import EventPattern

from tests.support.readme import EVENTS_SNIPPETS as EVENTS
from tools.stack import ROOT
from waitpoints.event import SOURCE
from waitpoints.stream.settled_event import settled_event
from waitpoints.token import Completed, CompletedBy, Failed, Outcome, Output, Source, TimedOut, Token, TokenError

PAGE = (ROOT / "docs" / "events.md").read_text()
SHOWN = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])  # type: ignore[index]
PATTERNS: dict[str, str] = dict(re.findall(r"^\| ([^|]+) \| `(\{.*\})` \|$", PAGE, re.MULTILINE))
QUEUE = (ROOT / "examples" / "events_to_queue" / "template.yaml").read_text()
CREATED, SETTLED = 1_795_529_546_123, 1_795_529_551_007
COMPLETED = Completed(SETTLED, Output('{"approved":true}'), CompletedBy(source=Source.CALLBACK, ip="192.0.2.1"))


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
        ("those completed, not failed", {"completed", "tagged", "keyed"}),
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


def test_the_example_has_the_pattern_of_the_page_or_one_for_agents() -> None:
    agents, failed = [yaml.safe_load(pattern) for pattern in re.findall(r"- (\{source.*)", QUEUE)]
    assert failed == json.loads(PATTERNS["those that failed or timed out"])
    asked = {"run": "ticket-7", "call": "1"}
    outcomes: list[Outcome] = [COMPLETED, Failed(SETTLED, TokenError("no")), TimedOut(SETTLED)]
    found = [event(outcome, metadata=it and json.dumps(it)) for outcome in outcomes for it in (None, {"order": 1}, asked)]
    pattern: Any = EventPattern.load(json.dumps(agents))
    assert [it["detail"].get("metadata") for it in found if pattern.matches_event(it)] == [asked] * 3


CALLED = """#!/bin/sh
[ "$1" != env ] || { echo "export AWS_ENDPOINT_URL=http://127.0.0.1:8787 AWS_ACCESS_KEY_ID=LOCAL1"; exit; }
echo "$(basename "$0") ${AWS_ENDPOINT_URL:-nowhere} $AWS_ACCESS_KEY_ID $*" >> "$CALLS"
echo the-queue
"""


def test_what_the_page_says_to_try_reaches_the_local_stack_and_no_other(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    local = tmp_path / ".local"
    for program in (local / "sam" / "bin" / "sam", local / "local" / "bin" / "waitpoints", tmp_path / "aws"):
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(CALLED)
        program.chmod(0o700)
    blocks = [EVENTS[name] for name in ("to a state machine", "to a queue", "from the queue", "to an archive")]
    script = "\n".join([EVENTS["events here"], *blocks])
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(calls)}
    subprocess.run(["bash", "-euc", script], cwd=tmp_path, env=environment, check=True)
    deployed, _, described, received, archived = called = calls.read_text().splitlines()
    assert [line.split()[0] for line in called] == ["sam", "sam", "aws", "aws", "sam"]
    assert deployed.startswith("sam http://127.0.0.1:8787 LOCAL1 deploy --template-file examples/events_to_state_machine/")
    assert described.startswith("aws http://127.0.0.1:8787 LOCAL1 cloudformation ")
    assert "sqs receive-message --queue-url the-queue" in received
    assert archived.startswith("sam http://127.0.0.1:8787 LOCAL1 deploy --template-file examples/events_to_audit/")


def test_the_queue_is_the_first_output_of_its_example() -> None:
    assert "Outputs[0].OutputValue" in EVENTS["from the queue"]
    [output] = re.findall(r"^  (\w+):", QUEUE.partition("\nOutputs:\n")[2], re.MULTILINE)
    assert output == "QueueUrl"
