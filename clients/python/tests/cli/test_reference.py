"""The section "The command line" of the package's README says what the program does."""

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from waitpoints_client.cli.program import program

README = (Path(__file__).parent.parent.parent / "README.md").read_text()
SECTION = README[README.index("## The command line") :].partition("\n## ")[0]
OF_ALL = {"--stack", "--json"}
EVERYWHERE_BUT = {"--stack": {"try", "outbox", "up", "down", "env"}, "--json": set[str]()}
PROGRAM = get_command(program)


def commands(group: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command by its words."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        words = (*path, name)
        found |= commands(command, words) if hasattr(command, "commands") else {" ".join(words): command}
    return found


def row(words: str, command: Any) -> str:
    """Its line of the reference: its arguments, its own options, and the first sentence of its help."""
    arguments = [parameter.metavar for parameter in command.params if parameter.param_type_name == "argument"]
    own = [parameter.opts for parameter in command.params if parameter.param_type_name == "option"]
    options = ", ".join(" ".join(f"`{name}`" for name in names) for names in own if not OF_ALL & set(names))
    says = re.split(r"(?<=\.)\s", command.help, maxsplit=1)[0]
    return f"| `{' '.join([words, *arguments])}` | {options} | {says} |"


@pytest.mark.parametrize("words", commands(PROGRAM))
def test_the_reference_has_every_command_with_its_options(words: str) -> None:
    assert row(words, commands(PROGRAM)[words]) in SECTION.splitlines()


def test_the_reference_has_no_other_command() -> None:
    named = re.findall(r"^\| `([a-z -]+[a-z])[^`]*` \| .* \| .*\|$", SECTION, re.MULTILINE)
    assert named == list(commands(PROGRAM))


@pytest.mark.parametrize("option", sorted(OF_ALL))
def test_the_options_of_all_commands_are_those_of_the_text(option: str) -> None:
    without = {
        words for words, command in commands(PROGRAM).items() if not any(option in known.opts for known in command.params)
    }
    assert f"`{option}" in SECTION
    assert without == EVERYWHERE_BUT[option]
