"""`waitpoints mcp`: the server with which an agent asks people."""

import platform
import signal
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waitpoints_client.cli import arguments, show, stacks
from waitpoints_client.cli.options import Notify, Stack, add, option
from waitpoints_client.cli.problems import USAGE, CommandProblem

if TYPE_CHECKING:
    from waitpoints_client.asking import People

LONGEST = 200  # characters of a name or a title


def mcp(
    approver: Annotated[
        list[str] | None, option("--approver", metavar="PERSON", help="Who may answer: an id, an address or JSON. Repeat it.")
    ] = None,
    sign_in: Annotated[bool, option("--sign-in", help="The approvers sign in to answer.")] = False,
    sign_in_domain: Annotated[
        list[str] | None, option("--sign-in-domain", metavar="DOMAIN", help="Anyone of it may sign in and answer. Repeat it.")
    ] = None,
    notify: Notify = None,
    timeout: Annotated[str, typer.Option("--timeout", metavar="TIME", help="When a question times out.")] = "7d",
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="Who asks: the title of each page.")] = "An agent asks",
    tag: Annotated[str | None, option("--tag", metavar="TAG", help="The tag that limits the API key.")] = None,
    key_name: Annotated[
        str | None, option("--key-name", metavar="NAME", help="The API key's name: what another key asked is not shown.")
    ] = None,
    run: Annotated[
        str | None, option("--run", metavar="NAME", help="Whose questions they are. Default: this computer and folder.")
    ] = None,
    stack: Stack = None,
) -> None:
    """Let an agent ask people, over the Model Context Protocol.

    Serves the tools ask_person, check and list_waiting on standard input and output. They cannot answer for a person. Who is
    asked is said here, and not by the agent: with --approver, who sign in with --sign-in, or with --sign-in-domain. The API
    key needs the scopes create and read, and for --notify also notify. An agent that can read the key can get the links of
    people and answer: then use --sign-in.
    """
    make_server = _import_server()
    run = f"{platform.node()}:{Path.cwd()}"[-LONGEST:] if run is None else run
    check_options({"--run": run, "--title": title}, timeout)
    people = read_people(approver or [], sign_in_domain or [], sign_in=sign_in)
    people |= {"notify": arguments.parse_notify(notify) if notify else None, "timeout": timeout, "tag": tag}
    from waitpoints_client import AsyncWaitpoints
    from waitpoints_client.agents.questions import Questions

    questions = Questions(AsyncWaitpoints(*stacks.find_address(stack)), run=run, title=title, key_name=key_name, **people)
    if not notify and not people.get("sign_in"):
        show.note("Nobody is notified: give --notify, or open each question for a person, with `waitpoints open ID --as NAME`")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # else the thread that reads standard input waits for its end
    make_server(questions).run("stdio")


def read_people(approvers: list[str], domains: list[str], *, sign_in: bool) -> "People":
    """Return who is asked. Raises CommandProblem if anyone could answer."""
    if bool(approvers) == bool(domains):
        raise CommandProblem("Who may answer? Give --approver (with --sign-in, they sign in) or --sign-in-domain", USAGE)
    if sign_in and domains:
        raise CommandProblem("--sign-in is for approvers: --sign-in-domain already asks to sign in", USAGE)
    if domains:
        return {"sign_in": {"domains": domains}}
    people = [arguments.parse_approver(person, "--approver") for person in approvers]
    return {"approvers": people, "sign_in": True if sign_in else None}


def check_options(texts: dict[str, str], timeout: str) -> None:
    """Raises CommandProblem for what the stack would refuse at the first question."""
    from waitpoints_client.agents.shown_text import is_blank
    from waitpoints_client.wire import read_timeout

    for name, text in texts.items():
        if is_blank(text) or len(text) > LONGEST:
            raise CommandProblem(f"{name} has {len(text)} characters: 1 to {LONGEST}, not all blank, are accepted", USAGE)
    try:
        read_timeout(timeout, datetime.now(timezone.utc))
    except ValueError as refused:
        raise CommandProblem(f"--timeout {refused}", USAGE) from None


def _import_server() -> Any:
    """Raises CommandProblem without the extra that it needs."""
    try:
        from waitpoints_client.agents.mcp_server import make_server
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("mcp"):
            raise
        raise CommandProblem(
            'This needs mcp, of the extra "mcp": in a clone, run `pip install "./clients/python[mcp]"`'
        ) from None
    return make_server


def add_to(program: typer.Typer) -> None:
    add(program, (mcp,), "Tokens")
