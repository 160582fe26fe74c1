"""What a command says instead of a traceback, and its exit status."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from waitpoints_client import local_stacks
from waitpoints_client.cli import show

USAGE = 2
"""The exit status of a command whose arguments cannot be used."""


class CommandProblem(Exception):
    """A command cannot go on. The message says what is wrong and what to do, in one sentence."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def exiting_with(status: int) -> Iterator[None]:
    """Exit with this status instead of 1 if the block fails."""
    try:
        yield
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:
        raise CommandProblem(sentence(error), status) from error


def confirm(question: str, *, yes: bool) -> None:
    """Ask the person, but with --yes. Raises CommandProblem unless the answer is yes."""
    try:
        if yes or typer.confirm(show.cell(question), err=True):
            return
    except typer.Abort:  # there is no one to answer
        show.note("")
    raise CommandProblem("Not confirmed, so nothing was changed: answer y, or use --yes")


def browse(url: str) -> None:
    """Open a URL in the browser. Raises CommandProblem if there is none."""
    import webbrowser

    if not webbrowser.open(url):
        raise CommandProblem(f"No browser could be started, so open it yourself: {url}")


def sentence(error: Exception) -> str:
    """Return one line about any error. Only with WAITPOINTS_DEBUG set, a mistake of the program shows where it happened."""
    if has_ended(error):
        return f"The local stack at {_origin(error)} has ended"
    if isinstance(error, (CommandProblem, OSError, *_reported())) or _is_about_an_argument(error):
        aws_errors = sys.modules.get("waitpoints_client.ops.aws_errors")
        said = aws_errors.sentence(error) if aws_errors else str(error)
        return show.cell(" ".join(f"{said}{_about_the_environment(error)}".split()))
    if os.environ.get("WAITPOINTS_DEBUG"):
        show.note("".join(traceback.format_exception(error)).rstrip())
    what = show.cell(" ".join(f"{type(error).__name__}: {error}".split()))
    return f"{what} (this is a mistake in `waitpoints`: WAITPOINTS_DEBUG=1 shows where)"


def _about_the_environment(error: Exception) -> str:
    """Say what to do if the stack that WAITPOINTS_URL names cannot be reached."""
    given = os.environ.get("WAITPOINTS_URL", "")
    errors = sys.modules.get("waitpoints_client.errors")
    if not given or not errors or not isinstance(error, errors.APIConnectionError):
        return ""
    from urllib.parse import urlsplit

    if not str(error).startswith(f"{urlsplit(given).netloc} "):
        return ""
    return ". WAITPOINTS_URL names it: start it, or correct the URL, or unset WAITPOINTS_URL and WAITPOINTS_API_KEY"


def has_ended(error: Exception) -> bool:
    """Whether the error is that a local stack, which the environment does not name, has ended meanwhile."""
    import socket
    from urllib.parse import urlsplit

    found = urlsplit(_origin(error))
    if found.hostname not in local_stacks.LOOPBACK or found.netloc == urlsplit(os.environ.get("WAITPOINTS_URL", "")).netloc:
        return False
    try:
        socket.create_connection((found.hostname, found.port or 80), timeout=5).close()
    except OSError:
        return True
    return False


def _origin(error: Exception) -> str:
    """Return the scheme and host that did not answer, empty for another error."""
    errors, aws_errors = (sys.modules.get(f"waitpoints_client.{name}") for name in ("errors", "ops.aws_errors"))
    if errors and isinstance(error, errors.APIConnectionError):
        return str(error.origin)
    if aws_errors and isinstance(error, aws_errors.UNANSWERED):
        return str(error.kwargs["endpoint_url"])
    return ""


def status_of(error: Exception) -> int:
    """Return the exit status for any error."""
    if isinstance(error, CommandProblem):
        return error.status
    return USAGE if _is_about_an_argument(error) else 1


def _is_about_an_argument(error: Exception) -> bool:
    """Whether the client refused an argument. The errors of libraries are of subclasses."""
    return type(error) is ValueError


def _reported() -> Iterator[type[Exception]]:
    """Yield the errors whose messages are for the user, of the modules that this command has imported."""
    if errors := sys.modules.get("waitpoints_client.errors"):
        yield errors.WaitpointsError
    if deployed := sys.modules.get("waitpoints_client.ops.deployed"):
        yield from (deployed.NotFound, *deployed.PROBLEMS)
