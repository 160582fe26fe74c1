"""What `waitpoints try` prints: lines for a person, or a JSON object for each event."""

import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from waitpoints_client import Token
from waitpoints_client.cli import show

from waitpoints_local.machine.clock import Coming
from waitpoints_local.machine.fitting_output import Completion
from waitpoints_local.machine.history import Event, Location
from waitpoints_local.machine.reply_plan import To
from waitpoints_local.machine.tasks import TaskToken

VERSION = 1
"""Of the events of --json. A member or an event that is added changes nothing; one that goes or means something else does."""
INDENT = " " * 12
_COLOURS = {"SUCCEEDED": "32", "failed": "31", "FAILED": "31", "TIMED_OUT": "31", "ABORTED": "31"}


@dataclass
class Printed:
    """What a person has read so far: a location and an error are not said twice in a row."""

    start: datetime | None = None
    location: Location | None = None
    why: str = ""

    def line(self, event: Event) -> Iterator[str | show.Styled]:
        """Yield the parts of what is printed about an event."""
        self.start = self.start or event.at
        if event.completion:
            yield _how_to_complete(event.completion, self._elsewhere(event), event.location)
            return
        yield show.Styled("2", f"{(event.at - self.start).total_seconds():8.2f} s")
        why = _why(event)
        why, self.why = (event.error or "") if why == self.why else why, why
        if event.is_the_end:
            yield from ("  ", show.Styled(_COLOURS[event.kind], event.kind), f" {why}" if why else "")
            yield f"\n{json.dumps(json.loads(event.output), indent=2, ensure_ascii=False)}" if event.output else ""
        elif event.kind == "entered":
            self.location = event.location
            yield from ("  ", show.Styled("1", _named(event.location)))
        else:
            yield f"    {self._elsewhere(event)}"
            yield show.Styled("31", f"{event.kind} {why}") if why else _done(event)
            if isinstance(event.token, Token) and event.kind == "waits":
                yield f" for {event.token.id}, which is {event.token.status}"

    def _elsewhere(self, event: Event) -> str:
        """Name the event's location, if the line before it is about another one."""
        is_clear = event.location == self.location and not (event.completion and event.location.items)
        return "" if event.location.state is None or is_clear else f"{_named(event.location)}: "


def _done(event: Event) -> str:
    if event.answer:
        by = f" as {show.cell(event.answer.approver)}" if event.answer.approver else ""
        return f"answered{by} with {show.cell(show.json_text(event.answer.value))}"
    if event.what == "Wait" and event.kind == "pauses":
        ends = event.at + timedelta(seconds=event.seconds or 0)
        return f"waits until {ends:%Y-%m-%d %H:%M:%S} UTC; --skip {_to_skip(event)} passes it"
    if event.kind == "pauses":
        return f"retries in {event.seconds:.0f} s; --skip {_to_skip(event)} passes it"
    if event.kind == "skipped":
        return f"skipped {_to_skip(event)}: {event.what}"
    return "times out now" if event.kind == "expired" else event.kind


def _to_skip(event: Event) -> str:
    return Coming("", "", event.seconds or 0).to_skip


def _named(location: Location) -> str:
    items = f", item {'.'.join(map(str, location.items))}" if location.items else ""
    return f"{show.cell(location.state or '')}{items}"


def _how_to_complete(completion: Completion | TaskToken, label: str, location: Location) -> str:
    if isinstance(completion, TaskToken):
        lines = [_again(completion, location), "", command(completion)]
    elif asked := [person.id for person in completion.token.still_asked]:  # `complete` would decide for all of them
        options = [_answer_option(completion, location, person) for person in asked]
        lines = [*_how_to_open(completion.token, label), "or let `try` answer, with these options:", *_missing(completion)]
        lines += ["", *options]
    elif completion.has_page:
        opened = [*_how_to_open(completion.token, label), "or paste this into another terminal:"]
        lines = [*opened, *_missing(completion), "", command(completion)]
    else:
        pasted = f"{label}To complete {completion.token.id}, paste this into another terminal:"
        lines = [pasted, *_missing(completion), "", command(completion)]
    return "\n".join(["", *(f"{INDENT}{line}".rstrip() for line in lines), ""])


