"""Values as they are typed: JSON, files, and the signature that deliveries must have."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waitpoints_client.cli.problems import Problem

if TYPE_CHECKING:
    from waitpoints_client.options import Verify

USAGE = 2


def content(argument: str) -> str:
    """Return an argument's text: of the file in `@file`, of standard input for `-`, else the argument itself."""
    if argument == "-":
        return standard_input()
    return file(argument[1:]) if argument.startswith("@") else argument


def standard_input() -> str:
    if sys.stdin is None:
        raise Problem("- reads standard input, which is closed", USAGE)
    return sys.stdin.read()


def content_or_file(argument: str) -> str:
    """Return an argument that is JSON, or the text of the file that it names; `@file` and `-` as for other arguments."""
    is_content = argument.lstrip().startswith(("{", "[", "@")) or argument == "-"
    return content(argument) if is_content else file(argument)


def file(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise Problem(f"{name} cannot be read: {error.strerror}", USAGE) from None
    except UnicodeDecodeError:
        raise Problem(f"{name} is not text in UTF-8", USAGE) from None


def json_value(argument: str, name: str) -> Any:
    """Return the JSON value of an argument, which can be `@file` or `-`. `name` says in an error which argument it is."""
    text = content(argument)
    try:
        return json.loads(text, parse_constant=partial(_refuse_constant, name))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Problem(f"{name} is not JSON ({error.msg}, {place}): write {_example(text)}", USAGE) from None
    except RecursionError:
        raise Problem(f"{name} is nested too deep: a stack takes 500 levels", USAGE) from None
    except ValueError:  # Python's limit of digits
        raise Problem(
            f"{name} has a whole number of more than 4,300 digits: post it to the token's URL instead", USAGE
        ) from None


def _refuse_constant(name: str, constant: str) -> None:
    raise Problem(f"{name} has {constant}, which is not JSON: write a number, null or a text in quotes", USAGE)


def _example(text: str) -> str:
    """Say how to write the JSON that was probably meant."""
    is_word = text.strip() and not text.lstrip().startswith(("{", "["))
    return f"'{json.dumps(text.strip())}' for a text" if is_word and len(text) < 40 else """'{"approved": true}', for example"""


def verification(argument: str) -> "Verify":
    """Return the signature that `SCHEME:SECRET` or `token:SECRET:HEADER` asks for."""
    parts = argument.split(":")
    if len(parts) == 2 and all(parts):
        return {"scheme": parts[0], "secret": parts[1]}
    if len(parts) == 3 and all(parts):
        return {"scheme": parts[0], "secret": parts[1], "header": parts[2]}
    raise Problem(f"--verify {argument} has another form than SCHEME:SECRET, such as github:GITHUB", USAGE)
