"""What commands have in common: a client of the stack, --json, and how what they return is printed."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final

import typer

from waitpoints_client.cli import show, stacks
from waitpoints_client.cli.options import Command, Json, Stack

if TYPE_CHECKING:
    from waitpoints_client import Waitpoints

_OF_STACK: Final = inspect.Parameter("stack", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Stack)
_OF_ALL: Final = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)


@dataclass(frozen=True)
class Printed:
    """What a command prints: `value` with --json, else the others, in this order."""

    value: Any
    fields: Mapping[str, Any] | None = None
    text: str | None = None
    table: tuple[Sequence[str], Iterable[Sequence[str]]] | None = None
    """The columns' names, and the rows."""
    note: str = ""
    """On standard error."""
    status: int = 0
    """The exit status."""


def printing(function: Callable[..., Printed]) -> Command:
    """Make a command of a function: it has the option --json, and what the function returns is printed."""
    return _command(function, [*inspect.signature(function).parameters.values()], [_OF_ALL])


def on_stack(function: Callable[..., Printed]) -> Command:
    """Make a command of a function whose first parameter is a client. As `printing`, and with the option --stack."""
    return _command(function, [*inspect.signature(function).parameters.values()][1:], [_OF_STACK, _OF_ALL])


def _command(function: Callable[..., Printed], own: list[inspect.Parameter], added: list[inspect.Parameter]) -> Command:
    """Return a command with a function's `own` parameters and those that are `added`, which the function may have too."""
    names = {it.name for it in own}

    def command(**options: Any) -> None:
        given = {name: value for name, value in options.items() if name in names}
        with closing(_Client(options.get("stack"))) as client:
            printed = function(client, **given) if _OF_STACK in added else function(**given)
        _print(printed, as_json=options["as_json"])

    update_wrapper(command, function)
    command.__annotations__ = {}  # Typer reads the signature
    others = [it.replace(kind=inspect.Parameter.KEYWORD_ONLY) for it in own if it.name not in {it.name for it in added}]
    vars(command)["__signature__"] = inspect.Signature([*others, *added])
    return command


def _print(printed: Printed, *, as_json: bool) -> None:
    if as_json:
        show.value(printed.value)
    else:
        show.fields(printed.fields or {})
        if printed.text is not None:
            show.text(printed.text)
        if printed.table:
            show.rows(*printed.table)
        if printed.note:
            show.note(printed.note)
    if printed.status:
        raise typer.Exit(printed.status)


class _Client:
    """A client of the stack, which is looked for when it is first used: what was typed is checked before."""

    def __init__(self, stack: str | None) -> None:
        self._stack = stack
        self._found: Waitpoints | None = None

    def __getattr__(self, name: str) -> Any:
        self._found = self._found or stacks.find_client(self._stack)
        return getattr(self._found, name)

    def close(self) -> None:
        if self._found:
            self._found.close()
