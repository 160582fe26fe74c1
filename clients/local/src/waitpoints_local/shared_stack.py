"""The stack that the tests of a session use: the one that runs here, or one that is started for them.

All processes of pytest-xdist, and sessions that run at the same time, share it. Each holds a lock on the stack's file of users
as long as it lives, so the last one knows that it is the last, however the others ended.
"""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from waitpoints_client import local_stacks

from waitpoints_local import engine, serving
from waitpoints_local.serving import Served
from waitpoints_local.stack import LocalError, Stack, is_serving
from waitpoints_local.turns import one_at_a_time

PARAMETERS = {"MailFrom": "waitpoints@example.com"}
"""Of a stack that is started for tests. It keeps the mails, and sends none."""


@contextmanager
def shared(parameters: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """The stack, with these parameters of its template. Raises LocalError if it cannot be started, or runs with others."""
    folder = serving.choose_folder()
    turn = folder / "locks" / "sessions"
    with one_at_a_time(turn):
        stack = _find_running(parameters or {}) or _start(folder, parameters or {})
        users = _join(folder, stack)
    try:
        yield stack
    finally:
        if users:
            with one_at_a_time(turn), users:
                if _is_last(users):
                    Path(users.name).unlink(missing_ok=True)
                    serving.down(stack.port, folder)


def _find_running(wanted: Mapping[str, str]) -> Stack | None:
    file = local_stacks.find()
    if file is None:
        return None
    with suppress(OSError, ValueError, TypeError):  # it ended at this moment
        stack = Stack.read(file)
        if is_serving(stack.endpoint_url):
            _check(stack, local_stacks.read(file).get("parameters", {}), wanted)
            return stack
    return None


def _check(stack: Stack, runs_with: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    missing = " ".join(f"{name}={value}" for name, value in wanted.items() if runs_with.get(name) != value)
    if missing:
        raise LocalError(f"The stack at {stack.api_url} runs without {missing}: end it with `waitpoints down`")


def _start(folder: Path, parameters: Mapping[str, str]) -> Stack:
    program, parameters = engine.find(), {**PARAMETERS, **parameters}
    served = _start_elsewhere(program, folder, parameters) if program else serving.up(0, folder, parameters)[0]
    _users_of(folder, served).write_text(str(served.process))
    return served


def _start_elsewhere(program: Path, folder: Path, parameters: Mapping[str, str]) -> Served:
    served = Served.read(Path(engine.up(program, folder, parameters)["file"]))
    try:
        engine.check_version(served.version)
    except LocalError:
        serving.down(served.port, folder)
        raise
    return served


def _join(folder: Path, stack: Stack) -> IO[bytes] | None:
    """Be one of those who use a stack. Returns None if no session started it: then none ends it."""
    served, file = serving.find(stack.port, folder), _users_of(folder, stack)
    if served is None or not file.exists() or file.read_text() != str(served.process):  # else it is of one that was killed
        return None
    users = open(file, "rb")  # noqa: SIM115 - open as long as the stack is used
    fcntl.flock(users, fcntl.LOCK_SH)
    return users


def _is_last(users: IO[bytes]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _users_of(folder: Path, stack: Stack) -> Path:
    """The file that sessions lock which use a stack that one of them started. It names the stack's process."""
    return folder / f"sessions.{stack.port}"
