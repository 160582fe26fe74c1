"""Commands for the operator of a stack. They need AWS credentials, and for a stack in AWS the extra `aws`."""

import signal
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waitpoints_client.cli import durations, log_lines, show, stacks
from waitpoints_client.cli.commands import Printed, printing
from waitpoints_client.cli.options import Json, Stack, Yes, add, argument, option
from waitpoints_client.cli.problems import CommandProblem, confirm, exiting_with

if TYPE_CHECKING:
    from waitpoints_client import Waitpoints
    from waitpoints_client.ops.deployed import Deployed

UNREACHABLE = 2


@printing
def doctor(stack: Stack = None) -> Printed:
    """Find unfinished work, and repair it.

    Resumes the waiters of settled tokens, and times tokens out that are past their timeout. Exit status: 0 if nothing is left
    undone; 1 if something is (fix the cause, then redrive); 2 if the stack could not be reached.
    """
    with exiting_with(UNREACHABLE):
        deployed = stacks.find_stack(stack)
        from waitpoints_client.ops.doctor import report, scan

        _note_difference(deployed)
        findings = scan(deployed)
    return Printed(findings, text="\n".join(report(findings)), status=1 if findings["unrepaired"] else 0)


def _note_difference(stack: "Deployed") -> None:
    """Say on standard error what it means if the stack and this client are of different versions."""
    from waitpoints_client.ops.versions import difference

    if said := difference(stack.outputs["Version"]):
        show.note(f"Stack {stack.name}: {said}")


@printing
def redrive(stack: Stack = None, as_json: Json = False) -> Printed:
    """Retry what the dead-letter queue holds, and what the doctor finds.

    Exit status: 0 if nothing is left undone, 1 if something is, 2 if the stack could not be reached.
    """
    with exiting_with(UNREACHABLE):
        deployed = stacks.find_stack(stack)
        from waitpoints_client.ops.redrive import redrive as retry

        _note_difference(deployed)
        failures: list[str] = []
        redriven = retry(deployed, failures.append if as_json else show.text)
    problems = [failure.strip() for failure in failures]
    value = {"done": redriven.done, "left": redriven.left, "problems": problems, "doctor": redriven.findings}
    return Printed(value, text=str(redriven), status=1 if redriven.left else 0)


@printing
def give_up(
    tokens: Annotated[list[str], argument("TOKEN…", "The ids of the tokens, as `waitpoints doctor` lists them.")],
    stack: Stack = None,
    yes: Yes = False,
) -> Printed:
    """Stop reporting tokens whose waiters cannot be resumed.

    For executions that have ended in another way, or whose task token is invalid. Each waiter is tried once more. What still
    cannot be resumed is reported no longer, and never tried again.
    """
    deployed = stacks.find_stack(stack)
    with stacks.make_client(deployed) as waitpoints:
        for token in tokens:
            _check_exists(waitpoints, token)
    show.note(f"Stack {deployed.name}: nothing will resume what still waits for {', '.join(tokens)}.")
    confirm("Give up?", yes=yes)
    given_up = deployed.invoke(deployed.outputs["ResumeFunctionName"], {"command": "giveUp", "waitpointIds": tokens})["givenUp"]
    return Printed({"givenUp": given_up}, text=f"{given_up} waiters given up")


def _check_exists(waitpoints: "Waitpoints", token: str) -> None:
    from waitpoints_client import calls
    from waitpoints_client.errors import NotFoundError

    try:
        waitpoints.send(calls.get(token))  # without its output, which can be large
    except NotFoundError as error:
        raise CommandProblem(f"{error}: {token}") from None


