"""Where a role, a route or an event source is broken, the smoke test fails at the line that names it, and before at none."""

import time
from collections.abc import Iterator
from dataclasses import asdict

import pytest
from waitpoints_client.ops import smoke_waits
from waitpoints_client.ops.caller import Caller, Pace
from waitpoints_client.ops.deployed import Deployed
from waitpoints_client.ops.smoke import Line, run_check
from waitpoints_client.ops.smoke_checks import CHECKS

from tests.support import figures
from tests.support.e2e.breakages import IN_EVERY_RUN, OTHERS, WITH_CHANNELS, Breakage
from tests.support.e2e.ops import Operator
from tests.support.e2e.parameters import given
from waitpoints_local.stack import Stack, verify_sender

pytestmark = pytest.mark.thorough  # client/ops/test_smoke_checks.py has what each line says of what is wrong

SLOW = {
    "limits a named key",
    "moves a timeout",
    "times out",
    "resumes promptly",
    "has nothing undone",
    "logs metrics, not each invocation",
}
"""Checks that run only for a breakage that they must show."""
OTHER = {"begins a long timeout", "times out after long", "refuses a revoked key", "logs no error"}
"""Checks that take minutes, or that show what an earlier breakage has logged."""
PACE = Pace(patience=10, stream=5, total=90)
MAIL_FROM = "smoke@example.com"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke_waits, "TIMEOUTS", (1,))
    monkeypatch.setattr(smoke_waits, "MOVED_TO", 1)
    monkeypatch.setattr(smoke_waits, "SAMPLES", 2)


@pytest.fixture(scope="module", autouse=True)
def mended(stack: Stack) -> Iterator[None]:
    yield
    Operator(stack).run("redrive")


@pytest.fixture(scope="module")
def with_channels(stack: Stack) -> Iterator[None]:
    verify_sender(stack.endpoint, MAIL_FROM)
    with given(stack, "EventBusName", "default"), given(stack, "MailFrom", MAIL_FROM):
        yield
        time.sleep(5)  # the stream still sends notices about the tokens that have just settled


def prove_until_seen(stack: Stack, wanted: tuple[str, ...]) -> list[Line]:
    """Run the checks in their order until each of these has run. Returns the lines that are not ok."""
    caller = Caller(Deployed.local(asdict(stack)), stack.api_key, PACE)
    lines = dict[str, Line]()
    try:
        for check in CHECKS:
            if check.name not in (SLOW | OTHER) - set(wanted) and not set(wanted) <= set(lines):
                lines[check.name] = run_check(check, caller, lines)
    finally:
        caller.clean_up()
    return [line for line in lines.values() if line.outcome == "failed"]


def check_seen(stack: Stack, breakage: Breakage) -> None:
    with breakage.of(stack):
        failed = prove_until_seen(stack, breakage.lines)
    figures.show(f"{breakage.what}: {' and '.join(f'{line.name} ({line.figure})' for line in failed)}")
    assert [line.name for line in failed] == list(breakage.lines), "\n".join(map(str, failed))
    assert breakage.names in str(failed[-1])


def named(breakage: Breakage) -> str:
    return breakage.what


@pytest.mark.parametrize("breakage", IN_EVERY_RUN, ids=named)
def test_a_broken_stack_fails_the_line_that_names_it(stack: Stack, breakage: Breakage) -> None:
    check_seen(stack, breakage)


@pytest.mark.parametrize("breakage", OTHERS, ids=named)
def test_another_broken_stack_fails_the_line_that_names_it(stack: Stack, breakage: Breakage) -> None:
    check_seen(stack, breakage)


@pytest.mark.usefixtures("with_channels")
@pytest.mark.parametrize("breakage", WITH_CHANNELS, ids=named)
def test_a_stack_that_cannot_tell_anybody_fails_the_line_that_names_it(stack: Stack, breakage: Breakage) -> None:
    check_seen(stack, breakage)
