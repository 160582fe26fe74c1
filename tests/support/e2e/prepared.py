"""Start Python programs from a process that has imported other projects' libraries, which takes most of a start.

The program is read, and imports its own modules, anew each time. `command` returns what to run in its place; only Linux has it.

Usage: python prepared.py serve ADDRESS MODULE…, which ends with its standard input;
python prepared.py run ADDRESS PROGRAM ARGUMENT…, where PROGRAM is a file, or -m and a module.
"""

import gc
import marshal
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from functools import cache

LENGTH = 4  # bytes of a number


@cache
def command(python: str, *modules: str) -> list[str]:
    """Start the process that imports the modules. It ends with this one. Return what runs a program from it."""
    if sys.platform != "linux":
        return [python]
    import atexit
    import subprocess
    import uuid

    address, this = f"waitpoints-{uuid.uuid4().hex}", [python, "-P", __file__]
    server = subprocess.Popen([*this, "serve", address, *modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    atexit.register(server.communicate)  # after the line below: the last one comes first
    atexit.register(server.terminate)
    assert server.stdout
    assert server.stdout.readline() == b"ready\n"
    return [python, "-I", "-S", __file__, "run", address]


def run(address: str, program: list[str]) -> None:
    """Let the server fork into a program with this process's files, folder and environment. End as it does."""
    job = marshal.dumps((program, os.getcwd(), dict(os.environ)))
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(f"\0{address}")
        socket.send_fds(server, [len(job).to_bytes(LENGTH)], [0, 1, 2])
        server.sendall(job)
        pid = int.from_bytes(_read(server, LENGTH))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(pid, number))
        status = os.waitstatus_to_exitcode(int.from_bytes(_read(server, LENGTH)))
    if status < 0:
        with suppress(OSError):  # nobody handles SIGKILL
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _read(connection: socket.socket, length: int) -> bytes:
    return connection.recv(length, socket.MSG_WAITALL)


def serve(address: str, modules: list[str]) -> list[str]:
    """Return in a new process for each job: the program that it is to run."""
    from importlib import import_module

    for module in modules:
        import_module(module)
    gc.freeze()  # what exists now is in the memory of each process
    running: dict[int, socket.socket] = {}

    def report(*_: object) -> None:
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with running.pop(pid) as caller, suppress(OSError):  # it may have been killed
                caller.sendall(status.to_bytes(LENGTH))

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"\0{address}")
    listener.listen(16)
    signal.signal(signal.SIGCHLD, report)
    print("ready", flush=True)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        caller = listener.accept()[0]
        length, files, *_ = socket.recv_fds(caller, LENGTH, 3)
        job = _read(caller, int.from_bytes(length))
        if not job:  # it was killed before it said what to run
            caller.close()
            continue
        program, folder, environment = marshal.loads(job)  # noqa: S302 - from `run`
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        if not (pid := os.fork()):
            for connection in (listener, caller, *running.values()):
                connection.close()
            _become(folder, environment, files)
            return list(program)
        running[pid] = caller
        with suppress(OSError):
            caller.sendall(pid.to_bytes(LENGTH))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        for file in files:
            os.close(file)
    os._exit(0)


def _become(folder: str, environment: dict[str, str], files: list[int]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115 - as Python does
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115 - as above


def start(program: list[str]) -> None:
    """Run a program in this process as Python does."""
    import runpy

    if program[0] == "-m":
        sys.path.insert(0, os.getcwd())
        sys.argv = program[1:]
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, os.path.dirname(program[0]))
        sys.argv = program
        runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(sys.argv[2], sys.argv[3:])
    start(serve(sys.argv[2], sys.argv[3:]))
