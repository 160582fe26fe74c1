"""`make doctor`: finish every settled token with an undelivered waiter, and every WAITING token past its timeout.

Exit status: 0 if nothing is left undone, 1 if something is (fix the cause, then run `make redrive`), 2 if the stack
could not be reached.
"""

import sys
from typing import Any

from operations.deployed import PROBLEMS, Deployed, NotFound

MEANINGS = {"undelivered": "settled, but a waiter has not been resumed", "overdue": "past its timeout"}


def main() -> int:
    try:
        findings = look(Deployed.chosen())
    except (NotFound, *PROBLEMS) as error:
        print(error, file=sys.stderr)
        return 2
    print(summary(findings))
    for kind, meaning in MEANINGS.items():
        for token_id in findings[kind]:
            print(f"  {token_id}  {meaning}")
    return 1 if findings["undone"] else 0


def look(stack: Deployed) -> dict[str, Any]:
    """Invoke the doctor. Returns the counts `items`, `finished` and `undone`, and the ids `undelivered` and `overdue`."""
    findings: dict[str, Any] = stack.invoke(stack.outputs["DoctorFunctionName"], {})
    return findings


def summary(findings: dict[str, Any]) -> str:
    """Summarize the doctor's findings in one line."""
    return f"{findings['items']} items checked: {findings['finished']} finished, {findings['undone']} left undone"


if __name__ == "__main__":
    sys.exit(main())
