"""`waitpoints try`."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waitpoints_client.cli import arguments, show, stacks
from waitpoints_client.cli.options import Json, add, argument, option
from waitpoints_client.cli.problems import Problem

if TYPE_CHECKING:
    from datetime import datetime

    from waitpoints_client.operations.trial import Event, Trial

INTERRUPTED = 130
_COLOURS = {"SUCCEEDED": "32", "failed": "31", "FAILED": "31", "TIMED_OUT": "31", "ABORTED": "31"}


def try_machine(
    file: Annotated[str, argument("FILE", "The definition in the States Language, such as machine.asl.json.")],
    given: Annotated[str, option("--input", metavar="FILE", help="A file with the input. Default: {}.")] = "",
    values: Annotated[list[str] | None, option("--set", metavar="NAME=VALUE", help="Another placeholder's value.")] = None,
    name: Annotated[str, option("--name", metavar="NAME", help="The state machine's name. Default: the file's.")] = "",
    timeout: Annotated[str, typer.Option("--timeout", metavar="TIME", help="When its token times out.")] = "1h",
    as_json: Json = False,
) -> None:
    """Run your own state machine on the stack of `make run`.

    Replaces placeholders such as <WaitFunctionName> and ${WaitForToken}, creates a token, starts an execution with
    {"token": {"id", "url"}} added to its input, and prints the line that completes the token. Then it shows what the
    execution does until it ends. No token is created if the input has one, or if a state creates it. The state machine is
    deleted at the end. It never runs in AWS.

    Exit status: 0 if the execution succeeded, 1 if not.
    """
    text, value = arguments.file(file), arguments.file(given) if given else "{}"
    path = stacks.local_file()
    if path is None:
        raise Problem(f"`waitpoints try` runs on the local stack only: start it with `make run` ({stacks.nowhere()})")
    deployed = stacks.deployed(None)
    from waitpoints_client.operations import definition
    from waitpoints_client.operations.trial import Trial, placeholders

    machine = definition.read(text, file, {**placeholders(deployed), **dict(map(_placeholder, values or ()))})
    with stacks.local_client(path) as waitpoints:
        trial = Trial(deployed, waitpoints, machine)
        _run(trial, name or Path(file).name.split(".")[0], definition.parse(value, given), timeout, as_json)


def _placeholder(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise Problem(f"--set {text} has another form than NAME=VALUE", 2)
    return name, value


def _run(trial: "Trial", name: str, value: Any, timeout: str, as_json: bool) -> None:
    status = INTERRUPTED
    try:
        trial.start(name, trial.given(value, timeout))
        status = _follow(trial, as_json)
    except KeyboardInterrupt:
        if trial.execution:
            trial.stop()
        show.note("Interrupted: the execution is stopped")
    finally:
        if left := trial.clean_up():
            show.note(f"The state machine could not be deleted: {left}")
    raise typer.Exit(status)


def _follow(trial: "Trial", as_json: bool) -> int:
    start = None
    for event in trial.follow():
        start = start or event.at
        show.record(_as_value(event)) if as_json else show.text(_as_text(event, start))
        if event.is_the_end:
            return 0 if event.kind == "SUCCEEDED" else 1
    return 1


def _as_text(event: "Event", start: "datetime") -> str:
    if event.token:
        return f"\n{' ' * 12}{curl(event.token.url)}\n"
    when = show.styled("2", f"{(event.at - start).total_seconds():8.2f} s")
    why = ": ".join(part for part in (event.error, event.cause) if part)
    if event.is_the_end:
        output = [json.dumps(json.loads(event.output), indent=2, ensure_ascii=False)] if event.output else []
        return "\n".join([f"{when}  {show.styled(_COLOURS[event.kind], event.kind)} {why}".rstrip(), *output])
    if event.state:
        return f"{when}  {show.styled('1', event.state)}"
    said = {"waits": "waits. Paste this into another terminal, to complete it:", "resumed": "resumed"}.get(event.kind, "")
    return f"{when}    {said or show.styled('31', f'failed {why}')}"


def _as_value(event: "Event") -> dict[str, Any]:
    """Return an event as JSON, without what is absent."""
    token = {"id": event.token.id, "url": event.token.url, "curl": curl(event.token.url)} if event.token else None
    at = event.at.isoformat(timespec="milliseconds")
    output = {"output": json.loads(event.output)} if event.output else {}
    named = {"state": event.state, "token": token, "error": event.error, "cause": event.cause}
    return {"event": event.kind, "at": at, **{name: value for name, value in named.items() if value is not None}, **output}


def curl(url: str) -> str:
    return f"""curl -sw '\\n' -X POST {shlex.quote(url)} -d '{{"approved": true}}'"""


def add_to(program: typer.Typer) -> None:
    add(program, {"try": try_machine}, "Tokens")
