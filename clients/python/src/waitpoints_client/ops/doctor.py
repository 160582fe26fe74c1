"""Find every settled token with an unresumed waiter, WAITING token past its timeout and pending delivery, and finish them."""

from collections.abc import Iterator
from typing import Any

from waitpoints_client.ops.deployed import Deployed

MEANINGS = {
    "undelivered": "settled, but a waiter has not been resumed",
    "overdue": "past its timeout",
    "pending": "a recorded delivery that was not processed",
}


def scan(stack: Deployed) -> dict[str, Any]:
    """Have the doctor scan the whole table, in as many invocations as that takes.

    Returns the counts `items`, `repaired` and `unrepaired`, and the ids `undelivered`, `overdue` and `pending`.
    """
    total: dict[str, Any] = {"items": 0, "repaired": 0, "unrepaired": 0, **{kind: [] for kind in MEANINGS}}
    event: dict[str, Any] | None = {"command": "scanAll"}
    while event:
        found = stack.invoke(stack.outputs["DoctorFunctionName"], event)
        total = {name: value + found.get(name, []) for name, value in total.items()}
        event = {"command": "scanAll", "cursor": found["next"]} if found.get("next") else None
    return total


def summary(findings: dict[str, Any]) -> str:
    """Summarize the doctor's findings in one line."""
    return f"{findings['items']} items checked: {findings['repaired']} finished, {findings['unrepaired']} left undone"


def report(findings: dict[str, Any]) -> Iterator[str]:
    """Yield the summary, then a line for each token or delivery that is left undone."""
    yield summary(findings)
    for kind, meaning in MEANINGS.items():
        for token_id in findings[kind]:
            yield f"  {token_id}  {meaning}"
