"""`waitpoints try`, whose options `waitpoints_client.cli.try_machine` declares."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from waitpoints_client.cli import arguments, durations, problems, show, stacks
from waitpoints_client.cli.problems import USAGE, CommandProblem

from waitpoints_local.machine import machine_file, replies, stand_ins, tasks
from waitpoints_local.machine.definition import waiting_states
from waitpoints_local.machine.documents import MachineFile
from waitpoints_local.machine.following import Following, StillRuns
from waitpoints_local.machine.printing import Printed, as_value
from waitpoints_local.machine.reply_plan import TimeOut
from waitpoints_local.machine.run import MachineRun, prepare

INTERRUPTED = 130
NOT_IN_TIME = 2  # as `wait`
LOCAL_ONLY = "`waitpoints try` runs on a local stack only"
_STATUSES = {"SUCCEEDED": 0, "TIMED_OUT": NOT_IN_TIME}
_QUIET = ("started", "left")  # for a person, who sees the next state


@dataclass(frozen=True)
class Options:
    file: str
    given: str
    values: Sequence[str] | None
    answers: Sequence[str] | None
    time_outs: Sequence[str] | None
    scripts: Sequence[str] | None
    name: str
    timeout: str
    page: str
    limit: str | None
    skips: Sequence[str] | None
    local: str | None
    as_json: bool


def try_machine(options: Options) -> None:
    """Run a state machine, and exit with the status that says how it ended."""
    limit = None if options.limit is None else durations.seconds(options.limit)
    skip = sum(durations.seconds(time) for time in options.skips or ())
    named = dict(arguments.parse_named(value, "--set") for value in options.values or ())
    scripted = replies.parse_stand_ins(options.scripts or ())
    file = options.file.removeprefix("@")  # as for other arguments
    found = _load(file, {*named, *scripted})
    value = arguments.read_json_or_file(options.given, "--input")
    page = arguments.read_json_or_file(options.page, "--page") if options.page else None
    path = stacks.find_named_file(options.local) if options.local else stacks.find_local(LOCAL_ONLY)
    stack = stacks.read_local_stack(path)
    machine = prepare(stack, found, named, scripted)
    answers = replies.parse_answers(options.answers or (), options.time_outs or (), waiting_states(machine.machine))
    late = [to.state or "" for to, given in answers.replies.items() if TimeOut() in given]
    if endless := tasks.find_endless(stack, machine, late):
        raise CommandProblem(f"--time-out: {endless}", USAGE)
    made = stand_ins.make(stack, machine, scripted)
    for line in made.notes:
        show.note(line)
    with stacks.read_local_client(path) as waitpoints:
        run = MachineRun(stack, waitpoints, machine, page=page, answers=answers, stand_ins=made)
        status = _run(Following(run, limit, skip), options, value)
    raise typer.Exit(status)


def _load(file: str, chosen: Collection[str]) -> MachineFile:
    try:
        return machine_file.load(file, chosen)
    except OSError as error:
        raise CommandProblem(f"{error.filename or file} cannot be read: {error.strerror}", USAGE) from None
    except UnicodeDecodeError:
        raise CommandProblem(f"{file} is not text in UTF-8", USAGE) from None


def _run(following: Following, options: Options, value: Any) -> int:
    """Run the machine, and delete it. Returns the exit status."""
    run, has_ended = following.run, False
    try:
        run.start(options.name or _name(options.file), run.prepare_input(value, options.timeout))
        return _follow(following, options)
    except KeyboardInterrupt:
        _stop(run, "Interrupted: the execution is stopped")
        return INTERRUPTED
    except Exception as error:
        has_ended = problems.has_ended(error)
        if not has_ended and not run.end:
            _stop(run)
        raise
    finally:
        if not has_ended and (left := run.clean_up()):
            show.note(f"The state machine could not be deleted: {left}")


def _name(file: str) -> str:
    """Return the name of a template's state machine, else the file's."""
    stem, _, resource = Path(file).name.partition("#")
    return resource or stem.partition(".")[0]


def _stop(run: MachineRun, why: str = "") -> None:
    if run.execution:
        run.stop()
    if why:
        show.note(why)


def _follow(following: Following, options: Options) -> int:
    """Print what the execution does until it ends. Returns the exit status."""
    run, printed = following.run, Printed()
    try:
        for event in following.events():
            if options.as_json:
                show.record(as_value(event))
            elif event.kind not in _QUIET and not (event.completion and run.answers.covers(event.location)):
                show.text(*printed.line(event))
            if event.kind == "refused":
                _stop(run, "The answer is refused: the execution is stopped")
                return 1
    except StillRuns as late:
        _stop(run, f"{late}: the execution is stopped")
        _show_unused(run)
        return NOT_IN_TIME
    assert run.end
    if run.given == {} and (run.end.error or "").startswith("States."):
        show.note(_about_the_input(run.definition.machine))
    return 1 if _show_unused(run) else _STATUSES.get(run.end.kind, 1)


def _show_unused(run: MachineRun) -> bool:
    """Say which replies no token got. Returns whether there are any."""
    waited = (event.location.state or "" for event in run.events if event.kind == "waits")
    unused = list(replies.describe_unused(run.answers, waited))
    for line in unused:
        show.error(line)
    return bool(unused)


def _about_the_input(machine: Any) -> str:
    comment = machine.get("Comment")
    return "Its input was {}. Give it another with --input" + (f". Its comment: {show.cell(str(comment))}" if comment else "")
