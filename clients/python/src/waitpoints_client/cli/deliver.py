"""`waitpoints deliver`, which the package waitpoints-local runs."""

from typing import Annotated

import typer

from waitpoints_client.cli import stacks
from waitpoints_client.cli.options import Body, Headers, Json, Query, add, argument, option


def deliver(
    to: Annotated[str, argument("TO", "A token's id, or an endpoint's name.")],
    body: Body = "",
    scheme: Annotated[
        str | None, option("--scheme", metavar="SCHEME", help="Sign as another provider. Default: as its `verify` says.")
    ] = None,
    header: Headers = None,
    query: Query = "",
    as_json: Json = False,
) -> None:
    """Deliver to a token or an endpoint of the local stack, signed as its provider signs.

    The secret is the one that `verify` names, on the local stack: your own, or a stand-in that `try` has made. It is not
    printed. Without `verify` nothing is signed. Some schemes sign a time in the body, which is written into it.

    Exit status: 0 if the delivery completed the token, or is kept by the endpoint; 1 if it was refused, late, or did not match;
    2 if it cannot be signed.
    """
    options = locals()  # each of the above, by its name
    command = stacks.import_local("machine.deliver_command")
    command.deliver(command.Delivery(**options))


def add_to(program: typer.Typer) -> None:
    add(program, (deliver,), "Tokens")
