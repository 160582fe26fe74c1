"""`waitpoints keys …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from waitpoints_client.cli import show
from waitpoints_client.cli.commands import Printed, on_stack
from waitpoints_client.cli.options import Yes, add, argument, group, option
from waitpoints_client.cli.problems import confirm

if TYPE_CHECKING:
    from waitpoints_client import Waitpoints
    from waitpoints_client.models import NamedKey

keys = group("A key for each program, made with the stack's root key.")
KeyName = Annotated[str, argument("NAME", "The key's name: letters, digits, ., _ and -.")]


@on_stack
def create(
    waitpoints: "Waitpoints",
    name: KeyName,
    scope: Annotated[
        list[str],
        option(
            "--scope",
            "-s",
            metavar="SCOPE",
            help="create, complete, read, notify, delete, deliveries or endpoints; or create:TAG. Repeat it.",
        ),
    ],
    expires: Annotated[
        str | None, option("--expires", metavar="TIME", help="How long the key is good, such as 90d. Default: for ever.")
    ] = None,
    quiet: Annotated[bool, option("--quiet", "-q", help="Print the key alone.")] = False,
) -> Printed:
    """Make an API key for one program, and print it once.

    All but endpoints may be for the tokens or endpoints of one tag, as in --scope create:team-a. A key that creates tokens
    with --notify needs create and notify.
    """
    made = waitpoints.keys.create(name, scope, expires=expires)
    expiry = {"expires": show.instant(made.expires_at)} if made.expires_at else {}
    fields = {"name": made.name, "scopes": _scopes(made), **expiry, "key": made.key}
    return Printed(made, text=made.key) if quiet else Printed(made, fields)


@on_stack
def list_(waitpoints: "Waitpoints") -> Printed:
    """List keys by name, and when each was last used."""
    found = waitpoints.keys.list()
    times = [(it.created_at, it.last_used_at, it.expires_at) for it in found]
    rows = [(key.name, _scopes(key), *map(show.instant, of)) for key, of in zip(found, times, strict=True)]
    return Printed(found, table=(("NAME", "SCOPES", "CREATED", "LAST USED", "EXPIRES"), rows))


@on_stack
def revoke(waitpoints: "Waitpoints", name: KeyName, yes: Yes = False) -> Printed:
    """Revoke a key. Within a minute, it opens nothing."""
    confirm(f"Revoke {name}? Who uses it is refused within a minute.", yes=yes)
    waitpoints.keys.revoke(name)
    return Printed({"success": True})


def _scopes(key: "NamedKey") -> str:
    return " ".join(key.scopes)


def add_to(program: typer.Typer) -> None:
    add(keys, (create, list_, revoke))
    program.add_typer(keys, name="keys", rich_help_panel="Keys")
