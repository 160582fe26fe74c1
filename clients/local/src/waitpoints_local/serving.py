"""Start and end the stack that the package brings, in the background or as long as a program wants it.

    with serving(8787, folder) as stack: ...
    stack, is_new = up(8787, folder); down(8787, folder)

Each stack has a port, and a folder of that name for the emulator's files. The folder above describes all of them.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from waitpoints_client import __version__, local_stacks

from waitpoints_local import content
from waitpoints_local.deployment import deploy_here
from waitpoints_local.stack import (
    Emulator,
    EmulatorFolder,
    LocalError,
    PortInUse,
    Program,
    Stack,
    Step,
    check_host,
    describe,
    described_in,
    emulating,
    end,
    free_port,
    has_exited,
    is_serving,
    remove,
    write,
)
from waitpoints_local.turns import one_at_a_time

PORT = 8787
SOON = 5  # seconds


@dataclass(frozen=True)
class Served(Stack):
    """A stack, with what `up` and `down` need to know about it."""

    version: str
    parameters: dict[str, str]
    """What it was asked for, by names of the template's parameters."""
    host: str
    """One more at which its API answers."""
    process: int
    """The emulator's, which leads all others. 0 if the stack ends with the program that has started it."""


def choose_folder() -> Path:
    """Return the first folder that stacks can be described in, and make it. Raises LocalError if there is none."""
    problems = []
    for folder in local_stacks.folders():
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe = folder / f"probe.{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            problems.append(f"{folder}: {error.strerror}")
            continue
        if local_stacks.is_ours(folder):
            return folder
        problems.append(f"{folder}: others may write to it")
    raise LocalError(f"No folder for the stack's files ({'; '.join(problems)}): name one with {local_stacks.VARIABLE}")


def up(
    port: int,
    folder: Path,
    parameters: Mapping[str, str] | None = None,
    step: Step = str,
    program: Program | None = None,
    host: str = "",
) -> tuple[Served, bool]:
    """Return the stack on this port, and whether it was started now. It runs until `down`, whatever becomes of this process.

    Port 0 is any free one. Raises LocalError, also if a stack of another version or with other parameters runs there.
    """
    parameters, program = dict(parameters or {}), replace(program or Program(), host=host)
    slot = Slot(port or free_port(), folder)
    check_host(host)
    with slot.turn():
        if running := slot.find():
            _check_same(running, parameters, host)
            return running, False
        return _start(slot, parameters, step, program), True


def find(port: int, folder: Path) -> Served | None:
    """Return the stack on this port, if one of this folder runs there."""
    return Slot(port, folder).find()


def find_all(folder: Path) -> list[Served]:
    """Return the stacks that run in the background, in the order of their ports."""
    ports = sorted(int(file.suffixes[-2][1:]) for file in folder.glob("stack.*.json"))
    return [stack for port in ports if (stack := find(port, folder))]


def down(port: int, folder: Path) -> bool:
    """End the stack on this port, with all its processes and files. Returns whether one ran."""
    slot = Slot(port, folder)
    with slot.turn():
        running = slot.find()
        if running:
            end(running.process, slot.emulator.has_died)
        slot.forget()
    return running is not None


@contextmanager
def serving(
    port: int, folder: Path, parameters: Mapping[str, str] | None = None, step: Step = str, host: str = ""
) -> Iterator[Served]:
    """Run a stack until the block ends, however this process ends. Port 0 is any free one."""
    slot, parameters = Slot(port or free_port(), folder), dict(parameters or {})
    content.check_names(content.template(), parameters)
    check_host(host)
    try:
        with _ports_named(), emulating(slot.port, slot.emulator.folder, step, Program(host=host)) as emulator:
            stack = _deployed(emulator, parameters, step, host)
            write(stack, folder)
            yield stack
    finally:
        slot.forget()


@dataclass(frozen=True)
class Slot:
    """A port, and the folder in which its stack is described. Below it, the emulator has a folder of its own."""

    port: int
    folder: Path

    @property
    def file(self) -> Path:
        return described_in(self.folder, self.port)

    @property
    def emulator(self) -> EmulatorFolder:
        return EmulatorFolder(self.port, self.folder / str(self.port))

    def turn(self) -> AbstractContextManager[None]:
        """Let no other process start or end a stack here meanwhile."""
        return one_at_a_time(self.folder / "locks" / str(self.port))

    def find(self) -> Served | None:
        return Served.read(self.file) if self.emulator.is_alive() and self.file.exists() else None

    def forget(self) -> None:
        """Delete all files of what has run here."""
        shutil.rmtree(self.emulator.folder, ignore_errors=True)
        remove(self.port, self.folder)


def _start(slot: Slot, parameters: dict[str, str], step: Step, program: Program) -> Served:
    content.check_names(content.template(), parameters)
    slot.emulator.has_died(SOON)  # as it does if who started it was killed before it had a stack
    slot.forget()
    step("Starting the emulator")
    with _ports_named():
        process, emulator = slot.emulator.launch(program, slot.file)
    try:
        stack = _deployed(emulator, parameters, step, program.host, process.pid)
        write(stack, slot.folder)
    except BaseException:
        end(process.pid, partial(has_exited, process))
        slot.forget()
        raise
    process.returncode = 0  # Python would warn of a process that is left running, which is what `up` is for
    return stack


def _deployed(emulator: Emulator, parameters: Mapping[str, str], step: Step, host: str, process: int = 0) -> Served:
    step("Deploying the stack")
    deploy_here(emulator, content.template(), content.artifact, parameters)
    described = describe(emulator)
    return Served(**vars(described), version=__version__, parameters=dict(parameters), host=host, process=process)


def _check_same(running: Served, parameters: Mapping[str, str], host: str) -> None:
    """Raise LocalError unless what runs is what was asked for."""
    other = None
    if running.version != __version__:
        other = f"of version {running.version}, not {__version__},"
    elif running.parameters != parameters:
        given = " ".join(f"{name}={value}" for name, value in running.parameters.items())
        other = f"with {'the parameters ' + given if given else 'no parameters'}"
    elif running.host != host:
        other = f"with {'--host ' + running.host if running.host else 'no --host'}"
    if other:
        ending = f"end it with `waitpoints down --port {running.port}`, or choose another port with --port"
        raise LocalError(f"A stack {other} already runs at {running.api_url}: {ending}")


@contextmanager
def _ports_named() -> Iterator[None]:
    """Say how a port is chosen here."""
    try:
        yield
    except PortInUse as error:
        served = " by a local stack" if is_serving(f"http://127.0.0.1:{error.port}") else ""
        advice = "end it" if served else "stop the program that uses it"
        raise LocalError(f"Port {error.port} is in use{served}: {advice}, or choose another with --port") from None
