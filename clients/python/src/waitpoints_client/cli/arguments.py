"""Values as they are typed: JSON, files, and the signature that deliveries must have."""

import json
import os
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waitpoints_client.cli.problems import USAGE, CommandProblem

if TYPE_CHECKING:
    from waitpoints_client.request_types import ApproverOptions, NotifyOptions, Verify


def read_content(argument: str) -> str:
    """Return an argument's text: of the file in `@file`, of standard input for `-`, else the argument itself."""
    if argument == "-":
        return read_standard_input()
    return read_file(argument[1:]) if argument.startswith("@") else argument


def read_standard_input() -> str:
    if sys.stdin is None:
        raise CommandProblem("- reads standard input, which is closed", USAGE)
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise CommandProblem("standard input is not text in UTF-8", USAGE) from None


def read_content_or_file(argument: str, name: str) -> str:
    """Return an argument that is JSON, or the text of the file that it names with or without `@`; standard input for `-`."""
    if argument == "-" or argument.lstrip().startswith(("{", "[", "@")) or _is_json(argument):
        return read_content(argument)
    try:
        return read_file(argument)
    except CommandProblem as problem:
        raise CommandProblem(
            f"{name} {argument} is neither JSON nor a file: {str(problem).rpartition(': ')[2]}", USAGE
        ) from None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def read_file(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise CommandProblem(f"{name} cannot be read: {error.strerror}", USAGE) from None
    except UnicodeDecodeError:
        raise CommandProblem(f"{name} is not text in UTF-8", USAGE) from None


def read_json(argument: str, name: str, example: str | None = None) -> Any:
    """Return the JSON value of an argument, which can be `@file` or `-`. `name` says in an error which argument it is."""
    return _parse(read_content(argument), _name_of(argument, name) if argument.startswith("@") else name, example)


def read_json_or_file(argument: str, name: str) -> Any:
    """Return the JSON value of an argument, which can be a file's name, too."""
    text = read_content_or_file(argument, name)
    return _parse(text, name if argument in (text, "-") else _name_of(argument, name))


def _name_of(file: str, argument: str) -> str:
    return f"{file.removeprefix('@')} of {argument}"


def _parse(text: str, name: str, example: str | None = None) -> Any:
    try:
        hook = partial(_refuse_repeated, name)
        return json.loads(text, parse_constant=partial(_refuse_constant, name), object_pairs_hook=hook)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CommandProblem(f"{name} is not JSON ({error.msg}, {place}): write {example or _example(text)}", USAGE) from None
    except RecursionError:
        raise CommandProblem(f"{name} is nested too deep: a stack takes 500 levels", USAGE) from None
    except ValueError:  # Python's limit of digits
        raise CommandProblem(
            f"{name} has a whole number of more than 4,300 digits: post it to the token's URL instead", USAGE
        ) from None


def _refuse_constant(name: str, constant: str) -> None:
    raise CommandProblem(f"{name} has {constant}, which is not JSON: write a number, null or a text in quotes", USAGE)


def _refuse_repeated(name: str, members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        names = Counter(it for it, _ in members)
        raise CommandProblem(f"{name} has {json.dumps(names.most_common(1)[0][0])} twice in one object: write it once", USAGE)
    return found


def _example(text: str) -> str:
    """Say how to write the JSON that was probably meant."""
    if os.path.isfile(text):
        return f"@{text} to read the file"
    is_word = text.strip() and not text.lstrip().startswith(("{", "["))
    return f"'{json.dumps(text.strip())}' for a text" if is_word and len(text) < 40 else """'{"approved": true}', for example"""


def parse_named(text: str, option: str) -> tuple[str, str]:
    """Return the name and the value of NAME=VALUE."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise CommandProblem(f"{option} {text} has another form than NAME=VALUE", USAGE)
    return name, value


def parse_header(text: str) -> tuple[str, str]:
    """Return the name and the value of `Name: value`."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise CommandProblem(f"--header {text!r} has another form than 'Name: value'", USAGE)
    return name.strip(), value.strip()


def parse_verify(argument: str) -> "Verify":
    """Return the signature that `SCHEME:SECRET`, `token:SECRET:HEADER` or the API's JSON asks for."""
    if argument.lstrip().startswith(("{", "@")) or argument == "-":
        verify: Verify = read_json(argument, "--verify")
        return verify
    parts = argument.split(":")
    if len(parts) == 2 and all(parts):
        return {"scheme": parts[0], "secret": parts[1]}
    if len(parts) == 3 and all(parts):
        return {"scheme": parts[0], "secret": parts[1], "header": parts[2]}
    raise CommandProblem(f"--verify {argument} has another form than SCHEME:SECRET, such as github:GITHUB, or JSON", USAGE)


def parse_approver(argument: str, name: str = "--add") -> "str | ApproverOptions":
    """Return a person: an id or address, or the API's object. `name` is the option's."""
    start, example = argument.lstrip()[:1], """'{"id": "ann", "email": "ann@example.com"}', for example"""
    if start not in ("{", "@", "[", '"') and argument != "-":
        return argument
    person: ApproverOptions | None = None if start in ("[", '"') else read_json(argument, name, example)
    if isinstance(person, dict):
        return person
    raise CommandProblem(f"{name} {argument} is neither an id, an address nor a JSON object: write {example}", USAGE)


def parse_notify(found: list[str]) -> "NotifyOptions":
    """Return who is notified: `email`, `email:ADDRESS` (also several), `slack:CHANNEL`, `teams:SECRET`, `outcome`, or JSON."""
    if len(found) == 1 and (found[0].lstrip().startswith(("{", "@")) or found[0] == "-"):
        whole: NotifyOptions = read_json(found[0], "--notify")
        return whole
    notify: NotifyOptions = {}
    addresses: list[str] = []
    for argument in found:
        channel, _, to = argument.partition(":")
        if argument == "email" and "email" not in notify:
            notify["email"] = True
        elif channel == "email" and to and notify.get("email") is not True:
            addresses.append(to)
            notify["email"] = addresses
        elif channel == "slack" and to and "slack" not in notify:
            notify["slack"] = to
        elif channel == "teams" and to and "teams" not in notify:
            notify["teams"] = to
        elif argument == "outcome":
            notify["outcome"] = True
        else:
            forms = "email, email:ADDRESS, slack:CHANNEL, teams:SECRET or outcome"
            raise CommandProblem(f"--notify {argument} has another form than {forms}, or contradicts one before", USAGE)
    return notify


def check_tags(tags: list[str] | None) -> list[str] | None:
    """Return the tags of a new token. Raises CommandProblem for one that no list can be filtered by."""
    if with_comma := [tag for tag in tags or () if "," in tag]:
        raise CommandProblem(
            f"--tag {with_comma[0]!r} has a comma, and no filter finds such a tag: repeat --tag for several", USAGE
        )
    return tags
