"""`make doctor`: finishes every settled token with an undelivered waiter, and every WAITING token that is overdue.

Exit status: 0 when nothing is left undone, 1 when something is (mend the cause, then `make redrive`), 2 when it could
not look.
"""

import sys
from typing import Any

from operations.deployed import PROBLEMS, Deployed, NotFound

MEANINGS = {"undelivered": "settled, with a waiter that has not been told", "overdue": "past its timeout"}


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
    """What the doctor's function finds: how many items it looked at, how many tokens it finished and left undone, and ids."""
    findings: dict[str, Any] = stack.invoke(stack.outputs["DoctorFunctionName"], {})
    return findings


def summary(findings: dict[str, Any]) -> str:
    """One line of what the doctor's function answered."""
    return f"{findings['items']} items looked at: {findings['finished']} finished, {findings['undone']} left undone"


if __name__ == "__main__":
    sys.exit(main())
