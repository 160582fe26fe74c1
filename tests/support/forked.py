"""Run something in a process of its own, which may be killed at any moment. This process makes its calls to AWS, on moto."""

import os
import signal
import traceback
import warnings
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn
from unittest import mock

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.support.in_process.moto_stack import client_of


def die(*_: Any, **__: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nothing survives SIGKILL")


def run_forked(act: Callable[[], object]) -> int:
    """Returns the signal that has ended the process, or 0 if it has ended by itself, without an error."""
    here, there = Pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child does not use the threads that it lacks
        child = os.fork()
    if child == 0:
        here.close()
        _run(act, there)
    there.close()
    _make_calls(here)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "it failed"
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _run(act: Callable[[], object], calls: Connection) -> NoReturn:
    def forward(client: Any, operation: str, parameters: Any) -> Any:
        calls.send((client.meta.service_model.service_name, operation, parameters))
        answer, refusal = calls.recv()
        if refusal is not None:
            raise client.exceptions.from_code(refusal["Error"]["Code"])(refusal, operation)
        return answer

    try:
        with mock.patch.object(BaseClient, "_make_api_call", forward):
            act()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _make_calls(calls: Connection) -> None:
    """Make each call that the process asks for, until it ends."""
    while True:
        try:
            service, operation, parameters = calls.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            answer: Any = client_of(service)._make_api_call(operation, parameters), None
        except ClientError as error:
            answer = None, error.response
        try:
            calls.send(answer)
        except (BrokenPipeError, ConnectionResetError):
            return
