"""`waitpoints try`."""

import json
import shlex
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waitpoints_client.cli import arguments, problems, show, stacks
from waitpoints_client.cli.operate import end_in_order
from waitpoints_client.cli.options import Json, add, argument, option

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from waitpoints_client.models import Token
    from waitpoints_client.operator.fitting_output import Completion
    from waitpoints_client.operator.history import Event, Place
    from waitpoints_client.operator.machine_run import MachineRun

INTERRUPTED = 130
INDENT = " " * 12
_COLOURS = {"SUCCEEDED": "32", "failed": "31", "FAILED": "31", "TIMED_OUT": "31", "ABORTED": "31"}


def try_machine(
    file: Annotated[str, argument("FILE", "The definition in the States Language, such as machine.asl.json.")],
    given: Annotated[str, option("--input", metavar="JSON", help="The input, or its file. Default: {}.")] = "{}",
    values: Annotated[
        list[str] | None,
        option("--set", metavar="NAME=VALUE", help="A placeholder's value; a function's can be JSON that it returns."),
    ] = None,
    name: Annotated[str, option("--name", metavar="NAME", help="The state machine's name. Default: the file's.")] = "",
    timeout: Annotated[str, typer.Option("--timeout", metavar="TIME", help="When its token times out.")] = "1h",
    page: Annotated[str, option("--page", metavar="JSON", help="A page for its token, or its file.")] = "",
    as_json: Json = False,
) -> None:
    """Run your own state machine on the stack of `make run`.

    Replaces placeholders such as <WaitFunctionName> and ${WaitForToken}, creates a token, starts an execution with
    {"token": {"id", "url"}} added to its input, and prints the line that completes the token. Then it shows what the
    execution does until it ends. No token is created if the input has one, or if a state creates it. A function of yours
    that is written as ${Name}, and that --set does not name, gets a stand-in, which returns what it is given. The state
    machine and the stand-ins are deleted at the end. Nothing of this is done in AWS.

    Exit status: 0 if the execution succeeded, 1 if not, 2 if the definition cannot be run, 130 after Ctrl-C.
    """
    end_in_order()
    file = file.removeprefix("@")  # as for other arguments
    text, value = arguments.read_file(file), arguments.read_json_or_file(given, "--input")
    token_page = arguments.read_json_or_file(page, "--page") if page else None
    path = stacks.find_local_file()
    if path is None:
        raise problems.CommandProblem(
            f"`waitpoints try` runs on the local stack only: start it with `make run` ({stacks.nowhere()})"
        )
    deployed = stacks.find_stack(None)
    from waitpoints_client.operator import definition, machine_run

    known, named = machine_run.list_placeholders(deployed), dict(map(_placeholder, values or ()))
    machine = definition.read(text, file, known, named, partial(machine_run.stand_in, deployed))
    machine_run.check(deployed, machine)
    with stacks.read_local_client(path) as waitpoints:
        run = machine_run.MachineRun(deployed, waitpoints, machine, page=token_page)
        _run(run, name or Path(file).name.split(".")[0], value, timeout, as_json)


