"""Commands for the operator of a stack. They need AWS credentials, and for a stack in AWS the extra `aws`."""

import signal
from typing import Any

import typer

from waitpoints_client.cli import show, stacks
from waitpoints_client.cli.options import Json, Stack
from waitpoints_client.cli.problems import exiting_with

UNREACHABLE = 2


def doctor(stack: Stack = None, as_json: Json = False) -> None:
    """Find and finish work that was left undone.

    Resumes the waiters of settled tokens, and times tokens out that are past their timeout. Exit status: 0 if nothing is left
    undone; 1 if something is (fix the cause, then redrive); 2 if the stack could not be reached.
    """
    with exiting_with(UNREACHABLE):
        deployed = stacks.deployed(stack)
        from waitpoints_client.operations.doctor import look, report

        findings = look(deployed)
    if as_json:
        show.value(findings)
    else:
        for line in report(findings):
            show.text(line)
    raise typer.Exit(1 if findings["undone"] else 0)


def redrive(stack: Stack = None, as_json: Json = False) -> None:
    """Retry what the dead-letter queue holds, and what the doctor finds.

    Exit status: 0 if nothing is left undone, 1 if something is, 2 if the stack could not be reached.
    """
    with exiting_with(UNREACHABLE):
        deployed = stacks.deployed(stack)
        from waitpoints_client.operations.redrive import redrive as retry

        failures: list[str] = []
        redriven = retry(deployed, failures.append if as_json else show.text)
    if as_json:
        problems = [failure.strip() for failure in failures]
        show.value({"done": redriven.done, "left": redriven.left, "problems": problems, "doctor": redriven.findings})
    else:
        show.text(redriven)
    raise typer.Exit(1 if redriven.left else 0)


def smoke(stack: Stack = None, as_json: Json = False) -> None:
    """Prove a deployed stack by using it, in about two minutes.

    In AWS this costs about a cent. Exit status: 0 if no check failed, 1 if one did, 2 if the stack could not be reached.
    """
    end_in_order()
    with exiting_with(UNREACHABLE):
        deployed = stacks.deployed(stack)
        from waitpoints_client.operations.caller import Caller
        from waitpoints_client.operations.smoke import Line, introduction, prove

        caller = Caller(deployed, deployed.api_key())
    if not as_json:
        show.text(introduction(deployed))
        raise typer.Exit(prove(caller, show=show.text))
    shown: list[Any] = []
    status = prove(caller, show=shown.append)
    show.value([line.__dict__ for line in shown if isinstance(line, Line)])
    raise typer.Exit(status)


def end_in_order() -> None:
    """Clean up after `kill` as after Ctrl-C."""
    for end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(end, signal.default_int_handler)


def add_to(program: typer.Typer) -> None:
    for command in (doctor, redrive, smoke):
        program.command(rich_help_panel="Operate a stack")(command)
