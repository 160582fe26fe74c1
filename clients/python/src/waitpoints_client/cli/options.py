"""The options and arguments that commands share."""

import inspect
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup


def option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, show_default=False, **more)


def argument(name: str, help: str) -> Any:
    return typer.Argument(metavar=name, help=help, show_default=False)


class PlainCommand(TyperCommand):
    """A command whose help leaves out the Python types that Typer shows, such as <str> and <bool>."""

    def get_params(self, ctx: Any) -> Any:
        return _hide_types(super().get_params(ctx))


class PlainGroup(TyperGroup):
    """A group of commands, with the same help."""

    def get_params(self, ctx: Any) -> Any:
        return _hide_types(super().get_params(ctx))


def group(text: str) -> typer.Typer:
    """Return a group of commands. Without a command it shows its help."""
    made = typer.Typer(cls=PlainGroup)

    @made.callback(invoke_without_command=True, help=text)
    def show_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help(), nl=False)  # on a terminal, get_help prints by itself

    return made


def _hide_types(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        # Takes the place of its method: Typer has no setting for it. A metavar hides the type of an option, not of an argument.
        vars(parameter)["display_type"] = lambda _: ""
    return parameters


Command = Callable[..., None]


def add(app: typer.Typer, commands: Sequence[Command], panel: str | None = None) -> None:
    """Add commands. Their names are those of the functions, and their docstrings the help, as wide as the terminal."""
    for command in commands:
        name = command.__name__.rstrip("_").replace("_", "-")  # list_ is no builtin
        text = flowing(command.__doc__ or "")
        first = text.partition("\n")[0]  # whole in the list of commands: without it, click cuts the text
        app.command(name, cls=PlainCommand, help=text, short_help=first, rich_help_panel=panel)(command)


def flowing(text: str) -> str:
    """Return a docstring whose paragraphs are one line each."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))


class Status(str, Enum):
    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    TIMED_OUT = "TIMED_OUT"


class Kind(str, Enum):
    """What becomes of a recorded delivery."""

    COMPLETED = "completed"
    KEPT = "kept"
    REPEATED = "repeated"
    LATE = "late"
    NOT_AWAITED = "notAwaited"
    NOT_MATCHING = "notMatching"
    NO_KEY = "noKey"
    NO_OUTPUT = "noOutput"
    PENDING = "pending"


Stack = Annotated[str | None, option("--stack", metavar="NAME", help="A stack in your AWS account.")]
Json = Annotated[bool, option("--json", help="Print JSON, and nothing else.")]
Yes = Annotated[bool, option("--yes", "-y", help="Do not ask.")]
Token = Annotated[str, argument("TOKEN", "The token's id.")]
As = Annotated[str | None, option("--as", metavar="APPROVER", help="Whose link, if its page has several approvers.")]
Data = Annotated[str | None, argument("[DATA]", "JSON; @FILE reads a file, - standard input. Without it there is no output.")]
Text = Annotated[bool, option("--text", help="DATA is a text, not JSON.")]
Key = Annotated[str, argument("KEY", "The token's key.")]
Name = Annotated[str, argument("NAME", "The endpoint's name: a-z, 0-9 and -.")]
Tags = Annotated[list[str] | None, option("--tag", "-t", metavar="TAG", help="A tag. Repeat it for several.")]
Verify = Annotated[
    str | None,
    option("--verify", metavar="SCHEME:SECRET", help="How the provider signs, and the secret's NAME: github:GITHUB, or JSON."),
]
Notify = Annotated[
    list[str] | None,
    option("--notify", metavar="WHOM", help="email, email:ADDRESS, slack:#CHANNEL, teams:SECRET, outcome; repeat it. Or JSON."),
]
Body = Annotated[str, argument("[BODY]", "The delivery's body, unchanged; @FILE reads a file, - standard input.")]
Headers = Annotated[list[str] | None, option("--header", "-H", metavar="'NAME: VALUE'", help="Repeat it for several.")]
Query = Annotated[str, option("--query", metavar="TEXT", help="The query string.")]
When = Annotated[str | None, option("--complete-when", metavar="EXPR", help="Only a delivery that matches (JMESPath) counts.")]
Kinds = Annotated[
    list[Kind] | None,
    option("--kind", metavar="KIND", help="What became of it, such as notMatching or noKey. Repeat it.", case_sensitive=False),
]
OfKey = Annotated[str | None, option("--key", metavar="KEY", help="The whole key that it named.")]
Event = Annotated[str | None, option("--event", metavar="ID", help="The provider's id of its event.")]
Since = Annotated[
    str | None, option("--since", metavar="TIME", help="Received within: 30m, 2h, 7d. Or since a date in ISO 8601.")
]
Until = Annotated[str | None, option("--until", metavar="TIME", help="Received so long ago or earlier, or until a date.")]