def _placeholder(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise problems.CommandProblem(f"--set {text} has another form than NAME=VALUE", 2)
    return name, value


def _run(run: "MachineRun", name: str, value: Any, timeout: str, as_json: bool) -> None:
    from waitpoints_client.operator import stand_ins

    status, has_ended = INTERRUPTED, False
    try:
        with stand_ins.make(run.stack, run.definition, run.role) as notes:
            for line in notes:
                show.note(line)
            run.start(name, run.prepare_input(value, timeout))
            status = _follow(run, value, as_json)
    except KeyboardInterrupt:
        if run.execution:
            run.stop()
        show.note("Interrupted: the execution is stopped")
    except Exception as error:
        has_ended = problems.has_ended(error)
        raise
    finally:
        if not has_ended and (left := run.clean_up()):
            show.note(f"The state machine could not be deleted: {left}")
    raise typer.Exit(status)


def _follow(run: "MachineRun", value: Any, as_json: bool) -> int:
    printed = Printed()
    for event in run.follow():
        show.record(_as_value(event)) if as_json else show.text(*printed.line(event))
        if event.is_the_end:
            if value == {} and (event.error or "").startswith("States."):
                show.note(_about_the_input(run.definition.machine))
            return 0 if event.kind == "SUCCEEDED" else 1
    return 1


def _about_the_input(machine: Any) -> str:
    comment = machine.get("Comment")
    return "Its input was {}. Give it another with --input" + (f". Its comment: {show.cell(str(comment))}" if comment else "")


@dataclass
class Printed:
    """What a person has read so far: a place and an error are not said twice in a row."""

    start: "datetime | None" = None
    place: "Place | None" = None
    why: str = ""

    def line(self, event: "Event") -> "Iterator[str | show.Styled]":
        """Yield the parts of what is printed about an event."""
        self.start = self.start or event.at
        if event.completion:
            yield _how_to_complete(event.completion, self._elsewhere(event))
            return
        yield show.Styled("2", f"{(event.at - self.start).total_seconds():8.2f} s")
        why = _why(event)
        why, self.why = (event.error or "") if why == self.why else why, why
        if event.is_the_end:
            yield from ("  ", show.Styled(_COLOURS[event.kind], event.kind), f" {why}" if why else "")
            yield f"\n{json.dumps(json.loads(event.output), indent=2, ensure_ascii=False)}" if event.output else ""
        elif event.kind == "entered":
            self.place = event.place
            yield from ("  ", show.Styled("1", _named(event.place)))
        else:
            yield f"    {self._elsewhere(event)}"
            yield show.Styled("31", f"{event.kind} {why}") if why else event.kind
            yield f" for {event.token.id}, which is {event.token.status}" if event.token else ""

    def _elsewhere(self, event: "Event") -> str:
        """Name the event's place, if the line before it is about another one."""
        return "" if event.place.state is None or event.place == self.place else f"{_named(event.place)}: "


def _named(place: "Place") -> str:
    items = f", item {'.'.join(map(str, place.items))}" if place.items else ""
    return f"{show.cell(place.state or '')}{items}"


def _how_to_complete(completion: "Completion", place: str) -> str:
    opened = [*(f"{place}{line}" for line in _how_to_open(completion.token)), "or paste this into another terminal:"]
    pasted = [f"{place}To complete {completion.token.id}, paste this into another terminal:"]
    missing = [f"Put values that fit into it first: {', '.join(completion.missing)}"] if completion.missing else []
    lines = [*(opened if completion.has_page else pasted), *missing, "", command(completion)]
    return "\n".join(["", *(f"{INDENT}{line}".rstrip() for line in lines), ""])


def _how_to_open(token: "Token") -> list[str]:
    """Return who opens what: each of those who may answer the page has a link of their own."""
    links = {link.approver: link.url for link in token.links}
    return [f"As {show.cell(it.id)}, open {links[it.id]}" for it in token.still_asked] or [f"Open {token.url}"]


def _why(event: "Event") -> str:
    """Return an error with its cause. If the cause is a function's JSON, only its message is shown."""
    cause = event.cause or ""
    try:
        found = json.loads(cause)
        cause = str(found["errorMessage"])
    except (ValueError, TypeError, KeyError):
        pass
    return show.cell(": ".join(part for part in (event.error, cause) if part))


def _as_value(event: "Event") -> dict[str, Any]:
    """Return an event as JSON, without what is absent."""
    at = event.at.isoformat(timespec="milliseconds")
    output = {"output": json.loads(event.output)} if event.output else {}
    named = {"state": event.place.state, "items": list(event.place.items) or None, "token": _token_value(event)}
    named |= {"error": event.error, "cause": event.cause}
    return {"event": event.kind, "at": at, **{name: value for name, value in named.items() if value is not None}, **output}


def _token_value(event: "Event") -> dict[str, Any] | None:
    if event.token:
        return {"id": event.token.id, "status": event.token.status}
    if event.completion is None:
        return None
    token, missing = event.completion.token, event.completion.missing
    made = {"fits": event.completion.output, **({"missing": list(missing)} if missing else {})}
    links = {"links": [show.as_value(link) for link in token.links]} if token.links else {}
    return {"id": token.id, "url": token.url, **links, **made, "command": command(event.completion)}


def command(completion: "Completion") -> str:
    """Return the line that completes a token: with its URL alone if that does it."""
    data = shlex.quote(json.dumps(completion.output, ensure_ascii=False))
    if completion.by_post:
        return f"curl -sw '\\n' -d {data} {shlex.quote(completion.token.url)}"
    return f"{_program()} complete {completion.token.id} {data}"


def _program() -> str:
    """Return the word that runs this program in another terminal."""
    return "waitpoints" if shutil.which("waitpoints") else shlex.quote(sys.argv[0])


def add_to(program: typer.Typer) -> None:
    add(program, {"try": try_machine}, "Tokens")
