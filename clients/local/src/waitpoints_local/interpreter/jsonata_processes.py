"""The processes that evaluate JSONata, so that an expression without an end stops the execution that it is of, and no other.

Python's regular expressions hold the interpreter's lock, and a function of JSONata can ask for any amount of memory. AWS does
not document its own limits.
"""

import queue
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

SECONDS = 1.0
"""Of a processor, for one expression. The time that other processes take does not count."""
MEMORY = 2**30
LARGEST_RESULT = 2**24
"""In bytes. No state passes on more than 256 KiB."""
AT_ONCE = 2


class _Process:
    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "waitpoints_local.interpreter.jsonata_process", str(theirs.fileno())]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        theirs.close()
        self._connection = Connection(ours.detach())

    def ask(self, *asked: Any) -> Any:
        """Return what the process answers. Raises OSError and EOFError if it has ended."""
        self._connection.send(asked)
        return self._connection.recv()

    def end(self) -> int:
        """Return how it has ended."""
        self._connection.close()
        return self._process.wait()


class JsonataProcesses:
    """Processes that are started when they are needed, and again when they have ended."""

    def __init__(self) -> None:
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()  # the one that was used last is used next
        for _ in range(AT_ONCE):
            self._idle.put(None)

    def prepare(self) -> None:
        """Start one, unless one has been. It is at work in half a second."""
        with suppress(queue.Empty):
            self._idle.put(self._idle.get_nowait() or _Process())

    def evaluate(self, expression: str, bindings: dict[str, Any], millis: int | None) -> tuple[Any, str]:
        """Return the value, and what is wrong, or an empty text."""
        process = self._idle.get()
        try:
            while True:
                process = process or _Process()
                with suppress(OSError, EOFError):
                    answer: tuple[Any, str] = process.ask(expression, bindings, millis)
                    return answer
                ended, process = process.end(), None
                if ended == -signal.SIGPROF:
                    about = f"D1012: It took more than {SECONDS:g} s. Look for a loop or a regular expression without an end"
                    return None, f"The JSONata expression '{expression}' threw an error: {about}"
        finally:
            self._idle.put(process)
