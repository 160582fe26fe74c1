"""`waitpoints secrets …`. A secret's value is no argument, which a shell keeps in its history, and is in no message."""

import sys
from typing import Annotated

import typer

from waitpoints_client.cli import show, stacks
from waitpoints_client.cli.arguments import read_content, read_standard_input
from waitpoints_client.cli.commands import Printed, printing
from waitpoints_client.cli.options import Stack, add, argument, group, option
from waitpoints_client.cli.problems import USAGE, CommandProblem

LONGEST_LINE = 4095  # characters that a terminal passes on of one line (Linux, N_TTY)

secrets = group("The secrets with which webhook providers sign, and channels' credentials. They need AWS credentials.")


@printing
def put(
    name: Annotated[str, argument("NAME", "What `verify` or `notify` calls it: letters, digits, hyphens, underscores.")],
    source: Annotated[str | None, argument("[@FILE]", "The file that holds the value; - reads standard input.")] = None,
    generate: Annotated[bool, option("--generate", help="Make a value, and print it: give it to the provider.")] = False,
    no_previous: Annotated[
        bool, option("--no-previous", help="End a webhook's previous value now. Functions forget it within five minutes.")
    ] = False,
    stack: Stack = None,
) -> Printed:
    """Store the secret of a webhook provider or a channel, or its next version.

    Paste it when you are asked: it is not shown. A pipe is read, too. A webhook's previous value is accepted for 24 hours.
    """
    _check_source(source, generate=generate)
    deployed = stacks.find_stack(stack)
    from waitpoints_client.ops import webhook_secrets

    webhook_secrets.check_name(name)
    if no_previous and not webhook_secrets.is_webhooks(name):
        raise CommandProblem(f"--no-previous is for a webhook's secret: of {name}, only the current value is used", USAGE)
    webhook_secrets.path_of(deployed, name)  # before anybody types
    value = webhook_secrets.generate() if generate else _read_value(name, source)
    webhook_secrets.check_value(name, value)
    stored = webhook_secrets.put(deployed, name, value, no_previous=no_previous)
    how_long = "up to five minutes" if no_previous else "24 hours" if webhook_secrets.is_webhooks(name) else None
    _note(f"{stored.path} {deployed.place}", stored.outcome, how_long, was_restored=stored.was_restored)
    made = {"value": value} if generate else {}
    return Printed({"secret": stored.path, "outcome": stored.outcome, **made}, text=made.get("value"))


def _check_source(source: str | None, *, generate: bool) -> None:
    if source is not None and source != "-" and not source.startswith("@"):
        raise CommandProblem(
            "A secret is no argument, because your shell keeps its history: leave it out and paste it when you are asked, or "
            "name a file as @FILE",
            USAGE,
        )
    if source is not None and generate:
        raise CommandProblem("--generate makes the value: leave the file out", USAGE)


def _read_value(name: str, source: str | None) -> str:
    """Return the value without line breaks at its end, which no function reads."""
    if source is None and sys.stdin is not None and sys.stdin.isatty():
        return _ask(name)
    given = read_standard_input() if source is None else read_content(source)
    value = given.rstrip("\r\n")
    if value and value != given:
        show.note("The line break at its end is left out.")
    return value


def _ask(name: str) -> str:
    """Read a line that the terminal does not show. Raises CommandProblem."""
    import getpass
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            typed = getpass.getpass(f"{name}, which is not shown: ")
        except getpass.GetPassWarning:
            raise CommandProblem("This terminal cannot hide what is typed: use a pipe, or a file as @FILE") from None
        except UnicodeDecodeError:
            raise CommandProblem("What was typed is not text in UTF-8") from None
        except EOFError:
            raise CommandProblem("Nothing was typed, so nothing was stored") from None
    if len(typed.encode(errors="surrogateescape")) >= LONGEST_LINE:
        raise CommandProblem("A terminal cuts so long a line: use a pipe, or a file as @FILE")
    return typed


def _note(path: str, outcome: str, how_long: str | None, *, was_restored: bool) -> None:
    """`how_long`: functions accept the previous value."""
    previous = f" The previous value is accepted for {how_long}." if how_long else ""
    said = {
        "created": f"Stored as {path}.",
        "changed": f"Changed {path}.{previous}",
        "unchanged": f"{path} has this value already.",
    }
    show.note(f"{path} was about to be deleted, and is restored. {said[outcome]}" if was_restored else said[outcome])


def add_to(program: typer.Typer) -> None:
    add(secrets, (put,))
    program.add_typer(secrets, name="secrets", rich_help_panel="Operate a stack")
