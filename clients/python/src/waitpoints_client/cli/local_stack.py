"""`waitpoints up`, `down`, `env` and `install`: the stack of the package waitpoints-local on this machine."""

import os
import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from waitpoints_client import local_stacks
from waitpoints_client.cli import arguments, show, stacks
from waitpoints_client.cli.commands import Printed, printing
from waitpoints_client.cli.operate import end_in_order
from waitpoints_client.cli.options import Json, add, option
from waitpoints_client.cli.problems import CommandProblem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

PORT = 8787
VARIABLES = {
    "AWS_ENDPOINT_URL": "endpoint_url",
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_REGION": "region",
    "AWS_DEFAULT_REGION": "region",
}
OTHERS = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
"""What would lead to AWS, or spoil a signature."""
Port = Annotated[
    int,
    option("--port", metavar="PORT", min=0, max=65535, help=f"The port on 127.0.0.1, 0 for any free one. Default: {PORT}."),
]


def up(
    port: Port = PORT,
    parameters: Annotated[
        list[str] | None,
        option("--parameters", "-p", metavar="NAME=VALUE", help="A parameter of the template. Repeat it for several."),
    ] = None,
    host: Annotated[
        str, option("--host", metavar="NAME", help="One more name at which the API answers, such as that of a tunnel.")
    ] = "",
    foreground: Annotated[bool, option("--foreground", help="Serve until Ctrl-C, instead of until `waitpoints down`.")] = False,
    as_json: Json = False,
) -> None:
    """Run the stack on this machine until `waitpoints down`.

    Needs the package waitpoints-local, on Linux or macOS, here or where `waitpoints install` has put it. Nothing of it is in
    AWS, and all of it is forgotten at the end. Other commands find it from any folder. If several run, they find the one that
    was started last, or the one whose port or file WAITPOINTS_LOCAL names.
    """
    engine = stacks.import_local("engine")
    if program := _find(engine):
        _become(program, engine.variables_for_it())
    serving, folder = stacks.import_local("serving"), _folder()
    wanted = dict(arguments.parse_named(text, "--parameters") for text in parameters or ())
    end_in_order()
    steps = Steps()
    try:
        if foreground:
            _serve(serving.serving(port, folder, wanted, steps, host), folder, steps, as_json)
        else:
            stack, is_new = serving.up(port, folder, wanted, steps, host=host)
            steps.end()
            _show(stack, folder, "Serves" if is_new else "Already serves", "`waitpoints down`", as_json)
    except serving.LocalError as error:
        steps.end()
        raise CommandProblem(str(error)) from None


@printing
def install(
    find_links: Annotated[
        str | None, option("--find-links", metavar="FOLDER", help="Where the packages are that PyPI does not have yet.")
    ] = None,
) -> Printed:
    """Install the engine of the local stack in an environment of its own.

    It needs exact versions of its libraries. With an environment of its own, they conflict with none of your project's. Uses
    uv if it is on the path, else pip with Python 3.13 or newer.
    """
    engine = stacks.import_local("engine")
    try:
        made = engine.install(_run, find_links)
    except engine.LocalError as error:
        raise CommandProblem(str(error)) from None
    return Printed({"folder": str(made)}, text=f"Installed in {made}. `waitpoints up` and pytest find it there")


@printing
def down(
    port: Annotated[int | None, option("--port", metavar="PORT", help="Which one, if several run.")] = None,
    every: Annotated[bool, option("--all", help="End all of them.")] = False,
) -> Printed:
    """Stop the stack of `waitpoints up`, and delete its data."""
    serving, folder = stacks.import_local("serving"), _folder()
    ports = [stack.port for stack in serving.find_all(folder)]
    if port is None and len(ports) > 1 and not every:
        named = ", ".join(map(str, ports))
        raise CommandProblem(f"Several stacks run, on the ports {named}: name one with --port, or end all with --all", 2)
    ended = [one for one in (ports if port is None else [port]) if serving.down(one, folder)]
    if ended:
        return Printed({"ended": ended}, text=f"Ended: {', '.join(f'http://127.0.0.1:{one}' for one in ended)}")
    return Printed({"ended": []}, note="No stack of `waitpoints up` runs" + (f" on port {port}" if port else ""))


