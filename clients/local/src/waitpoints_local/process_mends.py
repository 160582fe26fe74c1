"""Start a function's processes, and check its calls, as quickly as AWS does, so that a run's time is the functions' own.

AWS keeps the code and the layers of a function unpacked, and an environment starts with the runtime already in memory.
"""

import hashlib
import json
import os
import queue
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from waitpoints_local import fork_server

LOG_PATIENCE = 0.25  # seconds
START_PATIENCE = 5  # seconds
STARTS = 3
FIRST_ANSWER = 0.5  # seconds, in which most functions have given their first answer once they have started
_WORKER = "_worker.py"  # MiniStack's name for the program of a process


def unpack_once(lambda_runtime: Any, folder: Path) -> None:
    """Unpack each archive once, and let every process read the same files.

    On AWS, /var/task and /opt are read-only. MiniStack 1.5.33 unpacks the function and its layers anew for every process, which
    takes half a second and 35 MB.
    """
    unpacking, unpacked = threading.Lock(), set[Path]()

    class Archive:
        def __init__(self, path: str) -> None:
            self._path = Path(path)

        def __enter__(self) -> "Archive":
            return self

        def __exit__(self, *_: object) -> None:
            self._path.unlink()

        def namelist(self) -> list[str]:
            return []  # for a check of each name, which `extractall` makes itself

        def extractall(self, target: str) -> None:
            content = folder / hashlib.sha256(self._path.read_bytes()).hexdigest()
            with unpacking:
                if content not in unpacked:
                    with zipfile.ZipFile(self._path) as archive:
                        archive.extractall(content)
                    unpacked.add(content)
            os.rmdir(target)
            os.symlink(content, target)

    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": Archive})


def answer_when_the_log_has_ended(lambda_runtime: Any) -> None:
    """Answer an invocation as soon as the function has: the process says where its log of this invocation ends.

    AWS does not wait for a log. MiniStack 1.5.33 waits until nothing was logged for 5 ms, or 50 ms if nothing is, and looks
    each millisecond.
    """
    drain = lambda_runtime.Worker._drain_stderr_bounded

    def drain_to_the_end(worker: Any, **limits: float) -> str:
        process = worker._proc
        if not isinstance(process, _Process):
            return str(drain(worker, **limits))
        process.answers += 1
        lines: list[str] = []
        with suppress(queue.Empty):
            while (line := worker._stderr_queue.get(timeout=LOG_PATIENCE)) != f"{fork_server.END_OF_LOG}{process.answers}":
                lines += [] if line.startswith(fork_server.END_OF_LOG) else [line]
        return "\n".join(lines)

    lambda_runtime.Worker._drain_stderr_bounded = drain_to_the_end


def give_roles_random_credentials(lambda_svc: Any, lambda_runtime: Any) -> None:
    """Give functions credentials that nobody can compute, as AWS does.

    MiniStack 1.5.33 derives them from the ARNs of the function and its role, which are no secrets.
    """
    derive, salt = lambda_runtime.execution_credentials, secrets.token_hex(16)

    def derive_from_a_secret(config: Any) -> Any:
        return derive({**config, "FunctionArn": f"{config.get('FunctionArn', '')}:{salt}"})

    lambda_svc.execution_credentials = lambda_runtime.execution_credentials = derive_from_a_secret


def parse_once(iam_evaluator: Any, apigateway: Any) -> None:
    """Parse each policy and each route once, since AWS does neither during a request.

    MiniStack 1.5.33 parses all policies of a role for each call, and each route of an API for each request, on the thread that
    does everything else. So what has more permissions or routes seemed slower.
    """
    parse, extract = iam_evaluator.parse_policy_document, lru_cache(10_000)(apigateway._extract_path_params)
    parse_text = lru_cache(1_000)(parse)

    def parse_policy_document(document: Any) -> Any:
        return parse_text(document) if isinstance(document, str) else parse(document)

    def extract_path_params(route_path: str, request_path: str) -> dict[str, str] | None:
        found = extract(route_path, request_path)
        return found and dict(found)

    iam_evaluator.parse_policy_document = parse_policy_document
    apigateway._extract_path_params = extract_path_params


def know_services_by_name(router: Any) -> None:
    """Know a service that is not emulated by its name.

    MiniStack 1.5.33 reads the models of all 400 services at the first call of such a one, and answers nothing for two seconds.
    """
    is_service = router._is_aws_service_name

    @cache
    def names() -> frozenset[str]:
        import botocore.session  # noqa: PLC0415 - takes time that an emulator without such calls does not need

        return frozenset(botocore.session.get_session().get_available_services())

    router._is_aws_service_name = lambda name: name in names() or is_service(name)


