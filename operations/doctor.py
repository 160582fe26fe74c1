"""`make doctor`: finds every settled token with an undelivered waiter, and every WAITING token that is overdue.

Exit status: 0 when there is none, 1 when there are some (`make redrive` finishes them), 2 when it could not look.
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
    """What the doctor's function finds: the number of tokens looked at, of those undone, and the ids of up to 1,000 a kind."""
    findings: dict[str, Any] = stack.invoke(stack.outputs["DoctorFunctionName"], {})
    return findings


def summary(findings: dict[str, Any]) -> str:
    """One line. A doctor that finishes what it finds also answers with `finished`, a count."""
    said = f"{findings['tokens']} tokens looked at: {findings['undone']} with something left undone"
    return f"{said}, {findings['finished']} finished by the doctor" if "finished" in findings else said


if __name__ == "__main__":
    sys.exit(main())
