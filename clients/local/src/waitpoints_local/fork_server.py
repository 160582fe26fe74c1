"""Fork into processes of functions, from one process that has imported what they all import first.

Usage: python fork_server.py LAYERS, with a socket as the standard input. Each message on it is the path of a job: a JSON file
with the program to run, its folder and its environment. With it come the program's standard input, output and error, and a
pipe to hold open as long as it lives. The answer is its process id.
"""

import json
import os
import runpy
import signal
import socket
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn, TextIO, cast

PACKAGES = ("boto3", "botocore")
END_OF_LOG = "\x00end of log "  # and the number of the answer that follows
_FIRST = (
    "boto3",
    "botocore.handlers",
    *(f"pydantic.{module}" for module in ("main", "fields", "functional_validators", "types")),  # it imports them when used
    *(f"aws_lambda_powertools.utilities.{module}" for module in ("batch", "parameters.secrets")),
)


def import_first(layers: str) -> None:
    """Import from the places from which the functions would."""
    for layer in filter(None, layers.split(os.pathsep)):
        sys.path[:0] = [layer, os.path.join(layer, "python")]
    for module in _FIRST:
        with suppress(ImportError):  # not each function has it
            import_module(module)


def short(function_name: str) -> str:
    """Return what Linux keeps of a process's name: 15 characters, here the last ones, which are random."""
    return function_name[-15:]


class Answers:
    """The standard output of a function's process. Before each answer, it says on the standard error that the log has ended."""

    def __init__(self) -> None:
        self._out, self._number = os.fdopen(1, "w"), 0

    def write(self, text: str) -> None:
        self._number += 1
        sys.stderr.flush()
        os.write(2, f"{END_OF_LOG}{self._number}\n".encode())
        self._out.write(text)

    def flush(self) -> None:
        self._out.flush()


def read(path: bytes) -> Any:
    """Return a job, or None for one whose folder has gone: MiniStack deletes it with the process for which it was made."""
    try:
        with open(path) as file:
            return json.load(file)
    except OSError:
        return None


def become(job: dict[str, Any], files: list[int]) -> NoReturn:
    """Run a program in this process, as if Python had been started with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(job["env"])
    with open("/proc/self/comm", "w") as name:  # for who measures: /proc/PID/environ stays that of the parent
        name.write(short(job["env"].get("AWS_LAMBDA_FUNCTION_NAME", "function")))
    os.chdir(job["cwd"])
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), cast(TextIO, Answers()), os.fdopen(2, "w", buffering=1)
    sys.argv = [job["program"]]
    try:
        runpy.run_path(job["program"], run_name="__main__")
    except BaseException:  # as Python does
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    here, layers = sys.path[:], sys.argv[1]
    import_first(layers)
    sys.path[:] = here[1:]  # without this program's folder; each worker adds its own places
    jobs = socket.socket(fileno=os.dup(0))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the processes
    while True:
        message, files, *_ = socket.recv_fds(jobs, 4096, 4)
        if not message:
            return
        job = read(message)
        if not (pid := os.fork()):
            jobs.close()
            become(job, files) if job else os._exit(1)
        for file_number in files:
            os.close(file_number)
        jobs.send(str(pid).encode())


if __name__ == "__main__":
    main()