def start_few_at_once(lambda_svc: Any, lambda_runtime: Any, at_once: int) -> None:
    """Start at most so many processes at a time. An invocation that waits for its turn takes one that becomes free meanwhile.

    AWS has a machine for each start. MiniStack 1.5.33 starts a process for each invocation that finds none free: the starts
    of five simultaneous ones share a few cores, though the first process could answer all five before the fifth has started.

    Nobody waits longer than START_PATIENCE: a function can invoke another one while it starts, which then must start, too.
    """
    acquire, release = lambda_svc.acquire_worker, lambda_svc.release_worker
    changed = threading.Condition()

    def may_go_on(key: str) -> bool:
        with lambda_runtime._lock:
            used = [worker for workers in lambda_runtime._workers.values() for worker in workers if worker.in_use]
            is_one_free = any(not worker.in_use for worker in lambda_runtime._workers.get(key, ()))
        return is_one_free or sum(map(is_starting, used)) < at_once

    def is_starting(worker: Any) -> bool:
        return worker._start_time is None or time.time() - worker._start_time < FIRST_ANSWER

    def acquire_in_turn(name: str, config: Any, code: Any, qualifier: str = "$LATEST", **named: Any) -> Any:
        key = lambda_runtime._worker_key(name, config, qualifier)
        until = time.monotonic() + START_PATIENCE
        with changed:
            while not may_go_on(key) and time.monotonic() < until:
                changed.wait(0.1)
            return acquire(name, config, code, qualifier=qualifier, **named)

    def release_and_tell(worker: Any) -> None:
        release(worker)
        with changed:
            changed.notify_all()

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquire_in_turn, release_and_tell


class _Process:
    """What MiniStack uses of `subprocess.Popen`, of a process that is no child of this one."""

    def __init__(self, pid: int, ended: int, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = os.fdopen(stdin, "w", buffering=1), os.fdopen(stdout), os.fdopen(stderr)
        self.answers = 1  # the first one says that it has started
        self._ended = os.fdopen(ended, "rb", buffering=0)  # readable when the process has ended, which has the other end

    def poll(self) -> int | None:
        try:
            self.wait(0)
        except subprocess.TimeoutExpired:
            return None
        return 0

    def wait(self, timeout: float | None = None) -> int:
        with selectors.DefaultSelector() as selector:
            selector.register(self._ended, selectors.EVENT_READ)
            if not selector.select(timeout):
                raise subprocess.TimeoutExpired([_WORKER], timeout or 0)
        return 0

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, signal_number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal_number)


class _ForkServer:
    """A process that has imported AWS's SDK, and that forks into the processes of functions with the same layers."""

    def __init__(self, layers: str) -> None:
        self._socket, other = socket.socketpair()
        self._turn = threading.Lock()
        command = [sys.executable, fork_server.__file__, layers]
        self._server = subprocess.Popen(command, stdin=other.fileno())
        other.close()

    def end(self) -> None:
        self._server.kill()
        self._server.wait()

    def start(self, command: Sequence[str], cwd: str, env: dict[str, str]) -> _Process:
        """Start a process. Raises ConnectionError if the server has ended."""
        job = Path(command[-1]).with_name("job.json")
        job.write_text(json.dumps({"program": command[-1], "cwd": cwd, "env": env}))
        (stdin, in_), (out, stdout), (err, stderr), (ended, lives) = (os.pipe() for _ in range(4))
        try:
            with self._turn:
                socket.send_fds(self._socket, [str(job).encode()], [stdin, stdout, stderr, lives])
                answer = self._socket.recv(32)
            if not answer:
                raise ConnectionResetError
        except OSError:
            for end in (in_, out, err, ended):
                os.close(end)
            raise
        finally:
            for of_the_process in (stdin, stdout, stderr, lives):
                os.close(of_the_process)
        return _Process(int(answer), ended, in_, out, err)


def fork_processes(lambda_runtime: Any) -> None:
    """Fork a process from one that has imported AWS's SDK, unless the function brings an SDK of its own.

    The runtime of AWS has it in memory. MiniStack 1.5.33 starts a Python that imports it, which takes 0.6 s of a core. Other
    systems than Linux do not let every library work after a fork.
    """
    servers: dict[str, _ForkServer] = {}
    starting = threading.Lock()

    popen: Any = subprocess.Popen

    def start(command: Sequence[str], **named: Any) -> Any:
        if Path(command[-1]).name != _WORKER or has_its_own_sdk(named["cwd"]):
            return popen(command, **named)
        layers = filter(None, named["env"].get("_LAMBDA_LAYERS_DIRS", "").split(os.pathsep))
        places = os.pathsep.join(map(os.path.realpath, layers))
        for _ in range(STARTS):
            with starting:
                if places not in servers:
                    servers[places] = _ForkServer(places)
                server = servers[places]
            try:
                return server.start(command, named["cwd"], named["env"])
            except ConnectionError:  # for want of memory, say: start another one
                server.end()
                with starting:
                    if servers.get(places) is server:
                        del servers[places]
        raise RuntimeError(f"What forks into the processes of functions has ended {STARTS} times in a row")

    def has_its_own_sdk(code: str) -> bool:
        return any((Path(code) / package).exists() for package in fork_server.PACKAGES)

    if sys.platform == "linux":
        lambda_runtime.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": start})


MENDS = (fork_processes, answer_when_the_log_has_ended, give_roles_random_credentials, parse_once, know_services_by_name)
