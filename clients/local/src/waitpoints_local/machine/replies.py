"""What the options --answer, --time-out and --stand-in of `waitpoints try` say."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from waitpoints_client.cli import arguments
from waitpoints_client.cli.problems import USAGE, CommandProblem

from waitpoints_local.machine.reply_plan import Answer, Answers, TimeOut, To
from waitpoints_local.machine.stand_ins import Fails, Returns, Script, Turn

_ITEMS = r"(?:\[(?P<items>\d+(?:\.\d+)*)\])?"
_APPROVER = r"(?: as (?P<approver>[^=]+))?"
_FAILURE = re.compile(r"fails (?P<name>[A-Za-z_][\w.]*)(?:: (?P<message>.+))?")
_ANSWER_FORMS = "JSON, STATE=JSON, STATE[ITEM]=JSON or STATE as APPROVER=JSON, where @FILE can stand for the JSON"
_STAND_IN_FORMS = "NAME=JSON, NAME=@FILE or NAME=fails ERROR"


def parse_answers(answers: Iterable[str], time_outs: Iterable[str], waiting: Mapping[str, int]) -> Answers:
    """Return what the tokens of a run are answered. `waiting` are the states that can wait, with how many Maps each is in.

    Raises CommandProblem for a wrong form, and for a state that cannot wait.
    """
    found = Answers()
    for text in time_outs:
        to = _to(_split_name(text, waiting, f"{_ITEMS}") or (text, {}))
        found.add(to, TimeOut())
        _refuse_wrong(found, waiting, f"--time-out {text}")
    for text in answers:
        to, value = _parse_answer(text, waiting)
        found.add(to, Answer(value))
        _refuse_wrong(found, waiting, f"--answer {text}")
    return found


def _refuse_wrong(found: "Answers", waiting: Mapping[str, int], option: str) -> None:
    if problem := found.find_wrong(waiting):
        raise CommandProblem(f"{option}: {problem}", USAGE)


def _parse_answer(text: str, waiting: Mapping[str, int]) -> tuple[To, Any]:
    """Return which tokens an answer is for, and the answer. A state's name can have any character, so the longest one that
    fits is taken.
    """
    if named := _split_name(text, waiting, rf"{_ITEMS}{_APPROVER}=(?P<value>.*)"):
        return _to(named), arguments.read_json(named[1]["value"], f"--answer {text.partition('=')[0]}=…")
    if text.lstrip().startswith(("{", "[", '"', "@", "-")) or "=" not in text:
        return To(), arguments.read_json(text, "--answer")
    named = _split_any_name(text)
    if named is None:
        raise CommandProblem(f"--answer {text} has another form than {_ANSWER_FORMS}", USAGE)
    return _to(named), None  # of a state that does not exist, as is said then


def _split_name(text: str, waiting: Iterable[str], rest: str) -> tuple[str, dict[str, str]] | None:
    for state in sorted(waiting, key=len, reverse=True):
        if text.startswith(state) and (found := re.fullmatch(rest, text[len(state) :], re.DOTALL)):
            return state, found.groupdict()
    return None


def _split_any_name(text: str) -> tuple[str, dict[str, str]] | None:
    found = re.fullmatch(rf"(?P<state>.+?){_ITEMS}{_APPROVER}=(?P<value>.*)", text, re.DOTALL)
    return (found["state"], found.groupdict()) if found else None


def _to(named: tuple[str, Mapping[str, str | None]]) -> To:
    state, parts = named
    items = parts.get("items")
    return To(state, tuple(map(int, items.split("."))) if items else None, parts.get("approver"))


def parse_stand_ins(texts: Iterable[str]) -> dict[str, Script]:
    """Return what each stand-in does, call by call. Raises CommandProblem."""
    found: dict[str, list[Turn]] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (sign and name and value):
            raise CommandProblem(f"--stand-in {text} has another form than {_STAND_IN_FORMS}", USAGE)
        found.setdefault(name, []).append(_parse_turn(name, value))
    return dict(found)


def _parse_turn(name: str, value: str) -> Turn:
    if value.startswith("fails"):
        failure = _FAILURE.fullmatch(value)
        if failure is None:
            example = f'"{name}=fails PaymentDeclined" or "{name}=fails PaymentDeclined: a message"'
            raise CommandProblem(f"--stand-in {name}={value} has another form than {example}", USAGE)
        return Fails(failure["name"], failure["message"]) if failure["message"] else Fails(failure["name"])
    return Returns(arguments.read_json(value, f"--stand-in {name}=…"))


def describe_unused(answers: Answers, waited: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with each reply that no token got."""
    for to, number, reply in answers.find_unused():
        option = "--time-out" if isinstance(reply, TimeOut) else "--answer"
        which = f", number {number} of {len(answers.replies[to])}," if len(answers.replies[to]) > 1 else ""
        states = ", ".join(f'"{state}"' for state in dict.fromkeys(waited))
        instead = f"the states that waited are {states}" if states else "no state waited"
        yield f"{option} for {to}{which} was not used: {instead}"
