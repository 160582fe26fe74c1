"""Every line with `waitpoints` in the documents, and in what `make run` prints, is a command of the program."""

import re
from typing import Any

import pytest
from typer.main import get_command
from waitpoints_client.cli.program import program

from tests.support.documents import shell_code
from tools.run import how_to_go_on
from waitpoints_local.stack import Stack

_COMMAND = re.compile(r"(?:^|[\s(/\"])waitpoints ((?:-|[a-z])[^|)\n]*)")
COMMANDS = get_command(program)
PRINTED = how_to_go_on(Stack(*["x"] * len(Stack.__dataclass_fields__)), has_aws=True)


def lines() -> list[tuple[str, str]]:
    """Each command line after the word `waitpoints`, with the name of its page."""
    code = [*shell_code("waitpoints"), ("make run", PRINTED.replace("\\\n", " "))]
    found = {(name, line) for name, text in code for line in _COMMAND.findall(text)}
    return sorted((name, line) for name, line in found if not line.startswith("--stack-name"))


@pytest.mark.parametrize(("page", "line"), lines())
def test_is_a_command_with_its_options(page: str, line: str) -> None:
    command: Any = COMMANDS
    words = line.split()
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands
        command = command.commands[words.pop(0)]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)} <= known


def test_the_pages_have_them() -> None:
    assert {"README.md", "operation.md", "patterns.md"} <= {page for page, _ in lines()}
