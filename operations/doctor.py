"""`make doctor`: finds every settled token with an undelivered waiter, and every WAITING token that is overdue.

Exit status: 0 when there is none, 1 when there are some (`make redrive` finishes them), 2 when it could not look.
"""

import sys

from botocore.exceptions import BotoCoreError, ClientError
from deployed import Deployed, NotFound


def main() -> int:
    try:
        stack = Deployed.chosen()
        findings = stack.invoke(stack.outputs["DoctorFunctionName"], {})
    except (NotFound, RuntimeError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{findings['tokens']} tokens looked at: {findings['undone']} with something left undone")
    for kind, meaning in (("undelivered", "settled, with a waiter that has not been told"), ("overdue", "past its timeout")):
        for token_id in findings[kind]:
            print(f"  {token_id}  {meaning}")
    return 1 if findings["undone"] else 0


if __name__ == "__main__":
    sys.exit(main())
