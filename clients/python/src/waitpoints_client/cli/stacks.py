"""Which stack a command is for."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waitpoints_client import local_stacks
from waitpoints_client.cli.problems import CommandProblem

if TYPE_CHECKING:
    from waitpoints_client import Waitpoints
    from waitpoints_client.ops.deployed import Deployed


def find_client(name: str | None) -> "Waitpoints":
    """Return a client of the stack of this name in AWS, else of the environment's, else of the one on this machine.

    Raises CommandProblem that says what was tried.
    """
    from waitpoints_client import Waitpoints

    return Waitpoints(*find_address(name))


def find_address(name: str | None) -> tuple[str, str]:
    """Return the URL and the API key of the stack that `find_client` finds."""
    if name is not None:
        stack = find_stack(name)
        return stack.outputs["ApiUrl"], stack.read_api_key()
    if given := read_environment():
        return given
    if path := local_stacks.find():
        described = local_stacks.read(path)
        return described["api_url"], described["api_key"]
    raise CommandProblem(
        "No stack: start one with `waitpoints up` or `make run`, name one in your AWS account with --stack, or set "
        f"WAITPOINTS_URL and WAITPOINTS_API_KEY; no --stack is given, the two are not set, and {local_stacks.nowhere()}"
    )


def make_client(stack: "Deployed") -> "Waitpoints":
    """Return a client of a stack that is operated on, whatever the environment names."""
    from waitpoints_client import Waitpoints

    return Waitpoints(stack.outputs["ApiUrl"], stack.read_api_key())


def read_local_client(path: Path) -> "Waitpoints":
    """Return a client of the stack that a file on this machine describes."""
    from waitpoints_client import Waitpoints

    described = local_stacks.read(path)
    return Waitpoints(described["api_url"], described["api_key"])


def find_stack(name: str | None) -> "Deployed":
    """Return the stack of this name in AWS, or the one on this machine. Raises CommandProblem or NotFound."""
    if name == "":
        raise CommandProblem("--stack is empty: name a stack in your AWS account, or leave it out", 2)
    Deployed = import_deployed()  # noqa: N806 - the class
    if name is not None:
        return Deployed.named(name)
    if path := local_stacks.find():
        return Deployed.local(local_stacks.read(path))
    raise CommandProblem(
        "No stack: start one with `waitpoints up` or `make run`, or name one in your AWS account with --stack (with make, "
        f"STACK=name); no --stack is given, and {local_stacks.nowhere()}"
    )


def note_local_key(stack: "Deployed", key: str) -> None:
    """Write a new API key of the stack on this machine into the file in which other commands find it."""
    found = local_stacks.find()
    for path in found.parent.glob("stack*.json") if found else ():
        described = json.loads(path.read_text())
        if described["endpoint_url"] == stack.endpoint.get("endpoint_url"):
            path.write_text(json.dumps({**described, "api_key": key}, indent=2) + "\n")


def find_local(only: str) -> Path:
    """Return the file of the stack on this machine. Raises CommandProblem, which begins with what is for such a stack only."""
    if path := local_stacks.find():
        return path
    raise CommandProblem(f"{only}: start one with `waitpoints up` or `make run` ({local_stacks.nowhere()})")


def read_environment() -> tuple[str, str] | None:
    """Return the URL and the API key that the environment names, or None. Raises CommandProblem if only one is set."""
    names = ("WAITPOINTS_URL", "WAITPOINTS_API_KEY")
    url, key = (os.environ.get(name, "") for name in names)
    if bool(url) != bool(key):
        raise CommandProblem(f"{names[0] if url else names[1]} is set, but {names[1] if url else names[0]} is not: set both")
    return (url, key) if url else None


def find_named_file(named: str) -> Path:
    """Return the file of a local stack that --local names, itself or by its folder. Raises CommandProblem if there is none."""
    path = Path(named)
    file = path / local_stacks.NAME if path.is_dir() else path
    if not file.is_file():
        raise CommandProblem(f"--local {named} is neither the file of a local stack nor a folder with a {local_stacks.NAME}", 2)
    return file


def read_local_stack(path: Path) -> "Deployed":
    """Return the stack that a file describes. Raises CommandProblem, and NotFound if it no longer runs."""
    deployed = import_deployed()
    try:
        return deployed.local(local_stacks.read(path))
    except (ValueError, KeyError, TypeError):
        raise CommandProblem(f"{path} does not describe a local stack", 2) from None


def import_deployed() -> "type[Deployed]":
    """Raises CommandProblem without the extra that it needs."""
    try:
        from waitpoints_client.ops.deployed import Deployed
    except ModuleNotFoundError as missing:
        if missing.name not in ("boto3", "botocore"):
            raise
        raise CommandProblem(
            'This needs boto3, of the extra "aws": in a clone, run `pip install "./clients/python[aws]"`'
        ) from None
    return Deployed


def import_local(module: str) -> Any:
    """Return a module of the package waitpoints-local. Raises CommandProblem if the package is missing."""
    try:
        return import_module(f"waitpoints_local.{module}")
    except ModuleNotFoundError as missing:
        if missing.name != "waitpoints_local":
            raise
        problem, package = "This needs the package waitpoints-local", "waitpoints-local"
        if sys.platform not in ("linux", "darwin"):
            problem += ", which needs Linux or macOS"
        elif sys.version_info < (3, 13):
            problem += ", which needs Python 3.13, or waitpoints-testing and then `waitpoints install`"
            package = "waitpoints-testing"
        raise CommandProblem(f"{problem}: run `pip install {package}`") from None
