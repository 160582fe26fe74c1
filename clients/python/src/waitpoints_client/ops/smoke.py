"""Test a deployed stack, in an AWS account or on this machine, and show one line per check."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from waitpoints_client.ops import aws_errors
from waitpoints_client.ops.caller import Caller, Lacking, Skipped, Unexpected, permitted
from waitpoints_client.ops.deployed import PROBLEMS, Deployed, NotFound
from waitpoints_client.ops.smoke_checks import CHECKS, Check
from waitpoints_client.ops.versions import difference

COST = "This costs about one US cent, plus two per GB of the table for the doctor's scan."
QUOTA, ENOUGH = "L-B99A9384", 100
RESUMABLE = ("ResumableStateMachines", "ResumableFunctions")
POLICY = "docs/operator-policy.json"
WHAT_REMAINS = "Its tokens and one 2 MB object are deleted after RetentionDays."


@dataclass(frozen=True)
class Line:
    name: str
    outcome: Literal["ok", "failed", "skipped"]
    figure: str
    advice: str = ""
    lacks: bool = False
    """Whether it was skipped because the user's credentials lack a right."""

    def __str__(self) -> str:
        width = max(len(check.name) for check in CHECKS)
        said = f"  {self.outcome:<8} {self.name:<{width}}  {self.figure}"
        return f"{said}\n           -> {self.advice} (docs/operation.md, Smoke test)" if self.advice else said


def introduction(stack: Deployed) -> str:
    """Return the first line, and under it what `notes` says."""
    first = f"Stack {stack.name} {stack.outputs['Version']} at {stack.outputs['ApiUrl']}. {COST}"
    return "".join(f"{line}\n" for line in (first, *notes(stack)))


def notes(stack: Deployed) -> list[str]:
    """Say what a difference between the versions means, what the account runs and mails, and what the stack may resume."""
    said = [difference(stack.outputs["Version"]), concurrency(stack), sandbox(stack)]
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


def sandbox(stack: Deployed) -> str:
    """Warn of an account whose mails reach verified addresses only, and SES's simulator, to which the check sends."""
    if not stack.parameters.get("MailFrom"):
        return ""
    try:
        has_left = stack.client("sesv2").get_account()["ProductionAccessEnabled"]
    except PROBLEMS as error:
        return f"Whether SES is in its sandbox is unknown: {aws_errors.sentence(error)}."
    return "" if has_left else "WARNING: SES is in its sandbox, so it refuses mail to addresses that are not verified."


def prove(caller: Caller, checks: Sequence[Check] = CHECKS, show: Callable[[Any], Any] = partial(print, flush=True)) -> int:
    """Run every check, those that failed once more, show a line for each, and always clean up. Returns the exit status."""
    started, lines = time.monotonic(), dict[str, Line]()
    try:
        run_each(checks, caller, lines, show)
        if failed := failing(checks, lines):
            show("\nOnce more, because AWS may reach a new stream or role minutes later:")
            caller.begin_again()
            run_each(failed, caller, lines, show)
    except KeyboardInterrupt:
        show("\nInterrupted: cleaning up")
        return 130
    finally:
        show(f"\nAfter {time.monotonic() - started:.0f} s: {caller.clean_up()}. {WHAT_REMAINS}")
    if lacking := [line.figure for line in lines.values() if line.lacks]:
        show(f"Skipped for rights that {POLICY} lists: {len(lacking)}")
    failed_again = sum(line.outcome == "failed" for line in lines.values())
    show(f"{failed_again} of {len(lines)} checks failed" if failed_again else "Nothing failed")
    return 1 if failed_again else 0


def run_each(checks: Sequence[Check], caller: Caller, lines: dict[str, Line], show: Callable[[Any], Any]) -> None:
    for check in checks:
        lines[check.name] = run_check(check, caller, lines)
        show(lines[check.name])


def failing(checks: Sequence[Check], lines: dict[str, Line]) -> list[Check]:
    """Return the checks that have failed, and those that were skipped for it."""
    found = dict[str, Check]()
    for check in checks:
        if lines[check.name].outcome == "failed" or check.needs in found:
            found[check.name] = check
    return list(found.values())


def run_check(check: Check, caller: Caller, before: dict[str, Line]) -> Line:
    if check.needs and before[check.needs].outcome != "ok":
        return Line(check.name, "skipped", f'"{check.needs}" did not pass')
    if time.monotonic() > caller.deadline:
        return Line(check.name, "failed", "not run: out of time", "run it again; the lines above show what took so long")
    try:
        with permitted():
            return Line(check.name, "ok", check.run(caller))
    except Skipped as why:
        return Line(check.name, "skipped", str(why), lacks=isinstance(why, Lacking))
    except (Unexpected, NotFound, KeyError, *PROBLEMS) as error:
        said = aws_errors.sentence(error) if not isinstance(error, KeyError) else f"a response lacks {error}"
        return Line(check.name, "failed", said, check.advice)
