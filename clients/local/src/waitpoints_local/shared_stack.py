"""The stack that the tests of a session use: the one that runs here, or one that is started for them.

All processes of pytest-xdist, and sessions that run at the same time, share it. Each holds a lock on the stack's file of users
as long as it lives, so the last one knows that it is the last, however the others ended.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from waitpoints_client import local_stacks

from waitpoints_local import serving
from waitpoints_local.stack import Stack, is_serving
from waitpoints_local.turns import one_at_a_time

PARAMETERS = {"MailFrom": "waitpoints@example.com"}
"""Of a stack that is started for tests. It keeps the mails, and sends none."""


@contextmanager
def shared() -> Iterator[Stack]:
    """The stack. Raises LocalError if it cannot be started."""
    folder = serving.choose_folder()
    turn = folder / "locks" / "sessions"
    with one_at_a_time(turn):
        stack = _find_running() or _start(folder)
        users = _join(folder, stack)
    try:
        yield stack
    finally:
        if users:
            with one_at_a_time(turn), users:
                if _is_last(users):
                    Path(users.name).unlink(missing_ok=True)
                    serving.down(stack.port, folder)


def _find_running() -> Stack | None:
    file = local_stacks.find()
    if file is None:
        return None
    with suppress(OSError, ValueError, TypeError):  # it ended at this moment
        stack = Stack.read(file)
        return stack if is_serving(stack.endpoint_url) else None
    return None


def _start(folder: Path) -> Stack:
    served, _ = serving.up(0, folder, PARAMETERS)
    _users_of(folder, served).write_text(str(served.process))
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
