"""The program: its commands by their names, and how it ends.

Start-up counts: a module imports at its top only what every command needs. boto3, Rich's tables and the client are imported
by the commands that use them.
"""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from waitpoints_client.cli import (
    deliver,
    deliveries,
    endpoints,
    keys,
    local_stack,
    mcp,
    operate,
    outbox,
    secrets,
    show,
    tokens,
    try_machine,
)
from waitpoints_client.cli.options import PlainGroup, flowing, option
from waitpoints_client.cli.problems import CommandProblem, sentence, status_of


class Program(PlainGroup):
    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run a command and exit. Every error is one line on stderr, and none is a traceback."""
        args = list(sys.argv[1:] if args is None else args) or ["--help"]
        try:
            status = super().main(args, *rest, **{**extra, "standalone_mode": False})
            sys.stdout.flush()
        except BrokenPipeError:  # `| head` has read enough
            show.stop_writing()
            status = 1
        except typer.TyperException as usage:
            status = show.error(_usage(usage), usage.exit_code)
        except Exception as error:
            status = show.error(sentence(error), status_of(error))
        sys.exit(status if isinstance(status, int) else 0)


def _usage(error: typer.TyperException) -> str:
    """Return what is wrong with the arguments, and which command's help says what is accepted."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "waitpoints"
    message = error.format_message().rstrip(".").replace("Value error, ", "")  # pydantic's words
    return f"{message} (see `{command} --help`)"


def _version(context: typer.Context, wanted: bool) -> None:
    if wanted:
        from waitpoints_client.cli.versions import show_versions

        show_versions(context.params["stack"])
        raise typer.Exit


program = typer.Typer(
    cls=Program,
    rich_markup_mode="rich" if show.is_terminal(sys.stdout) else None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


HELP = """
Create waitpoint tokens, complete them and wait for them, and operate their stack.

The stack is the one that --stack names in your AWS account; else that of WAITPOINTS_URL and WAITPOINTS_API_KEY; else the
one on this machine, of `make run` in a clone that this folder belongs to, or of `waitpoints up`.
"""


@program.callback(help=flowing(HELP))
def waitpoints(
    # eager: it is read before --version, wherever it stands
    stack: Annotated[
        str | None, option("--stack", metavar="NAME", is_eager=True, help="With --version: a stack in your AWS account.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, help="Show the version of this program, and of the stack.")
    ] = False,
) -> None:
    """Take the options of the program itself."""
    if stack is not None and not version:
        raise CommandProblem("--stack comes after the command, such as waitpoints list --stack NAME", 2)


for module in (tokens, mcp, deliver, try_machine, outbox, local_stack, endpoints, deliveries, keys, secrets, operate):
    module.add_to(program)
