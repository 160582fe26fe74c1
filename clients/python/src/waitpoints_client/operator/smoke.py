"""Test a deployed stack, in an AWS account or on this machine, and show one line per check."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from waitpoints_client.operator import aws_errors
from waitpoints_client.operator.caller import Caller, Unexpected
from waitpoints_client.operator.deployed import PROBLEMS, Deployed, NotFound
from waitpoints_client.operator.smoke_checks import CHECKS, Check, Skipped
from waitpoints_client.operator.versions import difference, version_of

COST = "This costs less than one US cent, plus about two cents per GB of the table for the doctor's scan."
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
    """Return the first line, and under it what it means if the stack and this client are of different versions."""
    version = version_of(stack.outputs)
    lines = f"Stack {stack.name} {version} at {stack.outputs['ApiUrl']}. {COST}", difference(version)
    return "".join(f"{line}\n" for line in lines if line)


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