def chat(
    port: Annotated[
        int, option("--port", metavar="PORT", min=0, max=65535, help="Of the stand-in, 0 for any free one. Default: 8788.")
    ] = 8788,
    as_json: Json = False,
) -> None:
    """Stand in for Slack and Teams, and print what they get.

    The local stack needs Slack=on or Teams=on. Each message, edit and card is printed as it comes. Type list for all of them,
    press N ACTION as U024BE7LH to press a button as this member of Slack, and Ctrl-D to end.
    """
    end_in_order()
    stacks.import_local("chat").chat(port, as_json=as_json)


@printing
def env() -> Printed:
    """Print what `aws`, `sam` and boto3 need for the local stack.

    eval "$(waitpoints env)" sets them. Their keys open this stack alone, until it ends.
    """
    described = local_stacks.read(stacks.find_local("This is for a local stack"))
    variables = {name: described.get(key, "") for name, key in VARIABLES.items()}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return Printed(variables, text="\n".join([*lines, f"unset {' '.join(OTHERS)}"]))


class Steps:
    """Report each step, with its seconds, on standard error."""

    def __init__(self) -> None:
        self._began = 0.0
        self._what = ""

    def __call__(self, what: str) -> None:
        self.end()
        self._what, self._began = what, time.monotonic()

    def end(self) -> None:
        if self._what:
            show.note(f"{self._what:<24}{time.monotonic() - self._began:5.1f} s")
        self._what = ""


def _find(engine: Any) -> "Path | None":
    try:
        program: Path | None = engine.find()
    except engine.LocalError as error:
        raise CommandProblem(str(error)) from None
    return program


def _become(program: "Path", variables: "Mapping[str, str]") -> NoReturn:
    """Run the same command of the engine's environment instead of this one."""
    os.execve(program, [str(program), *sys.argv[1:]], variables)  # noqa: S606 - it is ours


def _run(command: "Sequence[str | Path]") -> None:
    show.note(shlex.join(map(str, command)))
    if status := subprocess.run(command, check=False).returncode:  # noqa: S603 - of `install`
        raise CommandProblem(f"It failed with status {status}")


def _folder() -> "Path":
    serving = stacks.import_local("serving")
    try:
        folder: Path = serving.choose_folder()
    except serving.LocalError as error:
        raise CommandProblem(str(error)) from None
    if folder != (first := local_stacks.folders()[0]):
        show.note(f"{first} cannot be written, so the stack's files are in {folder}")
    return folder


def _serve(served: "AbstractContextManager[Any]", folder: "Path", steps: Steps, as_json: bool) -> None:
    """Serve until Ctrl-C, or another signal that ends a program."""
    try:
        with served as stack:
            steps.end()
            _show(stack, folder, "Serves", "Ctrl-C", as_json)
            while True:
                signal.pause()
    except KeyboardInterrupt:
        show.note("Ended")


def _show(stack: Any, folder: "Path", what: str, end: str, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        show.value({**asdict(stack), "file": str(folder / f"stack.{stack.port}.json")})
        return
    show.text(f"{what} at ", show.Styled("1", stack.api_url), f" until {end}. The console: {stack.api_url}/console")
    show.text()
    show.text("  waitpoints create --timeout 1h")
    show.text("  waitpoints try machine.asl.json")
    show.text()
    show.text("For curl, SDKs and the console:")
    show.text()
    show.text(f"  export WAITPOINTS_URL={stack.api_url}")
    show.text(f"  export WAITPOINTS_API_KEY={stack.api_key}")


def add_to(program: typer.Typer) -> None:
    add(program, (up, down, env, chat, install), "On this machine")
