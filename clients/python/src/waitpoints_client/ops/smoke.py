"""Test a deployed stack, in an AWS account or on this machine, and show one line per check."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from waitpoints_client.ops import aws_errors
from waitpoints_client.ops.caller import Caller, Skipped, Unexpected
from waitpoints_client.ops.deployed import PROBLEMS, Deployed, NotFound
from waitpoints_client.ops.smoke_checks import CHECKS, Check
from waitpoints_client.ops.versions import difference

COST = "This costs about one US cent, plus two per GB of the table for the doctor's scan."
QUOTA, ENOUGH = "L-B99A9384", 100
RESUMABLE = ("ResumableStateMachines", "ResumableFunctions")
WHAT_REMAINS = "Its tokens and one 2 MB object are deleted after RetentionDays."


@dataclass(frozen=True)
class Line:
    name: str
    outcome: Literal["ok", "failed", "skipped"]
    figure: str
    advice: str = ""

    def __str__(self) -> str:
        width = max(len(check.name) for check in CHECKS)
        said = f"  {self.outcome:<8} {self.name:<{width}}  {self.figure}"
        return f"{said}\n           -> {self.advice} (docs/operation.md, Smoke test)" if self.advice else said


def introduction(stack: Deployed) -> str:
    """Return the first line, and under it what `notes` says."""
    first = f"Stack {stack.name} {stack.outputs['Version']} at {stack.outputs['ApiUrl']}. {COST}"
    return "".join(f"{line}\n" for line in (first, *notes(stack)))


def notes(stack: Deployed) -> list[str]:
    """Say what a difference between the versions means, what the account runs, and what the stack may resume."""
    said = [difference(stack.outputs["Version"]), concurrency(stack)]
    wide = [name for name in RESUMABLE if stack.parameters.get(name) == ""]
    if wide:
        said.append(f"{' and '.join(wide)}: empty, so the stack may resume all of this account and region.")
    return [line for line in said if line]


def concurrency(stack: Deployed) -> str:
    """Warn of an account that runs fewer functions at once than a stack may need."""
    try:
        most = stack.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    except PROBLEMS as error:
        return f"The account's concurrency is unknown: {aws_errors.sentence(error)}."
    if most >= ENOUGH:
        return f"The account runs {most:,} functions at once."
    return (
        f"WARNING: this account runs only {most} functions at once, so the stack's functions throttle each other (503, late "
        f"timers). Ask Service Quotas for 1,000: Lambda, {QUOTA}."
    )


def prove(caller: Caller, checks: Sequence[Check] = CHECKS, show: Callable[[Any], Any] = partial(print, flush=True)) -> int:
    """Run every check, show a line for each, and always clean up. Returns the exit status."""
    started, lines = time.monotonic(), dict[str, Line]()
    try:
        for check in checks:
            lines[check.name] = run_check(check, caller, lines)
            show(lines[check.name])
    except KeyboardInterrupt:
        show("\nInterrupted: cleaning up")
        return 130
    finally:
        show(f"\nAfter {time.monotonic() - started:.0f} s: {caller.clean_up()}. {WHAT_REMAINS}")
    failed = sum(line.outcome == "failed" for line in lines.values())
    show(f"{failed} of {len(lines)} checks failed" if failed else "Nothing failed")
    return 1 if failed else 0


def run_check(check: Check, caller: Caller, before: dict[str, Line]) -> Line:
    if check.needs and before[check.needs].outcome != "ok":
        return Line(check.name, "skipped", f'"{check.needs}" did not pass')
    if time.monotonic() > caller.deadline:
        return Line(check.name, "failed", "not run: out of time", "run it again; the lines above show what took so long")
    try:
        return Line(check.name, "ok", check.run(caller))
    except Skipped as why:
        return Line(check.name, "skipped", str(why))
    except (Unexpected, NotFound, KeyError, *PROBLEMS) as error:
        said = aws_errors.sentence(error) if not isinstance(error, KeyError) else f"a response lacks {error}"
        return Line(check.name, "failed", said, check.advice)
