"""The options that commands share."""

from typing import Annotated

import typer

Stack = Annotated[str | None, typer.Option("--stack", metavar="NAME", help="A stack in your AWS account.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.", show_default=False)]
