"""`waitpoints try`."""

import json
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from waitpoints_local.machine import replies

from waitpoints_client.cli import arguments, durations, problems, show, stacks
from waitpoints_client.cli.operate import end_in_order
from waitpoints_client.cli.options import Json, add, argument, option

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

    from waitpoints_local.machine.documents import MachineFile
    from waitpoints_local.machine.fitting_output import Completion
    from waitpoints_local.machine.history import Event, Place
    from waitpoints_local.machine.run import MachineRun
    from waitpoints_local.machine.stand_ins import Script

    from waitpoints_client.models import Token

INTERRUPTED = 130
NOT_IN_TIME = 2  # as `wait`
VERSION = 1
"""Of the events of --json. A member or an event that is added changes nothing; one that goes or means something else does."""
INDENT = " " * 12
_STATUSES = {"SUCCEEDED": 0, "TIMED_OUT": NOT_IN_TIME}
_QUIET = ("started", "left")  # for a person, who sees the next state
_COLOURS = {"SUCCEEDED": "32", "failed": "31", "FAILED": "31", "TIMED_OUT": "31", "ABORTED": "31"}


def try_machine(
    file: Annotated[str, argument("FILE", "The definition: JSON, YAML, or template.yaml#Name of SAM or CloudFormation.")],
    given: Annotated[str, option("--input", metavar="JSON", help="The input, or its file. Default: {}.")] = "{}",
    values: Annotated[
        list[str] | None,
        option("--set", metavar="NAME=VALUE", help="A placeholder's value; a function's can be JSON that it returns."),
    ] = None,
    answers: Annotated[
        list[str] | None,
        option("--answer", metavar="[STATE=]JSON", help="Answer the token of a state, or each token. Repeat it for several."),
    ] = None,
    time_outs: Annotated[
        list[str] | None, option("--time-out", metavar="STATE", help="The token of this state times out at once.")
    ] = None,
    scripts: Annotated[
        list[str] | None,
        option(
            "--stand-in", metavar="FUNCTION=JSON", help="What your function returns; or fails ERROR. Repeat it for more calls."
        ),
    ] = None,
    name: Annotated[str, option("--name", metavar="NAME", help="The state machine's name. Default: the file's.")] = "",
    timeout: Annotated[str, typer.Option("--timeout", metavar="TIME", help="When its token times out.")] = "1h",
    page: Annotated[str, option("--page", metavar="JSON", help="A page for its token, or its file.")] = "",
    limit: Annotated[str | None, option("--for", metavar="TIME", help="Stop it after so long: 30s, 10m.")] = None,
    local: Annotated[
        str | None,
        option("--local", metavar="PATH", help="The local stack's stack.json, or its folder. Default: the one here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run your own state machine on a local stack.

    Replaces placeholders such as <WaitFunctionName> and ${WaitForToken}, creates a token, starts an execution with
    {"token": {"id", "url"}} added to its input, and prints the line that completes the token. Then it shows what the
    execution does until it ends. No token is created if the input has one, or if a state creates it. A function of yours
    that is written as ${Name}, and that --set does not name, gets a stand-in, which returns what it is given. The state
    machine and the stand-ins are deleted at the end. Nothing of this is done in AWS.

    --answer takes JSON or @FILE for each token. "Ask={…}" is for the token that the state Ask waits for, "Ask[2]={…}" for
    item 2 of its Map, counted from 0, "Ask as ann={…}" for one approver. Several for one state are given in turn: to the items
    of its Map, or each time that it waits; the last one stays. --time-out takes Ask or Ask[2], and comes first.

    --stand-in "Pay=fails Declined: no money" makes the function Pay fail. Several for one function are for its calls, in turn;
    the last one stays. Pay is a placeholder, a function's name, or a resource of the template.

    Exit status: 0 if the execution succeeded, 1 if not, if an answer was refused or if one was not used, 2 if the execution
    timed out or still runs after the time of --for, and if it cannot be started, 130 after Ctrl-C.
    """
    end_in_order()
    stacks.import_deployed()
    seconds = None if limit is None else durations.seconds(limit)
    named, scripted = dict(map(_placeholder, values or ())), replies.parse_stand_ins(scripts or ())
    file = file.removeprefix("@")  # as for other arguments
    found = _load(file, {*named, *scripted})
    value = arguments.read_json_or_file(given, "--input")
    token_page = arguments.read_json_or_file(page, "--page") if page else None
    path = _find_stack_file(local)
    deployed = stacks.read_local_stack(path)
    from waitpoints_local.machine import definition
    from waitpoints_local.machine import run as machine_run

    machine = machine_run.prepare(deployed, found, named, scripted)
    given_answers = replies.parse_answers(answers or (), time_outs or (), definition.waiting_states(machine.machine))
    with stacks.read_local_client(path) as waitpoints:
        run = machine_run.MachineRun(deployed, waitpoints, machine, page=token_page, answers=given_answers)
        asked = _Asked(name or _name(file), value, timeout, scripted, seconds, as_json)
        _run(run, asked)


def _load(file: str, chosen: "Collection[str]") -> "MachineFile":
    from waitpoints_local.machine import machine_file

    try:
        return machine_file.load(file, chosen)
    except OSError as error:
        raise problems.CommandProblem(f"{error.filename or file} cannot be read: {error.strerror}", 2) from None
    except UnicodeDecodeError:
        raise problems.CommandProblem(f"{file} is not text in UTF-8", 2) from None


def _name(file: str) -> str:
    """Return the name of a template's state machine, else the file's."""
    stem, _, resource = Path(file).name.partition("#")
    return resource or stem.partition(".")[0]


def _find_stack_file(local: str | None) -> Path:
    path = stacks.find_named_file(local) if local else stacks.find_local_file()
    if path is None:
        raise problems.CommandProblem(
            f"`waitpoints try` runs on a local stack only: start one with `waitpoints up` or `make run` ({stacks.nowhere()})"
        )
    return path


def _placeholder(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise problems.CommandProblem(f"--set {text} has another form than NAME=VALUE", 2)
    return name, value


@dataclass(frozen=True)
class _Asked:
    """What the options say about the run."""

    name: str
    value: Any
    """The input."""
    timeout: str
    scripts: "Mapping[str, Script]"
    seconds: float | None
    as_json: bool


def _run(run: "MachineRun", asked: _Asked) -> None:
    from waitpoints_local.machine import stand_ins

    status, has_ended = INTERRUPTED, False
    try:
        with stand_ins.make(run.stack, run.definition, run.role, asked.scripts) as notes:
            for line in notes:
                show.note(line)
            run.start(asked.name, run.prepare_input(asked.value, asked.timeout))
            status = _follow(run, asked)
    except KeyboardInterrupt:
        if run.execution:
            run.stop()
        show.note("Interrupted: the execution is stopped")
    except Exception as error:
        has_ended = problems.has_ended(error)
        if run.execution and not has_ended and not run.end:
            run.stop()
        raise
    finally:
        if not has_ended and (left := run.clean_up()):
            show.note(f"The state machine could not be deleted: {left}")
    raise typer.Exit(status)


def _follow(run: "MachineRun", asked: _Asked) -> int:
    from waitpoints_local.machine.run import StillRuns

    printed = Printed()
    try:
        for event in run.follow(asked.seconds):
            if asked.as_json:
                show.record(_as_value(event))
            elif event.kind not in _QUIET and not (event.completion and run.answers.covers(event.place)):
                show.text(*printed.line(event))
            if event.kind == "refused":
                run.stop()
                show.note("The answer is refused: the execution is stopped")
                return 1
    except StillRuns:
        run.stop()
        show.note(f"It still runs after {asked.seconds:g} s: the execution is stopped")
        return NOT_IN_TIME
    assert run.end
    if asked.value == {} and (run.end.error or "").startswith("States."):
        show.note(_about_the_input(run.definition.machine))
    unused = list(
        replies.describe_unused(run.answers, (event.place.state or "" for event in run.events if event.kind == "waits"))
    )
    for line in unused:
        show.error(line)
    return 1 if unused else _STATUSES.get(run.end.kind, 1)


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
            yield show.Styled("31", f"{event.kind} {why}") if why else _done(event)
            if event.token and event.kind == "waits":
                yield f" for {event.token.id}, which is {event.token.status}"

    def _elsewhere(self, event: "Event") -> str:
        """Name the event's place, if the line before it is about another one."""
        return "" if event.place.state is None or event.place == self.place else f"{_named(event.place)}: "


def _done(event: "Event") -> str:
    if event.answer:
        by = f" as {show.cell(event.answer.approver)}" if event.answer.approver else ""
        return f"answered{by} with {show.cell(show.json_text(event.answer.value))}"
    return "times out now" if event.kind == "expired" else event.kind


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
    version = {"version": VERSION} if event.kind == "started" else {}
    at = event.at.isoformat(timespec="milliseconds")
    named = {"state": event.place.state, "items": list(event.place.items) or None, "token": _token_value(event)}
    named |= {"error": event.error, "cause": event.cause, "as": event.answer.approver if event.answer else None}
    given = {"answer": event.answer.value} if event.answer else {}
    texts = {"input": event.input, "output": event.output}
    values = {name: json.loads(text) for name, text in texts.items() if text}
    told = {name: value for name, value in named.items() if value is not None}
    return {"event": event.kind, **version, "at": at, **told, **given, **values}


def _token_value(event: "Event") -> dict[str, Any] | None:
    if event.token and event.kind == "waits":
        return {"id": event.token.id, "status": event.token.status}
    if event.token:
        return {"id": event.token.id}
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