@printing
def restore(
    table: Annotated[str, argument("TABLE", "The name of the table to copy from.")],
    region: Annotated[
        str | None, option("--region", metavar="REGION", help="The table's region, if it is another one.")
    ] = None,
    ask_again: Annotated[bool, option("--ask-again", help="Notify people again of the tokens that wait.")] = False,
    stack: Stack = None,
    yes: Yes = False,
) -> Printed:
    """Copy the items of a restored table into the stack's own.

    What the stack's table has already stays as it is, so the command can be run again. No one is notified of a token
    again without --ask-again.
    """
    deployed = stacks.find_stack(stack)
    from waitpoints_client.ops.restore import check, copy

    check(deployed, table, region)
    show.note(f"Stack {deployed.name}: its table {deployed.outputs['TableName']} gets the items of {table} that it lacks.")
    confirm("Copy?", yes=yes)
    copied = copy(deployed, table, region, show.note, ask_again=ask_again)
    return Printed(copied.__dict__, text=str(copied))


@printing
def smoke(
    stack: Stack = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what takes minutes.")] = False,
    as_json: Json = False,
) -> Printed:
    """Test a deployed stack, in about five minutes. With --quick, it takes two.

    In AWS this costs about a cent. Exit status: 0 if no check failed, 1 if one did, 2 if the stack could not be reached.
    """
    end_in_order()
    with exiting_with(UNREACHABLE):
        deployed = stacks.find_stack(stack)
        from waitpoints_client.ops.caller import Caller
        from waitpoints_client.ops.smoke import Line, introduction, notes, prove
        from waitpoints_client.ops.smoke_checks import CHECKS, QUICK

        caller, checks = Caller.of(deployed), QUICK if quick else CHECKS
    if not as_json:
        show.text(introduction(deployed))
        return Printed(None, status=prove(caller, checks, show.text))
    for said in notes(deployed):
        show.note(f"Stack {deployed.name}: {said}")
    shown: list[Any] = []
    status = prove(caller, checks, shown.append)
    return Printed(list({line.name: line.__dict__ for line in shown if isinstance(line, Line)}.values()), status=status)


@printing
def rotate_key(
    stack: Stack = None,
    yes: Yes = False,
    show_key: Annotated[bool, option("--show", help="Print the new key.")] = False,
) -> Printed:
    """Make the next version of the API key.

    Each key works until the second rotation after it was made, so callers have the time between two rotations to change to
    the new one.
    """
    deployed = stacks.find_stack(stack)
    from waitpoints_client.ops.rotate_key import find_keys, rotate

    before = find_keys(deployed)
    show.note(f"Stack {deployed.name} at {deployed.outputs['ApiUrl']}.\n{before.consequences()}")
    confirm("Rotate the API key?", yes=yes)
    key = rotate(deployed)
    stacks.note_local_key(deployed, key)
    secret = deployed.outputs["ApiKeySecret"]
    if show_key:
        return Printed({"secret": secret, "apiKey": key}, text=key)
    return Printed({"secret": secret}, note=f"Rotated. The new key is in the secret {secret}.")


def logs(
    text: Annotated[str, argument("[TEXT]", "Only lines that contain this, such as a token's id.")] = "",
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="How far back: 30s, 10m, 2h, 1d.")] = "10m",
    follow: Annotated[bool, option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
    every: Annotated[bool, option("--all", help="Also metrics, and Lambda's lines about what went well.")] = False,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Show what the stack's functions have logged.

    A terminal gets each line's time, level and fields; a pipe gets the line itself, with --json as an object with its time.
    """
    start = int((time.time() - durations.seconds(since)) * 1000)
    deployed = stacks.find_stack(stack)
    from waitpoints_client.ops import logs as stack_logs

    place = (deployed.client("logs"), stack_logs.find_log_group(deployed), start, text)
    lines = stack_logs.follow(*place, show.pause) if follow else stack_logs.read(*place)
    is_empty = True
    for line in lines:
        if every or not line.is_routine:
            log_lines.show_line(line, as_json=as_json)
            is_empty = False
    if is_empty:
        show.note(f"No line of the last {since} {f'has {show.cell(text)}' if text else 'was found'}")


def end_in_order() -> None:
    """Clean up after `kill` as after Ctrl-C."""
    for end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(end, signal.default_int_handler)


def add_to(program: typer.Typer) -> None:
    add(program, (logs, doctor, redrive, give_up, restore, smoke, rotate_key), "Operate a stack")