def _again(token: TaskToken, location: Location) -> str:
    return f"Run it again with {_answer_option(token, location)}, or paste this into another terminal:"


def _answer_option(completion: Completion | TaskToken, location: Location, approver: str | None = None) -> str:
    to = To(show.cell(location.state or ""), location.items or None, approver)
    return f"--answer {shlex.quote(f'{to}={_json(completion.output)}')}"


def _missing(completion: Completion) -> list[str]:
    return [f"Put values that fit into it first: {', '.join(completion.missing)}"] if completion.missing else []


def _how_to_open(token: Token, label: str) -> list[str]:
    """Return who opens what: each of those who may answer the page has a link of their own."""
    links = {link.approver: link.url for link in token.links}
    opened = [f"As {show.cell(it.id)}, open {links[it.id]}" for it in token.still_asked] or [f"Open {token.url}"]
    return [f"{label}{line}" for line in opened]


def _why(event: Event) -> str:
    """Return an error with its cause. If the cause is a function's JSON, only its message is shown."""
    cause = event.cause or ""
    try:
        found = json.loads(cause)
        cause = str(found["errorMessage"])
    except (ValueError, TypeError, KeyError):
        pass
    return show.cell(": ".join(part for part in (event.error, cause) if part))


def as_value(event: Event) -> dict[str, Any]:
    """Return an event as JSON, without what is absent."""
    version = {"version": VERSION} if event.kind == "started" else {}
    at = event.at.isoformat(timespec="milliseconds")
    named: dict[str, Any] = {"state": event.location.state, "items": list(event.location.items) or None}
    named |= {"token": _token_value(event), "what": event.what, "seconds": event.seconds}
    named |= {"error": event.error, "cause": event.cause, "as": event.answer.approver if event.answer else None}
    given = {"answer": event.answer.value} if event.answer else {}
    texts = {"input": event.input, "output": event.output}
    values = {name: json.loads(text) for name, text in texts.items() if text}
    present = {name: value for name, value in named.items() if value is not None}
    return {"event": event.kind, **version, "at": at, **present, **given, **values}


def _token_value(event: Event) -> dict[str, Any] | None:
    if isinstance(event.token, Token) and event.kind == "waits":
        return {"id": event.token.id, "status": event.token.status}
    if event.token:
        return {"id": event.token.id}
    if event.completion is None:
        return None
    if isinstance(event.completion, TaskToken):
        return {"id": event.completion.id, "fits": event.completion.output, "command": command(event.completion)}
    token, missing = event.completion.token, event.completion.missing
    made = {"fits": event.completion.output, **({"missing": list(missing)} if missing else {})}
    links = {"links": [show.as_value(link) for link in token.links]} if token.links else {}
    return {"id": token.id, "url": token.url, **links, **made, "command": command(event.completion)}


def command(completion: Completion | TaskToken) -> str:
    """Return the line that completes a token: with its URL alone, or with a signature too, if that does it."""
    data = shlex.quote(_json(completion.output))
    if isinstance(completion, TaskToken):
        sends = f"aws stepfunctions send-task-success --task-output {data} --task-token {shlex.quote(completion.id)}"
        return f'(eval "$({_program()} env)"; {sends})'
    if completion.by_post:
        return f"curl -sw '\\n' -d {data} {shlex.quote(completion.token.url)}"
    return f"{_program()} {'deliver' if completion.is_signed else 'complete'} {completion.token.id} {data}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _program() -> str:
    """Return the word that runs this program in another terminal."""
    return "waitpoints" if shutil.which("waitpoints") else shlex.quote(sys.argv[0])
